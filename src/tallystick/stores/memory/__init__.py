"""The reference store: plain dictionaries under one lock. It is gone when the program ends.

Written to be read: what a port promises stands here in the fewest words, and the other stores
are held to the same contract suite.
"""

from tallystick.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
