"""The seven ports on one set of tables."""

from tallystick.domain.backlog import Backlog
from tallystick.ports import Catalog, Checkpoints, DeadLetters, EventLog, Keys, Ledger, Outbox
from tallystick.stores.memory.backlog import backlog_of
from tallystick.stores.memory.catalog import MemoryCatalog
from tallystick.stores.memory.checkpoints import MemoryCheckpoints
from tallystick.stores.memory.dead_letters import MemoryDeadLetters
from tallystick.stores.memory.events import MemoryEventLog
from tallystick.stores.memory.keys import MemoryKeys
from tallystick.stores.memory.ledger import MemoryLedger
from tallystick.stores.memory.outbox import MemoryOutbox
from tallystick.stores.memory.tables import Storage, Tables


class MemoryStore:
    """A store for tests, trials and simulations. It can be copied and pickled as it stands."""

    events: EventLog
    ledger: Ledger
    outbox: Outbox
    catalog: Catalog
    dead_letters: DeadLetters
    keys: Keys
    checkpoints: Checkpoints

    def __init__(self, incarnation: str = "memory", tables: Tables | None = None) -> None:
        self._incarnation = incarnation
        self._storage = Storage(tables or Tables())
        self.events = MemoryEventLog(self._storage)
        self.ledger = MemoryLedger(self._storage)
        self.outbox = MemoryOutbox(self._storage)
        self.catalog = MemoryCatalog(self._storage)
        self.dead_letters = MemoryDeadLetters(self._storage)
        self.keys = MemoryKeys(self._storage)
        self.checkpoints = MemoryCheckpoints(self._storage)

    @property
    def incarnation(self) -> str:
        with self._storage.opened():
            return self._incarnation

    def renew_incarnation(self, incarnation: str) -> None:
        with self._storage.opened():
            self._incarnation = incarnation

    def backlog(self, now: int) -> Backlog:
        with self._storage.opened() as tables:
            return backlog_of(tables, now)

    def copy(self) -> "MemoryStore":
        """A store of its own with the same content, incarnation included. Cheap."""
        with self._storage.opened() as tables:
            return MemoryStore(self._incarnation, tables.copied())

    def close(self) -> None:
        self._storage.close()

    def __reduce__(self) -> tuple[type["MemoryStore"], tuple[str, Tables]]:
        with self._storage.opened() as tables:
            return MemoryStore, (self._incarnation, tables.copied())
