"""The SQLite store: one file, one writer with group commit, readers that never wait for it.

Here are rows and statements; what they mean is decided in the domain.
"""

from tallystick.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
