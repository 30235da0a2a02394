"""Real clients in ``hubbub run``, without hooks: mail gives them a turn, and a line half typed is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hubbub
from tests.clients.harness import HOMES, Home
from tests.clients.model_server import ModelServer
from tests.clients.terminal import Terminal
from tests.clients.test_waking import wait_for_wake

START_SECONDS = 60
TURN_SECONDS = 30
PROMPTS = {"claude": "❯", "codex": "›", "gemini": "Type your message", "opencode": "Ask anything"}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A played model."""
    with ModelServer() as found:
        yield found


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, model: ModelServer) -> Iterator[Home]:
    """The client that a test names, as a person has it who has set up nothing else."""
    with HOMES[request.param](tmp_path, model, "ada") as found:
        found.hubbub("register", "ada")
        found.hubbub("register", "bob")
        yield found


def states(home: Home) -> list[str]:
    """What stands by ada says that it does."""
    with hubbub.connect(home.bus_url) as bus:
        return [each.state for each in bus.presence.standing("ada")]


def until(holds: Callable[[], bool], terminal: Terminal, what: str) -> None:
    """Wait until something holds."""
    terminal.wait_until(lambda screen: holds(), TURN_SECONDS, what)


@pytest.mark.parametrize("home", list(HOMES), indirect=True)
def test_mail_gives_a_wrapped_client_a_turn_and_a_half_typed_line_is_left(
    home: Home, model: ModelServer, tmp_path: Path
) -> None:
    wrapper = [str(home.bin / "hubbub"), "run", "--as", "ada", "--profile", home.client, "--"]
    words = [*wrapper, *home.interactive()]
    with hubbub.connect(home.bus_url) as bus, Terminal(tmp_path, words, home.env(), home.project) as terminal:
        terminal.wait_until(lambda screen: PROMPTS[home.client] in screen, START_SECONDS, "prompt")
        bob = bus.agents.attach("bob")
        sent = bus.mail.send(bob, bus.mail.draft("ada", "A message's own words."))
        model.wait_for(lambda turn: "1 message waits in your inbox" in turn.prompts, TURN_SECONDS)
        wait_for_wake(bus, sent.id)
        terminal.wait_quiet(2.0, TURN_SECONDS)
        terminal.write("half")
        time.sleep(0.3)  # as a person pauses
        turns = len(model.turns)
        bus.mail.send(bob, bus.mail.draft("ada", "Another one's own words."))
        until(lambda: states(home) == ["something is typed and not sent"], terminal, "state")
        assert len(model.turns) == turns
        terminal.press("C-u")
        model.wait_for(lambda turn: "2 messages wait in your inbox" in turn.prompts, TURN_SECONDS)
        assert not any("half" in turn.prompts or "own words" in turn.prompts for turn in model.turns)
        assert bus.agents.get("ada").queued == 2
