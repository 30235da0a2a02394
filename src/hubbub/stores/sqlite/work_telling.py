"""Telling a project's topic what happened to its steps: derived from the ledger, once each."""

from __future__ import annotations

from typing import Any

import apsw

from hubbub.model import Actor
from hubbub.model_topics import Post
from hubbub.names import BUS_NAME
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, dump, one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.topic_rows import SQL as TOPICS
from hubbub.stores.sqlite.topic_rows import place_of
from hubbub.stores.sqlite.topic_sync import keep, note_own, write_post
from hubbub.stores.sqlite.work_figures import told_through
from hubbub.stores.sqlite.work_plans import PLANS
from hubbub.stores.sqlite.work_rows import project_row, step_row
from hubbub.text import safe_line

NEWS = {
    "step_completed": "is completed",
    "step_merged": "is merged",
    "step_failed": "failed",
    "step_parked": "is parked: its attempts are used up",
    "step_cancelled": "is cancelled",
    "step_retried": "is to be done again",
    "step_released": "was given back and can be claimed again",
    "step_changed": "waits for no other step any more",
    "project_changed": "",
    "claim_expired": "was lost by its holder",
    "claim_recovered": "was taken back from its holder",
}
"""The events that others want to know of, as the topic words them; of a change only when it leads on."""

TOLD_WITH = 20
"""How many news one write posts in its own stroke: its own, and few that were left."""

MOVE_ON = 500
"""How many events that are no news may follow the last one that was told."""

RESULT_MAX = 300
"""How many letters of a step's result its news hold; the step has all of it."""


def tell(core: Core, limit: int) -> int:
    """See :meth:`hubbub.stores.contract_work.WorkStore.tell`."""
    told, last = told_through(core)
    if told >= last:
        return 0
    news = dump([*NEWS, "project_completed"])
    with core.read() as db:
        if not _worth_a_turn(db, told, last, news):
            return 0
    with core.write() as tx:
        return tell_within(tx, core.clock.now(), limit)


def tell_within(tx: Write, now: int, limit: int) -> int:
    """The same within a write that has made news itself: one stroke in place of two."""
    news = dump([*NEWS, "project_completed"])
    row = one(tx.db, PLANS["told_through"], {})
    through = int(row[0]) if row else 0
    end, count = one(tx.db, PLANS["last_event"], {}), 0
    if end is None or not _worth_a_turn(tx.db, through, end[0], news):
        return 0  # another process told it while this one waited for its turn
    # What nobody is told, as of a closed topic, must not stand for the end of what there is to tell.
    while not count and through < end[0]:
        rows = list(tx.db.execute(PLANS["untold"], {"after": through, "news": news, "limit": limit}))
        count = sum(_post(tx, row, now) for row in rows)
        through = rows[-1][0] if len(rows) == limit else end[0]
    tx.db.execute(PLANS["tell_through"], {"value": str(through)})
    return count


def expire(tx: Write, now: int) -> None:
    """End the claims whose lease ran out, and tell of them in the same stroke."""
    if ends.expire(tx, now):
        tell_within(tx, now, TOLD_WITH)


def _worth_a_turn(db: apsw.Connection, told: int, last: int, news: str) -> bool:
    """Whether there is news, or so much else that the place should move on past it."""
    if last - told > MOVE_ON:
        return True
    return one(db, PLANS["untold"], {"after": told, "news": news, "limit": 1}) is not None


def _post(tx: Write, event: Row, now: int) -> bool:
    _, name, actor, session, project, step, attempt, detail = event
    found = project_row(tx.db, project)
    if found[8] is None:
        return False
    topic = one(tx.db, TOPICS["topic_by_number"], {"topic": found[8]})
    if topic is None or topic[3] != "open":
        return False
    known: dict[str, Any] = {} if detail is None else load(detail)
    if not _leads_on(name, known):
        return False
    body = _worded(tx.db, found, name, step, known)
    metadata = {"event": name, "project": found[2], "attempt": attempt}
    if step is not None:
        metadata["step"] = step_row(tx.db, step)[4]
    sender = Actor(actor or BUS_NAME, session)
    place = place_of(tx.db, sender.agent, topic[0], now)
    post = Post(
        body, kind="status", metadata={key: value for key, value in metadata.items() if value is not None}
    )
    _, grown = write_post(tx, sender, topic, post, now)
    if place is not None:
        note_own(place, topic, grown)
        keep(tx, sender, topic[0], place.position, place.own, now)
    return True


def _leads_on(event: str, detail: dict[str, Any]) -> bool:
    """Whether a change makes a difference to those who wait for work."""
    if event == "step_changed":
        return bool(detail.get("ready"))
    return event != "project_changed" or "was" in detail


def _worded(db: apsw.Connection, project: Row, event: str, step: int | None, detail: dict[str, Any]) -> str:
    if event == "project_changed":
        return f"The project {project[2]} is {detail['state']}; it was {detail['was']}."
    if event == "project_completed" or step is None:
        return f"All steps of {project[2]} are over: the project is completed."
    row = step_row(db, step)
    says = f"Step {row[4]} ({row[5]}) {NEWS[event]}"
    facts = [
        f"commit {detail['commit_id']}" if detail.get("commit_id") else "",
        f"{detail['class']}: {detail['reason']}" if detail.get("class") else "",
        str(detail.get("why") or detail.get("note") or ""),
        safe_line(str(detail.get("result") or ""), RESULT_MAX),
    ]
    shown = "; ".join(fact for fact in facts if fact)
    return f"{says} - {shown.rstrip('.')}." if shown else f"{says}."
