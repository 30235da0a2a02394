"""Who plans beside MCP servers, and looks at what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import hubbub
from hubbub.bus import Bus
from hubbub.clock import ManualClock, SystemClock
from hubbub.model_work import CLAIM_MS, Attempt, Step
from hubbub.stores import open_store
from tests.faces.mcp_support import DEADLINE, RawServer


class Desk:
    """Who plans, beside the servers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bus = hubbub.connect(url)
        self.bus.agents.register("planner")
        self.actor = self.bus.agents.attach("planner")
        self.bus.work.create_project(self.actor, "p")

    def add(self, **step: Any) -> str:
        """One more step; its id."""
        return self.bus.work.add_steps(self.actor, "p", [{"title": "t", **step}])[0].id

    def step(self, id_: str) -> tuple[Step, tuple[Attempt, ...]]:
        return self.bus.work.step(id_)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline

    def until_given_back(self, id_: str) -> None:
        self.until(lambda: self.step(id_)[0].status == "not_started")
        assert self.step(id_)[1][0].state == "released"

    def run_out(self, id_: str) -> None:
        """Let the step's lease run out, for whoever looks with a clock that is ahead."""
        clock = ManualClock(SystemClock().now() + 2 * CLAIM_MS)
        with Bus(open_store(self.url, clock=clock)) as later:
            assert later.work.step(id_)[1][0].state == "lost"


def refusal(server: RawServer, tool: str, **given: Any) -> tuple[str, str]:
    """The code and the text of a call that must fail."""
    request = server.call(tool, **given)
    server.send(request)
    result = server.answer_to(request)["result"]
    assert result["isError"], result
    return result["structuredContent"]["error"]["code"], result["content"][0]["text"]
