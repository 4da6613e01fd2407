"""Which meters are in force for an event, and the windows that are remembered."""

import pytest

from tallystick.domain.aggregate import contributions
from tallystick.domain.dead_letter import Reason
from tallystick.domain.instant import DAY, HOUR, MINUTE, parse_instant
from tallystick.domain.meter import Aggregation, Meter, Span
from tallystick.domain.tenant import Tenant
from tallystick.stages.metering import (
    HOURS_KEPT,
    PLACES_KEPT,
    Refusal,
    Rulebook,
    TenantCalendar,
    metered,
)
from tallystick.stores.memory import MemoryStore
from tallystick.testing import factories
from tallystick.testing.factories import FEBRUARY, JANUARY, NOON


def rulebook_of(*changed: Tenant | Meter) -> tuple[MemoryStore, Rulebook]:
    store = MemoryStore()
    for change in changed:
        store.catalog.save(change, factories.override())
    rules = Rulebook(store.catalog)
    rules.refresh()
    return store, rules


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("anchor", ["1970-01-01T00:00:00Z", "2025-11-02T06:17:23Z"])
def test_remembered_windows_are_the_tenants_own(zone, anchor):
    tenant = factories.tenant(zone=zone, anchor=parse_instant(anchor))
    calendar = TenantCalendar(tenant)
    start = parse_instant("2025-11-01T20:00:00Z")

    for at in (*range(start, start + 2 * DAY, 7 * MINUTE), *range(start, start + DAY, 11 * MINUTE)):
        windows = (calendar.hour_at(at), calendar.day_at(at), calendar.period_at(at))
        assert windows == (tenant.hour_at(at), tenant.day_at(at), tenant.period_at(at))


def test_only_so_many_hours_are_remembered():
    calendar = TenantCalendar(factories.tenant())

    for hour in range(3 * HOURS_KEPT):
        calendar.hour_at(NOON + hour * HOUR)

    assert len(calendar._hours) <= HOURS_KEPT


def test_all_meters_that_read_a_code_are_found_and_no_others():
    _, rules = rulebook_of(
        Meter(id="calls", code="call"),
        Meter(id="count", code="call", aggregation=Aggregation.COUNT),
        Meter(id="other", code="other"),
    )

    assert {m.id for m in rules.meters("call", JANUARY)} == {"calls", "count"}


def test_the_version_in_force_when_the_period_began_counts():
    _, rules = rulebook_of(
        Meter(id="calls", code="old"),
        Meter(id="calls", code="new", version=2, effective_from=FEBRUARY.start),
    )

    assert [m.version for m in rules.meters("old", JANUARY)] == [1]
    assert [m.version for m in rules.meters("new", FEBRUARY)] == [2]
    assert rules.meters("new", JANUARY) == rules.meters("old", FEBRUARY) == ()


def test_a_code_that_no_meter_reads_waits_for_one():
    _, rules = rulebook_of(Tenant(id="acme"))

    refusal = metered(factories.event(), TenantCalendar(Tenant(id="acme")), rules)

    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.waits_for) == (Reason.UNKNOWN_CODE, "code:requests")


def test_what_the_catalog_said_is_kept_until_its_revision_rises():
    store, rules = rulebook_of(Tenant(id="acme"))

    assert rules.calendar("new") is None
    store.catalog.save(Tenant(id="new"), factories.override())

    assert rules.calendar("new") is None
    assert rules.refresh()
    assert rules.calendar("new") is not None
    assert not rules.refresh()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("anchor", ["1970-01-01T00:00:00Z", "2025-11-02T06:17:23Z"])
def test_an_event_counts_where_the_tenants_own_windows_say_whatever_is_remembered(zone, anchor):
    tenant = factories.tenant(zone=zone, anchor=parse_instant(anchor))
    meters = [Meter(id=str(span), code="requests", span=span) for span in Span]
    _, rules = rulebook_of(tenant, *meters, Meter(id="other", code="other"))
    calendar = rules.calendar(tenant.id)
    start = parse_instant("2025-11-01T20:00:00Z")

    for at in (*range(start, start + 2 * DAY, 7 * MINUTE), *range(start, start + DAY, 11 * MINUTE)):
        event = factories.event(f"at {at}", quantity=5, occurred_at=at)
        assert set(metered(event, calendar, rules)) == set(contributions(event, tenant, meters))


def test_a_meters_new_version_counts_from_the_first_instant_of_its_period_on():
    tenant = Tenant(id="acme")
    later = Meter(id="m", code="requests", version=2, effective_from=FEBRUARY.start)
    _, rules = rulebook_of(tenant, Meter(id="m", code="requests"), later)

    def version_at(at: int) -> int:
        found = metered(factories.event(occurred_at=at), rules.calendar("acme"), rules)
        return found[0].meter_version

    assert [version_at(FEBRUARY.start + step) for step in (-1, 0, -1)] == [1, 2, 1]


def test_where_events_count_is_forgotten_when_the_catalog_changes():
    store, rules = rulebook_of(Tenant(id="acme"), Meter(id="a", code="requests"))
    event = factories.event()
    metered(event, rules.calendar("acme"), rules)

    store.catalog.save(Meter(id="b", code="requests"), factories.override())
    rules.refresh()

    found = metered(event, rules.calendar("acme"), rules)
    assert {contribution.key.meter for contribution in found} == {"a", "b"}


def test_only_so_many_places_are_remembered(monkeypatch):
    monkeypatch.setattr("tallystick.stages.metering.PLACES_KEPT", 20)
    _, rules = rulebook_of(Tenant(id="acme"), Meter(id="a", code="requests"))

    for hour in range(99):
        metered(factories.event(occurred_at=NOON - hour * HOUR), rules.calendar("acme"), rules)

    assert 0 < len(rules._places) <= 20 < PLACES_KEPT
