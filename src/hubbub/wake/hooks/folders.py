"""Where hooks keep what they must: the user's folder for state, and the log of what went wrong."""

from __future__ import annotations

import os
import sys
import time

from hubbub.text import safe_line

LOG_MAX = 256 << 10
"""Bytes of the log before it is put aside; the one before that is then removed."""

LINE_MAX = 500


def state_folder() -> str:
    """The folder for what programs note for this user, by the platform's custom (XDG on Linux)."""
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support/hubbub")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~"), "hubbub")
    base = os.environ.get("XDG_STATE_HOME") or ""
    # The XDG specification: a relative path there is invalid and ignored.
    base = base if os.path.isabs(base) else os.path.expanduser("~/.local/state")
    return os.path.join(base, "hubbub")


def ensure_folder(folder: str) -> None:
    """Make ``folder`` and what is missing above it, closed to other users. Raises OSError."""
    if not os.path.isdir(folder):
        ensure_folder(os.path.dirname(folder))
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            return


def log_path() -> str:
    """The log of hooks."""
    return os.path.join(state_folder(), "hooks.log")


def log(text: str) -> None:
    """Add a line to the log. Never raises: there is nobody to tell."""
    line = safe_line(text, LINE_MAX).encode("utf-8", "replace").decode()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path = log_path()
    try:
        ensure_folder(os.path.dirname(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{stamp} {os.getpid()} {line}\n".encode())
            full = os.fstat(descriptor).st_size > LOG_MAX
        finally:
            os.close(descriptor)
        if full:
            os.replace(path, path + ".1")
    except OSError:
        return
