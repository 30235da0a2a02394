"""The records of answers that are owed and of requests that are waited for; units as in
:mod:`hubbub.model`.
"""

from __future__ import annotations

from typing import NamedTuple

from hubbub.model import Delivery

WANTS_ANSWER = ("task", "question", "review_request")
"""The kinds of message that want an answer, with or without a time for it."""

DECLINED = "declined"
"""The kind of reply by which a debtor says, with the reason, that there will be no answer."""

STATUS = "status"
"""The kind of reply that tells how it goes: it is no answer, and the answer is owed still."""

WAIT_LEASE_MS = 30_000
"""For how long an answer is kept for a call that waits for it and gives no sign of life."""

WAIT_LEASE_MAX_MS = 300_000
"""The longest such time. One that ends later was written before the clock was set back."""

REMINDER = "reminder"
"""The kind of mail by which the bus reminds a debtor."""

ESCALATION = "escalation"
"""The kind of mail by which the bus tells who asked, and the watchdog, that no answer came."""

REMINDER_GAP_MS = 30_000
"""The least time between two reminders of one debt, however late housekeeping comes to them."""


class Debt(NamedTuple):
    """An answer that one agent owes another."""

    message: str
    """The id of what was asked."""
    seq: int
    debtor: str
    asker: str
    kind: str
    subject: str
    thread: str
    asked_at: int
    due: int | None
    """When it is wanted by; None when no time was given, and then nobody is reminded."""
    state: str
    """``open``, ``answered``, ``declined`` or ``waived``."""
    reminders: int
    """How many times the debtor was reminded."""
    next_at: int | None
    """When housekeeping reminds next, or escalates."""
    escalated_at: int | None
    delivery: str
    """Where the question is in the debtor's inbox: a delivery's state, or ``gone``."""
    closed_at: int | None = None
    answer: str | None = None
    """The id of the reply that closed it."""
    why: str = ""
    """The reason given with a waiver or a refusal."""


class Awaited(NamedTuple):
    """How it stands with the answer that a call waits for."""

    state: str
    """``waiting``; ``given``: the answer is handed out to this call; ``elsewhere``: it was taken out of
    the inbox, or settled there, because this call gave no sign of life for too long; ``closed``: there
    will be none, for the question was waived; ``left``: who owes it is not on the bus any more;
    ``over``: nobody waits any more."""
    answer: Delivery | None = None
