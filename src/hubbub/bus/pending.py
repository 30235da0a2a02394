"""Answers that are owed, and requests: send and wait for the answer in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hubbub.bus import checking
from hubbub.bus.waiting import LOOK_AGAIN_SECONDS, Pause, Steps, run
from hubbub.errors import BusBusy, BusFull, HubbubError, InvalidArgument
from hubbub.model import Actor, Delivery, Draft, Sent
from hubbub.model_pending import WAIT_LEASE_MS, WANTS_ANSWER, Awaited, Debt
from hubbub.names import EVERYONE, check_name
from hubbub.stores.contract import Store

WEEK_SECONDS = 7 * 86_400
REASON_MAX = 1000
LIMIT_MAX = 1000
RETRY_SECONDS = 1.0
"""How soon a bus that can't be written at the moment is tried again."""


class Requested(NamedTuple):
    """What became of a request."""

    sent: Sent
    state: str
    """``given``: the answer is here, leased to the caller; ``late``: the wait ended first, and the answer
    will be in the inbox; ``elsewhere``: it was read from the inbox meanwhile; ``waived``: nobody wants it
    any more; ``left``: who was asked is not on the bus any more; if it comes back and answers, the answer is
    in the inbox."""
    answer: Delivery | None = None


class Pending:
    """What is owed on one bus."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- requests ----------------------------------------------------------------------------

    def request(self, actor: Actor, draft: Draft, *, wait: float = 60, key: str | None = None) -> Requested:
        """Send a request to one agent and wait up to ``wait`` seconds for its answer.

        An answer in time is handed out here and nowhere else: settle it when it has been dealt with.
        One that comes later is in the inbox. The same ``key`` waits on for the same request.

        Raises:
            InvalidArgument: it goes to oneself or to several; and as :meth:`Mail.send`.
        """
        return run(self.requesting(actor, draft, wait=wait, key=key))

    def requesting(
        self,
        actor: Actor,
        draft: Draft,
        *,
        wait: float = 60,
        key: str | None = None,
        asked: Callable[[Sent], None] | None = None,
    ) -> Steps[Requested]:
        """:meth:`request` in steps, for callers with their own way to wait. Given up, it waits no longer.

        ``asked`` is told of what was sent, before the first pause. An error that comes after the send has the
        id of the request in its hint and its details.
        """
        patience = checking.seconds(wait, "wait", WEEK_SECONDS) / 1000
        _check_one_other(actor, draft)
        deadline = time.monotonic() + patience
        draft = draft._replace(wait_ms=WAIT_LEASE_MS)
        sent = self._store.mail.send(actor, draft, key=checking.key(key))
        try:
            found = yield from self._waiting(actor, sent, deadline, asked)
        except BaseException as error:
            if isinstance(error, HubbubError):
                error.hint = f"{sent.id} was asked; its answer comes to the inbox. {error.hint}".rstrip()
                error.details.setdefault("asked", sent.id)
            # A cancelled call: what comes now belongs to the inbox.
            self._give_up(actor, sent.id)
            raise
        return Requested(sent, _STATES[found.state], found.answer)

    def _waiting(
        self, actor: Actor, sent: Sent, deadline: float, asked: Callable[[Sent], None] | None
    ) -> Steps[Awaited]:
        with self._store.bell(f"answer/{sent.id}") as bell:
            while True:
                left = deadline - time.monotonic()
                found = self._look(actor, sent.id, last=left <= 0)
                if left <= 0:
                    return found or Awaited("over")  # the wait that is noted on the bus ends by itself, soon
                if found is not None and found.state != "waiting":
                    return found
                if asked is not None:
                    asked(sent)
                    asked = None
                yield Pause(bell, min(left, LOOK_AGAIN_SECONDS if found else RETRY_SECONDS))

    def _look(self, actor: Actor, id_: str, *, last: bool) -> Awaited | None:
        """How it stands with the answer; None while the bus can't be written. The request is out: that it
        can't be had for a moment is no reason to give up the answer."""
        try:
            if last:
                return self._store.pending.stop_waiting(actor, id_, take=True)
            return self._store.pending.await_answer(actor, id_, lease_ms=WAIT_LEASE_MS)
        except (BusBusy, BusFull):
            return None

    def _give_up(self, actor: Actor, id_: str) -> None:
        try:
            self._store.pending.stop_waiting(actor, id_, take=False)
        except HubbubError:
            return  # the wait ends by itself, soon

    # --- what is owed ------------------------------------------------------------------------

    def owed_by(
        self, agent: str, *, to: str | None = None, after: int = 0, limit: int = 100, closed: bool = False
    ) -> list[Debt]:
        """The answers that ``agent`` owes, oldest first; ``closed``: also those that are closed."""
        limit = checking.number(limit, "limit", 1, LIMIT_MAX)
        asker = None if to is None else check_name(to)
        return self._store.pending.owed(
            debtor=check_name(agent), asker=asker, closed=closed, after=after, limit=limit
        )

    def owed_to(self, agent: str, *, after: int = 0, limit: int = 100, closed: bool = False) -> list[Debt]:
        """The answers that ``agent`` waits for, oldest first; ``closed``: also those that are closed."""
        limit = checking.number(limit, "limit", 1, LIMIT_MAX)
        return self._store.pending.owed(asker=check_name(agent), closed=closed, after=after, limit=limit)

    def all(self, *, after: int = 0, limit: int = 100, closed: bool = False) -> list[Debt]:
        """Every answer that is owed on the bus, or with ``closed`` ever was, oldest first."""
        limit = checking.number(limit, "limit", 1, LIMIT_MAX)
        return self._store.pending.owed(closed=closed, after=after, limit=limit)

    def of_message(self, id: str) -> list[Debt]:
        """How it stands with the answers to one message, closed ones too."""
        return self._store.pending.owed(message=checking.text(id, "id", 100), closed=True, limit=LIMIT_MAX)

    def unwanted(self, agent: str, deliveries: Sequence[Delivery]) -> dict[str, str]:
        """Which of these, handed out to ``agent`` again, are not to be answered any more, and why (it may be
        empty). One that was never handed out left the inbox when it was waived."""
        found: dict[str, str] = {}
        for delivery in deliveries:
            message = delivery.message
            again = delivery.redelivered or (delivery.state == "queued" and delivery.delivery_count)
            if not again or (message.kind not in WANTS_ANSWER and message.reply_due is None):
                continue
            for debt in self.of_message(message.id):
                if debt.debtor == agent and debt.state == "waived":
                    found[message.id] = debt.why
        return found

    def waive(
        self, actor: Actor | None, id: str, *, debtor: str | None = None, reason: str = ""
    ) -> tuple[Debt, ...]:
        """Want the answer to a message no longer: who asked does, or the operator (None).

        Raises:
            NothingOwed: no answer to it is owed any more; MessageNotFound, NotYourMessage.
        """
        name = None if debtor is None else check_name(debtor)
        text = checking.text(reason, "reason", REASON_MAX)
        return self._store.pending.waive(actor, checking.text(id, "id", 100), debtor=name, reason=text)


_STATES = {"given": "given", "over": "late", "elsewhere": "elsewhere", "closed": "waived", "left": "left"}


def _check_one_other(actor: Actor, draft: Draft) -> None:
    if len(draft.recipients) != 1 or draft.recipients[0] == EVERYONE:
        raise InvalidArgument(
            "A request goes to one agent.",
            hint="Ask several with a question each, or send to many and read the answers as they come.",
        )
    if draft.recipients[0] == actor.agent:
        raise InvalidArgument("A request to oneself would wait for itself.", hint="Name another agent.")
