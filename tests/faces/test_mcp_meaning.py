"""Search by meaning over MCP: found in other words, by a server that stays small."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import hubbub
from hubbub.model import Actor
from tests import needs
from tests.faces.mcp_support import RawServer, bus_at

BUDGET_KIB = 30 * 1024


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs.semantic()


def filled(folder: Path) -> str:
    """A bus with some mail and posts."""
    url = bus_at(folder)
    with hubbub.connect(url) as bus:
        for name in ("ada", "bob", "eve"):
            bus.agents.register(name)
        bus.topics.create(Actor("ada"), "build")
        posts = ("The disk of the build host is full.", "Please look over pull request 318 today.")
        bus.topics.sync(Actor("ada"), "build", tuple(bus.topics.post(text) for text in posts))
        bus.mail.send(Actor("ada"), bus.mail.draft("bob", "The volume of the database has no room any more."))
    return url


def test_other_words_find_it_and_the_server_stays_small(tmp_path: Path) -> None:
    with RawServer(filled(tmp_path), "bob") as server:
        found = server.use("search_messages", query="no free space left for storage")
        bodies = [hit["snippet"] for hit in found["hits"]]
        assert any("disk of the build host" in body for body in bodies), bodies
        assert any("volume of the database" in body for body in bodies), bodies
        assert server.use("search_messages", query="no free space", mode="words")["hits"] == []
        if sys.platform == "linux":
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
            assert int(peak.split()[1]) < BUDGET_KIB, peak
            assert "numpy" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_nobody_finds_mail_of_others(tmp_path: Path) -> None:
    with RawServer(filled(tmp_path), "eve") as server:
        found = server.use("search_messages", query="no free space left for storage", mode="meaning")
        assert [hit["snippet"] for hit in found["hits"]] == ["The disk of the build host is full."]


def test_switched_off_it_says_so(tmp_path: Path) -> None:
    with RawServer(filled(tmp_path), "bob", HUBBUB_SEMANTIC="off") as server:
        assert server.use("search_messages", query="no free space left for storage")["hits"] == []
        request = server.call("search_messages", query="no free space", mode="meaning")
        server.send(request)
        result = server.answer_to(request)["result"]
        assert result["isError"]
        assert "MEANING_UNAVAILABLE" in str(result)
