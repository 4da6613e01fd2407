"""A key has one hash, whether it is hashed alone or with others, in this process or another."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from tallystick.stores.sqlite.key_hashes import FEW, LITTLE, LONG, KeyHash

SALT = bytes(range(16))
KEYS = st.one_of(
    st.uuids().map(str),
    st.text(max_size=8),
    st.text("\0a", max_size=4),
    st.text("aß\ud800", min_size=LONG - 8, max_size=LONG + 8),
)
NAMES = st.sampled_from(("acme", "globex", "ß\ud800", ""))


@given(st.lists(st.tuples(NAMES, KEYS), min_size=FEW, max_size=FEW + 8))
def test_a_key_hashes_alike_alone_and_among_many(named: list[tuple[str, str]]):
    key_hash = KeyHash(SALT)

    openings = [key_hash.opening(tenant) for tenant, _ in named]
    keys = [key for _, key in named]
    many = (key_hash.many(openings, keys), after_many(key_hash).many(openings, keys))

    assert many[0] == many[1] == [KeyHash(SALT)(tenant, key) for tenant, key in named]


def after_many(key_hash: KeyHash) -> KeyHash:
    """One that has hashed so many keys that it does so at once."""
    key_hash.many([0] * LITTLE, ["00"] * LITTLE)
    return key_hash


@given(st.tuples(NAMES, KEYS), st.tuples(NAMES, KEYS))
def test_other_keys_have_other_hashes(one: tuple[str, str], other: tuple[str, str]):
    key_hash = KeyHash(SALT)

    assert (key_hash(*one) == key_hash(*other)) is (one == other)


def test_hashes_are_what_stored_runs_hold():
    key_hash = KeyHash(SALT)
    keys = ["", "a", "a\0", "order 1", "018f3c2a-7b10-7000-8000-000000000001", "ß" * LONG]

    hashes = [key_hash("acme", key) for key in keys]

    assert hashlib.sha256(repr(hashes).encode()).hexdigest()[:16] == "255a8799c10236f8"


def test_keys_of_one_form_spread_over_all_hashes():
    key_hash = after_many(KeyHash(SALT))
    keys = [f"{n:032x}" for n in range(4_096)]

    hashes = key_hash.many([key_hash.opening("acme")] * len(keys), keys)

    assert len(set(hashes)) == len(keys)
    tops = [one >> 44 for one in hashes]
    lows = [one & 15 for one in hashes]
    for nth in range(16):
        assert 150 < tops.count(nth) < 400
        assert 150 < lows.count(nth) < 400
