"""Checkpointed: the ends of all chains are listed, and checkpoints are kept in one series."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType

import pytest

from tallystick.domain.checkpoint import ChainEnd, Taken, hash_of_checkpoint, taken
from tallystick.domain.errors import InvalidSetting, StoreUnavailable
from tallystick.domain.instant import HOUR
from tallystick.domain.ledger import GENESIS
from tallystick.ports import Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import every, next_checkpoint, report, seal
from tallystick.testing.factories import (
    ELEVEN,
    NEXT_HOUR,
    NOON,
    aggregate_key,
    event,
    meter,
    place,
)


def two_chains(store: Store) -> None:
    report(store, event("e1", 5), event("e1", 2, tenant="beta"))
    seal(store)
    seal(store, aggregate_key("beta"), into=place(destination="cus_beta"))


def end_of(store: Store, tenant: str, meter_id: str = "requests") -> ChainEnd:
    head = store.ledger.head(tenant, meter_id)
    return ChainEnd(tenant, meter_id, head.line, head.hash)


UNSEEN = taken([], None, now=NOON, watermark=NOON, incarnation="x", signer=None).checkpoint
CHECKPOINT_CALLS: Mapping[str, Callable[[Store], object]] = MappingProxyType(
    {
        "ends": lambda s: s.checkpoints.ends(),
        "keep": lambda s: s.checkpoints.keep(Taken(UNSEEN, ())),
        "last": lambda s: s.checkpoints.last(),
        "list": lambda s: s.checkpoints.list(),
        "moved": lambda s: s.checkpoints.moved(1),
    }
)


class CheckpointedContract(StoreHooks):
    """The checkpoints."""

    def test_an_empty_store_has_no_end_and_no_checkpoint(self, store: Store) -> None:
        assert store.checkpoints.ends().elements == ()
        assert store.checkpoints.last() is None
        assert store.checkpoints.list() == ()
        assert store.checkpoints.moved(1) == ()

    def test_the_end_of_every_chain_is_listed_in_order(self, store: Store) -> None:
        two_chains(store)
        report(store, event("e2", 1), meters=(meter("other"),))
        seal(store, aggregate_key(meter="other"), into=place(counter="other"))

        ends = [end_of(store, "acme", "other"), end_of(store, "acme"), end_of(store, "beta")]
        assert every(store.checkpoints.ends) == [(end, "") for end in ends]
        first = store.checkpoints.ends(limit=2)
        assert [end for end, _ in first.elements] == ends[:2]
        assert [e for e, _ in store.checkpoints.ends(cursor=first.cursor).elements] == ends[2:]

    def test_a_checkpoint_reads_back_in_every_field(self, store: Store) -> None:
        two_chains(store)
        one = next_checkpoint(store)
        signed = replace(one.checkpoint, key_id="0" * 16, signature="A" * 86 + "==")

        assert store.checkpoints.keep(Taken(signed, one.moved))

        assert store.checkpoints.last() == signed
        assert store.checkpoints.list() == (signed,)
        assert store.checkpoints.moved(1) == (end_of(store, "acme"), end_of(store, "beta"))
        with self.reopened(store) as again:
            assert again.checkpoints.last() == signed
            assert again.checkpoints.moved(1) == one.moved

    def test_the_next_checkpoint_names_only_what_moved(self, store: Store) -> None:
        two_chains(store)
        store.checkpoints.keep(next_checkpoint(store))
        covered = dict(every(store.checkpoints.ends))
        assert covered == {end: end.hash for end in covered}
        report(store, event("e2", 3, occurred_at=ELEVEN))
        seal(store, aggregate_key(window=NEXT_HOUR), into=place(at=ELEVEN))

        second = next_checkpoint(store, NOON + HOUR)
        assert store.checkpoints.keep(second)

        assert store.checkpoints.moved(2) == (end_of(store, "acme"),)
        assert (second.checkpoint.chains, second.checkpoint.moved) == (2, 1)
        assert [c.number for c in store.checkpoints.list()] == [1, 2]
        assert [c.number for c in store.checkpoints.list(after=1)] == [2]
        assert [c.number for c in store.checkpoints.list(limit=1)] == [1]

    def test_a_checkpoint_that_is_kept_again_is_there_once(self, store: Store) -> None:
        two_chains(store)
        one = next_checkpoint(store)

        assert store.checkpoints.keep(one)
        assert store.checkpoints.keep(one)

        assert store.checkpoints.list() == (one.checkpoint,)

    @pytest.mark.parametrize(
        "change",
        [{"number": 1}, {"number": 3}, {"previous_hash": GENESIS}, {"previous_hash": "f" * 64}],
        ids=str,
    )
    def test_what_does_not_follow_the_last_is_refused(
        self, store: Store, change: Mapping[str, str | int]
    ) -> None:
        two_chains(store)
        first = next_checkpoint(store)
        store.checkpoints.keep(first)
        other = replace(next_checkpoint(store, NOON + HOUR).checkpoint, **change)  # type: ignore[arg-type]
        other = replace(other, hash=hash_of_checkpoint(other))

        assert not store.checkpoints.keep(Taken(other, ()))

        assert store.checkpoints.list() == (first.checkpoint,)

    def test_of_many_that_take_one_at_once_one_does(self, store: Store) -> None:
        two_chains(store)
        made = [next_checkpoint(store, NOON + at) for at in range(8)]
        with ThreadPoolExecutor(len(made)) as threads:
            kept = list(threads.map(store.checkpoints.keep, made))

        assert sum(kept) == 1
        assert store.checkpoints.list() == (made[kept.index(True)].checkpoint,)

    def test_a_wrong_cursor_of_ends_is_refused(self, store: Store) -> None:
        two_chains(store)
        with pytest.raises(InvalidSetting, match="cursor"):
            store.checkpoints.ends(cursor='["acme", 1]')

    @pytest.mark.parametrize("call", CHECKPOINT_CALLS)
    def test_a_closed_store_answers_nothing_about_checkpoints(
        self, store: Store, call: str
    ) -> None:
        store.close()

        with pytest.raises(StoreUnavailable):
            CHECKPOINT_CALLS[call](store)
