"""Taking fields out of what a client sent, whatever that is."""

from __future__ import annotations

import os
from typing import Any

INPUT_MAX = 16 << 20
"""Bytes of the client's JSON that are read: a file that a tool is about to write is in it."""

FIELD_MAX = 4096
"""Letters of a field that is taken over, such as a session's id or a folder."""


def text(data: dict[str, Any], key: str) -> str:
    """The text of a field; empty where there is none that can be used."""
    value = data.get(key)
    if not isinstance(value, str):
        return ""
    # Half a surrogate pair can be neither a name nor a path, and could not be written out again.
    return value[:FIELD_MAX].encode("utf-8", "replace").decode()


def mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    """The object of a field; empty where there is none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def read_input(descriptor: int) -> bytes:
    """All of standard input, up to :data:`INPUT_MAX`; what is beyond is read and left out, so that the client
    can finish writing."""
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = os.read(descriptor, 1 << 20)
        except OSError:
            break
        if not part:
            break
        if size <= INPUT_MAX:
            parts.append(part)
        size += len(part)
    return b"".join(parts) if size <= INPUT_MAX else b""


def parse(raw: bytes) -> dict[str, Any] | None:
    """The object that ``raw`` is as JSON; None when it is none."""
    import json

    if not raw.strip():
        return {}
    try:
        found = json.loads(raw.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
