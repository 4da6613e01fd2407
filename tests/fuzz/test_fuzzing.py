"""Every target on its kept corpus, and on what hypothesis makes of it, in every test run."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
WORDS = [
    line[1:-1].encode().decode("unicode_escape").encode("latin-1")
    for line in (HERE / "words.dict").read_text("ascii").splitlines()
    if line.startswith('"')
]
KEPT_BYTES_MAX = 2_048
KEPT_FILES_MAX = 12

each_target = pytest.mark.parametrize("name", TARGETS)


def kept(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A kept input with a few pieces cut out, put twice, or replaced by words and bytes."""
    found = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(found)))
        end = draw(st.integers(start, min(len(found), start + 40)))
        piece = draw(st.sampled_from(WORDS) | st.binary(max_size=8) | st.just(found[start:end] * 2))
        found = found[:start] + piece + found[end:]
    return found


@each_target
def test_a_kept_input_breaks_nothing(name):
    for raw in kept(name):
        TARGETS[name](raw)


@each_target
def test_what_is_near_a_kept_input_breaks_nothing(name):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(kept(name)))
    def near(raw: bytes) -> None:
        TARGETS[name](raw)

    near()


@each_target
def test_any_bytes_break_nothing(name):
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200))
    def anything(raw: bytes) -> None:
        TARGETS[name](raw)

    anything()


def test_the_corpus_is_small_and_each_part_belongs_to_a_target():
    parts = {path.name: list(path.iterdir()) for path in CORPUS.iterdir()}

    assert set(parts) == set(TARGETS)
    assert max(map(len, parts.values())) <= KEPT_FILES_MAX
    assert [
        file for files in parts.values() for file in files if file.stat().st_size > KEPT_BYTES_MAX
    ] == []


def test_a_broken_promise_is_seen(monkeypatch):
    monkeypatch.setattr("tests.fuzz.texts.parse_quantity", float)

    with pytest.raises((AssertionError, ValueError, TypeError)):
        TARGETS["decimal"](b"999999999999999.999999999999")
