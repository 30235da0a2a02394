"""Messages that a search found, from their rows."""

from __future__ import annotations

import apsw

from hubbub.model_search import Hit
from hubbub.names import message_id, post_id, topic_id
from hubbub.stores.sqlite.core import one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

_SQL = statements("search.sql")


def hit_of(db: apsw.Connection, source: str, number: int, score: float) -> Hit | None:
    """The message with this number among the ``mail`` or the posts (``topic``); None when it is gone."""
    return _mail_hit(db, number, score) if source == "mail" else _post_hit(db, number, score)


def _mail_hit(db: apsw.Connection, number: int, score: float) -> Hit | None:
    row = one(db, _SQL["mail_hit"], {"number": number})
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


def _post_hit(db: apsw.Connection, number: int, score: float) -> Hit | None:
    row = one(db, _SQL["post_hit"], {"number": number})
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
