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

TOKEN = ApiKey(
    id="cccc",
    digest=digest_of("token"),
    scopes=(Scope.READ,),
    tenant="acme",
    maker=OTHER.id,
    created_at=NOON,
    expires_at=NOON + HOUR,
)


def token(number: int, **changes: int | str) -> ApiKey:
    """Another token; the higher its number, the later it ends."""
    name = f"t{number}"
    one = replace(TOKEN, id=name, digest=digest_of(name), expires_at=NOON + number)
    return replace(one, **changes)  # type: ignore[arg-type]


KEY_CALLS: Mapping[str, Callable[[Store], object]] = MappingProxyType(
    {
        "add": lambda s: s.keys.add(FULL, override()),
        "find": lambda s: s.keys.find(FULL.digest),
        "list": lambda s: s.keys.list(),
        "revoke": lambda s: s.keys.revoke(FULL.id, NOON, override()),
        "touch": lambda s: s.keys.touch(FULL.id, NOON),
        "purge": lambda s: s.keys.purge(NOON),
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

    def test_a_token_is_found_like_any_key_and_listed_with_its_maker_only(
        self, store: Store
    ) -> None:
        store.keys.add(FULL, override("one"))
        store.keys.add(OTHER, override("two"))

        assert store.keys.add(TOKEN, None)
        assert not store.keys.add(TOKEN, None)

        assert store.keys.find(TOKEN.digest) == TOKEN
        assert store.keys.list() == (FULL, OTHER)
        assert store.keys.list(maker=OTHER.id) == (TOKEN,)
        assert store.keys.list(maker=FULL.id) == ()
        assert [line.why for line in store.catalog.overrides().elements] == ["one", "two"]

    def test_tokens_are_still_there_when_the_store_is_opened_again(self, store: Store) -> None:
        store.keys.add(OTHER, override())
        store.keys.add(TOKEN, None)

        with self.reopened(store) as again:
            assert again.keys.list(maker=OTHER.id) == (TOKEN,)

    @pytest.mark.parametrize(
        "maker",
        [
            None,
            replace(OTHER, revoked_at=NOON),
            replace(OTHER, expires_at=NOON),
            replace(TOKEN, id=OTHER.id, digest="d", maker="dddd"),
        ],
    )
    def test_a_token_is_made_by_a_live_key_of_peoples_only(
        self, store: Store, maker: ApiKey | None
    ) -> None:
        store.keys.add(replace(FULL, id="dddd"), override())
        if maker is not None:
            assert store.keys.add(maker, override())

        assert not store.keys.add(TOKEN, None)
        assert store.keys.find(TOKEN.digest) is None

    def test_a_keys_tokens_are_revoked_with_it_and_no_others(self, store: Store) -> None:
        store.keys.add(FULL, override())
        store.keys.add(OTHER, override())
        for one in (TOKEN, token(1, maker=FULL.id)):
            assert store.keys.add(one, None)

        assert store.keys.revoke(OTHER.id, NOON + 5, override())

        assert store.keys.list(maker=OTHER.id) == (replace(TOKEN, revoked_at=NOON + 5),)
        assert store.keys.list(maker=FULL.id) == (token(1, maker=FULL.id),)
        assert not store.keys.add(token(2), None)

    def test_a_token_that_was_revoked_before_keeps_its_time(self, store: Store) -> None:
        store.keys.add(OTHER, override())
        store.keys.add(TOKEN, None)

        assert store.keys.revoke(TOKEN.id, NOON + 3, override())
        assert store.keys.revoke(OTHER.id, NOON + 5, override())

        assert store.keys.list(maker=OTHER.id) == (replace(TOKEN, revoked_at=NOON + 3),)
        assert store.keys.list() == (replace(OTHER, revoked_at=NOON + 5),)

    def test_expired_tokens_are_taken_out_oldest_first_and_so_many_at_once(
        self, store: Store
    ) -> None:
        store.keys.add(OTHER, override())
        for number in (4, 1, 3, 2, 5):
            store.keys.add(token(number), None)

        taken = [store.keys.purge(NOON + 4, 3), store.keys.purge(NOON + 4, 3)]

        assert taken == [3, 1]
        assert store.keys.list(maker=OTHER.id) == (token(5),)
        assert store.keys.purge(NOON + 4) == 0

    def test_keys_of_people_stay_however_long_they_have_expired(self, store: Store) -> None:
        store.keys.add(FULL, override())
        store.keys.add(replace(OTHER, revoked_at=NOON), override())

        assert store.keys.purge(NOON + 1_000 * HOUR) == 0
        assert len(store.keys.list()) == 2

    def test_after_a_purge_keys_are_still_listed_as_they_were_added(self, store: Store) -> None:
        store.keys.add(OTHER, override())
        store.keys.add(token(1), None)
        store.keys.purge(NOON + HOUR)

        store.keys.add(FULL, override())

        assert store.keys.list() == (OTHER, FULL)

    @pytest.mark.parametrize("call", KEY_CALLS)
    def test_a_closed_store_answers_nothing_about_keys(self, store: Store, call: str) -> None:
        store.keys.add(FULL, override())
        store.close()

        with pytest.raises(StoreUnavailable):
            KEY_CALLS[call](store)
