"""The gate: how many messages one agent sends to another within a window."""

from __future__ import annotations

from typing import NamedTuple

import apsw

from hubbub.clock import spoken
from hubbub.errors import RateLimited
from hubbub.model import Actor
from hubbub.policy import GATE_LIMIT, GATE_WINDOW_MS, Policy
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, one
from hubbub.stores.sqlite.statements import statements

_SQL = statements("pending.sql")

MOST_DIGITS = 15
"""Of a limit on the bus; one with more was not set by Hubbub, and limits nothing."""


class Window(NamedTuple):
    """What went from one agent to another since ``start``."""

    start: int
    sent: int = 0
    over: int = 0
    """How many were beyond the limit, all of them refused or all of them only counted."""
    told: int = 0
    """How many of these the ledger was told of."""
    refused: int = 0


class Gate:
    """What holds for one sender in one write. ``now`` must have been read within it: a time from before the
    turn was had may be older than the window that another process began meanwhile. ``is_set`` tells whether
    anything is set for the gate on the bus: most have nothing, and then it is not looked for."""

    __slots__ = ("_own", "enforce", "limit", "now", "sender")

    def __init__(
        self, db: apsw.Connection, policy: Policy, sender: str, now: int, *, is_set: bool = True
    ) -> None:
        self.sender = sender
        self.now = now
        self.enforce, self.limit = _rules(db, policy, sender, is_set)
        self._own: dict[str, int] = {}

    def pass_through(
        self, tx: Write, actor: Actor, recipient: str, shown: str = "", *, row: Row | None = None
    ) -> None:
        """Count one more message to ``recipient``, who is called ``shown`` if that is another name; ``row``
        is the pair's window where that was read before.

        Raises:
            RateLimited: the gate is enforced and the limit is reached; nothing is counted.
        """
        own = self._own.get(recipient, 0)
        if row is None:
            row = one(tx.db, _SQL["gate_row"], {"sender": self.sender, "recipient": recipient}) or (None,)
        if row[0] is not None and self._is_within(row):
            self._own[recipient] = own + 1
            tx.db.execute(_SQL["count_send"], {"sender": self.sender, "recipient": recipient})
            return
        window = _window(tx, self.sender, recipient, row, self.now)
        if window.sent >= self.limit:
            if self.enforce:
                raise self._refusal(recipient, shown or recipient, window, own)
            window = _exceed(tx, actor, recipient, window, False, self.now)
        self._own[recipient] = own + 1
        _keep(tx, self.sender, recipient, window, window.sent + 1)

    def _is_within(self, row: Row) -> bool:
        """Whether one more is within the window and the limit, as nearly all are."""
        within: bool = row[0] <= self.now < row[0] + GATE_WINDOW_MS and row[1] < self.limit
        return within

    def _refusal(self, recipient: str, shown: str, window: Window, own: int) -> RateLimited:
        """``own`` of the window's messages came in this very write, which is undone."""
        left = window.start + GATE_WINDOW_MS - self.now
        within, before = spoken(GATE_WINDOW_MS), window.sent - own
        said = f"{self.sender} sent {before} messages to {shown} within {within}, which is its limit."
        hint = f"Try again in {spoken(left)}; say in one message what would be many."
        if own:
            said = f"{self.sender} may send {self.limit} messages to {shown} within {within}"
            said += f" and has sent {before} of them; this call holds more than the rest."
            hint = f"Send at most {self.limit} at a time" + (
                f": {self.limit - before} now, the others in {spoken(left)}." if before else "."
            )
        elif self.limit <= 0:
            said = f"{self.sender} may send nothing to {shown}: its limit is 0."
            hint = "Ask who looks after this bus to set another limit."
        refusal = RateLimited(
            f"{said} Nothing was sent.",
            hint=hint,
            recipient=shown,
            limit=self.limit,
            at_most=max(0, self.limit - before),
            retry_after_seconds=round(left / 1000, 3),
        )
        refusal.counted_as = recipient
        return refusal


def _rules(db: apsw.Connection, policy: Policy, sender: str, is_set: bool) -> tuple[bool, int]:
    """Whether the gate is enforced, and the sender's limit.

    Of what is set on the bus and what this process was told, the stricter holds: a gate that an agent's
    own surroundings could open would be none.
    """
    enforce, told = policy.gate_enforce, policy.limit_of(sender)
    known = GATE_LIMIT
    own: int | None = None
    for name, value in db.execute(_SQL["gate_settings"]) if is_set else ():
        if name == "config.gate.mode":
            enforce = enforce or value == "enforce"
        elif not value.isdecimal() or len(value) > MOST_DIGITS:
            continue  # what is no number limits nothing; whoever sets it is told so
        elif name == "config.gate.limit":
            known = int(value)
        elif name == f"config.gate.limits.{sender}":
            own = int(value)
    known = known if own is None else own
    return enforce, known if told is None else min(told, known)


def note_refusal(core: Core, actor: Actor, refusal: RateLimited) -> None:
    """Keep a refusal: the ledger is told of the first of a window at once, of the others when it is over."""
    recipient = refusal.counted_as
    with core.write() as tx:
        now = core.clock.now()
        row = one(tx.db, _SQL["gate_row"], {"sender": actor.agent, "recipient": recipient}) or (None,)
        window = _window(tx, actor.agent, recipient, row, now)
        window = _exceed(tx, actor, recipient, window, True, now)
        _keep(tx, actor.agent, recipient, window, window.sent)


def tell_of_past_windows(tx: Write, now: int) -> None:
    """Tell the ledger of the excess in windows that are over."""
    over = {"now": now, "window_over": now - GATE_WINDOW_MS}
    for sender, recipient, *rest in list(tx.db.execute(_SQL["gate_untold"], over)):
        _tell_rest(tx, sender, recipient, Window(*rest), now)
        tx.db.execute(_SQL["gate_told"], {"sender": sender, "recipient": recipient})


def _window(tx: Write, sender: str, recipient: str, row: Row, now: int) -> Window:
    """The pair's window at this time, a new one if that of ``row`` is over: then the ledger is told of its
    rest."""
    if row[0] is None:
        return Window(now)
    # A window that begins later than now was written before the clock was set back.
    if row[0] <= now < row[0] + GATE_WINDOW_MS:
        return Window(*row)
    _tell_rest(tx, sender, recipient, Window(*row), now)
    return Window(now)


def _exceed(tx: Write, actor: Actor, recipient: str, window: Window, refused: bool, now: int) -> Window:
    """The window with one more beyond the limit, of which the ledger is told if it is the first."""
    if window.over and window.refused != refused:
        # The gate was opened or shut within the window: the two are told of apart.
        _tell_rest(tx, actor.agent, recipient, window, now)
        window = window._replace(over=0, told=0)
    if not window.over:
        _tell(tx, actor, recipient, 1, window.start, refused, now)
        return window._replace(over=1, told=1, refused=int(refused))
    return window._replace(over=window.over + 1)


def _keep(tx: Write, sender: str, recipient: str, window: Window, sent: int) -> None:
    start, _, over, told, refused = window
    values = {"sender": sender, "recipient": recipient, "window_start": start, "sent": sent}
    tx.db.execute(_SQL["count_sends"], {**values, "over": over, "told": told, "refused": refused})


def _tell_rest(tx: Write, sender: str, recipient: str, window: Window, now: int) -> None:
    count = window.over - window.told
    if count:
        _tell(tx, Actor(sender), recipient, count, window.start, bool(window.refused), now)


def _tell(tx: Write, actor: Actor, recipient: str, count: int, start: int, refused: bool, now: int) -> None:
    """Write into the ledger how many were refused, or would have been."""
    topic = int(recipient[1:]) if recipient.startswith("#") else None
    add_event(
        tx.db,
        now,
        "gate_refused" if refused else "gate_exceeded",
        actor,
        agent=recipient if topic is None else None,
        topic=topic,
        detail={"count": count, "window_start": start},
    )
