"""What setting up or undoing would do to each file: worked out whole before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hubbub.errors import HubbubError
from hubbub.errors_setup import ConfigDifferent, ConfigUnreadable
from hubbub.setup import edits, files
from hubbub.setup.edits import ABSENT, DIFFERENT, SAME, Edit
from hubbub.setup.record import Entry, Part, Record, digest

Wanted = list[tuple[Edit, str]]
"""Edits of one file, each with the client that it is for."""

CREATED, CHANGED, UNCHANGED, REFUSED = "created", "changed", "unchanged", "refused"
RESTORED, REMOVED, CLEANED, KEPT = "restored", "removed", "cleaned", "kept"


class Change:
    """What happens to one file."""

    def __init__(self, path: str, clients: Iterable[str]) -> None:
        self.path = path
        self.clients = sorted(set(clients))
        self.state = UNCHANGED
        self.found: files.Found | None = None
        self.after: bytes | None = None
        """What it then holds; None for no file."""
        self.entry: Entry | None = None
        """What is then recorded of it; None for nothing."""
        self.original: bytes | None = None
        """What to keep for an undo, where :attr:`starts` says so."""
        self.starts = False
        """Whether :attr:`original` is from now on what an undo goes back to."""
        self.problem: HubbubError | None = None
        self.by_hand = ""
        """What a person can do to the file instead."""
        self.notes: list[str] = []

    @property
    def before(self) -> bytes | None:
        """What it holds now; None for no file."""
        return self.found.data if self.found else None

    @property
    def writes(self) -> bool:
        """Whether the file gets another content."""
        return self.problem is None and self.after != self.before

    def refuse(self, problem: HubbubError) -> None:
        """Leave the file as it is, and say why."""
        self.problem, self.state = problem, REFUSED
        self.after, self.entry = self.before, None


def setting_up(path: str, wanted: Wanted, record: Record, within: str | None, *, force: bool) -> Change:
    """What ``wanted`` does to the file at ``path``; the entry is made with the scope and root that the caller
    gives it afterwards. A problem is told in the change."""
    change = Change(path, [client for _, client in wanted])
    try:
        change.found = files.look(path, within)
        text = _text(path, change.before)
        _set_up(change, text, wanted, record, force=force)
    except HubbubError as problem:
        change.refuse(problem)
    except ValueError as error:
        change.refuse(ConfigUnreadable(f"{path}: {error}."))
    if change.problem is not None:
        change.by_hand = "\n".join(edit.by_hand() for edit in _distinct(wanted))
    return change


def _set_up(change: Change, text: str, wanted: Wanted, record: Record, *, force: bool) -> None:
    known = record.entries.get(change.path)
    entry = known.copy() if known else Entry(change.path, "", "")
    change.original = change.before
    if known and digest(change.before) != known.written:
        # Somebody changed the file since: undo goes back to that, without our part.
        change.original = _encoded(_stripped(text, entry, record), record.before(entry))
    clean = text
    text = _without_stale(text, entry, wanted)
    refused: list[Edit] = []
    for edit, client in wanted:
        try:
            text = _put(text, entry, edit, client, force=force, refused=refused)
        except ValueError as error:
            if not edit.optional:
                raise
            by_hand = " ".join(edit.by_hand().split())
            change.notes.append(f"{change.path}: {error}. If you want it, add: {by_hand}")
    change.after = _encoded(text, change.before) if text != clean else change.before
    if refused:
        change.after = text.encode()  # shown as what would stand there
        _raise_different(change, refused)
    if change.after != change.before:
        change.state = CREATED if change.before is None else CHANGED
        change.starts = known is None or digest(change.before) != known.written
    change.entry = entry if entry.parts else None


def _raise_different(change: Change, refused: list[Edit]) -> None:
    """Raise ConfigDifferent, with the difference."""
    from hubbub.setup.diff import unified

    shown = "\n".join(unified(change.before, change.after, change.path))
    raise ConfigDifferent(f"{change.path} has another hubbub entry.", difference=shown)


def _put(text: str, entry: Entry, edit: Edit, client: str, *, force: bool, refused: list[Edit]) -> str:
    """The text with ``edit`` in it; one that takes the place of somebody else's is noted in ``refused``."""
    part = next((part for part in entry.parts if _slot(part.edit) == _slot(edit)), None)
    there = edit.look(text)
    if there == SAME:
        if part is not None and part.edit.as_dict() == edit.as_dict():
            part.clients.add(client)
        return text  # where no part is recorded, somebody else wrote just this: it stays theirs
    if there == DIFFERENT and not force and (part is None or part.edit.look(text) != SAME):
        refused.append(edit)
    for made in edit.containers(text):
        if made not in entry.made:
            entry.made.append(made)
    if part is None:
        entry.parts.append(Part(edit, {client}))
    else:
        part.edit = edit
        part.clients.add(client)
    return edit.put(text)


def _without_stale(text: str, entry: Entry, wanted: Wanted) -> str:
    """The text without what these clients got from an earlier setup and are to have no more."""
    clients, slots = {client for _, client in wanted}, {_slot(edit) for edit, _ in wanted}
    for part in list(entry.parts):
        if _slot(part.edit) in slots or not part.clients <= clients:
            continue
        if part.edit.look(text) == SAME:
            text = part.edit.take(text)
        entry.parts.remove(part)
    return text


def undoing(entry: Entry, clients: set[str] | None, record: Record, within: str | None) -> Change | None:
    """What taking out the parts of ``clients`` (None: of all) does to a file; None where it has none."""
    entry = entry.copy()
    change = Change(entry.path, clients or {client for part in entry.parts for client in part.clients})
    going = []
    touched = False
    for part in entry.parts:
        touched = touched or clients is None or bool(part.clients & clients)
        part.clients -= part.clients if clients is None else clients
        going += [] if part.clients else [part]
    if not touched:
        return None
    entry.parts = [part for part in entry.parts if part.clients]
    try:
        change.found = files.look(entry.path, within)
        change.after = change.before
        change.entry = entry if entry.parts else None
        _undo(change, entry, going, record)
    except HubbubError as problem:
        change.refuse(problem)
    except ValueError as error:
        change.refuse(ConfigUnreadable(f"{entry.path}: {error}."))
    if change.problem is not None:
        change.by_hand = "Take out:\n" + "\n".join(part.edit.by_hand() for part in going)
    return change


def _undo(change: Change, entry: Entry, going: list[Part], record: Record) -> None:
    original = record.before(entry)
    if not going:
        change.state = KEPT  # other clients need it
    if not going or change.before is None or change.before == original:
        if change.before == original:
            change.entry = None
        return
    ours = digest(change.before) == entry.written
    if not entry.parts and ours:
        change.after = original
        change.state = REMOVED if original is None else RESTORED
        return
    shrunk = entry.copy()
    shrunk.parts = going
    change.after = _encoded(_stripped(_text(entry.path, change.before), shrunk, record), original)
    if change.after == change.before:
        return
    change.state = REMOVED if change.after is None else CLEANED
    if not ours:
        change.notes.append(
            f"{entry.path} was changed since by somebody else: only Hubbub's part was taken out of it."
        )


def _stripped(text: str, entry: Entry, record: Record) -> str:
    """The text without the parts of ``entry``; what stood in their place before is put back."""
    original = _text(entry.path, record.before(entry))
    for part in reversed(entry.parts):
        if part.edit.look(text) == ABSENT:
            continue
        text = part.edit.take(text)
        former = part.edit.former(original) if original else None
        text = former.put(text) if former else text
    return edits.prune(text, entry.made) if entry.made else text


def _encoded(text: str, original: bytes | None) -> bytes | None:
    """The text as bytes; None where it is empty and was made by setup."""
    if original is None and text.strip() in ("", "{}"):
        return None
    return text.encode()


def _text(path: str, data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        raise ConfigUnreadable(f"{path} is no UTF-8.") from None


def _slot(edit: Edit) -> tuple[Any, ...]:
    """What two edits share of which only one can stand in a file."""
    given = edit.as_dict()
    hook = given.get("hook") or {}
    return (
        edit.kind,
        tuple(given.get("path", ())),
        given.get("event"),
        "asyncRewake" in hook,
        given["value"] if edit.kind == "listed" else "",
    )


def _distinct(wanted: Wanted) -> list[Edit]:
    found: dict[str, Edit] = {}
    for edit, _ in wanted:
        found.setdefault(repr(edit.as_dict()), edit)
    return list(found.values())
