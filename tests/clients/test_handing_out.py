"""What a real client was handed stays its own, also where it cancels calls that were answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hubbub
from tests.clients.harness import HOMES, Home
from tests.clients.model_server import ModelServer, call
from tests.clients.terminal import Terminal

START_SECONDS = 60
QUIET_SECONDS = 2.0
"""OpenCode cancels calls 0.07 to 0.7 s after their answers."""


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A played model."""
    with ModelServer() as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, model: ModelServer) -> Iterator[Home]:
    """OpenCode, set up for the agent ada."""
    with HOMES["opencode"](tmp_path, model, "ada") as found:
        found.hubbub("setup", "opencode", "--scope", "user", "--yes")
        found.hubbub("register", "ada")
        found.hubbub("register", "bob")
        yield found


def test_mail_and_a_step_stay_with_a_client_that_cancels_each_call(
    home: Home, model: ModelServer, tmp_path: Path
) -> None:
    def turn(tool: str, number: int) -> None:
        terminal.write(f"Turn {number}: {call(tool)}")
        terminal.wait_until(lambda screen: tool in screen, 10, "echo")
        time.sleep(0.3)  # a burst of keys followed at once by Enter is taken for a paste
        terminal.press("Enter")
        model.wait_for(lambda turn: turn.calls >= number, START_SECONDS)
        terminal.wait_quiet(QUIET_SECONDS, START_SECONDS)

    with (
        hubbub.connect(home.bus_url) as bus,
        Terminal(tmp_path, home.interactive(), home.env(), home.project) as terminal,
    ):
        bob = bus.agents.attach("bob")
        bus.work.create_project(bob, "demo", [{"title": "Parse"}])
        sent = bus.mail.send(bob, bus.mail.draft("ada", "words"))
        home.answer_dialogs(terminal, START_SECONDS)
        terminal.wait_until(lambda screen: "Ask anything" in screen, START_SECONDS, "prompt")
        turn("receive_messages", 1)
        (place,) = bus.mail.whereabouts(sent.id).recipients
        assert (place.state, place.delivery_count) == ("leased", 1)
        turn("claim_step", 2)
        (place,) = bus.mail.whereabouts(sent.id).recipients
        assert (place.state, place.settled_by, place.delivery_count) == ("settled", "implicit", 1)
        (step,) = bus.work.steps()[0]
        assert (step.status, step.agent, step.attempts) == ("claimed", "ada", 1)
        assert not [event for event in bus.events.events(agent="ada") if "released" in event.event]
