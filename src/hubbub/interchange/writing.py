"""Where exports go: whole files, standard output, and any writer that takes bytes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hubbub.errors import ExportFailed
from hubbub.interchange.records import Writer
from hubbub.text import safe_line

BUFFER_BYTES = 1 << 16
FILE_RIGHTS = 0o600
"""What was said on a bus is the user's own, like the bus itself."""


class Sink:
    """Collects what an export writes, hands it on in larger pieces, and counts."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._parts: list[bytes] = []
        self._waiting = 0
        self.bytes = 0

    def add(self, data: bytes) -> None:
        """Write ``data``, now or by :meth:`flush`."""
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand on what was collected.

        Raises:
            ExportFailed: it can't be written.
            BrokenPipeError: nobody reads it any more.
        """
        data = b"".join(self._parts)
        self._parts.clear()
        self._waiting = 0
        try:
            self._writer.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _failed("The export can't be written", error) from None
        self.bytes += len(data)


class _Descriptor:
    """A writer to a descriptor, without a buffer that could fail later."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: bytes, /) -> int:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:  # the other end made the pipe non-blocking
                import select

                select.select([], [self._number], [])
        return len(data)


@contextmanager
def output(path: str, *, force: bool = False) -> Iterator[Writer]:
    """A place to export to: ``with output(path) as writer``.

    A file is written beside its place and put there once it is whole and on disk; if the block fails,
    nothing is left of it. A ``path`` of ``-`` is standard output.

    Raises:
        ExportFailed: there is such a file, and ``force`` is False; or it can't be written.
    """
    if path == "-":
        if sys.stdout is None:
            raise ExportFailed("Standard output is closed: the export has nowhere to go.")
        sys.stdout.flush()
        yield _Descriptor(sys.stdout.fileno())
        return
    shown = safe_line(path)
    if os.path.isdir(path):
        raise ExportFailed(f"{shown} is a folder.", hint="Name a file in it.")
    # The file that a link leads to is replaced, not the link.
    place = os.path.realpath(path) if force else path
    if force and os.path.exists(place) and not os.path.isfile(place):
        raise ExportFailed(f"{shown} is not a regular file.", hint="Write to standard output instead: -o -")
    if not force and os.path.lexists(place):
        raise _exists(shown)
    folder = os.path.dirname(place) or "."
    if not os.path.isdir(folder):
        raise ExportFailed(
            f"The folder {safe_line(folder)} does not exist.", hint="Make it first, or name another one."
        )
    beside = f"{place}.{os.urandom(6).hex()}.part"
    try:
        number = os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), FILE_RIGHTS
        )
    except OSError as error:
        raise _failed(f"{shown} can't be written", error) from None
    try:
        try:
            yield _Descriptor(number)
            os.fsync(number)
        finally:
            os.close(number)
        _put(beside, place, force=force, shown=shown)
    except OSError as error:
        raise _failed(f"{shown} can't be written", error) from None
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)


def _put(beside: str, place: str, *, force: bool, shown: str) -> None:
    """Give the finished file its name, and make the name durable."""
    if force:
        os.replace(beside, place)
    else:
        try:
            os.link(beside, place)  # unlike a rename, never onto a file that came meanwhile
        except FileExistsError:
            raise _exists(shown) from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            if os.path.lexists(place):  # a file system without links
                raise _exists(shown) from None
            os.rename(beside, place)
    _sync_folder(os.path.dirname(place) or ".")


def _sync_folder(folder: str) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _exists(shown: str) -> ExportFailed:
    return ExportFailed(f"{shown} exists.", hint="Name another file, or overwrite it with --force.")


def _failed(what: str, error: OSError) -> ExportFailed:
    return ExportFailed(
        f"{what}: {error.strerror or error}.",
        hint="Free some space, or name another place, and export again.",
    )
