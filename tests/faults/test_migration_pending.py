"""What an older bus holds when answers begin to be kept account of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hubbub.errors import HubbubError
from hubbub.model import Actor, Draft
from hubbub.names import message_id
from hubbub.stores import open_store
from hubbub.stores.sqlite.connection import Connection, make_file
from hubbub.stores.sqlite.migrating import migrate
from hubbub.stores.sqlite.statements import migrations

DAY_MS = 86_400_000
BEFORE = 5


class OldBus:
    """A bus in the format before, written with the statements of its time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_file(str(path))
        self.now = int(time.time() * 1000)
        self._connection = Connection(str(path), 5000)
        migrate(self._connection, [one for one in migrations() if one[0] <= BEFORE], self.now)
        self.db = self._connection.db

    def agent(self, name: str, role: str = "both", left: int | None = None) -> None:
        """Make an agent known."""
        values = (name, role, self.now, left)
        self.db.execute(
            "INSERT INTO agents (name, role, description, inbox_limit, max_message_bytes, ephemeral,"
            " registered_at, unregistered_at) VALUES (?, ?, '', 1000, 100000, 0, ?, ?)",
            values,
        )

    def send(
        self,
        sender: str,
        to: str,
        *,
        kind: str = "question",
        due: int | None = None,
        answers: int | None = None,
    ) -> int:
        """A message and its delivery."""
        self.db.execute(
            "INSERT INTO messages (tag, sender, recipients, in_reply_to, kind, priority, subject, body,"
            " reply_due, created_at, bytes) VALUES (7, ?, ?, ?, ?, 1, '', '?', ?, ?, 1)",
            (sender, f'["{to}"]', answers, kind, due, self.now),
        )
        seq = self.db.last_insert_rowid()
        self.db.execute(
            "INSERT INTO deliveries (agent, message, state, priority, since) VALUES (?, ?, 'queued', 1, ?)",
            (to, seq, self.now),
        )
        return seq

    def close(self) -> None:
        """Leave it to newer programs."""
        self._connection.close()


@pytest.fixture
def old(tmp_path: Path) -> OldBus:
    """ada, bob and cy; dee left, pub only publishes, and one is called as the bus is now."""
    bus = OldBus(tmp_path / "bus.db")
    for name in ("ada", "bob", "cy", "hubbub"):
        bus.agent(name)
    bus.agent("dee", left=bus.now)
    bus.agent("pub", role="publisher")
    return bus


def test_what_is_due_is_reminded_of_and_what_is_long_past_is_not(old: OldBus) -> None:
    dues = {
        old.send("ada", "bob", due=due): due
        for due in (old.now + DAY_MS, old.now - 3_600_000, old.now - 2 * DAY_MS, None)
    }
    old.close()
    store = open_store(f"sqlite://{old.path}")
    found = {debt.seq: debt.next_at for debt in store.pending.owed()}
    expected = [old.now + DAY_MS + 30_000, old.now - 3_600_000 + 30_000, None, None]
    assert [found[seq] for seq in dues] == expected
    assert store.sweep("h").reminders == 1
    assert store.sweep("h").reminders == 0
    assert store.check() == []
    store.close()


def test_only_what_can_be_answered_and_was_not_is_owed(old: OldBus) -> None:
    owed, answered, passed_on, noted = (old.send("ada", "bob") for _ in range(4))
    for asker in ("dee", "pub", "hubbub"):
        old.send(asker, "bob")
    old.send("ada", "hubbub")
    old.send("ada", "bob", kind="message")
    old.send("bob", "ada", kind="answer", answers=answered)
    old.send("bob", "cy", kind="answer", answers=passed_on)
    old.send("bob", "ada", kind="status", answers=noted)
    old.close()
    store = open_store(f"sqlite://{old.path}")
    assert [debt.seq for debt in store.pending.owed()] == [owed, passed_on, noted]
    store.close()


def test_an_agent_that_is_called_as_the_bus_is_loses_the_name(old: OldBus) -> None:
    seq = old.send("hubbub", "bob", kind="message")
    old.db.execute(
        "INSERT INTO sessions (id, agent, state, client, client_session, process, folder, started_at,"
        " beat_at, expires_at) VALUES ('s-1', 'hubbub', 'live', 'c', '', '', '', ?, ?, ?)",
        (old.now, old.now, old.now + DAY_MS),
    )
    old.close()
    store = open_store(f"sqlite://{old.path}")
    assert "hubbub" not in [agent.name for agent in store.agents.all()]
    assert store.agents.sessions() == []
    for actor in (Actor("hubbub"), Actor("hubbub", "s-1")):
        with pytest.raises(HubbubError) as caught:
            store.mail.send(actor, Draft(("bob",), "?"))
        assert caught.value.code == "INVALID_NAME"
    with pytest.raises(HubbubError) as caught:
        store.agents.beat("s-1")
    assert caught.value.code == "SESSION_ENDED"
    (event,) = store.ledger.events(kinds=("agent_unregistered",))
    assert event.agent == "hubbub"
    # What it sent is there still.
    (waiting,) = store.mail.peek("bob").deliveries
    assert waiting.message.id == message_id(seq, 7)
    assert store.check() == []
    store.close()
