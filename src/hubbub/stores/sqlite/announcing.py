"""Announcing a mail: its copy in the topic that every agent belongs to."""

from __future__ import annotations

from hubbub.model import Actor, Draft
from hubbub.model_topics import Post
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import one
from hubbub.stores.sqlite.topic_rows import EVERYBODYS, SQL, member_place
from hubbub.stores.sqlite.topic_sync import keep, note_own, write_post


def announce(tx: Write, actor: Actor, draft: Draft, id_: str, recipients: tuple[str, ...], now: int) -> str:
    """Put a copy into ``#all``, for everyone to know of; its id. No bell rings for it."""
    topic = one(tx.db, SQL["topic_by_number"], {"topic": EVERYBODYS})
    assert topic is not None  # the first of all topics, which can't be removed
    place = member_place(tx.db, actor, topic, now)
    text = f"{draft.subject}\n\n{draft.body}" if draft.subject else draft.body
    told = {"announces": id_, "to": list(recipients)}
    post = Post(text, kind=draft.kind, metadata={**(draft.metadata or {}), **told})
    announced, grown = write_post(tx, actor, topic, post, now, ring=False)
    note_own(place, topic, grown)
    keep(tx, actor, EVERYBODYS, place.position, place.own, now)
    return announced
