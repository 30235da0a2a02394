"""Text that is given as an argument, on standard input (``-``) or in a file (``@file``)."""

from __future__ import annotations

import os
import sys
from typing import Any

from hubbub.errors import InvalidArgument, MessageTooLarge, NotFound
from hubbub.faces.cli.failures import UsageError
from hubbub.model import MESSAGE_BYTES_CEILING


def read_body(given: str | None) -> str:
    """The body that an argument stands for: itself, ``-``, ``@file``, or ``@@x`` for a literal ``@x``.

    Without an argument it is standard input, unless that is a terminal. Kept to the letter.

    Raises:
        UsageError: nothing was given and nobody pipes anything in.
        InvalidArgument: it is not UTF-8 text.
        MessageTooLarge: no inbox takes that much.
        NotFound: there is no such file.
    """
    if given is None or given == "-":
        return _read_input(asked=given is not None)
    if given.startswith("@@"):
        return given[1:]
    return read_file(given[1:]) if given.startswith("@") else given


def read_text(given: str | None) -> str | None:
    """A text as :func:`read_body` reads it, but what was left out stays None."""
    return None if given is None else read_body(given)


def read_metadata(given: str | None) -> dict[str, Any] | None:
    """The JSON object that an argument holds or, with ``@file``, points to.

    Raises:
        InvalidArgument: it is not JSON. That it is an object is checked by the bus.
    """
    if given is None:
        return None
    import json

    text = read_file(given[1:]) if given.startswith("@") else given
    try:
        value: dict[str, Any] = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"metadata is not JSON: {error}", hint='For example: --metadata \'{"branch": "fix-42"}\''
        ) from None
    if value is None:
        raise InvalidArgument("metadata must be a JSON object, not null.")
    return value


def read_file(path: str) -> str:
    """The text of a file. Raises as :func:`read_body`."""
    if not path:
        raise UsageError(
            "@ must be followed by a file's path.", hint="A text that starts with @ is written @@."
        )
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(MESSAGE_BYTES_CEILING + 1), path)
    except FileNotFoundError:
        raise NotFound(
            f"There is no file {path}.", hint="@ reads a file; a text that starts with @ is written @@."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidArgument(f"{path} can't be read: {reason}.") from None


def _read_input(*, asked: bool) -> str:
    stream = sys.stdin
    if stream is None or (not asked and stream.isatty()):
        raise UsageError(
            "There is no body.", hint="Give it as an argument, in a file as @FILE, or pipe it in."
        )
    parts, room = [], MESSAGE_BYTES_CEILING + 1
    while room > 0:
        part = os.read(stream.fileno(), min(room, 1 << 16))
        if not part:
            break
        parts.append(part)
        room -= len(part)
    return _decoded(b"".join(parts), "standard input")


def _decoded(data: bytes, source: str) -> str:
    if len(data) > MESSAGE_BYTES_CEILING:
        raise MessageTooLarge(f"{source} has more than {MESSAGE_BYTES_CEILING} bytes; no inbox takes that.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"{source} is not UTF-8 text (byte {error.start}).",
            hint="Write the data to a file that the recipient can read and send its path.",
        ) from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
