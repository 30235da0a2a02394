"""What a ping leaves behind on its connection: later commits are synced as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubbub.errors import BusBusy
from hubbub.model import Profile
from hubbub.model_presence import Pong
from hubbub.stores.sqlite import SqliteStore

FULL = 2


def test_a_ping_that_fails_or_not_leaves_commits_synced(tmp_path: Path) -> None:
    store = SqliteStore(f"{tmp_path}/bus.db", busy_timeout_ms=50)
    other = SqliteStore(f"{tmp_path}/bus.db")
    db = store._core.connections.mine().db
    store.agents.register(Profile("bob"))
    number = store.presence.ping("ada", "bob")
    assert db.pragma("synchronous") == FULL
    assert store.presence.pong(number, Pong("server", None, "", None))
    assert db.pragma("synchronous") == FULL
    with other._core.write(), pytest.raises(BusBusy):
        store.presence.ping("ada", "bob")
    assert db.pragma("synchronous") == FULL
    assert store.presence.ping("ada", "bob") > number
    store.close()
    other.close()
