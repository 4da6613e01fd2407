"""Durable: what a write promised is there when the store is opened again, in every detail."""

from tallystick.domain.event import Receipt
from tallystick.domain.meter import GROUPS_MAX, OTHER, Aggregation
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    content,
    count,
    due_keys,
    find,
    intend,
    next_checkpoint,
    next_of,
    publish,
    report,
    seal,
    sealed,
    seen,
    settle,
    slot_of,
    value,
)
from tallystick.testing.factories import (
    JANUARY,
    NOON,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    meter,
    override,
    place,
    tenant,
)

METERS = (
    meter(),
    meter("members", Aggregation.UNIQUE_COUNT, value_path="user"),
    meter("peak", Aggregation.MAX),
    meter("floor", Aggregation.MIN),
    meter("level", Aggregation.LATEST),
    meter("mean", Aggregation.AVERAGE),
    meter("by model", dimensions=("model",)),
)


def live(store: Store) -> None:
    """Something of everything: counted, voided, refused, sealed, published, set."""
    for name in ("acme", "beta"):
        told = [
            event(f"e{i}", i, tenant=name, properties={"user": f"u{i % 2}", "model": f"m{i}"})
            for i in range(6)
        ]
        voids = event("v1", tenant=name, voids="e5"), event("v9", tenant=name, voids="e9")
        report(store, *told, *voids, meters=METERS)
        report(store, event("e1", 99, tenant=name))
        seal(store, aggregate_key(name), into=place(destination=f"cus_{name}"))
        store.catalog.save(tenant(name), override())
        store.catalog.save(mapping(name), override("so that it is billed"))
    settle(store, intend(store))
    intend(store, place(destination="cus_beta").slot)
    store.ledger.clear_due([seen(find(store))])
    store.outbox.clear_due([slot_of(store)])
    letters = [dead_letter(f"letter {i}") for i in range(3)]
    store.dead_letters.keep(letters)
    store.dead_letters.take(letters[1].id, "recorded", NOON)
    store.catalog.save(meter(), override())
    store.catalog.switch("pause:beta", "on", override())
    store.checkpoints.keep(next_checkpoint(store))


class DurableContract(StoreHooks):
    """Everything, read back by a store that was opened anew."""

    def test_everything_reads_back_equal(self, store: Store) -> None:
        live(store)
        before = content(store)
        assert all(before.values())

        with self.reopened(store) as again:
            assert content(again) == before

    def test_the_incarnation_stays(self, store: Store) -> None:
        store.renew_incarnation("the second")

        with self.reopened(store) as again:
            assert again.incarnation == "the second"

    def test_the_first_incarnation_stays_too(self, store: Store) -> None:
        first = store.incarnation

        with self.reopened(store) as again:
            assert again.incarnation == first

    def test_a_known_key_stays_known(self, store: Store) -> None:
        count(store, "e1", 5)

        with self.reopened(store) as again:
            assert count(again, "e1", 5).receipt is Receipt.DUPLICATE
            assert count(again, "e1", 6).receipt is Receipt.CONFLICT
            assert value(again) == 5

    def test_many_known_keys_stay_known(self, store: Store) -> None:
        told = [event(f"e{i}") for i in range(500)]
        report(store, *told)

        with self.reopened(store) as again:
            assert {r.receipt for r in report(again, *told)} == {Receipt.DUPLICATE}
            assert value(again) == 500

    def test_a_void_goes_on_waiting(self, store: Store) -> None:
        report(store, event("v1", voids="e1"))

        with self.reopened(store) as again:
            assert again.events.is_voided("acme", "e1")
            count(again, "e1", 5)
            assert again.events.aggregates().elements == ()

    def test_a_void_takes_out_what_was_counted_before(self, store: Store) -> None:
        live(store)
        key = aggregate_key(meter="members")
        assert value(store, key) == 2

        with self.reopened(store) as again:
            report(again, *(event(f"w{i}", voids=f"e{i}") for i in (2, 4, 0)))

            assert value(again, key) == 1
            values = {m: value(again, aggregate_key(meter=m)) for m in ("peak", "floor", "level")}
            assert values == {"peak": 3, "floor": 1, "level": 3}

    def test_members_are_remembered(self, store: Store) -> None:
        live(store)
        key = aggregate_key(meter="members")

        with self.reopened(store) as again:
            known = event("n1", properties={"user": "u1", "model": "m"})
            report(again, known, meters=METERS)
            assert value(again, key) == 2

    def test_full_groups_stay_full(self, store: Store) -> None:
        by_model = meter(dimensions=("model",))
        told = [event(f"e{i}", properties={"model": f"m{i}"}) for i in range(GROUPS_MAX)]
        report(store, *told, meters=(by_model,))

        with self.reopened(store) as again:
            report(again, event("x", properties={"model": "new"}), meters=(by_model,))
            assert value(again, aggregate_key(group=OTHER)) == 1

    def test_late_stays_late(self, store: Store) -> None:
        sealed(store)

        with self.reopened(store) as again:
            assert count(again, "e2").receipt is Receipt.LATE

    def test_the_chain_goes_on_where_it_ended(self, store: Store) -> None:
        first = sealed(store, 5)

        with self.reopened(store) as again:
            assert again.ledger.append([(first,)]) == (Appended.ALREADY,)
            count(again, "e2", 2)
            (second,) = next_of(again)
            assert (second.line, second.revision, second.previous_hash) == (2, 2, first.hash)
            assert again.ledger.append([(second,)]) == (Appended.APPENDED,)
            assert again.ledger.holdings(aggregate_key(), JANUARY)[0].quantity == 7

    def test_an_intent_outlives_its_sender(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)

        with self.reopened(store) as again:
            (due,) = again.outbox.slots_due().elements
            assert due.current == intended
            assert again.outbox.intend([intended]) == (False,)
            settle(again, intended)
            assert slot_of(again).confirmed == intended.total

    def test_cleared_marks_stay_cleared(self, store: Store) -> None:
        sealed(store)
        publish(store)
        store.ledger.clear_due([seen(find(store))])
        store.outbox.clear_due([slot_of(store)])

        with self.reopened(store) as again:
            assert due_keys(again) == []
            assert again.outbox.slots_due().elements == ()

    def test_the_catalogs_revision_goes_on_rising(self, store: Store) -> None:
        store.catalog.save(tenant(), override())
        before = store.catalog.revision()

        with self.reopened(store) as again:
            assert again.catalog.revision() == before
            again.catalog.save(tenant("beta"), override())
            assert again.catalog.revision() > before
