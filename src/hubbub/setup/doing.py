"""Setting clients up, and undoing it: the whole of one call."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple

from hubbub.errors import HubbubError
from hubbub.errors_setup import ConfigNotOurs, SetupBusy
from hubbub.setup import changes, files
from hubbub.setup.changes import Change, Wanted
from hubbub.setup.clients import CLIENTS
from hubbub.setup.places import PROJECT, USER, Setting
from hubbub.setup.record import Entry, Record, digest, held, read_only

TRIES = 5
"""How often a file is looked at anew that a client writes while setup does."""


class Done(NamedTuple):
    """What a call did or, in a preview, would do."""

    changes: list[Change]
    notes: list[str]
    elsewhere: list[str]
    """Folders of other projects that are set up, and ``~`` for the user's scope."""


def set_up(clients: list[str], setting: Setting, *, force: bool = False, preview: bool = False) -> Done:
    """Make these clients use Hubbub.

    Args:
        clients: Names of :data:`hubbub.setup.clients.CLIENTS`.
        setting: Scope, program, name and tools.
        force: Put the new entry in place of a different one.
        preview: Write nothing.

    Raises:
        SetupBusy: another setup is at work.
        SetupRecordDamaged: what was written before is not known.
    """
    plans = {client: CLIENTS[client](setting) for client in clients}
    wanted: dict[str, Wanted] = {}
    notes: list[str] = []
    folders: list[str] = []
    for client, plan in plans.items():
        for target in plan.targets:
            wanted.setdefault(target.path, []).extend((edit, client) for edit in target.edits)
        notes += plan.notes
        folders += plan.folders

    def plan_file(path: str, record: Record) -> Change:
        change = changes.setting_up(path, wanted[path], record, setting.within, force=force)
        if change.entry is not None:
            change.entry.scope, change.entry.root = setting.scope, setting.root
        return change

    if preview:
        record = read_only()
        return Done([plan_file(path, record) for path in wanted], notes, [])
    with held() as record:
        with contextlib.suppress(OSError):  # then the sandbox can't write there, and says so
            for folder in folders:
                record.folders += files.make_folder(folder, 0o700)
        done = [_carry_out(path, record, setting.scope, plan_file) for path in wanted]
        return Done(done, notes, [])


def undo(clients: list[str] | None, scope: str, root: str, *, preview: bool = False) -> Done:
    """Take out what setup wrote in this scope, for these clients or (None) for all.

    Raises:
        SetupBusy: another setup is at work.
        SetupRecordDamaged: what was written before is not known.
    """
    chosen = None if clients is None else set(clients)

    def plan_file(path: str, record: Record) -> Change | None:
        within = root if scope == PROJECT else None
        return changes.undoing(record.entries[path], chosen, record, within)

    def mine(entry: Entry) -> bool:
        return entry.scope == scope and (scope == USER or entry.root == root)

    if preview:
        record = read_only()
        paths = [path for path, entry in record.entries.items() if mine(entry)]
        planned = [plan_file(path, record) for path in paths]
        return Done([change for change in planned if change is not None], [], _elsewhere(record, scope, root))
    with held() as record:
        done = []
        for path in [path for path, entry in record.entries.items() if mine(entry)]:
            if plan_file(path, record) is not None:
                done.append(_carry_out(path, record, scope, plan_file))
        return Done(done, [note for change in done for note in change.notes], _elsewhere(record, scope, root))


def _elsewhere(record: Record, scope: str, root: str) -> list[str]:
    found = {"~" if entry.scope == USER else entry.root for entry in record.entries.values()}
    return sorted(found - {"~" if scope == USER else root})


def _carry_out(
    path: str, record: Record, scope: str, plan_file: Callable[[str, Record], Change | None]
) -> Change:
    """Do to one file what is planned, planned anew when somebody else writes it meanwhile."""
    for _ in range(TRIES):
        planned = plan_file(path, record)
        assert planned is not None  # what it is about was there before, and only this process changes it
        change = planned
        if change.problem is not None:
            return change
        before = record.entries.get(path)
        try:
            if _write(change, record, scope):
                return change
        except HubbubError as problem:
            change.refuse(problem)
        except OSError as error:
            change.refuse(ConfigNotOurs(f"{path} can't be written: {error.strerror}."))
        _put_back(record, path, before)
        if change.state == changes.REFUSED:
            return change
    change.refuse(SetupBusy(f"{path} changes all the time.", hint="Close the client that writes it, first."))
    return change


def _put_back(record: Record, path: str, before: Entry | None) -> None:
    if before is None:
        record.entries.pop(path, None)
    else:
        record.entries[path] = before
    record.save()


def _write(change: Change, record: Record, scope: str) -> bool:
    """Record what comes, then do it; False where the file is another one by now."""
    path, found = change.path, change.found
    assert found is not None
    if change.entry is None:
        if change.writes and not _replace(change, scope, record):
            return False
        record.entries.pop(path, None)
        return True
    if change.starts:
        change.entry.backup = None if change.original is None else record.keep(change.original)
    if change.writes:
        change.entry.written = digest(change.after)
    record.entries[path] = change.entry
    record.save()
    return not change.writes or _replace(change, scope, record)


def _replace(change: Change, scope: str, record: Record) -> bool:
    found = change.found
    assert found is not None
    made = files.make_folder(os.path.dirname(found.target), 0o700 if scope == USER else 0o777)
    record.folders += made

    def still() -> bool:
        return files.look(change.path).data == found.data

    if change.after is None:
        if not still():
            return False
        os.unlink(found.target)
        return True
    new = 0o600 if scope == USER else None
    return files.replace(found.target, change.after, found.mode if found.data is not None else new, still)
