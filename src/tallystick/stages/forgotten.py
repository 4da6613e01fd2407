"""Find what a lost store put where its restored copy would not look.

What a meter over the day or the billing period grows by goes to the hour in which it was sealed. A
copy that seals it again does so in another hour, so what the provider holds in the first one would
be billed besides. Where that is so, only a person can take it out there: the tenant is paused.
"""

from collections.abc import Iterator
from functools import partial

from tallystick.domain.instant import HOUR, floor_hour
from tallystick.domain.mapping import Mapping, placed
from tallystick.domain.meter import Span
from tallystick.domain.slot import Place, Reads, Slot, SlotKey, reading_group
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
    listing = partial(
        store.outbox.slots, route=mapping.route, destination=mapping.destination, starting=None
    )
    known = {reading_group(route, d.slot) for d in pages(lambda cursor: listing(cursor=cursor))}
    slots = [Slot(place=place) for place in _open_hours(publisher, account, mapping, now)]
    unknown = {reading_group(route, slot): slot for slot in slots}
    asked = [slot for group, slot in unknown.items() if group not in known]
    return [unknown[r.group].key for r in publisher.totals(asked) if r.total] if asked else []


def _open_hours(
    publisher: Publisher, account: Account, mapping: Mapping, now: int
) -> Iterator[Place]:
    route, tenant = publisher.routes[mapping.route], account.tenant
    # A bill takes usage for a while after its period's end.
    first = floor_hour(tenant.period_at(now - route.closes_after).start)
    for start in range(first, now, HOUR):
        hour = Window(start, start + HOUR)
        place = placed(mapping, route, at=start, window=hour, tenant=tenant)
        if isinstance(place, Place) and not place.is_closed(now):
            yield place
