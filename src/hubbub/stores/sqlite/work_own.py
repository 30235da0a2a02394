"""What an agent holds, and what it lost."""

from __future__ import annotations

from hubbub.model import Actor
from hubbub.model_work import LOST_SHOWN_MS, Claim, Lost
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite import work_telling
from hubbub.stores.sqlite.actors import admit, check_actor
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.work_claims import claim_of
from hubbub.stores.sqlite.work_rows import SQL, attempt_of, find_step, step_of, step_row


def mine(core: Core, actor: Actor) -> tuple[Claim, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.mine`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        work_telling.expire(tx, now)
        found = list(tx.db.execute(SQL["live_of_agent"], {"agent": actor.agent, "now": now}))
        for _, attempt, step, number, session in found:
            if actor.session is not None and session != actor.session:
                values = {"attempt": attempt, "session": actor.session, "now": now}
                tx.db.execute(SQL["adopt"], values)
                ends.note(tx, now, "claim_adopted", actor, step_row(tx.db, step), attempt=number)
        return tuple(claim_of(tx.db, row[0]) for row in found)


def lost(core: Core, actor: Actor) -> tuple[Lost, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.lost`."""
    now = core.clock.now()
    found = []
    with core.read() as db:
        check_actor(db, actor, now)
        values = {"agent": actor.agent, "since": now - LOST_SHOWN_MS, "session": actor.session}
        for step, number in list(db.execute(SQL["lost_of_agent"], values)):
            attempt = one(db, SQL["attempt_numbered"], {"step": step, "number": number})
            assert attempt is not None  # it was just found
            found.append(Lost(step_of(db, step_row(db, step)), attempt_of(attempt)))
    return tuple(found)


def lost_told(core: Core, actor: Actor, losses: tuple[Lost, ...]) -> None:
    """See :meth:`hubbub.stores.contract_work.WorkStore.lost_told`."""
    with core.write() as tx:
        admit(tx, actor, core.clock.now())
        for each in losses:
            step = find_step(tx.db, each.step.id)
            values = {"step": step, "number": each.attempt.number, "agent": actor.agent}
            tx.db.execute(SQL["tell_loss"], {**values, "session": actor.session or "-"})
