"""Configuring: what was decided on settings that changed meanwhile is decided again."""

from dataclasses import replace

import pytest

from tallystick.domain.errors import InvalidSetting, NotFound, StoreUnavailable
from tallystick.domain.instant import HOUR
from tallystick.domain.mapping import Mapping, end_of
from tallystick.domain.tenant import Tenant
from tallystick.stages.configuring import configure, end_mapping, map_meter
from tallystick.stores.memory import MemoryStore
from tallystick.testing.factories import NOON, mapping, meter, override, tenant

SERIES = ("acme", "requests", "")


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(incarnation="here")
    for changed in (tenant(), meter()):
        made.catalog.save(changed, override())
    return made


def mapped(store: MemoryStore) -> tuple[Mapping, ...]:
    return store.catalog.account("acme").mappings


def test_a_change_that_came_between_is_seen_by_the_next_decision(store: MemoryStore):
    rivals = ["Beta", "Gamma"]

    def decide() -> Tenant:
        read = store.catalog.account("acme").tenant
        if rivals:
            store.catalog.save(replace(tenant(), name=rivals.pop()), override())
        return replace(read, name=f"{read.name}!")

    saved = configure(store.catalog, decide, override("mine"))

    assert saved == store.catalog.account("acme").tenant == replace(tenant(), name="Beta!")
    assert [o.why for o in store.catalog.overrides().elements].count("mine") == 1


def test_settings_that_never_stand_still_are_not_saved_for_ever(store: MemoryStore):
    def decide() -> Tenant:
        name = store.catalog.account("acme").tenant.name
        store.catalog.save(replace(tenant(), name=f"{name}x"), override("rival"))
        return replace(tenant(), name="mine")

    with pytest.raises(StoreUnavailable):
        configure(store.catalog, decide, override("mine"))

    assert "mine" not in [o.why for o in store.catalog.overrides().elements]


def test_versions_follow_each_other_at_full_hours(store: MemoryStore):
    line = override(at=NOON + 1)
    wanted = mapping(effective_from=mapping().effective_from)

    first = map_meter(store.catalog, wanted, line, keep_start=True)
    other = replace(wanted, destination="cus_other", publish_from=NOON + 1)
    second = map_meter(store.catalog, other, line, keep_start=True)
    ended = end_mapping(store.catalog, SERIES, line)

    assert first == wanted
    assert second == replace(other, publish_from=wanted.publish_from, effective_from=NOON + HOUR)
    assert ended == end_of(second, NOON + 1)
    assert (ended.is_end, ended.effective_from) == (True, NOON + HOUR)
    assert mapped(store) == (first, ended), "an end that replaces what never came into force"
    assert end_mapping(store.catalog, SERIES, line) is None
    assert map_meter(store.catalog, other, line, keep_start=True) == second


def test_a_clock_that_was_set_back_puts_no_version_before_the_newest(store: MemoryStore):
    ahead, behind = override(at=NOON + 48 * HOUR), override(at=NOON)
    map_meter(store.catalog, mapping(), ahead, keep_start=True)
    end_mapping(store.catalog, SERIES, ahead)

    again = map_meter(store.catalog, mapping(), behind, keep_start=True)

    assert again.effective_from == NOON + 49 * HOUR
    assert mapped(store)[-1] == again


def test_what_is_not_there_is_not_mapped(store: MemoryStore):
    for wanted in (mapping("nobody"), mapping(meter="nothing")):
        with pytest.raises(NotFound):
            map_meter(store.catalog, wanted, override(), keep_start=True)
    with pytest.raises(NotFound):
        end_mapping(store.catalog, SERIES, override())


def test_a_cut_hour_of_shared_slots_has_one_bill(store: MemoryStore):
    store.catalog.save(tenant("beta"), override())
    first = replace(mapping(), boundary_hour="previous")
    map_meter(store.catalog, first, override(), keep_start=True)

    opposed = replace(first, tenant="beta", boundary_hour="next")
    with pytest.raises(InvalidSetting, match="say the same"):
        map_meter(store.catalog, opposed, override(), keep_start=True)
