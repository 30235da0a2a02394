"""Housekeeping: all that fell due, by one process at a time."""

from __future__ import annotations

import time

from hubbub.model import IDEMPOTENCY_MS, Swept
from hubbub.model_pending import WAIT_LEASE_MAX_MS
from hubbub.model_presence import PING_KEPT_MS
from hubbub.policy import GATE_WINDOW_MS
from hubbub.stores.sqlite import due
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.indexing import index_some
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.topic_erasing import IMPORT_KEPT_MS, erase, give_up_imports
from hubbub.stores.sqlite.topic_hands import return_due
from hubbub.stores.sqlite.work_ends import expire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubbub.stores.sqlite.reminders import Round

_AGENTS = statements("agents.sql")
_MAIL = statements("mail.sql")
_TOPICS = statements("topics.sql")
_WORK = statements("work.sql")
_PLANS = statements("plans.sql")
_FILES = statements("files.sql")
_PENDING = statements("pending.sql")

DUTY_MS = 15_000
"""How long one process keeps the duty of housekeeping after a round: longer than a beat, so that
the duty stays with one process while it lives, and moves on soon when it does not."""

GATE_KEPT_MS = 3_600_000
"""How long the count of a pair that no longer sends is kept."""

REMIND_SECONDS = 1.0
"""How long one round goes on reminding; what is left is for the next."""

TOLD_AT_ONCE = 100
"""How many of the ledger's news of work one round posts."""


def sweep(core: Core, holder: str) -> Swept:
    """See :meth:`hubbub.stores.contract.Store.sweep`."""
    now = core.clock.now()
    with core.read() as db:
        row = one(db, _AGENTS["duty_row"], {"duty": "housekeeping"})
        held = row is not None and row[0] != holder and now < row[1] <= now + DUTY_MS
        wanted = one(db, _MAIL["anything_due"], {"now": now, "before": now - IDEMPOTENCY_MS})
        in_work = one(db, _WORK["anything_expired"], {"now": now})
        pending = one(
            db,
            _PENDING["anything_to_remind"],
            {
                "now": now,
                "too_far": now + WAIT_LEASE_MAX_MS,
                "window_over": now - GATE_WINDOW_MS,
                "ping_over": now - PING_KEPT_MS,
            },
        )
        untold = one(db, _PLANS["anything_untold"], {})
        in_topics = one(db, _TOPICS["anything_due"], {"now": now, "before": now - IMPORT_KEPT_MS})
    if held:
        return Swept(ran=False)
    told = _tell(core) if untold is not None and untold[0] else 0
    fresh = row is not None and row[0] == holder and row[1] > now + DUTY_MS // 2
    if fresh and not any((row or (1,))[0] for row in (wanted, in_topics, in_work, pending)):
        return Swept(ran=True, indexed=index_some(core), steps_told=told)
    with core.write() as tx:
        row = one(tx.db, _AGENTS["duty_row"], {"duty": "housekeeping"})
        # A time further away than the duty lasts was written before the clock was set back.
        if row is not None and row[0] != holder and now < row[1] <= now + DUTY_MS:
            return Swept(ran=False)
        tx.db.execute(
            _AGENTS["take_duty"], {"duty": "housekeeping", "holder": holder, "until": now + DUTY_MS}
        )
        leases = due.take_back_due(tx, now)
        expired = due.expire_messages(tx, now)
        sessions = due.expire_sessions(tx, now)
        tx.db.execute(_AGENTS["forget_answers"], {"before": now - IDEMPOTENCY_MS})
        forgotten = tx.db.changes()
        hands = return_due(tx, now)
        claims = expire(tx, now)
        tx.db.execute(_FILES["end_old_reservations"], {"now": now})
        give_up_imports(tx, now)
        told_of = _tend_pending(tx, now) if expired or (pending or (1,))[0] else None
    reminded, escalated = (0, 0) if told_of is None else _remind_all(core, *told_of)
    erased = erase(core)
    core.bells.sweep()
    return Swept(
        ran=True,
        leases_expired=leases,
        messages_expired=expired,
        sessions_expired=sessions,
        keys_forgotten=forgotten,
        topic_leases_expired=hands,
        posts_removed=erased,
        claims_expired=claims,
        steps_told=told + (_tell(core) if claims else 0),
        indexed=index_some(core),
        reminders=reminded,
        escalations=escalated,
    )


def _tend_pending(tx: Write, now: int) -> tuple[Round, bool]:
    from hubbub.stores.sqlite.gate import tell_of_past_windows  # most rounds find nothing of all this
    from hubbub.stores.sqlite.presence import end_old_standings
    from hubbub.stores.sqlite.reminders import Round

    lost = {"now": now, "too_far": now + WAIT_LEASE_MAX_MS}
    for asker, answer in list(tx.db.execute(_PENDING["kept_answers_of_the_lost"], lost)):
        tx.db.execute(_PENDING["free_answer"], {"agent": asker, "message": answer})
        tx.ring(f"inbox/{asker}")
    tx.db.execute(_PENDING["forget_waits"], lost)
    tell_of_past_windows(tx, now)
    tx.db.execute(_PENDING["forget_gate"], {"before": now - GATE_KEPT_MS})
    end_old_standings(tx, now)
    round_ = Round()
    return round_, round_.remind(tx, now)


def _remind_all(core: Core, round_: Round, more: bool) -> tuple[int, int]:
    """See to the rest of what is to be reminded of, in short writes, for a while; how many were reminded of
    and escalated in the whole round."""
    deadline = time.monotonic() + REMIND_SECONDS
    while more and time.monotonic() < deadline:
        with core.write() as tx:
            more = round_.remind(tx, core.clock.now())
    return round_.reminded, round_.escalated


def _tell(core: Core) -> int:
    from hubbub.stores.sqlite.work_telling import tell  # most rounds have nothing to tell

    return tell(core, TOLD_AT_ONCE)
