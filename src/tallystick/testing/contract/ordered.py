"""Ordered: every listing has one order, and its pages neither lose nor repeat an element."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import pytest

from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR
from tallystick.domain.slot import slot_partition
from tallystick.ports import Page, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import due_keys, every, intend, report, seal, settle
from tallystick.testing.factories import (
    TEN,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    meter,
    override,
    place,
    publication,
    tenant,
)

T = TypeVar("T")
Listing = Callable[..., Page[Any]]

NAMES = ("Zeta", "a", "a b", "a!", "ab", "acme", "a|b", "zeta", "é", "ﬀ", "😀")
"""In the order of their code points, which is that of their bytes in UTF-8."""

OURS = slot_partition(place().slot)

LISTINGS: Mapping[str, Callable[[Store], Listing]] = MappingProxyType(
    {
        "events": lambda s: s.events.events,
        "a tenant's events": lambda s: partial(s.events.events, "acme"),
        "aggregates": lambda s: s.events.aggregates,
        "a meter's aggregates": lambda s: partial(s.events.aggregates, meter="requests"),
        "aggregates due": lambda s: partial(s.ledger.aggregates_due, TEN + 24 * HOUR),
        "entries": lambda s: s.ledger.entries,
        "a slot's entries": lambda s: partial(s.ledger.entries, slot=place().slot),
        "slots": lambda s: s.outbox.slots,
        "a destination's slots": lambda s: partial(s.outbox.slots, destination="cus_acme"),
        "slots due": lambda s: s.outbox.slots_due,
        "a partition's slots due": lambda s: partial(s.outbox.slots_due, partition=OURS),
        "publications": lambda s: s.outbox.publications,
        "a slot's publications": lambda s: partial(s.outbox.publications, slot=place().slot),
        "accounts": lambda s: s.catalog.accounts,
        "overrides": lambda s: s.catalog.overrides,
        "letters": lambda s: s.dead_letters.list,
        "letters of all times": lambda s: partial(s.dead_letters.list, open_only=False),
    }
)
WRONG_CURSORS = ("x", "{}", "[]", "[null]", "[[1]]", "[1.5]", "[" * 3_000)
each_listing = pytest.mark.parametrize("listing", LISTINGS)


def fill(store: Store) -> None:
    """At least seven elements for each listing."""
    for hour in range(7):
        told = [event(f"e{hour}", hour + 1, tenant=n, occurred_at=TEN - hour * HOUR) for n in NAMES]
        report(store, *reversed(told))
        store.dead_letters.keep([dead_letter(f"letter {9 - hour}")])
        report(store, event(f"a{hour}", hour + 1))
        seal(store)
        settle(store, intend(store))
    for key in due_keys(store):
        if key != aggregate_key():
            seal(store, key, into=place(destination=f"cus_{key.tenant}", at=key.window.start))
    for name in (*reversed(NAMES), "acme"):
        store.catalog.save(tenant(name), override(f"for {name}"))
        store.catalog.save(mapping(name), override(f"mapping of {name}"))


def pages(listing: Callable[..., Page[T]], limit: int) -> list[tuple[T, ...]]:
    found: list[tuple[T, ...]] = []

    def kept(cursor: str) -> Page[T]:
        page = listing(cursor=cursor, limit=limit)
        found.append(page.elements)
        return page

    every(kept)
    return found


class OrderedContract(StoreHooks):
    """Orders and cursors."""

    def test_pages_of_any_size_make_the_whole(self, store: Store) -> None:
        fill(store)

        for name, of in LISTINGS.items():
            listing = of(store)
            whole = listing().elements
            assert len(whole) >= 7, name
            for limit in (1, 3, len(whole)):
                found = pages(listing, limit)
                assert sum(found, ()) == whole, f"{name} in pages of {limit}"
                assert all(len(page) <= limit for page in found), name

    def test_events_come_in_the_order_of_recording(self, store: Store) -> None:
        told = [event(f"e{(i * 7) % 20}", occurred_at=TEN - i) for i in range(20)]
        report(store, *told[:10])
        report(store, *told[10:])

        assert store.events.events().elements == tuple(told)

    def test_aggregates_come_in_order_of_key(self, store: Store) -> None:
        fill(store)

        keys = [a.key for a in every(store.events.aggregates)]

        assert keys == sorted(keys)
        assert list(dict.fromkeys(key.tenant for key in keys)) == list(NAMES)

    def test_slots_come_in_order_of_key(self, store: Store) -> None:
        fill(store)

        keys = [due.slot.key for due in store.outbox.slots().elements]
        due_ones = [due.slot.key for due in store.outbox.slots_due().elements]

        assert keys == sorted(keys)
        assert due_ones == sorted(due_ones)

    def test_entries_come_by_tenant_meter_and_line(self, store: Store) -> None:
        fill(store)

        found = [(e.key.tenant, e.key.meter, e.line) for e in store.ledger.entries().elements]

        assert found == sorted(found)
        assert [n for t, _, n in found if t == "acme"] == list(range(1, 14))

    def test_publications_come_by_slot_and_revision(self, store: Store) -> None:
        fill(store)
        other = place(destination="cus_Zeta").slot
        intend(store, other)

        found = [(p.slot, p.slot_revision) for p in store.outbox.publications().elements]

        assert found == sorted(found)
        assert len(found) == 8

    def test_accounts_come_in_order_of_tenant(self, store: Store) -> None:
        fill(store)

        assert [account.tenant.id for account in store.catalog.accounts().elements] == list(NAMES)

    def test_tenants_are_found_by_how_their_ids_begin(self, store: Store) -> None:
        for name in ("ba", "a%", "A", "ab", "a", "aé", "b", "a_"):
            store.catalog.save(tenant(name), override())

        for prefix, wanted in (("a", ["a", "a%", "a_", "ab", "aé"]), ("a_", ["a_"]), ("c", [])):
            for limit in (1, 2, 100):
                found = pages(partial(store.catalog.accounts, prefix=prefix), limit)
                assert [a.tenant.id for page in found for a in page] == wanted

    def test_letters_come_in_the_order_of_keeping(self, store: Store) -> None:
        told = [dead_letter(f"{(i * 7) % 20}") for i in range(20)]
        store.dead_letters.keep(told[:10])
        store.dead_letters.keep(told[10:])
        store.dead_letters.take(told[3].id, "recorded", TEN)

        assert [x.id for x in store.dead_letters.list(open_only=False).elements] == [
            letter.id for letter in told
        ]

    def test_what_is_added_between_pages_repeats_and_hides_nothing(self, store: Store) -> None:
        told = [event("e1", tenant=name) for name in NAMES[1::2]]
        report(store, *told)
        expected = {aggregate_key(name) for name in NAMES[1::2]}

        found = []
        for i, page in enumerate(self._walk(store.events.aggregates, 2)):
            found += [aggregate.key for aggregate in page]
            report(store, *(event(f"more {i}", tenant=name) for name in NAMES[i::3]))

        assert len(found) == len(set(found))
        assert expected <= set(found)

    def test_marks_taken_between_pages_hide_nothing(self, store: Store) -> None:
        report(store, *(event("e1", tenant=name) for name in NAMES))

        found = []
        for page in self._walk(partial(store.ledger.aggregates_due, TEN + HOUR), 2):
            found += [aggregate.key.tenant for aggregate in page]
            store.ledger.clear_due([(aggregate.key, 1, 0) for aggregate in page])

        assert found == list(NAMES)
        assert due_keys(store) == []

    def test_slots_cleared_between_pages_hide_nothing(self, store: Store) -> None:
        fill(store)
        expected = [due.slot.key for due in store.outbox.slots().elements]

        found = []
        for page in self._walk(store.outbox.slots_due, 3):
            found += [due.slot.key for due in page]
            for due in page:
                new = publication(due.slot)
                store.outbox.intend([new])
                settle(store, new)
            read = {d.slot.key: d.slot for d in store.outbox.slots().elements}
            store.outbox.clear_due([read[due.slot.key] for due in page])

        assert found == expected
        assert store.outbox.slots_due().elements == ()

    def test_letters_taken_between_pages_hide_nothing(self, store: Store) -> None:
        told = [dead_letter(str(i)) for i in range(7)]
        store.dead_letters.keep(told)

        found: list[DeadLetter] = []
        for page in self._walk(store.dead_letters.list, 2):
            found += page
            for letter in page:
                store.dead_letters.take(letter.id, "recorded", TEN)

        assert found == told

    def test_versions_of_a_meter_are_no_pages(self, store: Store) -> None:
        versions = [meter(version=i, effective_from=TEN + i * HOUR) for i in range(30)]
        for i in range(30):
            store.catalog.save(versions[(i * 7) % 30], override())

        assert store.catalog.meters() == (tuple(versions),)

    @each_listing
    def test_an_empty_listing_is_one_empty_page(self, store: Store, listing: str) -> None:
        page = LISTINGS[listing](store)(limit=1)

        assert (page.elements, page.cursor) == ((), "")

    def test_a_cursor_that_is_none_is_refused(self, store: Store) -> None:
        fill(store)

        for name, of in LISTINGS.items():
            for cursor in WRONG_CURSORS:
                with pytest.raises(InvalidSetting):
                    pytest.fail(f"{name} took {cursor}: {of(store)(cursor=cursor)}")

    def _walk(self, listing: Callable[..., Page[T]], limit: int) -> Iterator[tuple[T, ...]]:
        """Each page is read only after the caller has done with the one before."""
        page = listing(limit=limit)
        yield page.elements
        while page.cursor:
            page = listing(cursor=page.cursor, limit=limit)
            yield page.elements
