"""The contract that every store is held to: abstract suites, one a promise.

Make a class of it where your tests are, and give it a store:

    class TestMyStore(StoreContract):
        def make_store(self, folder): return MyStore(folder / "my.db")
        def opener(self, store): return functools.partial(MyStore, store.path)
"""

import pytest

# Before they are imported, so that a failing assert shows what it compared.
pytest.register_assert_rewrite(
    *(
        f"tallystick.testing.contract.{name}"
        for name in (
            "steps",
            "accounted",
            "atomic",
            "bounded",
            "catalogued",
            "checkpointed",
            "clean",
            "concurrent",
            "conditional",
            "counted",
            "durable",
            "exact",
            "idempotent",
            "isolated",
            "keyed",
            "ordered",
            "settled",
            "shared",
            "watched",
        )
    )
)

from tallystick.testing.contract.accounted import AccountedContract  # noqa: E402
from tallystick.testing.contract.atomic import AtomicContract  # noqa: E402
from tallystick.testing.contract.bounded import BoundedContract  # noqa: E402
from tallystick.testing.contract.catalogued import CataloguedContract  # noqa: E402
from tallystick.testing.contract.checkpointed import CheckpointedContract  # noqa: E402
from tallystick.testing.contract.clean import CleanContract  # noqa: E402
from tallystick.testing.contract.concurrent import ConcurrentContract  # noqa: E402
from tallystick.testing.contract.conditional import ConditionalContract  # noqa: E402
from tallystick.testing.contract.counted import CountedContract  # noqa: E402
from tallystick.testing.contract.durable import DurableContract  # noqa: E402
from tallystick.testing.contract.exact import ExactContract  # noqa: E402
from tallystick.testing.contract.idempotent import IdempotentContract  # noqa: E402
from tallystick.testing.contract.isolated import IsolatedContract  # noqa: E402
from tallystick.testing.contract.keyed import KeyedContract  # noqa: E402
from tallystick.testing.contract.ordered import OrderedContract  # noqa: E402
from tallystick.testing.contract.settled import SettledContract  # noqa: E402
from tallystick.testing.contract.shared import SharedContract  # noqa: E402
from tallystick.testing.contract.watched import WatchedContract  # noqa: E402

__all__ = ["StoreContract"]


class StoreContract(
    AccountedContract,
    AtomicContract,
    BoundedContract,
    CataloguedContract,
    CheckpointedContract,
    CleanContract,
    ConcurrentContract,
    ConditionalContract,
    CountedContract,
    DurableContract,
    ExactContract,
    IdempotentContract,
    IsolatedContract,
    KeyedContract,
    OrderedContract,
    SettledContract,
    SharedContract,
    WatchedContract,
):
    """Every promise of `tallystick.ports.Store`."""
