"""Catalogued: settings with all their versions, switches, the audit trail, and dead letters."""

import itertools
from dataclasses import replace

from tallystick.domain.dead_letter import Reason
from tallystick.domain.errors import FieldError
from tallystick.domain.event import Receipt
from tallystick.domain.instant import DAY
from tallystick.domain.meter import Aggregation, Filter, Operator, Span
from tallystick.domain.period import Interval, Unit
from tallystick.domain.tenant import Tenant, Terms
from tallystick.ports import Account, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import count, due_keys, find, seen
from tallystick.testing.factories import (
    NOON,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    meter,
    override,
    recording,
    tenant,
)

VERSIONED = Tenant(
    id="acme",
    name="Acme & Söhne",
    versions=(
        Terms(),
        Terms(
            zone="Asia/Kathmandu", anchor=NOON, interval=Interval(Unit.WEEK, 2), effective_from=NOON
        ),
    ),
)


class CataloguedContract(StoreHooks):
    """The Catalog and the DeadLetters."""

    def test_an_empty_catalog_knows_nothing(self, store: Store) -> None:
        assert store.catalog.account("acme") is None
        assert store.catalog.accounts().elements == ()
        assert store.catalog.meters() == ()
        assert store.catalog.switches() == {}
        assert store.catalog.overrides().elements == ()

    def test_a_tenant_reads_back_with_all_its_terms(self, store: Store) -> None:
        store.catalog.save(VERSIONED, override())

        assert store.catalog.account("acme") == Account(VERSIONED)
        assert store.catalog.accounts().elements == (Account(VERSIONED),)

    def test_a_tenant_replaces_the_stored_one_whole(self, store: Store) -> None:
        store.catalog.save(VERSIONED, override())
        store.catalog.save(mapping(), override())

        store.catalog.save(tenant(), override())

        assert store.catalog.account("acme") == Account(tenant(), (mapping(),))

    def test_a_meter_reads_back_in_every_field(self, store: Store) -> None:
        full = replace(
            meter("tokens", Aggregation.UNIQUE_COUNT, span=Span.PERIOD, dimensions=("model", "a")),
            filters=(Filter("a.b", Operator.IN, ("x", "ü")), Filter("c", Operator.EXISTS)),
            negatives=False,
            archived=True,
            version=3,
        )

        store.catalog.save(full, override())

        assert store.catalog.meters() == ((full,),)

    def test_meters_come_with_their_versions_in_order(self, store: Store) -> None:
        later, first = meter(effective_from=NOON, version=2), meter()
        other = meter("calls")
        for changed in (later, other, first):
            store.catalog.save(changed, override())

        found = store.catalog.meters()

        assert sorted(found, key=lambda versions: versions[0].id) == [(other,), (first, later)]

    def test_the_same_effective_from_replaces_the_version(self, store: Store) -> None:
        better_meter = replace(meter(), code="other")
        better_mapping = replace(mapping(), destination="cus_other")
        for changed in (tenant(), meter(), mapping(), better_meter, better_mapping):
            store.catalog.save(changed, override())

        assert store.catalog.meters() == ((better_meter,),)
        assert store.catalog.account("acme") == Account(tenant(), (better_mapping,))

    def test_mappings_of_other_meters_and_groups_are_others(self, store: Store) -> None:
        all_of_them = {
            mapping(),
            mapping(meter="other"),
            mapping(group='{"model":"a"}'),
            mapping("beta"),
        }
        for name in ("acme", "beta"):
            store.catalog.save(tenant(name), override())
        for changed in all_of_them:
            store.catalog.save(changed, override())

        accounts = store.catalog.accounts().elements

        assert [account.tenant.id for account in accounts] == ["acme", "beta"]
        assert [len(account.mappings) for account in accounts] == [3, 1]
        assert {m for account in accounts for m in account.mappings} == all_of_them

    def test_mappings_come_in_order_of_effective_from(self, store: Store) -> None:
        versions = [mapping(effective_from=NOON + i * DAY) for i in range(4)]
        store.catalog.save(tenant(), override())
        for i in (2, 0, 3, 1):
            store.catalog.save(versions[i], override())

        assert store.catalog.account("acme") == Account(tenant(), tuple(versions))

    def test_a_mapping_waits_for_its_tenant(self, store: Store) -> None:
        store.catalog.save(mapping(), override())
        assert store.catalog.account("acme") is None

        store.catalog.save(tenant(), override())

        assert store.catalog.account("acme") == Account(tenant(), (mapping(),))

    def test_every_change_raises_the_revision(self, store: Store) -> None:
        seen = [store.catalog.revision()]
        for changed in (tenant(), meter(), mapping(), meter(effective_from=NOON)):
            store.catalog.save(changed, override())
            seen.append(store.catalog.revision())
        store.catalog.switch("pause", "on", override())
        seen.append(store.catalog.revision())
        store.catalog.switch("pause", None, override())
        seen.append(store.catalog.revision())

        assert all(before < after for before, after in itertools.pairwise(seen))

    def test_what_was_decided_on_an_older_revision_is_not_saved(self, store: Store) -> None:
        save, read = store.catalog.save, store.catalog.revision()
        assert save(tenant(), override("first"), at_revision=read)

        for changed in (replace(tenant(), name="late"), meter(), mapping()):
            assert not save(changed, override("late"), at_revision=read)

        assert store.catalog.account("acme") == Account(tenant())
        assert store.catalog.meters() == ()
        assert [line.why for line in store.catalog.overrides().elements] == ["first"]
        assert save(meter(), override("newer"), at_revision=store.catalog.revision())
        assert save(mapping(), override("whatever"))

    def test_what_is_counted_leaves_the_revision_alone(self, store: Store) -> None:
        before = store.catalog.revision()

        count(store)

        assert store.catalog.revision() == before

    def test_a_switch_is_set_changed_and_removed(self, store: Store) -> None:
        store.catalog.switch("pause", "by ada", override("one"))
        store.catalog.switch("pause:acme", "", override("two"))
        store.catalog.switch("pause", "by bob", override("three"))
        assert store.catalog.switches() == {"pause": "by bob", "pause:acme": ""}

        store.catalog.switch("pause", None, override("four"))
        store.catalog.switch("never set", None, override("five"))

        assert store.catalog.switches() == {"pause:acme": ""}
        whys = [kept.why for kept in store.catalog.overrides().elements]
        assert whys == ["one", "two", "three", "four", "five"]

    def test_switches_are_the_callers_own_copy(self, store: Store) -> None:
        store.catalog.switch("pause", "on", override())

        store.catalog.switches().clear()

        assert store.catalog.switches() == {"pause": "on"}

    def test_an_audit_line_is_kept_as_it_was_written(self, store: Store) -> None:
        line = replace(override("weil es muß", at=NOON + 1), who="bob", subject="acme/ü")

        store.catalog.save(tenant(), line)
        store.catalog.save(tenant(), line)

        assert store.catalog.overrides().elements == (line, line)

    def test_audit_lines_come_in_the_order_of_writing(self, store: Store) -> None:
        lines = [override(f"line {i}", at=NOON - i) for i in range(5)]
        for line in lines:
            store.catalog.save(tenant(), line)

        assert store.catalog.overrides().elements == tuple(lines)

    def test_a_letter_reads_back_in_every_field(self, store: Store) -> None:
        wrong = FieldError(pointer="/quantity", code="missing", detail="fehlt: „jetzt“")
        letter = replace(
            dead_letter("{\n}", tenant="acme", waits_for="tenant:acme"),
            reason=Reason.INVALID,
            errors=(wrong, wrong),
        )

        store.dead_letters.keep([letter])

        assert store.dead_letters.list().elements == (letter,)

    def test_letters_are_found_by_tenant_and_by_what_they_wait_for(self, store: Store) -> None:
        one = dead_letter("1", tenant="acme", waits_for="code:calls")
        two = dead_letter("2", tenant="beta", waits_for="code:calls")
        three = dead_letter("3", tenant="acme")
        store.dead_letters.keep([one, two])
        store.dead_letters.keep([three])

        listed = store.dead_letters.list
        assert listed().elements == (one, two, three)
        assert listed(tenant="acme").elements == (one, three)
        assert listed(waits_for="code:calls").elements == (one, two)
        assert listed(tenant="acme", waits_for="code:calls").elements == (one,)

    def test_a_taken_letter_is_kept_but_no_longer_open(self, store: Store) -> None:
        one, two = dead_letter("1"), dead_letter("2")
        store.dead_letters.keep([one, two])

        assert store.dead_letters.take(one.id, "recorded", NOON)

        taken = replace(one, replayed_at=NOON, replayed_as="recorded")
        assert store.dead_letters.list().elements == (two,)
        assert store.dead_letters.list(open_only=False).elements == (taken, two)
        assert not store.dead_letters.take("unheard of", "recorded", NOON)

    def test_a_conflict_is_kept_as_a_letter_in_the_same_write(self, store: Store) -> None:
        count(store, "e1", 5)
        other = recording(event("e1", 6))

        (recorded,) = store.events.record([other], NOON + 1)

        assert recorded.receipt is Receipt.CONFLICT
        (letter,) = store.dead_letters.list(tenant="acme").elements
        assert (letter.reason, letter.tenant) == (Reason.CONFLICT, "acme")
        assert (letter.origin, letter.body) == (other.origin, other.body)
        assert store.events.events().elements == (event("e1", 5),)

    def test_every_conflict_with_another_body_is_a_letter_of_its_own(self, store: Store) -> None:
        count(store, "e1", 5)

        for quantity in (6, 7, 6):
            count(store, "e1", quantity)

        bodies = [letter.body for letter in store.dead_letters.list().elements]
        assert bodies == ["requests e1 6", "requests e1 7"]

    def test_the_incarnation_is_renewed(self, store: Store) -> None:
        assert store.incarnation

        store.renew_incarnation("elsewhere")

        assert store.incarnation == "elsewhere"

    def test_a_mapping_saved_since_keeps_the_mark(self, store: Store) -> None:
        """Whoever sealed without it slept, and clears what he saw before it came."""
        count(store)
        read = find(store)

        store.catalog.save(mapping(), override())
        store.ledger.clear_due([seen(read)])
        assert due_keys(store) == [aggregate_key()]

        store.ledger.clear_due([seen(find(store))])
        assert due_keys(store) == []
