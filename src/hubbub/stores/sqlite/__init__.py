"""A bus as one SQLite file."""

from hubbub.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
