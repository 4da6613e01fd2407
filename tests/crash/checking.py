"""The checker: it knows every event that was sent and every one that was acked, and looks at all
that is stored.

The sums are folded here again from what was told, by other code than the product's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tallystick.domain.event import Event
from tallystick.domain.instant import floor_hour
from tallystick.domain.meter import Aggregation
from tallystick.domain.publication import Limits
from tallystick.ports import Store
from tallystick.publishers.dry_run import DryRunPublisher
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.recounting import pages
from tests.crash.telling import Body, Name, Told

Place = tuple[str, str, int]
"""A tenant, a meter, and the hour's start."""

METERS: Mapping[str, Aggregation] = {"requests": Aggregation.SUM, "peak": Aggregation.MAX}


@dataclass
class Acks:
    """What was sent, and what of it was acked. Several threads add to it."""

    sent: dict[Name, Told] = field(default_factory=dict)
    acked: set[Name] = field(default_factory=set)

    def send(self, body: Body) -> None:
        self.sent.update((told.name, told) for told in body.events)

    def ack(self, body: Body) -> None:
        self.acked.update(told.name for told in body.events)


@dataclass
class Found:
    """What a look at a store found. `lost` were acked and are not stored or not counted, `doubled`
    are stored or counted more than once, `wrong` is everything else, in words."""

    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        return "; ".join([f"{self.lost} lost, {self.doubled} doubled", *self.wrong[:10]])


def look_at(
    store: Store, acks: Acks, now: int, damage: Iterable[str] = (), *, is_deep: bool = True
) -> Found:
    """Hold all that is stored against what was sent and acked. `damage` is the file's own check;
    a look that is deep has the product recount its books too."""
    found = Found(wrong=[f"the file: {fault}" for fault in damage])
    stored = Counter[Name]()
    told = list[Told]()
    for event in pages(lambda cursor: store.events.events(cursor=cursor)):
        name = (event.tenant, event.key)
        stored[name] += 1
        told += _as_sent(event, acks.sent.get(name), found.wrong)
    found.lost += sum(1 for name in acks.acked if name not in stored)
    found.doubled += sum(times - 1 for times in stored.values())
    _hold_aggregates(store, told, found)
    if is_deep:
        found.wrong += our_half(store, now)
    letters = store.dead_letters.list(open_only=False, limit=1).elements
    found.wrong += [f"a dead letter: {letter.body[:80]}" for letter in letters]
    return found


def _as_sent(event: Event, told: Told | None, wrong: list[str]) -> Iterator[Told]:
    """What was told, where it is what is stored."""
    if told is None:
        wrong.append(f"{event.tenant}/{event.key} was never sent")
    elif (event.quantity, event.occurred_at) != (told.quantity, told.occurred_at):
        wrong.append(f"{event.tenant}/{event.key} is not what was sent")
    else:
        yield told


def folded(told: Iterable[Told]) -> dict[Place, tuple[int, Decimal]]:
    """How many events each hour's Aggregate must have, and their sum or their highest."""
    hours: dict[tuple[str, int], list[Decimal]] = defaultdict(list)
    for one in told:
        hours[one.tenant, floor_hour(one.occurred_at)].append(one.quantity)
    totals: dict[Place, tuple[int, Decimal]] = {}
    for (tenant, hour), quantities in hours.items():
        totals[tenant, "requests", hour] = len(quantities), sum(quantities, Decimal(0))
        totals[tenant, "peak", hour] = len(quantities), max(quantities)
    return totals


def _hold_aggregates(store: Store, told: list[Told], found: Found) -> None:
    """Every Aggregate is the fold of the stored events; one that is not is lost or doubled."""
    expected = folded(told)
    for aggregate in pages(lambda cursor: store.events.aggregates(cursor=cursor)):
        key = aggregate.key
        count, value = expected.pop((key.tenant, key.meter, key.window.start), (0, Decimal(0)))
        found.lost += max(0, count - aggregate.tally.count)
        found.doubled += max(0, aggregate.tally.count - count)
        if aggregate.value != value:
            found.wrong.append(f"{key} is {aggregate.value}, its events make {value}")
    found.lost += sum(count for count, _ in expected.values())


def our_half(store: Store, now: int) -> Iterator[str]:
    """What the product's own recount finds in changes, ledger, chains and slots."""
    reconciling = Reconciling(store=store, publisher=DryRunPublisher(), now=now, limits=Limits())
    for found in reconciling.our_half():
        yield f"{found.kind}: {found.subject}: {found.detail}"
