"""Which files a tool is about to write, as the bus names them: relative to the repository's root."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hubbub.location import git_common_folder

PATHS_MAX = 500
"""Files of one patch that are looked at."""

PATH_MAX = 4096

ONE_FILE = {
    "Write": "file_path",
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "NotebookEdit": "notebook_path",
    "write_file": "file_path",
    "replace": "file_path",
    "write": "filePath",
    "edit": "filePath",
}
"""The tools that write one file, and where each says which."""

PATCH = ("apply_patch", "patch")
PATCH_FIELDS = ("command", "input", "patch", "patchText")
PATCH_LINES = ("*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: ")


def written_files(tool: str, tool_input: dict[str, Any], cwd: str) -> dict[str, str]:
    """The files that a call of ``tool`` would write: absolute paths, and how the client named each. None for
    a tool that writes none."""
    if tool in ONE_FILE:
        named = tool_input.get(ONE_FILE[tool])
        given = [named] if isinstance(named, str) else []
    elif tool in PATCH:
        given = _patched(tool_input)
    else:
        return {}
    folder = cwd if os.path.isabs(cwd) else _here()
    usable = [path for path in given if path.strip() and len(path) <= PATH_MAX and "\0" not in path]
    return {
        os.path.normpath(os.path.join(folder, os.path.expanduser(path))): path for path in usable[:PATHS_MAX]
    }


def names_on_bus(files: Iterable[str], project: str) -> dict[str, str]:
    """``files`` by how the bus names them: the part below the root of the work tree that each is in.

    All work trees of a repository share the names. What is in another repository than ``project`` is left
    out: its names are those of other files.
    """
    folder = project if os.path.isabs(project) else _here()
    common, found = git_common_folder(folder), {}
    for file in files:
        # Both what was named and what that is: a link to a file that is kept leads to that file.
        for path in dict.fromkeys((file, os.path.realpath(file))):
            parent = os.path.dirname(path)
            root = _root(parent) if common is not None else folder
            if root is None or (common is not None and git_common_folder(parent) != common):
                continue
            for base in dict.fromkeys((root, os.path.realpath(root))):
                if path.startswith(base.rstrip("/") + "/"):
                    found[path[len(base.rstrip("/")) + 1 :]] = file
    return found


def _patched(tool_input: dict[str, Any]) -> list[str]:
    """The files of a patch in the form of ``apply_patch``."""
    found: dict[str, None] = {}
    for field in PATCH_FIELDS:
        text = tool_input.get(field)
        if isinstance(text, list):
            text = "\n".join(part for part in text if isinstance(part, str))
        if not isinstance(text, str):
            continue
        for line in text.splitlines():
            line = " ".join(line.split(None, 3)) if line.startswith("***") else line
            for head in PATCH_LINES:
                if line.startswith(head):
                    found[line[len(head) :].strip()] = None
    return list(found)


def _root(folder: str) -> str | None:
    """The root of the work tree around ``folder``, which need not exist yet."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"
