"""Keys and fingerprints come out of a segment as they went in, whatever they look like."""

import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.packing import (
    column,
    column_bytes,
    column_of,
    common_prefix,
    dashed_bytes,
    dashed_text,
    dashes_of,
    hex_bytes,
)
from tallystick.testing.factories import NOON, event, recording

NEAR_UUIDS = st.text("0123456789abcdefABCDEF-", min_size=34, max_size=37)
UUIDS = st.uuids().map(str)
KEYS = st.one_of(UUIDS, NEAR_UUIDS, st.text(max_size=5))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_come_out_as_they_went_in(numbers: list[int]):
    assert list(column_of(column_bytes(column(numbers)))) == numbers


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_column_takes_what_its_largest_number_needs(size: int):
    for extreme in (2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1))):
        assert len(column_bytes(column([0, extreme]))) == 1 + 2 * size


@given(st.lists(KEYS, min_size=1))
def test_only_what_comes_out_the_same_is_taken_for_digits(texts: list[str]):
    dashes = dashes_of(texts)

    if dashes is not None:
        packed = dashed_bytes(texts)
        size = len(packed) // len(texts)
        each = [packed[start : start + size] for start in range(0, len(packed), size)]
        assert [dashed_text(one, dashes) for one in each] == texts


@given(st.lists(UUIDS, min_size=1), st.integers(0, 35))
def test_uuids_and_the_rests_of_uuids_take_a_byte_for_two_digits(texts: list[str], shared: int):
    rests = [text[shared:] for text in texts]
    digits = len(rests[0].replace("-", ""))

    if digits and digits % 2 == 0:
        assert dashes_of(rests) is not None
        assert len(dashed_bytes(rests)) * 2 == digits * len(texts)


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
        [f"018f3c2a-7b1{n:x}-7000-8000-{n * 7**12:012x}" for n in range(16)],
        [f"{n:03d}" for n in range(50)],
        [f"order {n} \u00e9\n" for n in range(50)],
    )
    for keys in forms:
        store.events.record([recording(event(key)) for key in keys], NOON)

    stored = [found.key for found in store.events.events().elements]
    assert stored == [key for keys in forms for key in keys]
    store.close()
