"""A story: one SaaS company, its tenants, Tallystick, and a sandbox that plays Stripe.

Everything is real but the time and the provider: the memory store, every stage, the Stripe
publisher with the official SDK over HTTP. `until` lets hours pass; each is sealed and published
at five past, as the hourly loop would.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal

import stripe

from tallystick.clock import FixedClock
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.discrepancy import Discrepancy
from tallystick.domain.event import Receipt
from tallystick.domain.instant import DAY, EARLIEST, HOUR, MINUTE, SECOND, format_instant
from tallystick.domain.instant import parse_instant as at
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Aggregation, Closed, Meter, Span
from tallystick.domain.period import Interval
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant, Terms
from tallystick.ports import Override, Store
from tallystick.publishers.stripe import StripePublisher
from tallystick.sandbox import StripeSandbox, serve
from tallystick.stages.ingesting import Intake, Report, ingest, intake_of
from tallystick.stages.passing import PassSummary, one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.targeting import SealLimits
from tallystick.stores.memory import MemoryStore

LEGACY = "2025-02-24.acacia"
WHO = Override(at=0, who="story", why="the story says so", action="save", subject="catalog")


@dataclass
class Story:
    """The cast, and what happens to it."""

    sandbox: StripeSandbox
    url: str
    clock: FixedClock
    store: Store = field(default_factory=lambda: MemoryStore(incarnation="story"))
    limits: Limits = field(default_factory=Limits)
    seal_limits: SealLimits = field(default_factory=SealLimits)
    keys: int = 0

    def __post_init__(self) -> None:
        self.stripe = stripe.StripeClient("sk_test_story", base_addresses={"api": self.url})
        self.publisher = StripePublisher("sk_test_story", clock=self.clock, api_base=self.url)
        self.intake = intake_of(self.store)
        self.last_pass: PassSummary | None = None

    # What people set up.

    def tenant(
        self,
        name: str,
        *,
        zone: str = "UTC",
        anchor: str = "2026-01-01T00:00:00Z",
        interval: Interval = Interval(),
    ) -> None:
        terms = Terms(zone=zone, anchor=at(anchor), interval=interval)
        self.store.catalog.save(Tenant(id=name, versions=(terms,)), WHO)

    def meter(
        self,
        name: str,
        aggregation: Aggregation = Aggregation.SUM,
        *,
        code: str = "used",
        span: Span = Span.HOUR,
        path: str = "quantity",
        closed: Closed = Closed.HOLD,
        negatives: bool = False,
    ) -> None:
        self.store.catalog.save(
            Meter(
                id=name,
                code=code,
                aggregation=aggregation,
                span=span,
                value_path=path,
                closed=closed,
                negatives=negatives,
            ),
            WHO,
        )

    def subscribes(
        self,
        tenant: str,
        meter: str,
        *,
        anchor: str,
        window: str | None = "hour",
        publish_from: str | None = None,
        boundary_hour: str = "refuse",
    ) -> str:
        """Make the customer, Stripe's meter, price and subscription; map the meter to them."""
        customer = self._customer(tenant)
        params = {
            "display_name": meter,
            "event_name": meter,
            "default_aggregation": {"formula": "sum"},
        }
        if window:
            params["event_time_window"] = window
        found = [m for m in self.stripe.v1.billing.meters.list().data if m.event_name == meter]
        counter = found[0] if found else self.stripe.v1.billing.meters.create(params)
        self._subscription(customer, {"meter": counter.id}, anchor, None)
        self._map(
            tenant,
            meter,
            "stripe.hour_meter" if window else "stripe.sum_meter",
            customer,
            counter=meter,
            publish_from=publish_from,
            boundary_hour=boundary_hour,
        )
        return customer

    def subscribes_legacy(self, tenant: str, meter: str, *, anchor: str) -> str:
        """The same with a price without a meter; answers the subscription item."""
        subscription = self._subscription(self._customer(tenant), {}, anchor, LEGACY)
        item = str(subscription["items"]["data"][0]["id"])
        self._map(tenant, meter, "stripe.usage_record", item)
        return item

    def _customer(self, tenant: str) -> str:
        known = {c.id for c in self.stripe.v1.customers.list({"limit": 100}).data}
        name = f"cus_{tenant}"
        if name not in known:
            self.stripe.v1.customers.create({"id": name, "name": tenant})
        return name

    def _subscription(
        self, customer: str, recurring: dict[str, str], anchor: str, version: str | None
    ) -> stripe.StripeObject:
        options = {"stripe_version": version} if version else {}
        price = self.stripe.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "usage"},
                "unit_amount": 1,
                "recurring": {"interval": "month", "usage_type": "metered", **recurring},
            },
            options,
        )
        return self.stripe.v1.subscriptions.create(
            {
                "customer": customer,
                "items": [{"price": price.id}],
                "billing_cycle_anchor": at(anchor) // SECOND,
                "backdate_start_date": at(anchor) // SECOND,
            },
            options,
        )

    def _map(
        self,
        tenant: str,
        meter: str,
        route: str,
        destination: str,
        *,
        counter: str = "",
        publish_from: str | None = None,
        boundary_hour: str = "refuse",
    ) -> None:
        self.store.catalog.save(
            Mapping(
                tenant=tenant,
                meter=meter,
                route=route,
                destination=destination,
                counter=counter,
                boundary_hour=boundary_hour,
                publish_from=at(publish_from) if publish_from else EARLIEST,
            ),
            WHO,
        )

    def shares(self, tenant: str, meter: str, customer: str) -> None:
        """Bill another tenant's usage of a meter to a customer that there is."""
        self._map(tenant, meter, "stripe.hour_meter", customer, counter=meter)

    def remap(self, tenant: str, meter: str, *, boundary_hour: str) -> None:
        account = self.store.catalog.account(tenant)
        assert account is not None
        mapping = next(m for m in account.mappings if m.meter == meter)
        self.store.catalog.save(replace(mapping, boundary_hour=boundary_hour), WHO)

    # What happens.

    def report(
        self,
        tenant: str,
        when: str,
        quantity: object = 1,
        *,
        key: str = "",
        code: str = "used",
        voids: str = "",
        **properties: object,
    ) -> Receipt | DeadLetter:
        self.keys += 1
        body: dict[str, object] = {
            "tenant": tenant,
            "code": code,
            "key": key or f"event-{self.keys}",
            "occurred_at": when,
            "quantity": quantity,
            "properties": properties,
        }
        if voids:
            body = {"tenant": tenant, "code": code, "key": body["key"], "voids": voids}
        outcome = ingest([Report(origin="story", body=body)], self.intake, self.clock.now())[0]
        return outcome if isinstance(outcome, DeadLetter) else outcome.receipt

    def until(self, when: str) -> None:
        """Time passes; at five past each hour there is a pass."""
        goal = at(when)
        while self.clock.at < goal:
            hour = self.clock.at - self.clock.at % HOUR + 5 * MINUTE
            step = hour if hour > self.clock.at else hour + HOUR
            self.jump(format_instant(min(step, goal)))
            if self.clock.at == step:
                self.run()

    def next_hour(self) -> str:
        """Ten past the next full hour."""
        return format_instant(self.clock.at - self.clock.at % HOUR + HOUR + 10 * MINUTE)

    def jump(self, when: str) -> None:
        """Time passes, and nobody is at work."""
        self.clock.at = at(when)
        self.sandbox.set_time(self.clock.at // SECOND)

    def run(self) -> PassSummary:
        publishing = Publishing(
            store=self.store, publisher=self.publisher, clock=self.clock, limits=self.limits
        )
        self.last_pass = one_pass(publishing, self.seal_limits)
        return self.last_pass

    def days_later(self, days: int) -> None:
        """The hours pass, twelve at a time."""
        for _ in range(2 * days):
            self.jump(format_instant(self.clock.at + DAY // 2))
            self.run()

    # What can be seen.

    def at_stripe(self, tenant: str, meter: str, start: str, end: str) -> Decimal:
        counters = {m.event_name: m.id for m in self.stripe.v1.billing.meters.list().data}
        return self.sandbox.usage_total(
            counters[meter], f"cus_{tenant}", at(start) // SECOND, at(end) // SECOND
        )

    def invoiced(self, customer: str) -> list[Decimal]:
        """The billed quantities of the customer's finalised invoices, oldest first."""
        invoices = [
            i
            for i in self.sandbox.invoices()
            if i.customer == customer and i.finalized_at is not None
        ]
        invoices.sort(key=lambda i: i.start)
        return [sum((line.quantity for line in i.lines), Decimal(0)) for i in invoices]

    def reconciling(self) -> Reconciling:
        return Reconciling(
            store=self.store,
            publisher=self.publisher,
            now=self.clock.now(),
            limits=self.limits,
        )

    def discrepancies(self) -> list[Discrepancy]:
        return list(self.reconciling().everything())

    def intake_anew(self) -> Intake:
        return intake_of(self.store)


@contextmanager
def story(begins: str) -> Iterator[Story]:
    sandbox = StripeSandbox(now=at(begins) // SECOND)
    with serve(sandbox) as running:
        yield Story(sandbox=sandbox, url=running.url, clock=FixedClock(at(begins)))
