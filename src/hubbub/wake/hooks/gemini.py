"""Gemini CLI: what its hooks read and write."""

from __future__ import annotations

import os
from typing import Any

from hubbub.wake.hooks import claude
from hubbub.wake.hooks import occasion as o

NAMES = {
    "SessionStart": o.SESSION_START,
    "BeforeAgent": o.PROMPT,
    "AfterTool": o.AFTER_TOOL,
    "BeforeTool": o.BEFORE_WRITE,
    "AfterAgent": o.STOP,
    "SessionEnd": o.SESSION_END,
}


def read(client: str, event: str, name: str, data: dict[str, Any]) -> o.Occasion:
    """What the client says of ``event``, which it calls ``name``."""
    found = claude.read(client, event, name, data)
    return found if found.session else found._replace(session=os.environ.get("GEMINI_SESSION_ID", ""))


def write(occasion: o.Occasion, verdict: o.Verdict) -> dict[str, Any] | None:
    """The answer in the fields that the client reads."""
    if verdict.refusal:
        return {"decision": "deny", "reason": verdict.refusal}
    if not verdict.context:
        return None
    if occasion.event == o.BEFORE_WRITE:
        return {"systemMessage": verdict.context}  # this event has no context for the model
    return {"hookSpecificOutput": {"hookEventName": occasion.name, "additionalContext": verdict.context}}
