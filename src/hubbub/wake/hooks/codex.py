"""Codex: its hooks read and write what Claude Code's do; the names of its tools differ, not the fields."""

from __future__ import annotations

from hubbub.wake.hooks import claude
from hubbub.wake.hooks.claude import read, write

NAMES = {name: event for name, event in claude.NAMES.items() if name != "PostToolUseFailure"}

__all__ = ["NAMES", "read", "write"]
