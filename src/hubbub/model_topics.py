"""The records of topics. As in :mod:`hubbub.model`: immutable, times in milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Any, NamedTuple

EVERYBODY = "all"
"""The name of the topic that every agent belongs to, shown as ``#all``."""

LATEST = -1
"""As a place in a topic: behind its newest message."""

OUTBOX_MAX = 50
"""How many messages one sync posts at most."""

SYNC_MAX = 100
"""How many messages one sync hands out at most."""

HANDOUT_MS = 300_000
"""How long a hand-out of a topic waits to be confirmed before it is handed out again."""


class Topic(NamedTuple):
    """A named, ordered, kept stream."""

    id: str
    name: str
    state: str
    """``open``, ``closed``, ``importing`` (not there yet for anyone) or ``deleted``."""
    metadata: dict[str, Any] | None
    created_by: str | None
    created_at: int
    last_seq: int
    """The number of its newest message: they are numbered 1, 2, 3 without a gap."""
    last_at: int
    """When something last happened in it: a message, or what changed its state."""
    closed_at: int | None = None
    closed_by: str | None = None
    close_reason: str = ""
    unread: int | None = None
    """How many messages of others the asking member has not been handed; None for a non-member."""
    members: int | None = None
    """How many agents are members; None where it was not counted."""


class TopicPage(NamedTuple):
    """Part of a list of topics, the most recently active first."""

    topics: tuple[Topic, ...]
    next: str | None
    """Ask for those after this place to go on; None at the end."""
    total: int


class Created(NamedTuple):
    """What creating a topic led to."""

    topic: Topic
    created: bool
    """False: an open topic of that name was there, and is this one."""


class Changed(NamedTuple):
    """What closing, reopening, renaming or deleting a topic led to."""

    topic: Topic
    changed: bool
    """False: it was so before."""


class Membership(NamedTuple):
    """One agent in one topic."""

    topic: Topic
    agent: str
    cursor: int
    """All messages up to this number are done with."""
    position: int
    """All messages up to this number were handed out at least once."""
    unread: int
    joined_at: int
    left_at: int | None
    seen_at: int | None
    """When it last synced, to within a minute: a sync that finds nothing new writes nothing else."""
    online: bool
    """A live session holds the agent's name."""
    fresh: bool = False
    """This call made it a member."""
    in_hand: int = 0
    """How many messages it was handed and has not confirmed: it may not have seen them."""


class Post(NamedTuple):
    """A message about to be posted to a topic."""

    body: str
    kind: str = "message"
    reply_to: str | None = None
    metadata: dict[str, Any] | None = None
    key: str | None = None
    """An idempotency key of the sender: posting it again posts nothing."""


class TopicMessage(NamedTuple):
    """What was posted. It never changes."""

    id: str
    topic: str
    """The topic's id."""
    seq: int
    """Its number within the topic."""
    sender: str
    kind: str
    reply_to: str | None
    thread: str
    """The id of the message that its chain of replies began with: its own, when it answers none."""
    body: str
    metadata: dict[str, Any] | None
    created_at: int
    imported_by: str | None = None
    """Who brought it from elsewhere; its sender is then what the import says, not a fact of this bus."""


class Posted(NamedTuple):
    """The answer to one post of an outbox."""

    id: str
    seq: int
    created_at: int
    repeated: bool
    """Its key was known: this is what was posted then, and nothing new was."""


class Hand(NamedTuple):
    """A range of a topic that one sync handed out and its reader has not confirmed yet."""

    topic: str
    first: int
    last: int


class Synced(NamedTuple):
    """The answer to a sync."""

    topic: Topic
    posted: tuple[Posted, ...]
    messages: tuple[TopicMessage, ...]
    has_more: bool
    cursor: int
    """All messages up to this number are done with, whatever this answer hands out."""
    through: int
    """In manual mode: acknowledge through this number once the messages are dealt with."""
    hand: Hand | None = None
    """What this answer hands out in automatic mode; None when nothing."""
    redelivered: bool = False
    """These messages were handed out before, and nobody said that they arrived."""
    next_due_at: int | None = None
    """When a range that another session was handed can next be had, if nobody confirms it."""
    joined: bool = False
    """This call made the agent a member."""


class TopicRange(NamedTuple):
    """Part of a topic's history, in order."""

    topic: Topic
    messages: tuple[TopicMessage, ...]
    next_after: int | None
    """Ask for those after this number to go on; None at the end."""


class Imported(NamedTuple):
    """A message to be put into a topic as it once was."""

    sender: str
    kind: str
    body: str
    metadata: dict[str, Any] | None
    reply_to: int | None
    """The number, in the new topic, of the message that it answers; always a lower one."""
    created_at: int


class Import(NamedTuple):
    """How far an import has come that is not finished."""

    topic: Topic
    done: int
    """How many messages are in."""
