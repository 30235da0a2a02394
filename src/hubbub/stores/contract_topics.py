"""What a store must do for topics. What :mod:`hubbub.stores.contract` says of all facets holds here.

A topic is named by its id, or by its name with or without ``#``: the open one of that name, else the
newest closed one. Names are compared without regard to case. One that is not there, or was deleted,
raises ``TOPIC_NOT_FOUND`` with the nearest names.

A **member** has a position, up to which all messages were handed out to it, and a cursor, up to which all
are done with. In automatic mode a sync hands out a range and the position moves over it; the cursor
follows once the range is confirmed. A range that nobody confirms is handed out again, before anything
new, when the session that has it ends or its time runs out. In manual mode nothing moves but by
``ack_through``.
"""

from __future__ import annotations

from typing import Any, Protocol

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


class TopicStore(Protocol):
    """Topics, their messages, and how far each member has read."""

    def create(
        self,
        actor: Actor,
        name: str | None,
        *,
        metadata: dict[str, Any] | None = None,
        reuse: bool = True,
        key: str | None = None,
    ) -> Created:
        """Make a topic, or with ``reuse`` find the open one of that name; the actor is a member after it.

        Without a name it is called by its id. Raises ``TOPIC_EXISTS`` without ``reuse``.
        """
        ...

    def get(self, topic: str, *, agent: str | None = None) -> Topic:
        """The topic, with what ``agent`` has unread there."""
        ...

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
        """Topics that are ``open``, ``closed`` or, with ``all``, either, the last active first; those
        only whose name contains ``match``. With ``agent``, what it has unread. ``count_members`` costs
        more the more members there are."""
        ...

    def close(self, actor: Actor, topic: str, *, reason: str = "") -> Changed:
        """Nobody can post any more; waiters are told. Closing again changes nothing: the first reason
        stays. Raises ``TOPIC_FIXED`` for ``#all``."""
        ...

    def reopen(self, actor: Actor, topic: str) -> Changed:
        """Undo a close. Raises ``TOPIC_EXISTS`` when an open topic took the name."""
        ...

    def rename(self, actor: Actor, topic: str, name: str) -> Changed:
        """Give it another name; its messages stay as they are. Raises ``TOPIC_EXISTS``, ``TOPIC_FIXED``."""
        ...

    def delete(self, actor: Actor, topic: str) -> Changed:
        """Remove the topic and its messages for good: it is gone at once; its messages are erased at
        once, too, but for those of a long topic, which housekeeping erases in parts.
        The ledger keeps that it was and who posted when; once a message is erased, no longer its id.

        Raises ``TOPIC_FIXED``.
        """
        ...

    def join(self, actor: Actor, topic: str, *, start: int | None = None) -> Membership:
        """Become a member: the next sync gives what comes after number ``start``, ``LATEST`` being the
        last; None goes on where a former membership left off, else begins at the start.

        A member that names a ``start`` is set to it, as by :meth:`reset`. Raises ``CURSOR_OUT_OF_RANGE``.
        """
        ...

    def leave(self, actor: Actor, topic: str) -> Membership:
        """Be a member no longer; the place is kept. Raises ``NOT_JOINED``, ``TOPIC_FIXED``."""
        ...

    def members(self, topic: str, *, limit: int = 200) -> tuple[Membership, ...]:
        """Who is in a topic, those who synced last first."""
        ...

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
        """In one stroke: confirm as :meth:`confirm`, post the outbox in order, acknowledge through a
        number, and read what others posted since, up to ``limit`` messages or ``max_bytes`` of text (but
        at least one). Own messages never come back. The answer does not count the topic's members.

        An agent that never was a member becomes one, at the start of the topic. Raises ``NOT_JOINED``
        for one that left, ``TOPIC_CLOSED`` for an outbox to a closed topic, ``REPLY_NOT_FOUND`` when a
        ``reply_to`` is not a message of this topic, ``CURSOR_OUT_OF_RANGE`` for an ``ack_through``
        beyond the last message; an acknowledgement of what was acknowledged before is fine.
        """
        ...

    def confirm(self, actor: Actor, hands: tuple[Hand, ...]) -> int:
        """The reader has had these ranges; how many were still waiting for it. Skips the others: a range
        that was handed out again meanwhile is the later reader's to confirm."""
        ...

    def give_back(self, actor: Actor, hands: tuple[Hand, ...], *, unseen: bool = False) -> int:
        """The reader has not had these ranges: they are handed out again, without the mark
        ``redelivered`` when they are ``unseen``, having never left the process; how many."""
        ...

    def reset(self, actor: Actor, topic: str, position: int) -> Membership:
        """Go on after number ``position`` (or ``LATEST``), back or forward.

        Raises ``CURSOR_OUT_OF_RANGE``, ``NOT_JOINED``.
        """
        ...

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
        """Messages after one number and before another, in order: the first ``limit`` of them, or the
        last with ``newest``; of one thread, named by any message in it. Needs no membership and moves
        no cursor. Raises ``THREAD_NOT_FOUND``."""
        ...

    def message(self, id: str) -> TopicMessage:
        """One message of a topic that was not deleted. Raises ``MESSAGE_NOT_FOUND``."""
        ...

    def begin_import(
        self, actor: Actor, source: str, name: str, *, metadata: dict[str, Any] | None = None, created_at: int
    ) -> Import:
        """Begin to fill a topic that nobody sees until :meth:`finish_import`, or go on with the one
        that ``source`` (what identifies the data) began. Raises ``TOPIC_EXISTS`` when the name is taken.
        """
        ...

    def add_imported(self, actor: Actor, source: str, after: int, messages: tuple[Imported, ...]) -> int:
        """Put these in behind number ``after``; how many are in then. They keep their senders' names, marked
        with who imports them, and are nobody's own. Does nothing when the import has
        come further than ``after``."""
        ...

    def finish_import(
        self, actor: Actor, source: str, *, closed_at: int | None = None, close_reason: str = ""
    ) -> Topic:
        """The topic is there, whole; closed if it was. Raises ``TOPIC_EXISTS`` when its name was taken
        meanwhile."""
        ...
