"""setup: have the clients on this machine use Hubbub, and take that back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hubbub.errors import EXIT_PERSON, InvalidArgument
from hubbub.faces.cli.failures import UsageError
from hubbub.names import check_word
from hubbub.text import safe_line, safe_text

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.setup.changes import Change
    from hubbub.setup.doing import Done
    from hubbub.setup.places import Setting

ALL = "all"

WORDS = {
    "created": "wrote",
    "changed": "changed",
    "unchanged": "as it is",
    "refused": "REFUSED",
    "restored": "restored",
    "removed": "removed",
    "cleaned": "cleaned",
    "kept": "kept",
}

WOULD = {"created": "would write", "changed": "would change"}
"""The same before it is agreed to."""


def setup(context: Context) -> int:
    """Set up the clients that were named, or those found here; with --undo the reverse."""
    from hubbub.setup.clients import CLIENTS, installed
    from hubbub.setup.places import SCOPES

    given = context.arguments
    check_word(given.scope, SCOPES, "scope")
    named = [check_word(client, (*CLIENTS, ALL), "client") for client in given.clients]
    if given.undo and (given.force or given.tools):
        raise UsageError("--undo goes with neither --force nor --tools.", hint="Run: hubbub setup --help")
    clients = list(CLIENTS) if ALL in named else list(dict.fromkeys(named))
    if given.undo:
        return _undo(context, None if ALL in named or not named else clients)
    if not clients:
        clients = installed(os.path.expanduser("~"))
        if not clients:
            raise InvalidArgument(
                "No client was found here: none has its command on PATH or its folder in your home.",
                hint=f"Name one: {', '.join(CLIENTS)}, or all.",
            )
        if not given.preview and not _agreed(context, clients):
            return 0
    from hubbub.setup.doing import set_up

    setting = _setting(context)
    done = set_up(clients, setting, force=given.force, preview=given.preview)
    return _show(context, done, clients, setting.scope, setting.root)


def _setting(context: Context) -> Setting:
    from hubbub.setup.places import Setting, this_program

    given = context.arguments
    tools = ",".join(
        check_word(word.strip(), ("mail", "topics", "work"), "toolset")
        for word in (given.tools or "").split(",")
        if word
    )
    name = None
    if given.as_agent is not None:  # not HUBBUB_AGENT: that is the name of this shell's agent, for now
        from hubbub.names import check_name

        name = check_name(given.as_agent)
    return Setting(given.scope, _root(given.scope), this_program(), name, tools)


def _root(scope: str) -> str:
    from hubbub.setup.places import PROJECT, project_root

    return project_root(os.getcwd()) if scope == PROJECT else os.path.expanduser("~")


def _agreed(context: Context, clients: list[str]) -> bool:
    """Show a person what would be done to the clients found here, and ask."""
    from hubbub.setup.doing import set_up

    if not context.arguments.yes and not context.output.json:
        done = set_up(clients, _setting(context), force=context.arguments.force, preview=True)
        context.output.line(f"Found here: {', '.join(clients)}.")
        for change in done.changes:
            _tell(context, change, would=True)
        context.output.flush()
    return context.confirm(f"This sets up {', '.join(clients)}.", "hubbub setup --undo takes it back")


def _undo(context: Context, clients: list[str] | None) -> int:
    from hubbub.setup.doing import undo

    given = context.arguments
    root = _root(given.scope)
    done = undo(clients, given.scope, root, preview=given.preview)
    return _show(context, done, clients or [], given.scope, root)


def _show(context: Context, done: Done, clients: list[str], scope: str, root: str) -> int:
    given, output = context.arguments, context.output
    refused = [change for change in done.changes if change.problem is not None]
    if output.json:
        output.answer(
            {
                "scope": scope,
                "root": root,
                "preview": given.preview,
                "clients": clients,
                "files": [_as_dict(change, preview=given.preview) for change in done.changes],
                "notes": _notes(done),
                "elsewhere": done.elsewhere,
            }
        )
        return EXIT_PERSON if refused else 0
    output.done = "See hubbub setup --preview."
    for change in done.changes:
        if given.preview and change.problem is None:
            _tell_difference(context, change)
        else:
            _tell(context, change)
    if not done.changes:
        output.line("Nothing to undo: setup has written nothing here.")
    elif not any(change.writes for change in done.changes) and not refused:
        output.line(
            "Nothing to do: all is there already." if not given.undo else "Nothing was left to take out."
        )
    for change in refused:
        _tell_by_hand(context, change)
    for note in _notes(done):
        output.line(f"Note: {safe_line(note, 400)}")
    for place in done.elsewhere:
        where = "for your user" if place == "~" else f"in {safe_line(place)}"
        output.line(f"Still set up {where}.")
    return EXIT_PERSON if refused else 0


def _notes(done: Done) -> list[str]:
    return list(dict.fromkeys([*(note for change in done.changes for note in change.notes), *done.notes]))


def _tell(context: Context, change: Change, *, would: bool = False) -> None:
    colour = {"refused": "red", "unchanged": "dim"}.get(change.state, "green")
    word = WOULD.get(change.state, WORDS[change.state]) if would else WORDS[change.state]
    word = context.output.styled(f"{word:<{12 if would else 9}}", colour)
    context.output.line(f"{word} {safe_line(change.path)} ({', '.join(change.clients)})")


def _tell_difference(context: Context, change: Change) -> None:
    from hubbub.setup.diff import unified

    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in unified(change.before, change.after, change.path):
        colour = colours.get(line[:1])
        shown = safe_text(line)
        context.output.line(context.output.styled(shown, colour) if colour else shown)


def _tell_by_hand(context: Context, change: Change) -> None:
    """Why a file was left as it is, and what a person can do to it."""
    problem, output = change.problem, context.output
    assert problem is not None
    output.line()
    output.line(f"{safe_line(problem.message, 400)} [{problem.code}]")
    output.line(f"  {safe_line(problem.hint, 400)}")
    shown = problem.details.get("difference") or change.by_hand
    for line in shown.splitlines():
        output.line(f"  {safe_text(line)}")


def _as_dict(change: Change, *, preview: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"file": change.path, "clients": change.clients, "state": change.state}
    if change.problem is not None:
        shown |= {"error": change.problem.as_dict(), "by_hand": change.by_hand}
    elif preview:
        from hubbub.setup.diff import unified

        shown["difference"] = "\n".join(unified(change.before, change.after, change.path))
    return shown
