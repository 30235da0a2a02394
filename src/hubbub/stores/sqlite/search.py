"""Search in SQLite. See :class:`hubbub.stores.contract_search.SearchStore`.

What a search needs is imported when one is made: a send or a receive makes none.
"""

from __future__ import annotations

from hubbub.model_search import Failed, Found, Hit, Indexed, Text, Vectors, Where
from hubbub.stores.sqlite.core import Core
from hubbub.words import Query

_EVERYWHERE = Where()


class SqliteSearch:
    """The facet of search."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # --- by words ----------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        *,
        reader: str | None = None,
        where: Where = _EVERYWHERE,
        limit: int = 20,
        body_max: int | None = None,
    ) -> Found:
        """Find messages by their words."""
        from hubbub.stores.sqlite import finding

        return finding.search(self._core, query, reader, where, limit, body_max)

    def never(self, *, reader: str | None = None, where: Where = _EVERYWHERE) -> tuple[str, ...]:
        """Limits that nothing meets."""
        from hubbub.stores.sqlite import finding

        return finding.never(self._core, reader, where)

    def whole(self, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        """Hits with all of their text."""
        from hubbub.stores.sqlite import found_rows

        return found_rows.whole(self._core, hits)

    def index(self, *, limit: int = 1000) -> Indexed:
        """Bring the index of words up to date."""
        from hubbub.stores.sqlite import indexing

        return indexing.index(self._core, limit)

    def mend(self) -> bool:
        """Drop an index of words that is wrong."""
        from hubbub.stores.sqlite import indexing

        return indexing.mend(self._core)

    # --- by meaning --------------------------------------------------------------------------

    def unread_meaning(self, holder: str, model: str, *, limit: int = 64) -> tuple[Text, ...]:
        """Take messages that have no vectors yet."""
        from hubbub.stores.sqlite import meaning

        return meaning.unread_meaning(self._core, holder, model, limit)

    def keep_meaning(self, holder: str, model: str, batch: tuple[Vectors, ...]) -> bool:
        """Keep their vectors."""
        from hubbub.stores.sqlite import meaning

        return meaning.keep_meaning(self._core, holder, model, batch)

    def fail_meaning(self, holder: str, model: str, source: str, number: int, cause: str) -> bool:
        """Note that a message's vectors could not be had."""
        from hubbub.stores.sqlite import meaning

        return meaning.fail_meaning(self._core, holder, model, source, number, cause)

    def release_meaning(self, holder: str) -> None:
        """Give up the lease."""
        from hubbub.stores.sqlite import meaning

        meaning.release_meaning(self._core, holder)

    def meaning_failures(self, model: str, *, limit: int = 100) -> tuple[Failed, ...]:
        """The messages that are passed over."""
        from hubbub.stores.sqlite import meaning

        return meaning.meaning_failures(self._core, model, limit)

    def meaning_behind(self, model: str) -> Indexed:
        """How far the vectors have come."""
        from hubbub.stores.sqlite import meaning

        return meaning.meaning_behind(self._core, model)

    def near(
        self,
        model: str,
        vector: bytes,
        *,
        reader: str | None = None,
        where: Where = _EVERYWHERE,
        limit: int = 20,
        body_max: int | None = None,
    ) -> Found:
        """Find messages by their meaning."""
        from hubbub.stores.sqlite import meaning

        return meaning.near(self._core, model, vector, reader, where, limit, body_max)

    def forget_meaning(self, model: str | None = None) -> int:
        """Drop vectors."""
        from hubbub.stores.sqlite import meaning

        return meaning.forget_meaning(self._core, model)
