"""A company on a deployed stack whose hours go by: each test takes some, and tenants of its own."""

from dataclasses import dataclass, field
from decimal import Decimal

import stripe as stripe_sdk

from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND
from tallystick.domain.tenant import Tenant, Terms
from tallystick.ports import Override
from tallystick.sandbox import StripeSandbox
from tests.aws.stack.deployed import Deployed, Execution
from tests.aws.stack.embedded import KEY
from tests.aws.stack.flying import CODE, MILLISECOND, MONTH, customer_of, fill, mapping_of
from tests.sandbox.shop import Shop

GRACE = 5 * MINUTE


def shop_at(sandbox: StripeSandbox, url: str) -> Shop:
    return Shop(sandbox, stripe_sdk.StripeClient(KEY, base_addresses={"api": url}), url)


@dataclass(kw_only=True)
class Company:
    """Its time only goes on, whichever of the tests run."""

    deployed: Deployed
    shop: Shop
    now: int = MONTH + DAY
    price: str = ""
    keys: list[str] = field(default_factory=list)

    def open(self) -> None:
        fill(self.deployed.store.catalog, ())
        self.price = self.shop.price(self.shop.meter(CODE, event_time_window="hour"), "0.1")

    def next_hour(self) -> int:
        """The beginning of an hour that is over now and that no test has had yet."""
        start = self.now
        self.go_to(start + HOUR)
        return start

    def go_to(self, at: int) -> None:
        self.now = at
        self.shop.sandbox.set_time((at + GRACE) // SECOND)

    def add(self, tenant: str) -> str:
        """A tenant that is billed through a customer of its own."""
        audit = Override(at=MONTH, who="a test", why="set up", action="add", subject=tenant)
        customer = self.shop.customer(id=customer_of(tenant))
        self.shop.subscribe(customer, self.price, billing_cycle_anchor=MONTH // SECOND)
        catalog = self.deployed.store.catalog
        assert catalog.save(Tenant(id=tenant, versions=(Terms(anchor=MONTH),)), audit)
        assert catalog.save(mapping_of(tenant), audit)
        return tenant

    def usage(self, tenant: str, hour: int, quantities: tuple[int, ...]) -> list[dict[str, object]]:
        """Reports of that hour, each of its own."""
        self.keys += [f"{tenant}-{len(self.keys) + n}" for n in range(len(quantities))]
        return [
            {
                "TenantID": tenant,
                "ProductCode": CODE,
                "Quantity": quantity,
                "Timestamp": (hour + number * MINUTE) // MILLISECOND,
                "EventID": key,
            }
            for number, (quantity, key) in enumerate(
                zip(quantities, self.keys[-len(quantities) :], strict=True)
            )
        ]

    def report(self, tenant: str, hour: int, *quantities: int) -> None:
        """Have them counted."""
        self.deployed.put("BILLING", self.usage(tenant, hour, quantities))
        self.deployed.settle("Billing")

    def start(self) -> str:
        """Start a pass as of now."""
        return self.deployed.start(self.now + GRACE)

    def passed(self) -> Execution:
        return self.deployed.passed(self.now + GRACE)

    def failed(self) -> Execution:
        """A pass as of now, to its end, which is a bad one."""
        execution = self.deployed.ended(self.start())
        assert execution.status == "FAILED", execution
        return execution

    def counted(self, tenant: str, hour: int) -> Decimal:
        """Our own total of that hour."""
        return sum(
            (
                one.value
                for one in self.deployed.store.events.aggregates(tenant=tenant).elements
                if one.key.window.start == hour
            ),
            Decimal(0),
        )

    def billed(self, tenant: str, hour: int) -> Decimal:
        """What Stripe has of that hour."""
        span = (hour // SECOND, (hour + HOUR) // SECOND)
        return self.shop.sandbox.usage_total(CODE, customer_of(tenant), *span)

    def differences(self) -> int:
        """What the daily comparison finds, of all that there is."""
        answer = self.deployed.invoked("ReconcileFunction", at=self.now + GRACE)
        return int(answer["discrepancies"])
