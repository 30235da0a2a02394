"""Hubbub: one message bus for coding agents.

``hubbub.connect(url)`` opens a bus and gives a :class:`hubbub.bus.Bus`.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubbub.bus import Bus

__all__ = ["__version__", "connect"]


def connect(url: str | None = None) -> Bus:
    """Open the bus at ``url``, or the one that the surroundings name.

    Without ``url`` the bus is found as on the command line: ``HUBBUB_BUS``, the nearest
    ``.hubbub.toml``, the bus of this git repository, or the user's own bus. The gate and the reminders
    are as the environment and ``.hubbub.toml`` say.

    Raises:
        hubbub.errors.HubbubError: the URL can't be understood, or the bus can't be opened.
    """
    import os

    from hubbub.bus import Bus
    from hubbub.config import policy_here
    from hubbub.location import find_bus
    from hubbub.stores import open_store

    policy = policy_here(bus_named=bool(url or os.environ.get("HUBBUB_BUS")))
    return Bus(open_store(url or find_bus().url, policy=policy))
