"""Who may read and write a bus's files: checked, and corrected where asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from hubbub.location import data_folder

OTHERS = 0o077
OTHERS_WRITE = 0o022

Found = tuple[str, str, str]
"""Level, what was found, what to do."""


def check(path: str, *, mend: bool) -> Iterator[Found]:
    """Look at the file ``path``, at what lies beside it under its name, and at its folder.

    ``mend`` takes from group and others what they should not have; nobody else's rights change.
    """
    if os.path.isdir(path):
        return  # opening it will say so
    wrong = 0
    for found in _wrong(path):
        wrong += 1
        yield _mended(*found) if mend else _told(*found)
    yield from _owner(path)
    if not wrong:
        yield "ok", "files and folder are closed to other users", ""


def _wrong(path: str) -> Iterator[tuple[str, int, int]]:
    """``(path, mode, excess)`` of whatever others can use and should not."""
    folder = os.path.dirname(path)
    name = os.path.basename(path)
    # A folder of Hubbub's own holds nothing for others; another one only must not be theirs to change.
    own = os.path.commonpath([data_folder(), folder]) == data_folder()
    found = [(folder, OTHERS if own else OTHERS_WRITE)]
    with os.scandir(folder) as entries:
        found += [
            (entry.path, OTHERS)
            for entry in entries
            if entry.name == name or entry.name.startswith(name + "-")
        ]
    for each, forbidden in found:
        try:
            state = os.lstat(each)
        except FileNotFoundError:
            continue  # a log that was removed meanwhile
        sticky = each == folder and state.st_mode & stat.S_ISVTX  # as /tmp: others can't touch our files
        if not stat.S_ISLNK(state.st_mode) and not sticky and state.st_mode & forbidden:
            yield each, stat.S_IMODE(state.st_mode), state.st_mode & forbidden


def _told(path: str, mode: int, excess: int) -> Found:
    return "problem", f"{path} is open to other users (mode {mode:04o})", "Run: hubbub doctor --fix"


def _mended(path: str, mode: int, excess: int) -> Found:
    try:
        os.chmod(path, mode & ~excess)
    except OSError as error:
        return (
            "problem",
            f"{path} has mode {mode:04o}: {error.strerror}",
            f"Ask its owner: chmod go-rwx {path}",
        )
    return "ok", f"{path}: mode {mode:04o} corrected to {mode & ~excess:04o}", ""


def _owner(path: str) -> Iterator[Found]:
    if not hasattr(os, "geteuid"):
        return
    owner = os.stat(path).st_uid
    if owner != os.geteuid():
        yield "warning", f"{path} belongs to user {owner}", "Use your own bus, or act as its owner."
