"""Messages that a search found, from their rows."""

from __future__ import annotations

import apsw

from hubbub.model_search import Hit
from hubbub.names import message_id, parse_message_id, parse_post_id, post_id, topic_id
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

_SQL = statements("search.sql")


ALL = 2**31 - 1
"""More characters than a text has."""


def hit_of(
    db: apsw.Connection, source: str, number: int, score: float, body_max: int | None = None
) -> Hit | None:
    """The message with this number among the ``mail`` or the posts (``topic``); None when it is gone."""
    values = {"number": number, "most": ALL if body_max is None else body_max}
    return _mail_hit(db, values, score) if source == "mail" else _post_hit(db, values, score)


def whole(core: Core, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """See :meth:`hubbub.stores.contract_search.SearchStore.whole`."""
    found: list[Hit] = []
    with core.read() as db:
        for hit in hits:
            parsed = parse_message_id(hit.id) if hit.source == "mail" else parse_post_id(hit.id)
            full = hit_of(db, hit.source, parsed[0], hit.score) if parsed else None
            if full is not None and full.id == hit.id:
                found.append(full._replace(stretch=hit.stretch))
    return tuple(found)


def _mail_hit(db: apsw.Connection, values: dict[str, int], score: float) -> Hit | None:
    row = one(db, _SQL["mail_hit"], values)
    if row is None:
        return None
    seq, tag, sender, recipients, thread, kind, subject, body, at = row
    id_ = message_id(seq, tag)
    return Hit(
        id=id_,
        source="mail",
        topic=None,
        topic_name=None,
        seq=seq,
        sender=sender,
        recipients=tuple(load(recipients)),
        thread=thread or id_,
        kind=kind,
        subject=subject,
        body=body,
        created_at=at,
        score=score,
    )


def _post_hit(db: apsw.Connection, values: dict[str, int], score: float) -> Hit | None:
    row = one(db, _SQL["post_hit"], values)
    if row is None:
        return None
    post, tag, sender, thread, kind, body, at, seq, topic, topic_tag, name, thread_tag = row
    id_ = post_id(post, tag)
    return Hit(
        id=id_,
        source="topic",
        topic=topic_id(topic, topic_tag),
        topic_name=name,
        seq=seq,
        sender=sender,
        recipients=(),
        thread=id_ if thread is None or thread_tag is None else post_id(thread, thread_tag),
        kind=kind,
        subject="",
        body=body,
        created_at=at,
        score=score,
    )
