"""The bus: the one Python interface, which every face calls.

``Bus`` holds policy and validation; what it keeps is in the store that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from hubbub.bus.agents import Agents, Seat
from hubbub.bus.mail import Mail
from hubbub.bus.waiting import Pause, Steps, run
from hubbub.model import Problem, StoreInfo
from hubbub.stores.contract import LedgerStore, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubbub.bus.pending import Pending
    from hubbub.bus.presence import Presence
    from hubbub.bus.search import Search
    from hubbub.bus.settings import Settings
    from hubbub.bus.topics import Topics
    from hubbub.bus.work import Work

__all__ = ["Bus", "Pause", "Seat", "Steps", "run"]


class Bus:
    """One bus, opened. Safe to use from several threads at once."""

    def __init__(self, store: Store) -> None:
        """Use :func:`hubbub.connect` to open one by URL."""
        self.store = store
        self.agents = Agents(store)
        self.mail = Mail(store, self.agents)
        self._topics: Topics | None = None
        self._search: Search | None = None
        self._work: Work | None = None
        self._pending: Pending | None = None
        self._presence: Presence | None = None
        self._serves = False

    @property
    def topics(self) -> Topics:
        """Topics, loaded when first asked for: a command that sends or receives does without."""
        if self._topics is None:
            from hubbub.bus.topics import Topics

            self._topics = Topics(self.store, self.agents)
        return self._topics

    @property
    def work(self) -> Work:
        """Work, loaded when first asked for."""
        if self._work is None:
            from hubbub.bus.work import Work

            self._work = Work(self.store, self.agents)
        return self._work

    @property
    def pending(self) -> Pending:
        """Answers that are owed, loaded when first asked for."""
        if self._pending is None:
            from hubbub.bus.pending import Pending

            self._pending = Pending(self.store)
        return self._pending

    @property
    def presence(self) -> Presence:
        """Who is there, loaded when first asked for."""
        if self._presence is None:
            from hubbub.bus.presence import Presence

            self._presence = Presence(self.store, self.agents)
        return self._presence

    @property
    def settings(self) -> Settings:
        """What is set on the bus itself."""
        from hubbub.bus.settings import Settings

        return Settings(self.store)

    @property
    def search(self) -> Search:
        """Search, loaded when first asked for."""
        if self._search is None:
            from hubbub.bus.search import Search

            self._search = Search(self.store, apart=self._serves)
        return self._search

    @property
    def events(self) -> LedgerStore:
        """The ledger."""
        return self.store.ledger

    def info(self) -> StoreInfo:
        """Where the bus is, and how large."""
        return self.store.info()

    def check(self) -> list[Problem]:
        """Test that what is stored is whole; empty when all is well."""
        return self.store.check()

    def backup(self, path: str) -> int:
        """Write a consistent copy to ``path`` while the bus is in use; its size in bytes."""
        return self.store.backup(path)

    def serve(self) -> Callable[[bool], None]:
        """Tell, before the first search, that this process serves an agent: it stays small, and what needs
        memory is done by children of it. Gives what its heart is to call at every beat."""
        self._serves = True
        return self._tend

    def _tend(self, keeps_house: bool) -> None:
        from hubbub.meaning import available

        if available():
            self.search.meaning.tend(keeps_house)

    def close(self) -> None:
        """Close the bus."""
        if self._search is not None:
            self._search.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
