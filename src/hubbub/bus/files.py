"""Files that agents keep to themselves for a while, and resources that only so many may have."""

from __future__ import annotations

from hubbub.bus import planning
from hubbub.bus.checking import key as check_key
from hubbub.bus.checking import number, seconds, text
from hubbub.globs import check_glob
from hubbub.model import Actor
from hubbub.model_work import Conflict, Reservation
from hubbub.names import check_name
from hubbub.stores.contract import Store

GLOBS_MAX = 32
RESERVATION_SECONDS = 3600.0
WEEK_SECONDS = 7 * 86_400


class Files:
    """The part of :class:`hubbub.bus.work.Work` that is about files."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reserve(
        self,
        actor: Actor,
        globs: list[str] | tuple[str, ...],
        *,
        ttl: float = RESERVATION_SECONDS,
        reason: str = "",
        key: str | None = None,
    ) -> Reservation:
        """Keep files to oneself for ``ttl`` seconds.

        Raises:
            PathHeld: somebody has one of them; nothing was reserved.
        """
        return self._store.work.reserve(
            actor,
            _globs(globs),
            ttl_ms=seconds(ttl, "ttl", WEEK_SECONDS, 1),
            reason=text(reason, "reason", planning.REASON_MAX),
            key=check_key(key),
        )

    def renew_reservation(self, actor: Actor, id: str, *, ttl: float = RESERVATION_SECONDS) -> Reservation:
        """Keep them for ``ttl`` seconds from now."""
        ttl_ms = seconds(ttl, "ttl", WEEK_SECONDS, 1)
        return self._store.work.renew_reservation(actor, named(id, "reservation"), ttl_ms=ttl_ms)

    def release_reservation(self, actor: Actor, id: str) -> Reservation:
        """Give them up."""
        return self._store.work.release_reservation(actor, named(id, "reservation"))

    def reservations(self, *, agent: str | None = None) -> tuple[Reservation, ...]:
        """The live reservations."""
        return self._store.work.reservations(agent=None if agent is None else check_name(agent))

    def conflicts(
        self, globs: list[str] | tuple[str, ...], *, but: str | None = None
    ) -> tuple[Conflict, ...]:
        """Who else than ``but`` holds files that these name."""
        return self._store.work.conflicts(_globs(globs), but=None if but is None else check_name(but))

    def limit_resource(self, actor: Actor, resource: str, count: int) -> None:
        """How many steps may have a resource at a time."""
        name = planning.resource(resource)
        self._store.work.limit_resource(actor, name, number(count, "count", 1, 1_000_000))


def named(value: object, what: str) -> str:
    """A name or an id as a caller gave it."""
    return text(value, what, 200, empty=False)


def _globs(globs: object) -> tuple[str, ...]:
    return planning.globs(globs, check_glob, GLOBS_MAX)
