"""Heed: take up at once what a provider says of a subscription, as reconcile would find it later.

What is told is not believed, only looked at again: a message may come late, twice, or out of order.
"""

import threading
from collections import defaultdict
from collections.abc import Collection

from tallystick.domain.discrepancy import Discrepancy
from tallystick.ports import Account, Catalog
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.recounting import pages


class Directory:
    """Which tenants a destination bills; looked up anew when the catalog has changed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._revision: int | None = None
        self._tenants: dict[str, list[str]] = {}

    def accounts_of(self, destinations: Collection[str]) -> tuple[Account, ...]:
        """The tenants that any of these bills, with their mappings."""
        with self._lock:
            revision = self._catalog.revision()
            if revision != self._revision:
                self._tenants, self._revision = self._read(), revision
            found = dict.fromkeys(t for d in destinations for t in self._tenants.get(d, ()))
        accounts = (self._catalog.account(tenant) for tenant in found)
        return tuple(account for account in accounts if account is not None)

    def _read(self) -> dict[str, list[str]]:
        tenants: dict[str, list[str]] = defaultdict(list)
        for account in pages(lambda cursor: self._catalog.accounts(cursor=cursor)):
            for destination in {mapping.destination for mapping in account.mappings}:
                tenants[destination].append(account.tenant.id)
        return dict(tenants)


def heed_change(
    reconciling: Reconciling, directory: Directory, destinations: Collection[str]
) -> tuple[Discrepancy, ...]:
    """Compare these destinations' subscriptions with our terms, as they are now; a difference
    holds what it touches, and its end releases it. Those that bill nobody here are not asked for.
    """
    accounts = directory.accounts_of(destinations)
    return tuple(reconciling.subscriptions_of(accounts, destinations))
