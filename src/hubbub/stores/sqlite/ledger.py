"""The ledger in SQLite. See :class:`hubbub.stores.contract.LedgerStore`."""

from __future__ import annotations

import apsw

from hubbub.errors import MessageNotFound
from hubbub.model import Event
from hubbub.names import (
    message_id,
    parse_post_id,
    parse_topic_id,
    post_id,
    project_id,
    step_id,
    topic_id,
)
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import Core, dump, one, seq_of
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

_SQL = statements("ledger.sql")


class SqliteLedger:
    """The facet of the ledger."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def events(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        newest: bool = False,
        agent: str | None = None,
        message: str | None = None,
        topic: str | None = None,
        project: str | None = None,
        step: str | None = None,
        kinds: tuple[str, ...] = (),
        since: int | None = None,
    ) -> list[Event]:
        """Part of the ledger."""
        values = {
            "after": after,
            "limit": limit,
            "agent": agent,
            "kinds": dump(kinds) if kinds else None,
            "since": since,
        }
        with self._core.read() as db:
            values["message"], values["posted"] = _subject(db, message)
            values["topic"] = None if topic is None else _number(db, topic)
            values["project"], values["step"] = _work(db, project, step)
            where = "_of_step" if step is not None else "_of_project" if project is not None else ""
            rows = list(db.execute(_SQL[("events_backward" if newest else "events_forward") + where], values))
        if newest:
            rows.reverse()
        return [_event(row) for row in rows]


def _event(row: Row) -> Event:
    seq, at, event, actor, session, subject, tag, concerned, detail, topic, topic_tag, *work = row
    project, project_tag, step, step_tag, attempt = work
    return Event(
        seq=seq,
        at=at,
        event=event,
        actor=actor,
        session=session,
        message=None
        if subject is None or tag is None
        else (message_id if topic is None else post_id)(subject, tag),
        agent=concerned,
        detail=None if detail is None else load(detail),
        topic=None if topic is None or topic_tag is None else topic_id(topic, topic_tag),
        project=None if project is None or project_tag is None else project_id(project, project_tag),
        step=None if step is None or step_tag is None else step_id(step, step_tag),
        attempt=attempt,
    )


def _work(db: apsw.Connection, project: str | None, step: str | None) -> tuple[int | None, int | None]:
    """The numbers of a project and a step that are named."""
    if project is None and step is None:
        return None, None
    from hubbub.stores.sqlite.work_rows import find_project, find_step  # seldom asked for

    return (
        None if project is None else int(find_project(db, project)[0]),
        None if step is None else find_step(db, step),
    )


def _subject(db: apsw.Connection, id_: str | None) -> tuple[int | None, int | None]:
    """The number of the message with this id, and 1 when it is a topic's.

    Raises:
        MessageNotFound: there is none.
    """
    if id_ is None:
        return None, None
    parsed = parse_post_id(id_)
    if parsed is not None:
        row = one(db, statements("topics.sql")["post_place"], {"post": parsed[0]})
        if row is not None and row[1] == parsed[1]:
            return parsed[0], 1
    seq = seq_of(db, id_)
    if seq is None:
        raise MessageNotFound(f"There is no message {ascii(id_)[:80]} on this bus.")
    return seq, None


def _number(db: apsw.Connection, topic: str) -> int:
    from hubbub.stores.sqlite.topic_rows import SQL, find  # seldom asked for

    # What was deleted is still in the ledger, and found there by its id.
    parsed = parse_topic_id(topic)
    row = one(db, SQL["topic_by_number"], {"topic": parsed[0]}) if parsed else None
    if parsed is not None and row is not None and row[1] == parsed[1]:
        return parsed[0]
    found: int = find(db, topic)[0]
    return found
