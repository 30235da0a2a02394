"""What some tests need and not every machine has.

Such a test is skipped with a line that says what was missing and how to get it. In a full run
(``HUBBUB_FULL``, set by ``.ci/run``) nothing may be missing: then it fails.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

CLIENTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".clients")


def missing(what: str, how: str) -> NoReturn:
    """Skip the test; in a full run ``tests/conftest.py`` turns that into a failure."""
    pytest.skip(f"{what} is missing; to run this test: {how}")


def client_path() -> str:
    """A PATH that begins with the folder of the real clients."""
    return os.pathsep.join([os.path.join(CLIENTS, "node_modules", ".bin"), os.environ.get("PATH", "")])


def client(name: str) -> str:
    """The path of a real client's command."""
    found = shutil.which(name, path=os.path.join(CLIENTS, "node_modules", ".bin"))
    if found is None:
        missing(f"the client {name}", "make clients")
    return found


def semantic() -> None:
    """The extra for search by meaning."""
    from hubbub.meaning import available

    if not available():
        missing("the extra hubbub[semantic]", "pip install 'hubbub[semantic]'")
