"""What a store must do about answers that are owed. See :mod:`hubbub.stores.contract` for what is common.

A message wants an answer when its kind does (:data:`~hubbub.model_pending.WANTS_ANSWER`), when it has
a time to answer by, and when a call waits for one. Then each of its recipients owes one from the send
on, in the same stroke; but a publisher, which no answer can reach, is owed none, and its ``Draft.wait_ms``
is refused with ``ROLE_FORBIDS``. A reply of the debtor that goes to the asker closes the debt in its own
stroke, as ``declined`` when that is its kind, else as ``answered``; one of kind ``status`` leaves it open.
One that goes to others only leaves it open and settles nothing. :meth:`PendingStore.waive` closes it, too;
then a question that nobody has taken out is settled. It is also waived when the asker leaves the bus or
becomes a publisher, and when the debtor's copy of the question is purged or deleted. What is closed stays
closed.

:meth:`Store.sweep` reminds: after each time of ``Policy.remind_after_ms`` since the due time, but at
least :data:`~hubbub.model_pending.REMINDER_GAP_MS` after the reminder before, the debtor gets a mail of
kind ``reminder`` from the bus; after ``escalate_after_ms`` the asker and the watchdog are told, and
then it is silent; what would come after the escalation does not come. Each is sent once however many
sweep at once and whichever is killed. One round sends one reminder to each debtor, led by the answer that is
overdue longest, and one mail of kind ``escalation`` to each that is told; the events of the others name the
leading one as ``with``. The times are those of the asker's process, kept with the debt, else those on the
bus, and never those of whoever sweeps. A question that expires before anybody took it is escalated in the
next round. An unread reminder is withdrawn when the next one or the
escalation comes and when the debt closes; the debtor's reply also settles one that it has in hand.
Where the mail can't be had (a full inbox, a name that left), the ledger says so and the count goes on.

``Draft.wait_ms``, up to :data:`~hubbub.model_pending.WAIT_LEASE_MAX_MS`, keeps the first answer that goes
to the asker for the call that sent it, however full the inbox is: until then no receive hands that
answer out and no other call settles it, not even an answer to it. The call moves the time on by asking
again. When it gives up, or is not heard of for that time, or its session ends, the answer is in the inbox
like any other mail.
"""

from __future__ import annotations

from typing import Protocol

from hubbub.model import Actor
from hubbub.model_pending import Awaited, Debt


class PendingStore(Protocol):
    """Answers that are owed, and calls that wait for one."""

    def owed(
        self,
        *,
        debtor: str | None = None,
        asker: str | None = None,
        message: str | None = None,
        closed: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> list[Debt]:
        """Open debts (with ``closed``, also those that are not) that match, by ``seq`` after ``after``:
        ``limit`` of them, and the others of the last message, so that ``after`` its ``seq`` misses none."""
        ...

    def waive(
        self, actor: Actor | None, id: str, *, debtor: str | None = None, reason: str = ""
    ) -> tuple[Debt, ...]:
        """The asker, or the operator (None), no longer wants the answer to ``id``, of one debtor or of
        all: the debts that this closed. Waking a call that waits for it.

        Raises ``MESSAGE_NOT_FOUND``, ``NOT_YOUR_MESSAGE`` when another asked, ``NOTHING_OWED``.
        """
        ...

    def await_answer(self, actor: Actor, id: str, *, lease_ms: int) -> Awaited:
        """The answer to the actor's own request ``id``, leased to it, if it is there; else it is kept for
        this call for ``lease_ms`` more. Raises as :meth:`MailStore.message`, and ``NOT_YOUR_MESSAGE``
        when another sent it."""
        ...

    def stop_waiting(self, actor: Actor, id: str, *, take: bool) -> Awaited:
        """Wait no longer: with ``take`` hand out an answer that is there by now, else leave it to the
        inbox, where any that comes later goes, too."""
        ...
