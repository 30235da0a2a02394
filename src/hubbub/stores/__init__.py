"""The stores: what keeps a bus. :mod:`hubbub.stores.contract` says what each must do."""

from __future__ import annotations

from hubbub.clock import Clock, SystemClock
from hubbub.errors import InvalidBusUrl
from hubbub.location import split_url
from hubbub.policy import Policy
from hubbub.stores.contract import Store

BUSY_TIMEOUT_MS = 5_000
"""How long a writer waits for its turn before ``BUS_BUSY``."""


def open_store(
    url: str,
    *,
    clock: Clock | None = None,
    create: bool = True,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    policy: Policy = Policy(),  # noqa: B008 - immutable
) -> Store:
    """Open the store that ``url`` names; ``create`` makes it when there is none yet, and ``policy`` holds
    beside what is set on the bus itself.

    Raises:
        InvalidBusUrl: the URL can't be understood.
        StoreError: it can't be opened, each cause with its own code.
    """
    scheme, path = split_url(url)
    if scheme == "sqlite":
        from hubbub.stores.sqlite import SqliteStore

        return SqliteStore(
            path, clock=clock or SystemClock(), create=create, busy_timeout_ms=busy_timeout_ms, policy=policy
        )
    raise InvalidBusUrl(f"This version has no store for {scheme}: URLs.")
