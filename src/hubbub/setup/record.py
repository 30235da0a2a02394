"""What setup has written, so that it can be undone: a file in the user's state folder, and copies."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from hubbub.errors_setup import SetupBusy, SetupRecordDamaged
from hubbub.setup import edits, files
from hubbub.setup.edits import Edit, Listed, Path

VERSION = 1
LOCK_SECONDS = 20.0


def state_folder() -> str:
    """The folder for what this user's programs keep between runs, by the platform's custom (XDG on Linux)."""
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_STATE_HOME") or ""
        base = base if os.path.isabs(base) else os.path.expanduser("~/.local/state")
    return os.path.join(base, "hubbub", "setup")


class Part:
    """An edit that stands in a file, and for which clients."""

    def __init__(self, edit: Edit, clients: set[str]) -> None:
        self.edit, self.clients = edit, clients


class Entry:
    """What setup did to one file."""

    def __init__(self, path: str, scope: str, root: str) -> None:
        self.path, self.scope, self.root = path, scope, root
        self.backup: str | None = None
        """The name of the copy of what was there before; None where nothing was."""
        self.written = ""
        """The digest of what was last written."""
        self.made: list[Path] = []
        self.parts: list[Part] = []

    def copy(self) -> Entry:
        """One that can be changed apart from this."""
        return Entry.from_dict(self.path, self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        return {
            "scope": self.scope,
            "root": self.root,
            "backup": self.backup,
            "written": self.written,
            "made": [list(path) for path in self.made],
            "parts": [{"edit": part.edit.as_dict(), "clients": sorted(part.clients)} for part in self.parts],
        }

    @staticmethod
    def from_dict(path: str, given: dict[str, Any]) -> Entry:
        """The entry that was recorded so. Raises ValueError, KeyError or TypeError when it is none."""
        entry = Entry(path, given["scope"], given["root"])
        entry.backup, entry.written = given["backup"], given["written"]
        entry.made = [tuple(made) for made in given["made"]]
        entry.parts = [Part(edits.from_dict(part["edit"]), set(part["clients"])) for part in given["parts"]]
        return entry


class Record:
    """All that setup did on this machine for this user. Raises SetupRecordDamaged when it can't be read."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "written.json")
        self.entries: dict[str, Entry] = {}
        self.folders: list[str] = []
        """Folders that setup made, in the order in which it made them."""
        try:
            with open(self.path, encoding="utf-8") as file:
                given = json.load(file)
            if given["version"] != VERSION:
                raise ValueError(f"it is of version {given['version']!a}")
            self.entries = {path: Entry.from_dict(path, each) for path, each in given["files"].items()}
            self.folders = [str(each) for each in given["folders"]]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SetupRecordDamaged(f"{self.path} can't be read: {error}") from None

    def save(self) -> None:
        """Write it. Raises OSError."""
        given = {
            "version": VERSION,
            "files": {path: entry.as_dict() for path, entry in self.entries.items()},
            "folders": self.folders,
        }
        files.replace(self.path, json.dumps(given, indent=1).encode(), 0o600)

    def before(self, entry: Entry) -> bytes | None:
        """What the file of ``entry`` held before; None where there was none. Raises SetupRecordDamaged."""
        if entry.backup is None:
            return None
        path = os.path.join(self.folder, entry.backup)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise SetupRecordDamaged(f"{path} can't be read: {error.strerror}.") from None
        if digest(data) != entry.backup.partition(".")[0]:
            raise SetupRecordDamaged(f"{path} is not what setup wrote.")
        return data

    def keep(self, data: bytes) -> str:
        """Keep a copy of ``data``; its name. Raises OSError."""
        name = f"{digest(data)}.before"
        files.replace(os.path.join(self.folder, name), data, 0o600)
        return name

    def tidy(self) -> None:
        """Remove copies that no entry needs, and folders that setup made and nobody uses. Raises OSError."""
        needed = {entry.backup for entry in self.entries.values()}
        for name in os.listdir(self.folder):
            if name.endswith(".before") and name not in needed:
                os.unlink(os.path.join(self.folder, name))
        if not self.entries:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        used = [*self.entries, *([self.path] if self.entries else [])]
        parts = [part.edit for entry in self.entries.values() for part in entry.parts]
        used += [os.path.join(edit.value, "") for edit in parts if isinstance(edit, Listed)]
        kept = []
        for folder in sorted(self.folders, key=lambda each: (len(each), each), reverse=True):
            if any(path.startswith(folder + os.sep) for path in used):
                kept.append(folder)
                continue
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        self.folders = kept[::-1]
        if self.entries:
            self.save()


@contextlib.contextmanager
def held() -> Iterator[Record]:
    """The record, for this process alone until the end of the block.

    Raises:
        SetupBusy: another process has it for too long.
        SetupRecordDamaged: it can't be read.
    """
    folder = state_folder()
    made: list[str] = []
    end = time.monotonic() + LOCK_SECONDS
    while True:
        made = files.make_folder(folder, 0o700) or made
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue  # the one before has just removed it
        try:
            _lock(descriptor, end)
            if not _is(descriptor, folder):
                continue
            record = Record(folder)
            record.folders += [each for each in made if each not in record.folders]
            try:
                yield record
            finally:
                record.tidy()
            return
        finally:
            os.close(descriptor)


def read_only() -> Record:
    """The record as it is. Raises SetupRecordDamaged."""
    return Record(state_folder())


def _lock(descriptor: int, end: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise SetupBusy(f"Another hubbub setup has been at work for {LOCK_SECONDS:g} s.") from None
            time.sleep(0.02)


def _is(descriptor: int, path: str) -> bool:
    try:
        there, here = os.stat(path), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def digest(data: bytes | None) -> str:
    """What tells one content from another; empty for none."""
    return "" if data is None else hashlib.sha256(data).hexdigest()
