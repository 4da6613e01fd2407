"""Find what a lost store put where its restored copy would not look.

What a meter over the day or the billing period grows by goes to the hour in which it was sealed. A
copy that seals it again does so in another hour, so what the provider holds in the first one would
be billed besides. Where that is so, only a person can take it out there: the tenant is paused.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial

from tallystick.domain.instant import HOUR, floor_hour
from tallystick.domain.mapping import Mapping, placed
from tallystick.domain.meter import Span
from tallystick.domain.slot import Place, Reads, Route, Slot, SlotKey, reading_group
from tallystick.domain.window import Window
from tallystick.ports import Account, Publisher, Store
from tallystick.stages.recounting import pages


def forgotten(
    store: Store, publisher: Publisher, now: int, surprises: frozenset[SlotKey]
) -> Iterator[tuple[str, SlotKey]]:
    """(tenant, slot): open hours that hold something at the provider, and of which the copy knows
    nothing, where such a meter is mapped.

    `surprises` are the slots that turned out to hold something else than the copy said: where only
    a period's total can be read, one of them is all that can be named. Raises PublisherUnavailable.
    """
    longer = {m.id for versions in store.catalog.meters() for m in versions if m.span != Span.HOUR}
    for account in pages(lambda cursor: store.catalog.accounts(cursor=cursor)):
        for mapping in account.mappings:
            route = publisher.routes.get(mapping.route)
            if route is None or mapping.meter not in longer:
                continue
            if route.reads is Reads.PERIOD:
                hit = (s for s in surprises if (s.route, s.destination) == _whereto(mapping))
                found = list(hit)[:1]
            else:
                found = _unknown(store, publisher, account, mapping, now)
            yield from ((account.tenant.id, slot) for slot in found)


def _whereto(mapping: Mapping) -> tuple[str, str]:
    return mapping.route, mapping.destination


def _unknown(
    store: Store, publisher: Publisher, account: Account, mapping: Mapping, now: int
) -> list[SlotKey]:
    """Hours of the open period that hold something there, and that no slot of the copy is for."""
    route = publisher.routes[mapping.route]
    # A bill takes usage for a while after its period's end.
    places = _hours(route, account, mapping, now - route.closes_after, now)
    asked = [place for place in places if not place.is_closed(now)]
    return [slot.key for slot, _ in _held(store, publisher, mapping, asked)]


def only_there(
    store: Store, publisher: Publisher, account: Account, *, since: int, restored_at: int
) -> Iterator[tuple[Slot, Decimal]]:
    """(an empty slot, what the provider holds there): the tenant's hours before a restore, from the
    start of the period of `since` on, that no slot is for and that are not empty there.

    What the lost store alone knew is found by this, until it is told again or taken out there.
    Raises PublisherUnavailable.
    """
    found: dict[SlotKey, tuple[Slot, Decimal]] = {}
    for mapping in account.mappings:
        route = publisher.routes.get(mapping.route)
        if route is not None and route.reads is not Reads.NOTHING and not mapping.is_end:
            places = list(_hours(route, account, mapping, since, restored_at))
            # Versions of a mapping may name the same places.
            found |= {s.key: (s, total) for s, total in _held(store, publisher, mapping, places)}
    yield from found.values()


def _held(
    store: Store, publisher: Publisher, mapping: Mapping, places: Sequence[Place]
) -> Iterator[tuple[Slot, Decimal]]:
    """Of these places those that no slot is for, and what the provider shows there, if anything."""
    if not places:
        return
    route = publisher.routes[mapping.route]
    listing = partial(
        store.outbox.slots,
        route=mapping.route,
        destination=mapping.destination,
        starting=Window(floor_hour(places[0].slot.start), places[-1].slot.start + HOUR),
    )
    known = {reading_group(route, d.slot) for d in pages(lambda cursor: listing(cursor=cursor))}
    slots = {reading_group(route, slot): slot for slot in map(_empty, places)}
    asked = [slot for group, slot in slots.items() if group not in known]
    readings = publisher.totals(asked) if asked else ()
    yield from ((slots[reading.group], reading.total) for reading in readings if reading.total)


def _empty(place: Place) -> Slot:
    return Slot(place=place)


def _hours(
    route: Route, account: Account, mapping: Mapping, since: int, until: int
) -> Iterator[Place]:
    """The mapping's places before `until`, from the start of the period of `since` on."""
    tenant = account.tenant
    for start in range(floor_hour(tenant.period_at(since).start), until, HOUR):
        hour = Window(start, start + HOUR)
        place = placed(mapping, route, at=start, window=hour, tenant=tenant)
        if isinstance(place, Place):
            yield place
