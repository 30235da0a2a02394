"""Idle sessions of real clients, on a terminal, get a turn when mail comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hubbub
from hubbub.bus import Bus
from tests.clients.harness import HOMES, Home
from tests.clients.model_server import ModelServer, call
from tests.clients.terminal import Terminal

START_SECONDS = 60
WAKE_SECONDS = 30
QUIET_SECONDS = 2.0
"""A session whose screen stands still for so long is idle, its hooks included."""

READY: dict[str, Callable[[str], bool]] = {
    "claude": lambda screen: "❯" in screen,
    "codex": lambda screen: "›" in screen,
    "opencode": lambda screen: "Ask anything" in screen,
}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A played model."""
    with ModelServer() as found:
        yield found


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, model: ModelServer) -> Iterator[Home]:
    """The client that a test names, set up for the agent ada."""
    with HOMES[request.param](tmp_path, model, "ada") as found:
        found.hubbub("setup", request.param, "--scope", "user", "--yes")
        found.hubbub("register", "ada")
        found.hubbub("register", "bob")
        yield found


def wait_for_way(bus: Bus, seconds: float) -> list[str]:
    """How ada can be woken, once something stands by to do it."""
    end = time.monotonic() + seconds
    with bus.store.bell("agents") as bell:
        while not (ways := [each.how for each in bus.presence.standing("ada") if each.how]):
            left = end - time.monotonic()
            assert left > 0, "nothing stands by ada to wake it"
            bell.wait(min(left, 1.0))
    return ways


def wait_for_wake(bus: Bus, message: str) -> None:
    """Wait until the bus knows that ada was woken for the message."""
    end = time.monotonic() + WAKE_SECONDS
    with bus.store.bell("events") as bell:
        while not any(wake.worked and wake.message == message for wake in bus.presence.wakes("ada")):
            left = end - time.monotonic()
            assert left > 0, bus.presence.wakes("ada")
            bell.wait(min(left, 1.0))


@pytest.mark.parametrize("home", ["claude", "codex", "opencode"], indirect=True)
def test_an_idle_session_is_woken_by_mail(
    home: Home, model: ModelServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with (
        hubbub.connect(home.bus_url) as bus,
        Terminal(tmp_path, home.interactive(), home.env(), home.project) as terminal,
    ):
        home.answer_dialogs(terminal, START_SECONDS)
        terminal.wait_until(READY[home.client], START_SECONDS, "prompt")
        # The first turn, after which the session is idle and known to the bus.
        terminal.write(f"Who is there? {call('list_agents')}" if home.client != "codex" else "Say hello.")
        terminal.wait_until(lambda screen: "hello" in screen or "list_agents" in screen, 10, "echo")
        time.sleep(0.3)  # a burst of keys followed at once by Enter is taken for a paste
        terminal.press("Enter")
        model.wait_for(lambda turn: "Say hello" in turn.prompts or turn.calls >= 1, START_SECONDS)
        ways = wait_for_way(bus, START_SECONDS)
        terminal.wait_until(lambda screen: "DONE" in screen, START_SECONDS, "end of the turn")
        terminal.wait_quiet(QUIET_SECONDS, START_SECONDS)
        before = len(model.turns)
        bob = bus.agents.attach("bob")
        begun = time.monotonic()
        sent = bus.mail.send(bob, bus.mail.draft("ada", "secret words", subject="secret subject"))
        turn = model.wait_for(
            lambda turn: "wait in your inbox" in turn.said or "waits in your inbox" in turn.said,
            WAKE_SECONDS,
            after=before,
        )
        taken = turn.at - begun
        record_property("seconds_from_send_to_turn", round(taken, 2))
        print(f"{home.client}: {taken:.2f} s from send to the model's turn ({ways})")
        # The doorbell says how many and what to call, never what the message says.
        assert "secret words" not in turn.last
        assert bus.mail.whereabouts(sent.id).recipients[0].state == "queued"
        wait_for_wake(bus, sent.id)
