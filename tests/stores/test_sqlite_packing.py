"""Keys and fingerprints come out of a segment as they went in, whatever they look like."""

import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.quantity import parse_quantity
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.packing import (
    Column,
    column,
    column_bytes,
    column_of,
    common_prefix,
    dashed_bytes,
    dashed_text,
    hex_bytes,
)
from tallystick.stores.sqlite.segment_columns import (
    Columns,
    in_units,
    pack_reported,
    reported_of,
    unpack_reported,
)
from tallystick.testing.factories import NOON, event, recording

NEAR_UUIDS = st.text("0123456789abcdefABCDEF-", min_size=34, max_size=37)
UUIDS = st.uuids().map(str)
KEYS = st.one_of(UUIDS, NEAR_UUIDS, st.text(max_size=5))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_come_out_as_they_went_in(numbers: list[int]):
    assert list(column_of(column_bytes(column(numbers)))) == numbers


@given(st.lists(st.integers(-(2**15), 2**15 - 1)), st.sampled_from("hiq"))
def test_numbers_that_were_narrow_before_come_out_as_they_went_in(numbers: list[int], code: str):
    assert list(column_of(column_bytes(Column(code, numbers)))) == numbers


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_column_takes_what_its_largest_number_needs(size: int):
    for extreme in (2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1))):
        assert len(column_bytes(column([0, extreme]))) == 1 + 2 * size


@given(st.lists(KEYS, min_size=1))
def test_only_what_comes_out_the_same_is_taken_for_digits(texts: list[str]):
    found = dashed_bytes(texts)

    if found is not None:
        packed, dashes = found
        size = len(packed) // len(texts)
        each = [packed[start : start + size] for start in range(0, len(packed), size)]
        assert [dashed_text(one, dashes) for one in each] == texts


@given(st.lists(UUIDS, min_size=1), st.integers(0, 35))
def test_uuids_and_the_rests_of_uuids_take_a_byte_for_two_digits(texts: list[str], shared: int):
    rests = [text[shared:] for text in texts]
    digits = len(rests[0].replace("-", ""))

    if digits and digits % 2 == 0:
        found = dashed_bytes(rests)
        assert found is not None
        assert len(found[0]) * 2 == digits * len(texts)


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


AMOUNTS = ("1", "0.5", "-7", "0", "0.000000000001", "999999999999999", "-999999999999999.5")


@pytest.mark.parametrize("some", [AMOUNTS[:1], AMOUNTS[:4], AMOUNTS[3:4], AMOUNTS[4:5], AMOUNTS])
def test_quantities_are_read_as_they_were_told(tmp_path: Path, some: tuple[str, ...]):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    told = [event(f"k{n}", quantity=one) for n, one in enumerate(some)]

    store.events.record([recording(one) for one in told], NOON)

    assert [one.quantity for one in store.events.events().elements] == [
        parse_quantity(one) for one in some
    ]
    store.close()


def test_quantities_of_few_bits_take_a_column_of_few_bytes():
    packed = pack_reported(reported_of(told(1_000, [n * 10**12 for n in range(1_000)]), 0, None))

    reported = unpack_reported(packed)
    assert (reported.quantity_unit, reported.quantities.itemsize) == (10**12, 2)


def told(count: int, smallest: list[int]) -> Columns:
    """Events that have nothing but their quantities."""
    keys = [f"{n:032x}" for n in range(count)]
    texts = [""] * count
    return Columns([1] * count, keys, None, texts, *in_units(smallest), texts, [0] * count)
