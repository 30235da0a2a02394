"""Where a bus is: ``--bus`` > ``HUBBUB_BUS`` > ``.hubbub.toml`` > this git repository > the user's bus.

Nothing here runs git or any other program: a command must start fast.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from hubbub.config import FILE_NAME, read_file, upwards
from hubbub.errors import InvalidBusUrl

_SCHEMES = ("sqlite",)


class Place(NamedTuple):
    """A bus URL and what named it."""

    url: str
    source: str


def find_bus(explicit: str | None = None, folder: str | None = None) -> Place:
    """The bus to use from ``folder`` (the current one unless given), and why that one.

    Raises:
        InvalidBusUrl: a URL on the way can't be understood.
        InvalidConfig: a ``.hubbub.toml`` can't be read.
    """
    if explicit:
        return Place(normal_url(explicit, os.getcwd()), "--bus")
    named = os.environ.get("HUBBUB_BUS")
    if named:
        return Place(normal_url(named, os.getcwd()), "HUBBUB_BUS")
    folder = os.path.abspath(folder or os.getcwd())
    config = upwards(folder, FILE_NAME)
    if config:
        url = read_file(config).get("bus")
        if url:
            return Place(normal_url(url, os.path.dirname(config)), config)
    common = git_common_folder(folder)
    if common:
        return Place(
            "sqlite://" + os.path.join(_repository_folder(common), "bus.db"), f"git repository {common}"
        )
    return Place("sqlite://" + os.path.join(data_folder(), "bus.db"), "the user's bus")


def split_url(url: str) -> tuple[str, str]:
    """``(scheme, path)`` of a bus URL; the path is absolute.

    Raises:
        InvalidBusUrl: it has no known scheme, no path, or a relative one.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in _SCHEMES:
        raise InvalidBusUrl(f"{ascii(url)[:200]} is not a bus URL.")
    if not rest.startswith("/") or "\0" in rest or rest.endswith("/"):
        raise InvalidBusUrl(f"{ascii(url)[:200]} names no file: the path must be absolute.")
    return scheme, rest


def normal_url(text: str, folder: str) -> str:
    """``text`` as a bus URL: a bare path is an SQLite file, a relative one starts at ``folder``."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "sqlite", text
    if scheme == "sqlite":
        rest = os.path.abspath(os.path.join(folder, os.path.expanduser(rest))) + (
            "/" if rest.endswith("/") else ""
        )
    url = f"{scheme}://{rest}"
    split_url(url)
    return url


def data_folder() -> str:
    """The folder for this user's data, by the platform's custom (XDG on Linux)."""
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    elif sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    else:
        base = os.environ.get("XDG_DATA_HOME") or ""
        # The XDG specification: a relative path there is invalid and ignored.
        base = base if os.path.isabs(base) else os.path.expanduser("~/.local/share")
    return os.path.join(base, "hubbub")


def git_common_folder(folder: str) -> str | None:
    """The common git folder of the repository around ``folder``: the same from all its worktrees."""
    dot_git = upwards(folder, ".git")
    if dot_git is None:
        return None
    if os.path.isdir(dot_git):
        return os.path.realpath(dot_git)
    pointed = _first_line(dot_git)
    if pointed is None or not pointed.startswith("gitdir:"):
        return None
    git_folder = os.path.join(os.path.dirname(dot_git), pointed[len("gitdir:") :].strip())
    common = _first_line(os.path.join(git_folder, "commondir"))
    return os.path.realpath(os.path.join(git_folder, common) if common else git_folder)


def _repository_folder(common: str) -> str:
    import zlib

    name = os.path.basename(os.path.dirname(common) if common.endswith("/.git") else common)
    # Two sums over the path: enough to keep a user's repositories apart, and quicker to load than hashlib.
    data = os.fsencode(common)
    return os.path.join(data_folder(), "repos", f"{name}-{zlib.crc32(data):08x}{zlib.adler32(data):08x}")


def _first_line(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().rstrip("\n")
    except OSError:
        return None


__all__ = ["Place", "data_folder", "find_bus", "git_common_folder", "normal_url", "split_url"]
