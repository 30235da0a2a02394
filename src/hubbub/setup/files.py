"""Reading and replacing files that belong to a person, with care."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from hubbub.errors_setup import ConfigNotOurs, ConfigUnreadable

LARGEST = 32 << 20
"""Bytes of the largest file that is read."""


class Found(NamedTuple):
    """A file as it is."""

    target: str
    """The file itself, behind whatever links lead to it."""
    data: bytes | None
    """None where there is none."""
    mode: int


def look(path: str, within: str | None = None) -> Found:
    """The file at ``path``, with links followed.

    Args:
        path: An absolute path.
        within: A folder that links must not lead out of.

    Raises:
        ConfigNotOurs: it is no regular file, is read-only or another user's, or a link leads nowhere.
        ConfigUnreadable: it is too large, or can't be read.
    """
    target = _target(path, within)
    try:
        state = os.stat(target)
    except FileNotFoundError:
        _check_folder(target)
        return Found(target, None, 0)
    except OSError as error:
        raise ConfigNotOurs(f"{path} can't be looked at: {error.strerror}.") from None
    if not stat.S_ISREG(state.st_mode):
        raise ConfigNotOurs(f"{path} is no regular file.")
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        raise ConfigNotOurs(f"{path} belongs to another user.")
    if not state.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
        raise ConfigNotOurs(f"{path} is read-only.")
    if state.st_nlink > 1:
        raise ConfigNotOurs(f"{path} has {state.st_nlink} names, which would part ways when it is replaced.")
    _check_folder(target)
    if state.st_size > LARGEST:
        raise ConfigUnreadable(f"{path} is larger than {LARGEST >> 20} MiB.")
    try:
        with open(target, "rb") as file:
            return Found(target, file.read(), stat.S_IMODE(state.st_mode))
    except OSError as error:
        raise ConfigUnreadable(f"{path} can't be read: {error.strerror}.") from None


def read(path: str) -> bytes | None:
    """What the file at ``path`` holds, to look at only; None where there is none.

    Raises:
        ConfigUnreadable: it is too large or no regular file.
        OSError: it can't be read.
    """
    try:
        state = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(state.st_mode) or state.st_size > LARGEST:
        raise ConfigUnreadable(f"{path} is no regular file, or too large.")
    with open(path, "rb") as file:
        return file.read()


def _target(path: str, within: str | None) -> str:
    try:
        target = os.path.realpath(path, strict=os.path.lexists(path))
    except FileNotFoundError:
        raise ConfigNotOurs(f"{path} is a link that leads nowhere.") from None
    except OSError as error:
        raise ConfigNotOurs(f"{path} can't be followed: {error.strerror}.") from None
    inside = os.path.realpath(within) if within is not None else "/"
    if os.path.commonpath([inside, target]) != inside:
        raise ConfigNotOurs(f"{path} is a link that leads out of {within}.")
    return target


def _check_folder(target: str) -> None:
    """Raise ConfigNotOurs where a file can't be put into the folder of ``target``, or that can't be made."""
    folder = os.path.dirname(target)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise ConfigNotOurs(f"{folder} is no folder.")
    mode = os.stat(folder).st_mode
    if not mode & stat.S_IWUSR or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigNotOurs(f"The folder {folder} is read-only.")


def make_folder(folder: str, mode: int = 0o777) -> list[str]:
    """Make ``folder`` and those above it; the ones made, outermost first."""
    missing = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    made = []
    for each in reversed(missing):
        try:
            os.mkdir(each, mode)
        except FileExistsError:
            continue  # another process was quicker
        made.append(each)
    return made


def replace(target: str, data: bytes, mode: int | None, still: Callable[[], bool] = lambda: True) -> bool:
    """Put ``data`` in place of the file ``target``, at once and whole; False where that was not to be.

    Args:
        target: A path without links; its folder is there.
        data: All that the file then holds.
        mode: Its rights; None for what a new file of this user gets.
        still: Asked at the last moment whether it is still to be.

    Raises:
        OSError: it can't be written; the file is as it was.
    """
    if mode is None:
        mode = 0o666 & ~_umask()
    folder = os.path.dirname(target)
    descriptor, temporary = tempfile.mkstemp(prefix=".hubbub-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if not still():
            os.unlink(temporary)
            return False
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(folder)
    return True


def sync_folder(folder: str) -> None:
    """Have a change of names in ``folder`` outlast a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
