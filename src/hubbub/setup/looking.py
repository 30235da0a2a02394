"""How the clients on this machine are set up at the moment: read, nothing is written."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import Any, NamedTuple

from hubbub.errors import HubbubError
from hubbub.errors_setup import ConfigUnreadable
from hubbub.setup import files
from hubbub.setup.clients import CLIENTS, installed
from hubbub.setup.edits import ABSENT, SAME, Edit
from hubbub.setup.places import PROJECT, SCOPES, USER, Setting
from hubbub.setup.record import Record, read_only

NONE, WHOLE, PART, OTHER, BROKEN, UNREADABLE = "none", "whole", "part", "other", "broken", "unreadable"


class Seen(NamedTuple):
    """A client in one scope."""

    client: str
    scope: str
    state: str
    """NONE, WHOLE, PART (something is missing), OTHER (entries that setup did not write), BROKEN (what they
    start is not there) or UNREADABLE."""
    detail: str = ""


def look(home: str, project: str | None, program: tuple[str, ...]) -> list[Seen]:
    """What is seen of each client that is here, in the user's scope and that of ``project``.

    Raises:
        SetupRecordDamaged: what setup wrote is not known.
    """
    record = read_only()
    scopes = [(USER, home)] + ([(PROJECT, project)] if project is not None and project != home else [])
    assert {scope for scope, _ in scopes} <= set(SCOPES)
    return [
        _look(client, Setting(scope, root, program), record)
        for client in installed(home)
        for scope, root in scopes
    ]


def _look(client: str, setting: Setting, record: Record) -> Seen:
    states: list[str] = []
    for target in CLIENTS[client](setting).targets:
        entry = record.entries.get(target.path)
        ours = [part.edit for part in entry.parts if client in part.clients] if entry else []
        try:
            data = files.read(target.path)
            text = (data or b"").decode()
            starts = [_started(edit, text) for edit in target.edits]
            states += [edit.look(text) for edit in ours or target.edits if not edit.optional]
        except (HubbubError, ValueError, OSError) as error:
            what = error.message if isinstance(error, ConfigUnreadable) else f"{target.path}: {error}"
            return Seen(client, setting.scope, UNREADABLE, what)
        for program in starts:
            if program and not shutil.which(program):
                return Seen(client, setting.scope, BROKEN, f"{target.path} starts {program}")
    if set(states) == {SAME}:
        return Seen(client, setting.scope, WHOLE)
    if set(states) == {ABSENT}:
        return Seen(client, setting.scope, NONE)
    return Seen(client, setting.scope, PART if set(states) == {SAME, ABSENT} else OTHER)


def _started(edit: Edit, text: str) -> str:
    """The program that the entry in the place of ``edit`` starts; empty where there is none."""
    there = edit.former(text)
    if there is None:
        return ""
    given = there.as_dict()
    entry: Any = given.get("hook") or given.get("value") or given.get("values")
    command = entry.get("command") if isinstance(entry, dict) else None
    if isinstance(command, list):
        return str(command[0]) if command else ""
    if not isinstance(command, str):
        return ""
    return next(iter(shlex.split(command)), "") if "hook" in given else os.path.expanduser(command)
