"""What a store must do for search. What :mod:`hubbub.stores.contract` says of all facets holds here.

A ``reader`` sees what was posted to topics, and of the mail what it sent or was sent; None is the
operator, who sees all. Deleted topics and purged messages are not found.

The index of words follows the messages: it is brought up to date in batches, by housekeeping and
by a search itself, and remembers durably how far it has come. What is not indexed yet is counted, never lost.
"""

from __future__ import annotations

from typing import Protocol

from hubbub.model_search import Failed, Found, Hit, Indexed, Text, Vectors, Where
from hubbub.words import Query


class SearchStore(Protocol):
    """Finding messages by their words and by their meaning."""

    def search(
        self,
        query: Query,
        *,
        reader: str | None = None,
        where: Where = Where(),  # noqa: B008 - immutable
        limit: int = 20,
        body_max: int | None = None,
    ) -> Found:
        """The best matches, best first. Changes nothing: call :meth:`index` first. A query without any
        term finds nothing. ``where`` names a topic by its id; ``limit`` is up to 2,000. ``body_max``
        is how many characters of each text the hits have, at least; by default all."""
        ...

    def never(
        self,
        *,
        reader: str | None = None,
        where: Where = Where(),  # noqa: B008 - immutable
    ) -> tuple[str, ...]:
        """Which of ``sender``, ``kind`` and ``thread`` in ``where`` are such that nothing the reader may see,
        and that is indexed, has them."""
        ...

    def whole(self, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        """Hits that have but the beginning of their text, with all of it; without those that are gone."""
        ...

    def index(self, *, limit: int = 1000) -> Indexed:
        """Index up to ``limit`` messages more, in one stroke with how far it has come; fewer where writers
        would have to wait for long."""
        ...

    def mend(self) -> bool:
        """Drop the index of words if it disagrees with the messages, so that :meth:`index` builds it anew;
        whether it was dropped."""
        ...

    def unread_meaning(self, holder: str, model: str, *, limit: int = 64) -> tuple[Text, ...]:
        """Take up to ``limit`` messages that have no vectors by ``model`` yet, oldest first, under a
        lease: empty while another ``holder`` has it, and when none are left."""
        ...

    def keep_meaning(self, holder: str, model: str, batch: tuple[Vectors, ...]) -> bool:
        """Keep the vectors of a batch that :meth:`unread_meaning` gave, and that it is done, in one
        stroke; False, and nothing kept, when ``holder`` lost its lease. A batch may be part of what was given
        out: then the rest is given out again, and so is what comes behind a gap."""
        ...

    def fail_meaning(self, holder: str, model: str, source: str, number: int, cause: str) -> bool:
        """Note that the vectors of a message could not be had, and why. After ``FAILED_TRIES`` of them it is
        passed over; so is one that was handed out again and again and never came back, because it ends the
        process that has it. False when ``holder`` lost its lease."""
        ...

    def release_meaning(self, holder: str) -> None:
        """Give up the lease of :meth:`unread_meaning`, so that another can go on at once."""
        ...

    def meaning_failures(self, model: str, *, limit: int = 100) -> tuple[Failed, ...]:
        """The messages that are passed over, the last tried first."""
        ...

    def meaning_behind(self, model: str) -> Indexed:
        """How many messages have vectors by ``model``, and how many wait for them."""
        ...

    def near(
        self,
        model: str,
        vector: bytes,
        *,
        reader: str | None = None,
        where: Where = Where(),  # noqa: B008 - immutable
        limit: int = 20,
        body_max: int | None = None,
    ) -> Found:
        """The messages nearest to ``vector`` in meaning, each by its nearest stretch, best first;
        ``body_max`` as in :meth:`search`."""
        ...

    def forget_meaning(self, model: str | None = None) -> int:
        """Drop all vectors, or those of ``model``; of how many messages."""
        ...
