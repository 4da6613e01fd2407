"""Runs a world on an SQLite file, which each worker that died opens again; where it is lost, a
backup takes its place."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.bootstrap import open_store
from tallystick.ports import Store
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.simulation.plan import Plan
from tallystick.testing.simulation.restoring import Backup
from tallystick.testing.simulation.world import Ran, run_plan


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a world's files lie; what was opened is closed with the world."""

    path: Path
    opened: ExitStack

    def open(self, name: str) -> Store:
        store = open_store(f"sqlite:///{self.path / name}")
        self.opened.callback(store.close)
        return store

    def back_up(self, store: Store) -> Backup:
        """The copy that `tallystick backup` makes."""
        if not isinstance(store, SqliteStore):
            raise TypeError(f"{type(store).__name__} is no file")
        number = sum(1 for _ in self.path.glob("backup*.db"))
        name = f"backup{number}.db"
        store.backup_to(self.path / name)
        return Backup(self.open(name), partial(self.open, name))


def run_on_file(plan: Plan) -> Ran:
    """One world on a file of its own. Raises Violation."""
    with TemporaryDirectory(prefix="tallystick-simulation-") as folder, ExitStack() as opened:
        files = Folder(Path(folder), opened)
        store = files.open("store.db")
        # Its own is drawn, and the provider's mishaps are drawn by the identifiers that it makes.
        store.renew_incarnation(f"sim{plan.seed}")
        return run_plan(plan, store, partial(files.open, "store.db"), partial(files.back_up, store))
