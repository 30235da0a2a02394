"""Real clients, set up by ``hubbub setup``, on a bus: they send, receive, are told of mail and kept from
writing what another agent reserved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hubbub
from hubbub.bus import Bus
from tests.clients.harness import HOMES, Home
from tests.clients.model_server import ModelServer, call

FIND_TOOLS = {"codex": call("tool_search", query="hubbub send_message receive_messages") + " "}
"""Codex shows its model the tools of servers only once it has searched for them."""


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A played model."""
    with ModelServer() as found:
        yield found


@pytest.fixture(params=sorted(HOMES))
def home(request: pytest.FixtureRequest, tmp_path: Path, model: ModelServer) -> Iterator[Home]:
    """Each client in turn, set up for the agent ada, beside the agent bob."""
    with HOMES[request.param](tmp_path, model, "ada") as found:
        found.hubbub("setup", request.param, "--scope", "user", "--yes")
        found.hubbub("register", "ada")
        found.hubbub("register", "bob")
        yield found


@pytest.fixture
def bus(home: Home) -> Iterator[Bus]:
    """The bus that the client uses."""
    with hubbub.connect(home.bus_url) as found:
        yield found


def send(bus: Bus, body: str, **fields: Any) -> str:
    """A message from bob to ada; its id."""
    bob = bus.agents.attach("bob")
    return bus.mail.send(bob, bus.mail.draft("ada", body, **fields)).id


def test_sends_and_receives_through_its_tools(home: Home, bus: Bus, model: ModelServer) -> None:
    id_ = send(bus, "the build is red", kind="question")
    orders = FIND_TOOLS.get(home.client, "") + " ".join(
        (
            call("receive_messages"),
            call("send_message", in_reply_to=id_, body=f"seen by {home.client}"),
            call("list_agents"),
        )
    )
    home.run(orders)
    (answer,) = bus.mail.peek("bob").deliveries
    assert (answer.message.sender, answer.message.kind) == ("ada", "answer")
    assert answer.message.body == f"seen by {home.client}"
    assert any("the build is red" in turn.said for turn in model.turns)
    assert bus.mail.whereabouts(id_).recipients[0].state == "settled"
    assert bus.agents.get("ada").session is None  # the client is gone, and so is its session


@pytest.mark.parametrize("home", ["claude", "codex", "gemini"], indirect=True)
def test_is_told_of_mail_by_its_hooks(home: Home, bus: Bus, model: ModelServer) -> None:
    id_ = send(bus, "look at the build", subject="build")
    home.run("Say hello.")
    first = model.turns[0]
    assert id_ in first.said
    assert "bob" in first.said
    # Told of it and stopped over it, but nothing was taken out: that is the agent's own doing.
    assert bus.mail.whereabouts(id_).recipients[0].state == "queued"
    stops = [turn for turn in model.turns if "before you stop" in turn.said]
    assert stops, "the stop was not held up over unread mail"
    assert len(model.turns) < 6, "the stop was held up more than once for one message"


@pytest.mark.parametrize("home", ["claude", "codex", "gemini"], indirect=True)
def test_is_kept_from_writing_what_another_reserved(home: Home, bus: Bus, model: ModelServer) -> None:
    home.hubbub("reserve", "taken.txt", "--as", "bob", "--reason", "migrating")
    orders = {
        "claude": ("Write", "file_path"),
        "gemini": ("write_file", "file_path"),
    }
    for name in ("taken.txt", "free.txt"):
        path = home.project / name
        if home.client == "codex":
            patch = f"*** Begin Patch\n*** Add File: {name}\n+mine\n*** End Patch\n"
            order = call("apply_patch", input=patch)
        else:
            tool, argument = orders[home.client]
            order = call(tool, content="mine", **{argument: str(path)})
        home.run(f"Write it. {order}")
    assert not (home.project / "taken.txt").exists()
    assert (home.project / "free.txt").read_text(encoding="utf-8").strip() == "mine"
    refused = [turn for turn in model.turns if "taken.txt" in turn.last and "bob" in turn.last]
    assert refused, "the model was not told who keeps the file"
    assert "migrating" in refused[0].last
