"""What tests of work on the command line do most."""

from __future__ import annotations

import json
from typing import Any

from hubbub.model_work import Claim
from tests.faces.cli_support import Answer, Cli

THREE = (
    {"title": "Grammar", "instructions": "Write it down.\nAll of it.", "acceptance": "It is unambiguous."},
    {"title": "Lexer", "needs": [1], "paths": ["src/lexer/**"], "branch": "lexer"},
    {"title": "Parser", "needs": [{"num": 2, "until": "merged"}], "scope": "core"},
)


def plan(cli: Cli, *steps: object, name: str = "parser", agent: str = "alice") -> Answer:
    """Make a project of ``steps`` by the command line."""
    given = json.dumps(steps or THREE).encode()
    done = cli.run("project", "create", name, "--steps", "-", agent=agent, stdin=given)
    assert done.status == 0, done.err
    return done


def step(cli: Cli, name: str) -> dict[str, Any]:
    """A step as the command line shows it."""
    shown: dict[str, Any] = cli.run("step", "show", name, "--json").json["step"]
    return shown


def take(cli: Cli, *words: str, agent: str = "alice") -> dict[str, Any]:
    """Claim a step that must be there."""
    done = cli.run("step", "claim", *words, "--json", agent=agent)
    assert done.status == 0, done.out
    return done.json


def took_before(cli: Cli, seconds: float, step: str, agent: str = "alice") -> Claim:
    """A claim of five minutes that was had ``seconds`` ago."""
    with cli.bus(later=-seconds) as bus:
        found = bus.work.claim(bus.agents.attach(agent), step=step)
    assert isinstance(found, Claim)
    return found
