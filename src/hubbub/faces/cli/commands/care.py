"""backup."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hubbub.errors import BackupFailed
from hubbub.faces.cli import render
from hubbub.text import safe_line

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Problem


def backup(context: Context) -> int:
    """Copy the bus while it is in use, and check the copy."""
    name = context.arguments.file or time.strftime("hubbub-%Y%m%d-%H%M%S.db")
    path = os.path.abspath(name)
    size = context.bus.backup(path)
    problems = _check_copy(path)
    if problems:
        raise BackupFailed(
            f"{path} was written, but its check found: {problems[0].what}", hint="Run: hubbub doctor"
        )
    context.done(
        {"file": path, "bytes": size, "checked": True},
        f"Wrote {safe_line(path)}: {render.size(size)}, checked.",
    )
    return 0


def _check_copy(path: str) -> list[Problem]:
    """Open the copy as a bus and check it, from a folder of its own: opening leaves files beside it."""
    import shutil
    import tempfile

    from hubbub.stores import open_store

    folder = tempfile.mkdtemp(prefix=".hubbub-check-", dir=os.path.dirname(path))
    try:
        link = os.path.join(folder, "copy.db")
        try:
            os.link(path, link)
        except OSError:  # a file system without hard links
            shutil.copy(path, link)
        store = open_store(f"sqlite://{link}", create=False)
        try:
            return store.check()
        finally:
            store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
