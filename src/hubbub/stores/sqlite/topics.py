"""Topics in SQLite. See :class:`hubbub.stores.contract_topics.TopicStore`."""

from __future__ import annotations

from typing import Any

from hubbub.errors import InvalidArgument, MessageNotFound, ThreadNotFound
from hubbub.model import Actor
from hubbub.model_topics import (
    HANDOUT_MS,
    Changed,
    Created,
    Hand,
    Import,
    Imported,
    Membership,
    Post,
    Synced,
    Topic,
    TopicMessage,
    TopicPage,
    TopicRange,
)
from hubbub.names import parse_post_id, topic_key
from hubbub.stores.sqlite import (
    topic_changes,
    topic_erasing,
    topic_hands,
    topic_imports,
    topic_members,
    topic_sync,
)
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.looking import catch_up_all
from hubbub.stores.sqlite.rows import within_bytes
from hubbub.stores.sqlite.topic_rows import SIZE, SQL, find, message_of, place_of, topic_of

_LAST_SEQ = 2**62


class SqliteTopics:
    """The facet of topics."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # --- topics ------------------------------------------------------------------------------

    def create(
        self,
        actor: Actor,
        name: str | None,
        *,
        metadata: dict[str, Any] | None = None,
        reuse: bool = True,
        key: str | None = None,
    ) -> Created:
        """Make a topic, or find it."""
        return topic_changes.create(self._core, actor, name, metadata, reuse, key)

    def get(self, topic: str, *, agent: str | None = None) -> Topic:
        """One topic."""
        if agent is not None:
            catch_up_all(self._core)
        now = self._core.clock.now()
        with self._core.read() as db:
            row = find(db, topic)
            place = None if agent is None else place_of(db, agent, row[0], now)
            members = topic_members.count(db, row[0])
        unread = None if place is None or place.left_at is not None else place.unread(row)
        return topic_of(row, unread, members)

    def list(
        self,
        *,
        agent: str | None = None,
        state: str = "open",
        match: str | None = None,
        after: str | None = None,
        limit: int = 50,
        count_members: bool = True,
    ) -> TopicPage:
        """A page of topics."""
        if agent is not None:
            catch_up_all(self._core)
        last_at, number = _page_place(after)
        states = ("open", "closed") if state == "all" else (state,)
        values = {
            "agent": agent,
            "now": self._core.clock.now(),
            "match": None if match is None else topic_key(match.removeprefix("#")),
            "last_at": last_at,
            "topic": number,
            "limit": limit + 1,
            "counted": int(count_members),
        }
        rows: list[Row] = []
        total = 0
        with self._core.read() as db:
            for one_state in states:
                rows += db.execute(SQL["topic_page"], {**values, "state": one_state})
                counted = one(db, SQL["topic_count"], {"state": one_state, "match": values["match"]})
                total += counted[0] if counted else 0
        rows.sort(key=lambda row: (row[8], row[0]), reverse=True)
        shown = rows[:limit]
        more = f"{shown[-1][8]}-{shown[-1][0]}" if len(rows) > limit else None
        return TopicPage(tuple(topic_of(row, row[12], row[13]) for row in shown), more, total)

    def close(self, actor: Actor, topic: str, *, reason: str = "") -> Changed:
        """Nobody can post any more."""
        return topic_changes.close(self._core, actor, topic, reason)

    def reopen(self, actor: Actor, topic: str) -> Changed:
        """Undo a close."""
        return topic_changes.reopen(self._core, actor, topic)

    def rename(self, actor: Actor, topic: str, name: str) -> Changed:
        """Another name."""
        return topic_changes.rename(self._core, actor, topic, name)

    def delete(self, actor: Actor, topic: str) -> Changed:
        """Gone for good."""
        changed = topic_changes.delete(self._core, actor, topic)
        topic_erasing.erase(self._core)
        return changed

    # --- members -----------------------------------------------------------------------------

    def join(self, actor: Actor, topic: str, *, start: int | None = None) -> Membership:
        """Become a member."""
        return topic_members.join(self._core, actor, topic, start)

    def leave(self, actor: Actor, topic: str) -> Membership:
        """Be a member no longer."""
        return topic_members.leave(self._core, actor, topic)

    def members(self, topic: str, *, limit: int = 200) -> tuple[Membership, ...]:
        """Who is in a topic."""
        catch_up_all(self._core)
        return topic_members.members(self._core, topic, limit)

    def reset(self, actor: Actor, topic: str, position: int) -> Membership:
        """Go on elsewhere."""
        return topic_members.reset(self._core, actor, topic, position)

    # --- sync --------------------------------------------------------------------------------

    def sync(
        self,
        actor: Actor,
        topic: str,
        *,
        outbox: tuple[Post, ...] = (),
        ack_through: int | None = None,
        automatic: bool = True,
        limit: int = 20,
        max_bytes: int | None = None,
        confirm: tuple[Hand, ...] = (),
        lease_ms: int = HANDOUT_MS,
    ) -> Synced:
        """Post, acknowledge and read."""
        asked = topic_sync.Asked(outbox, ack_through, automatic, limit, max_bytes, confirm, lease_ms)
        return topic_sync.sync(self._core, actor, topic, asked)

    def confirm(self, actor: Actor, hands: tuple[Hand, ...]) -> int:
        """They have arrived."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            admit(tx, actor, now)
            return topic_hands.confirm(tx, actor, hands, now)

    def give_back(self, actor: Actor, hands: tuple[Hand, ...], *, unseen: bool = False) -> int:
        """They have not arrived."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            admit(tx, actor, now)
            return topic_hands.give_back(tx, actor, hands, now, unseen)

    # --- history -----------------------------------------------------------------------------

    def history(
        self,
        topic: str,
        *,
        after: int = 0,
        before: int | None = None,
        newest: bool = False,
        thread: str | None = None,
        limit: int = 50,
        max_bytes: int | None = None,
    ) -> TopicRange:
        """Part of a topic."""
        values: dict[str, Any] = {
            "after": after,
            "before": _LAST_SEQ if before is None else before,
            "limit": limit + 1,
        }
        statement = ("thread" if thread else "history") + ("_backward" if newest else "_forward")
        with self._core.read() as db:
            row = find(db, topic)
            values |= {"topic": row[0], "topic_tag": row[1]}
            if thread is not None:
                parsed = parse_post_id(thread)
                found = one(db, SQL["post_place"], {"post": parsed[0]}) if parsed else None
                if parsed is None or found is None or (found[0], found[1]) != (row[0], parsed[1]):
                    raise ThreadNotFound(
                        f"There is no message {ascii(thread)[:80]} in the topic {row[2]}.",
                        hint="Name a thread by the id of any message in it.",
                    )
                values["thread"] = parsed[0] if found[2] is None else found[2]
            rows = list(db.execute(SQL[statement], values))
        kept = within_bytes(rows[:limit], max_bytes, SIZE)
        more = len(kept) < len(rows)
        if newest:
            kept.reverse()
            return TopicRange(topic_of(row), tuple(message_of(each) for each in kept), None)
        return TopicRange(
            topic_of(row), tuple(message_of(each) for each in kept), kept[-1][4] if more else None
        )

    def message(self, id: str) -> TopicMessage:
        """One message."""
        parsed = parse_post_id(id)
        with self._core.read() as db:
            row = one(db, SQL["post_row"], {"post": parsed[0]}) if parsed else None
        if parsed is None or row is None or row[1] != parsed[1]:
            raise MessageNotFound(f"There is no message {ascii(id)[:80]} in any topic of this bus.")
        return message_of(row)

    # --- imports -----------------------------------------------------------------------------

    def begin_import(
        self, actor: Actor, source: str, name: str, *, metadata: dict[str, Any] | None = None, created_at: int
    ) -> Import:
        """Begin or go on."""
        return topic_imports.begin(self._core, actor, source, name, metadata, created_at)

    def add_imported(self, actor: Actor, source: str, after: int, messages: tuple[Imported, ...]) -> int:
        """A batch."""
        return topic_imports.add(self._core, actor, source, after, messages)

    def finish_import(
        self, actor: Actor, source: str, *, closed_at: int | None = None, close_reason: str = ""
    ) -> Topic:
        """It is there."""
        return topic_imports.finish(self._core, actor, source, closed_at, close_reason)


def _page_place(after: str | None) -> tuple[int | None, int | None]:
    if after is None:
        return None, None
    last_at, _, number = after.partition("-")
    if not (after.isascii() and last_at.isdigit() and number.isdigit() and len(after) < 40):
        raise InvalidArgument(f"{ascii(after)[:60]} is not a place in the list.", hint="Take it from a page.")
    return int(last_at), int(number)
