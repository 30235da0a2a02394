"""What a client tells its hooks, and what they answer, in words that no client owns."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

SESSION_START = "session-start"
PROMPT = "prompt"
AFTER_TOOL = "after-tool"
BEFORE_WRITE = "before-write"
STOP = "stop"
SESSION_END = "session-end"
WAIT = "wait"
"""No event of a client: a process that waits beside it, see :mod:`hubbub.wake.waiter`."""

EVENTS = (SESSION_START, PROMPT, AFTER_TOOL, BEFORE_WRITE, STOP, SESSION_END)


PROJECT_OF = {"claude": "CLAUDE_PROJECT_DIR", "gemini": "GEMINI_PROJECT_DIR"}
"""Where clients whose folder may change tell their hooks of the one they were started in."""


class Occasion(NamedTuple):
    """One call of a hook."""

    client: str
    event: str
    """One of :data:`EVENTS`."""
    name: str
    """What the client calls the event; its answer repeats it."""
    session: str
    """The client's id of its session; empty where it gave none."""
    cwd: str
    tool: str = ""
    tool_input: dict[str, Any] | None = None
    prompt: str = ""
    sub_agent: bool = False
    """The call comes from a sub-agent, which has no mail of its own."""

    @property
    def project(self) -> str:
        """The folder of the client's project, by which the bus is found; empty where nothing tells. A session
        may change its folder, and would change its bus."""
        # Only its own: a client may have been started in a shell of another one.
        told = os.environ.get(PROJECT_OF.get(self.client, ""), "")
        for folder in (told, self.cwd):
            if os.path.isabs(folder):
                return folder
        return ""


class Verdict(NamedTuple):
    """What a hook answers. All empty: nothing."""

    context: str = ""
    """For the model to know."""
    refusal: str = ""
    """Why the model must not do what it is about to do: write a file, or stop."""


NOTHING = Verdict()
