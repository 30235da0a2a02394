"""Claude Code: what its hooks read and write."""

from __future__ import annotations

from typing import Any

from hubbub.wake.hooks import occasion as o
from hubbub.wake.hooks.reading import mapping, text

NAMES = {
    "SessionStart": o.SESSION_START,
    "UserPromptSubmit": o.PROMPT,
    "PostToolUse": o.AFTER_TOOL,
    "PostToolUseFailure": o.AFTER_TOOL,
    "PreToolUse": o.BEFORE_WRITE,
    "Stop": o.STOP,
    "SessionEnd": o.SESSION_END,
}


def read(client: str, event: str, name: str, data: dict[str, Any]) -> o.Occasion:
    """What the client says of ``event``, which it calls ``name``."""
    return o.Occasion(
        client=client,
        event=event,
        name=name,
        session=text(data, "session_id"),
        cwd=text(data, "cwd"),
        tool=text(data, "tool_name"),
        tool_input=mapping(data, "tool_input"),
        prompt=text(data, "prompt"),
        sub_agent=bool(text(data, "agent_id")),
    )


def write(occasion: o.Occasion, verdict: o.Verdict) -> dict[str, Any] | None:
    """The answer in the fields that the client reads."""
    if verdict.refusal and occasion.event == o.BEFORE_WRITE:
        return {
            "hookSpecificOutput": {
                "hookEventName": occasion.name,
                "permissionDecision": "deny",
                "permissionDecisionReason": verdict.refusal,
            }
        }
    if verdict.refusal:
        return {"decision": "block", "reason": verdict.refusal}
    if verdict.context:
        return {"hookSpecificOutput": {"hookEventName": occasion.name, "additionalContext": verdict.context}}
    return None
