"""What housekeeping does for topics: hand-outs that ran out, deleted topics, imports that were given up."""

from __future__ import annotations

from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, add_event, dump, one
from hubbub.stores.sqlite.topic_changes import remove
from hubbub.stores.sqlite.topic_rows import SQL

ERASED_AT_ONCE = 250
"""How many messages of deleted topics one stroke erases: others want to write, too."""

STROKES = 40
"""How many strokes one round of housekeeping makes, and a deletion itself: a topic of 10,000 messages is
gone when its deletion returns."""

IMPORT_KEPT_MS = 7 * 86_400_000
"""How long an import that nobody goes on with is kept."""


def give_up_imports(tx: Write, now: int) -> int:
    """Delete what was begun and not gone on with; how many."""
    rows = list(tx.db.execute(SQL["abandoned_imports"], {"before": now - IMPORT_KEPT_MS}))
    for (topic,) in rows:
        remove(tx, topic, now)
        add_event(tx.db, now, "topic_deleted", None, topic=topic, detail={"why": "import given up"})
    return len(rows)


def erase(core: Core, strokes: int = STROKES) -> int:
    """Erase messages of deleted topics, in up to so many strokes; how many messages.

    Each stroke is short, and lets those go first who wait to write.
    """
    total = 0
    for _ in range(strokes):
        with core.read() as db:
            if one(db, SQL["topics_to_erase"], {}) is None:
                break
        with core.write() as tx:
            total += _erase_some(tx)
    return total


def _erase_some(tx: Write) -> int:
    """One stroke, through as many topics as it takes."""
    count = looked = 0
    while looked < ERASED_AT_ONCE:
        row = one(tx.db, SQL["topics_to_erase"], {})
        if row is None:
            break
        values = {"topic": row[0], "limit": ERASED_AT_ONCE - looked}
        posts = [post for (post,) in tx.db.execute(SQL["posts_to_erase"], values)]
        if posts:
            tx.db.execute(SQL["erase_posts"], {"posts": dump(posts)})
            from hubbub.stores.sqlite.meaning import forget  # seldom needed

            forget(tx.db, "topic", posts)
        if len(posts) < values["limit"]:
            tx.db.execute(SQL["topic_is_erased"], {"topic": row[0]})
        count += len(posts)
        looked += max(1, len(posts))
    return count
