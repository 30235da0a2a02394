"""OpenCode: has plugins in place of hooks. Ours asks ``hubbub hook opencode`` and reads this answer."""

from __future__ import annotations

from typing import Any

from hubbub.wake.hooks import occasion as o
from hubbub.wake.hooks.claude import read

NAMES: dict[str, str] = {}
"""The plugin calls the events as we do."""


def write(occasion: o.Occasion, verdict: o.Verdict) -> dict[str, Any] | None:
    """The answer as the plugin reads it."""
    if verdict.refusal:
        return {"refusal": verdict.refusal}
    return {"context": verdict.context} if verdict.context else None


__all__ = ["NAMES", "read", "write"]
