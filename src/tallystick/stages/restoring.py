"""Restore: open a copy of a store as a new incarnation, and adopt what the provider holds.

A copy is older than the provider's books: it has forgotten publications that were sent after it
was taken. So nothing is sent until every open slot was compared with the provider and its total
there was adopted; then the differences are published like any other.
"""

from collections import defaultdict
from dataclasses import dataclass

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import format_instant, parse_instant
from tallystick.domain.publication import Limits
from tallystick.domain.slot import Mode, Reads, Slot, SlotKey, is_read_alone, reading_group
from tallystick.ports import Due, Override, Publisher, Store
from tallystick.stages.adopting import adopt_group, is_shown, set_again
from tallystick.stages.forgotten import forgotten
from tallystick.stages.publishing import ADOPTING, PAUSE, RESTORED
from tallystick.stages.recounting import pages


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many slots were compared, and how many held something else than the copy said.

    `forgotten` are hours, with the tenant that was paused for each, that hold what only the lost
    store knew, and that no later Entry would correct.
    """

    compared: int
    changed: int
    forgotten: tuple[tuple[str, SlotKey], ...] = ()


def begin(store: Store, incarnation: str, audit: Override) -> None:
    """Make the opened copy a new incarnation and stop its publishing. Safe to repeat."""
    store.catalog.switch(ADOPTING, format_instant(audit.at), audit)
    store.catalog.switch(RESTORED, format_instant(audit.at), audit)
    store.renew_incarnation(incarnation)


def quiet_from(store: Store, publisher: Publisher, limits: Limits) -> int:
    """When the provider's totals show all that the lost copy may have sent.

    At once where every value is set, since one set again counts once; where values add up, not
    before the last request has landed and the totals have caught up. Raises PublisherUnavailable
    where usage goes to a provider that is not set up: what it holds cannot be compared.
    """
    unknown = _routes_in_use(store) - publisher.routes.keys()
    if unknown:
        raise PublisherUnavailable(
            f"nobody publishes {', '.join(sorted(unknown))}: set its provider up; restore again"
        )
    began = parse_instant(store.catalog.switches()[RESTORED])
    if any(publisher.routes[name].mode is Mode.DELTA for name in _routes_in_use(store)):
        return began + limits.transport + limits.summary_lag
    return began


def _routes_in_use(store: Store) -> set[str]:
    """Of all mappings, and of all slots."""
    mapped = {
        mapping.route
        for account in pages(lambda cursor: store.catalog.accounts(cursor=cursor))
        for mapping in account.mappings
        if not mapping.is_end
    }
    slots = pages(lambda cursor: store.outbox.slots(cursor=cursor))
    return mapped | {one.slot.key.route for one in slots}


def adopt(
    store: Store, publisher: Publisher, now: int, audit: Override, *, limits: Limits
) -> Adopted:
    """Compare every open slot with the provider, adopt its total, and let publishing go on.

    Slots that only the lost copy knew are compared when they come up again; where they would not,
    the tenant is paused. Nothing is done where somebody else has ended the restore meanwhile.
    Raises PublisherUnavailable where it is too early, or a slot could not be read: publishing then
    stays off.
    """
    quiet = quiet_from(store, publisher, limits)
    if now < quiet:
        raise PublisherUnavailable(
            "the provider's totals may not show yet what was sent last: publishing stays off; "
            f"run restore again from {format_instant(quiet)} on"
        )
    compared, changed = 0, list[Slot]()
    groups = _open_groups(store, publisher, now)
    switches = store.catalog.switches()
    restored_at = parse_instant(switches[RESTORED])
    if ADOPTING not in switches:
        # Somebody else has: what is unsettled may be no memory of the copy, but under way.
        return Adopted(0, 0)
    for group in groups:
        readings = publisher.totals([one.slot for one in group])
        if not readings:
            raise PublisherUnavailable(f"{group[0].slot.key} could not be read; try again")
        compared += len(group)
        route, shown = publisher.routes[group[0].slot.key.route], readings[0].total
        if is_read_alone(route) and not is_shown(route, restored_at, limits, now):
            # A total that lags would be taken for undelivered if the slot closes first.
            changed += set_again(store, group[0], shown, now)
        else:
            changed += adopt_group(store, group, shown, now)
    left = tuple(forgotten(store, publisher, now, frozenset(slot.key for slot in changed)))
    for tenant in sorted({tenant for tenant, _ in left}):
        why = "the provider holds hours that only the lost store knew"
        store.catalog.switch(f"{PAUSE}:{tenant}", why, audit)
    store.catalog.switch(ADOPTING, None, audit)
    return Adopted(compared, len(changed), left)


def _open_groups(store: Store, publisher: Publisher, now: int) -> list[list[Due]]:
    """The slots that can still change at the provider, by what is read together; and those of
    which the copy remembers something unsettled, since the lost one may have sent more since."""
    groups: dict[str, list[Due]] = defaultdict(list)
    for one in pages(lambda cursor: store.outbox.slots(cursor=cursor)):
        route = publisher.routes[one.slot.key.route]
        if route.reads is Reads.NOTHING:
            # The provider itself refuses a second record of a slot: see stages/targeting.py.
            continue
        groups[reading_group(route, one.slot)].append(one)
    return [
        group
        for group in groups.values()
        if any(one.current is not None or not one.slot.place.is_closed(now) for one in group)
    ]
