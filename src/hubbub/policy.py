"""What can be set for a bus: the gate, and when housekeeping reminds and escalates."""

from __future__ import annotations

from typing import NamedTuple

GATE_WINDOW_MS = 10_000
"""The window in which sends are counted; agent-mesh counted the same."""

GATE_LIMIT = 40
"""How many messages one agent sends to another within a window; agent-mesh's number."""

REMIND_AFTER_MS = (30_000, 60_000, 120_000, 240_000)
"""How long after the due time a debtor is reminded; agent-mesh's numbers."""

ESCALATE_AFTER_MS = 480_000
"""How long after the due time it is escalated: the next doubling."""

WATCHDOG = "watchdog"
"""Whom it is escalated to, beside the one who asked, if that agent exists."""


class Policy(NamedTuple):
    """What a process was told to do on a bus; a store is opened with one. None says nothing.

    What is set on the bus itself is read by the store. Of the gate the stricter holds; of the reminders
    what the process that asks was told goes before what is set on the bus, and is kept with the question.
    """

    gate_enforce: bool = False
    """Whether sends beyond the limit are refused, or only told to the ledger."""
    gate_limit: int | None = None
    gate_limits: tuple[tuple[str, int], ...] = ()
    """Limits of single senders, by name."""
    remind_after_ms: tuple[int, ...] | None = None
    escalate_after_ms: int | None = None
    watchdog: str | None = None

    def limit_of(self, sender: str) -> int | None:
        """How many messages ``sender`` may send to one recipient within a window, if that was told."""
        return dict(self.gate_limits).get(sender, self.gate_limit) if self.gate_limits else self.gate_limit


class Schedule(NamedTuple):
    """When a debtor is reminded, and when and to whom it is escalated: milliseconds after the due time."""

    remind_after_ms: tuple[int, ...] = REMIND_AFTER_MS
    escalate_after_ms: int = ESCALATE_AFTER_MS
    watchdog: str = WATCHDOG
