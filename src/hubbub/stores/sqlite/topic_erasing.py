"""What housekeeping does for topics: hand-outs that ran out, deleted topics, imports that were given up."""

from __future__ import annotations

from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import add_event, dump, one
from hubbub.stores.sqlite.topic_changes import remove
from hubbub.stores.sqlite.topic_rows import SQL

ERASED_AT_ONCE = 1000
"""How many messages of deleted topics one round erases: others want to write, too."""

IMPORT_KEPT_MS = 7 * 86_400_000
"""How long an import that nobody goes on with is kept."""


def give_up_imports(tx: Write, now: int) -> int:
    """Delete what was begun and not gone on with; how many."""
    rows = list(tx.db.execute(SQL["abandoned_imports"], {"before": now - IMPORT_KEPT_MS}))
    for (topic,) in rows:
        remove(tx, topic, now)
        add_event(tx.db, now, "topic_deleted", None, topic=topic, detail={"why": "import given up"})
    return len(rows)


def erase(tx: Write) -> int:
    """Erase some messages of a deleted topic; how many."""
    row = one(tx.db, SQL["topics_to_erase"], {})
    if row is None:
        return 0
    posts = [
        post for (post,) in tx.db.execute(SQL["posts_to_erase"], {"topic": row[0], "limit": ERASED_AT_ONCE})
    ]
    if posts:
        tx.db.execute(SQL["erase_posts"], {"posts": dump(posts)})
        from hubbub.stores.sqlite.meaning import forget  # seldom needed

        forget(tx.db, "topic", posts)
    if len(posts) < ERASED_AT_ONCE:
        tx.db.execute(SQL["topic_is_erased"], {"topic": row[0]})
    return len(posts)
