"""Topics filled from elsewhere: nobody sees one before it is whole."""

from __future__ import annotations

from typing import Any

from hubbub.errors import InvalidArgument, NotFound
from hubbub.model import Actor
from hubbub.model_topics import Import, Imported, Topic
from hubbub.names import new_tag, topic_id, topic_key
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, one
from hubbub.stores.sqlite.topic_changes import add as add_topic
from hubbub.stores.sqlite.topic_rows import SQL, refuse_taken, topic_of


def begin(
    core: Core, actor: Actor, source: str, name: str, metadata: dict[str, Any] | None, created_at: int
) -> Import:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.begin_import`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)
        refuse_taken(tx.db, topic_key(name), name)
        row = one(tx.db, SQL["importing_from"], {"source": source})
        if row is None:
            number = add_topic(tx, actor, name, metadata, created_at, now, source=source)
        else:
            number = row[0]
            values = {"topic": number, "name": name, "name_key": topic_key(name), "now": now}
            tx.db.execute(SQL["name_topic"], values)
        row = one(tx.db, SQL["topic_by_number"], {"topic": number})
        assert row is not None  # it was just written
        return Import(topic_of(row), row[7])


def add(core: Core, actor: Actor, source: str, after: int, messages: tuple[Imported, ...]) -> int:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.add_imported`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)
        topic = _importing(tx, source)
        done: int = topic[7]
        if done > after:
            return done
        if done < after:
            raise InvalidArgument(f"The import holds {done} messages; {after} are not in it yet.")
        for message in messages:
            done += 1
            _write(tx, actor, topic[0], done, message)
        tx.db.execute(SQL["topic_grew"], {"topic": topic[0], "last_seq": done, "now": now})
        return done


def _write(tx: Write, actor: Actor, topic: int, seq: int, message: Imported) -> None:
    answered = thread = None
    if message.reply_to is not None:
        row = one(tx.db, SQL["post_at"], {"topic": topic, "seq": message.reply_to})
        if row is None or message.reply_to >= seq:
            raise InvalidArgument(f"Message {seq} answers number {message.reply_to}, which is not before it.")
        answered, thread = row[0], row[0] if row[1] is None else row[1]
    values = {
        "tag": new_tag(),
        "topic": topic,
        "seq": seq,
        "sender": message.sender,
        "kind": message.kind,
        "reply_to": answered,
        "thread": thread,
        "body": message.body,
        "metadata": None if message.metadata is None else dump(message.metadata),
        "created_at": message.created_at,
        "imported_by": actor.agent,
    }
    tx.db.execute(SQL["add_post"], values)


def finish(core: Core, actor: Actor, source: str, closed_at: int | None, close_reason: str) -> Topic:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.finish_import`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)
        topic = _importing(tx, source)
        if closed_at is None:
            refuse_taken(tx.db, topic_key(topic[2]), topic[2])
        values = {
            "topic": topic[0],
            "closed_at": closed_at,
            "by": actor.agent,
            "reason": "" if closed_at is None else close_reason,
            "now": now,
        }
        tx.db.execute(SQL["finish_import"], values)
        detail = {"name": topic[2], "messages": topic[7], "source": source}
        add_event(tx.db, now, "topic_imported", actor, topic=topic[0], detail=detail)
        tx.ring(f"topic/{topic_id(topic[0], topic[1])}")
        row = one(tx.db, SQL["topic_by_number"], {"topic": topic[0]})
        assert row is not None  # it was just written
        return topic_of(row)


def _importing(tx: Write, source: str) -> Row:
    row = one(tx.db, SQL["importing_from"], {"source": source})
    if row is None:
        raise NotFound("There is no unfinished import of this data.", hint="Begin it again.")
    return row
