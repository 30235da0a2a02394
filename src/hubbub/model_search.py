"""The records of search. As in :mod:`hubbub.model`: immutable, times in milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import NamedTuple

RANKED_MAX = 2000
"""How many matches are ranked, of mail and topics together: of more, the newest. Ranking all
of a common word's would take seconds."""

SEARCH_MAX = 100
"""How many hits one search gives at most."""


TEXT_MAX = 64_000
"""How many characters of a message get vectors. A log of a megabyte would take minutes; search by words
finds what stands behind."""

FAILED_TRIES = 3
"""After so many tries to get a message's vectors it is passed over."""


class Where(NamedTuple):
    """Which messages to search. None is no limit."""

    scope: str = "all"
    """``all``, ``mail`` or ``topics``."""
    topic: str | None = None
    """The id of a topic."""
    sender: str | None = None
    kind: str | None = None
    thread: str | None = None
    since: int | None = None
    until: int | None = None


class Hit(NamedTuple):
    """One message that was found."""

    id: str
    source: str
    """``mail`` or ``topic``."""
    topic: str | None
    topic_name: str | None
    seq: int
    """In a topic: its number there; in the mail: its place on the bus."""
    sender: str
    recipients: tuple[str, ...]
    thread: str
    kind: str
    subject: str
    body: str
    created_at: int
    score: float
    """Higher is better; comparable within one answer only."""
    stretch: int = 0
    """By meaning: which stretch of its text is the nearest, the first being 0."""


class Found(NamedTuple):
    """The answer to a search."""

    hits: tuple[Hit, ...]
    """Best first."""
    total: int
    """How many messages match; with ``capped``, that many at least."""
    capped: bool
    """More matched than are ranked: these are the best of the newest."""
    behind: int
    """How many messages are not indexed yet, and so can't be found."""


class Indexed(NamedTuple):
    """How far an index has come."""

    done: int
    """How many messages this call indexed."""
    behind: int
    """How many are left."""


class Text(NamedTuple):
    """A message's text that waits for its vectors."""

    source: str
    number: int
    """With ``source``: which message, in the store's own terms."""
    text: str
    """Subject and body, :data:`TEXT_MAX` characters at most."""


class Vectors(NamedTuple):
    """The vectors of one message: one for each stretch of its text, each of the same length."""

    source: str
    number: int
    vectors: tuple[bytes, ...]
    """Each a row of signed bytes."""


class Failed(NamedTuple):
    """A message whose vectors could not be had, and which is passed over."""

    id: str
    source: str
    tries: int
    cause: str
    at: int
    """When it was tried last."""
