"""Keys and fingerprints come out of a segment as they went in, whatever they look like."""

import uuid
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.packing import common_prefix, hex_bytes, uuid_bytes, uuid_texts
from tallystick.testing.factories import NOON, event, recording

NEAR_UUIDS = st.text("0123456789abcdefABCDEF-", min_size=34, max_size=37)
UUIDS = st.uuids().map(str)
KEYS = st.one_of(UUIDS, NEAR_UUIDS, st.text(max_size=5))


@given(st.lists(KEYS, min_size=1))
def test_only_what_comes_out_the_same_is_taken_for_uuids(texts: list[str]):
    packed = uuid_bytes(texts)

    assert packed is None or uuid_texts(packed) == texts


@given(st.lists(UUIDS, min_size=1))
def test_uuids_take_sixteen_bytes(texts: list[str]):
    assert len(uuid_bytes(texts) or b"") == 16 * len(texts)


@given(st.lists(st.text("0123456789abcdefAB", max_size=6), min_size=1))
def test_only_what_comes_out_the_same_is_taken_for_hex_digits(texts: list[str]):
    packed = hex_bytes(texts, 2)

    if packed is not None:
        assert [packed[n : n + 2].hex() for n in range(0, len(packed), 2)] == texts


@given(st.lists(st.text("ab", max_size=4), min_size=1))
def test_a_common_prefix_is_the_longest_that_all_have(texts: list[str]):
    prefix = common_prefix(texts)

    assert all(text.startswith(prefix) for text in texts)
    longer = {text[: len(prefix) + 1] for text in texts}
    assert len(longer) > 1 or longer == {prefix}


def test_keys_of_every_form_are_read_as_they_were_told(tmp_path: Path):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    forms = (
        [str(uuid.UUID(int=n * 7**40 % 2**128)) for n in range(50)],
        [f"3:svc36:{uuid.UUID(int=n * 11**36 % 2**128)}" for n in range(50)],
        [f"{n:032x}" for n in range(50)],
        [f"order {n} \u00e9\n" for n in range(50)],
    )
    for keys in forms:
        store.events.record([recording(event(key)) for key in keys], NOON)

    stored = [found.key for found in store.events.events().elements]
    assert stored == [key for keys in forms for key in keys]
    store.close()
