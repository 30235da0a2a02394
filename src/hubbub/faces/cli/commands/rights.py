"""Who may read and write a bus's files: checked, and corrected where asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from hubbub.location import data_folder

OTHERS = 0o077
OTHERS_WRITE = 0o022

BESIDE = ("", "-wal", "-shm", "-journal", "-queue", "-bells")
"""How the names of a bus's own files end, after the name of the bus; others there are not ours."""

Found = tuple[str, str, str]
"""Level, what was found, what to do."""


def check(path: str, *, mend: bool) -> Iterator[Found]:
    """Look at the file ``path``, which opened as a bus, at its companions, and at its folder.

    ``mend`` takes from group and others what they should not have, of what this user owns.
    """
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
    # A folder of Hubbub's own holds nothing for others; another one only must not be theirs to change.
    ours = os.path.realpath(data_folder())
    own = os.path.commonpath([ours, folder]) == ours
    found = [(folder, OTHERS if own else OTHERS_WRITE)]
    found += [(path + end, OTHERS) for end in BESIDE]
    for each, forbidden in found:
        try:
            state = os.lstat(each)
        except FileNotFoundError:
            continue  # not every bus has them all
        sticky = each == folder and state.st_mode & stat.S_ISVTX  # as /tmp: others can't touch our files
        plain = stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)
        if plain and not sticky and state.st_mode & forbidden:
            yield each, stat.S_IMODE(state.st_mode), state.st_mode & forbidden


def _told(path: str, mode: int, excess: int) -> Found:
    return "problem", f"{path} is open to other users (mode {mode:04o})", "Run: hubbub doctor --fix"


def _mended(path: str, mode: int, excess: int) -> Found:
    ask = f"Ask its owner: chmod go-{'w' if excess & ~OTHERS_WRITE == 0 else 'rwx'} {path}"
    if not _is_ours(path):
        return "problem", f"{path} has mode {mode:04o} and belongs to another user", ask
    try:
        os.chmod(path, mode & ~excess)
    except OSError as error:
        return "problem", f"{path} has mode {mode:04o}: {error.strerror}", ask
    return "ok", f"{path}: mode {mode:04o} corrected to {mode & ~excess:04o}", ""


def _is_ours(path: str) -> bool:
    return not hasattr(os, "geteuid") or os.lstat(path).st_uid == os.geteuid()


def _owner(path: str) -> Iterator[Found]:
    if not hasattr(os, "geteuid"):
        return
    owner = os.stat(path).st_uid
    if owner != os.geteuid():
        yield "warning", f"{path} belongs to user {owner}", "Use your own bus, or act as its owner."
