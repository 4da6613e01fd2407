"""Keyed: API keys are stored once, found by their digest alone, and never come back."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType

import pytest

from tallystick.domain.api_key import ApiKey, Scope, digest_of
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.instant import HOUR
from tallystick.ports import Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.factories import NOON, override

FULL = ApiKey(
    id="aaaa",
    digest=digest_of("first"),
    name="the gateway's, ü",
    scopes=(Scope.INGEST, Scope.READ),
    tenant="acme",
    created_at=NOON,
    expires_at=NOON + HOUR,
    used_at=NOON + 1,
)
OTHER = ApiKey(id="bbbb", digest=digest_of("other"), scopes=(Scope.ADMIN,), created_at=NOON)

KEY_CALLS: Mapping[str, Callable[[Store], object]] = MappingProxyType(
    {
        "add": lambda s: s.keys.add(FULL, override()),
        "find": lambda s: s.keys.find(FULL.digest),
        "list": lambda s: s.keys.list(),
        "revoke": lambda s: s.keys.revoke(FULL.id, NOON, override()),
        "touch": lambda s: s.keys.touch(FULL.id, NOON),
    }
)


class KeyedContract(StoreHooks):
    """The API keys."""

    def test_a_key_reads_back_in_every_field(self, store: Store) -> None:
        assert store.keys.add(FULL, override())
        assert store.keys.add(OTHER, override())

        assert store.keys.find(FULL.digest) == FULL
        assert store.keys.find(OTHER.digest) == OTHER
        assert store.keys.list() == (FULL, OTHER)

    def test_keys_are_still_there_when_the_store_is_opened_again(self, store: Store) -> None:
        store.keys.add(FULL, override())

        with self.reopened(store) as again:
            assert again.keys.list() == (FULL,)

    @pytest.mark.parametrize("digest", ["", "f", FULL.id, FULL.digest[:-1], FULL.digest.upper()])
    def test_only_the_whole_digest_finds_a_key(self, store: Store, digest: str) -> None:
        store.keys.add(FULL, override())

        assert store.keys.find(digest) is None

    def test_a_taken_id_or_digest_changes_nothing(self, store: Store) -> None:
        store.keys.add(FULL, override("first"))

        assert not store.keys.add(replace(OTHER, id=FULL.id), override())
        assert not store.keys.add(replace(OTHER, digest=FULL.digest), override())

        assert store.keys.list() == (FULL,)
        assert [line.why for line in store.catalog.overrides().elements] == ["first"]

    def test_only_the_first_key_is_made_as_the_first(self, store: Store) -> None:
        assert store.keys.add(FULL, override(), only_first=True)
        assert not store.keys.add(OTHER, override(), only_first=True)

        assert store.keys.list() == (FULL,)

    def test_a_revoked_first_key_is_not_followed_by_another_first(self, store: Store) -> None:
        store.keys.add(FULL, override(), only_first=True)
        store.keys.revoke(FULL.id, NOON, override())

        assert not store.keys.add(OTHER, override(), only_first=True)

    def test_of_many_first_keys_one_is_made(self, store: Store) -> None:
        keys = [replace(OTHER, id=f"k{n}", digest=digest_of(str(n))) for n in range(8)]
        with ThreadPoolExecutor(len(keys)) as threads:
            made = threads.map(lambda k: store.keys.add(k, override(), only_first=True), keys)

        assert sum(made) == 1
        assert len(store.keys.list()) == 1

    def test_a_key_is_revoked_once_and_for_ever(self, store: Store) -> None:
        store.keys.add(FULL, override("made"))

        assert store.keys.revoke(FULL.id, NOON + 5, override("leaked"))
        assert not store.keys.revoke(FULL.id, NOON + 9, override("again"))

        assert store.keys.find(FULL.digest) == replace(FULL, revoked_at=NOON + 5)
        assert [line.why for line in store.catalog.overrides().elements] == ["made", "leaked"]

    def test_a_key_that_is_not_there_is_not_revoked(self, store: Store) -> None:
        assert not store.keys.revoke("nobody", NOON, override())
        assert store.catalog.overrides().elements == ()

    def test_the_last_use_never_goes_back(self, store: Store) -> None:
        store.keys.add(OTHER, override())
        for at in (NOON + 7, NOON + 3):
            store.keys.touch(OTHER.id, at)
        store.keys.touch("nobody", NOON)

        assert store.keys.list() == (replace(OTHER, used_at=NOON + 7),)

    @pytest.mark.parametrize("call", KEY_CALLS)
    def test_a_closed_store_answers_nothing_about_keys(self, store: Store, call: str) -> None:
        store.keys.add(FULL, override())
        store.close()

        with pytest.raises(StoreUnavailable):
            KEY_CALLS[call](store)
