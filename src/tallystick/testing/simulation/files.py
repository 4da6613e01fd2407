"""Runs a world on an SQLite file, which each worker that died opens again."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.bootstrap import open_store
from tallystick.ports import Store
from tallystick.testing.simulation.plan import Plan
from tallystick.testing.simulation.world import Ran, run_plan


def run_on_file(plan: Plan) -> Ran:
    """One world on a file of its own. Raises Violation."""
    with TemporaryDirectory(prefix="tallystick-simulation-") as folder, ExitStack() as opened:

        def on_file() -> Store:
            store = open_store(f"sqlite:///{Path(folder) / 'store.db'}")
            opened.callback(store.close)
            return store

        return run_plan(plan, on_file(), on_file)
