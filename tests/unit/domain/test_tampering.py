"""Checkpoints: the recipe of their hashes, and what a series of them says of a chain."""

from dataclasses import replace
from hashlib import sha256

import pytest

from tallystick.domain.checkpoint import (
    ChainEnd,
    Checkpoint,
    Taken,
    Verdict,
    checkpoint_of,
    hash_of_checkpoint,
    is_due,
    line_of,
    taken,
)
from tallystick.domain.instant import HOUR, MINUTE, parse_instant
from tallystick.domain.ledger import GENESIS
from tallystick.domain.tampering import Evidence, Mark, Trail, evidence_of, joined

NOON = parse_instant("2026-01-31T12:00:00Z")
A, B, C = "a" * 64, "b" * 64, "c" * 64


def series(*rounds: tuple[tuple[str, int, str], ...]) -> list[Taken]:
    """One checkpoint for each round of (tenant, line, hash)."""
    found: list[Taken] = []
    covered: dict[str, str] = {}
    for number, ends in enumerate(rounds):
        found.append(
            taken(
                [(ChainEnd(t, "calls", n, h), covered.get(t, "")) for t, n, h in ends],
                found[-1].checkpoint if found else None,
                now=NOON + number * HOUR,
                watermark=NOON + number * HOUR - 5 * MINUTE,
                incarnation="here",
                signer=None,
            )
        )
        covered.update({t: h for t, _, h in ends})
    return found


def test_the_hashes_are_made_as_the_page_says():
    first, second = series((("acme", 1, A),), (("acme", 2, B), ("é", 1, C)))
    checkpoint = second.checkpoint

    ends = f'["acme","calls",2,"{B}"]\n["\u00e9","calls",1,"{C}"]\n'
    assert checkpoint.heads_hash == checkpoint.moved_hash == sha256(ends.encode()).hexdigest()
    told = (
        f'{{"chains":2,"format":1,"heads_hash":"{checkpoint.heads_hash}","incarnation":"here",'
        f'"moved":2,"moved_hash":"{checkpoint.moved_hash}","number":2,'
        f'"previous_hash":"{first.checkpoint.hash}","taken_at":"2026-01-31T13:00:00Z",'
        '"watermark":"2026-01-31T12:55:00Z"}'
    )
    assert checkpoint.hash == sha256(told.encode()).hexdigest()
    assert checkpoint.message == f"tallystick checkpoint {checkpoint.hash}".encode()
    assert first.checkpoint.previous_hash == GENESIS


def test_what_did_not_move_is_under_the_hash_and_not_in_the_list():
    _, second = series((("acme", 1, A), ("beta", 1, B)), (("acme", 1, A), ("beta", 2, C)))

    assert [end.tenant for end in second.moved] == ["beta"]
    assert (second.checkpoint.chains, second.checkpoint.moved) == (2, 1)
    assert second.checkpoint.heads_hash != second.checkpoint.moved_hash


def test_one_is_due_once_an_hour_began():
    (one,) = series((("acme", 1, A),))

    assert is_due(None, NOON)
    assert not is_due(one.checkpoint, NOON + 59 * MINUTE)
    assert is_due(one.checkpoint, NOON + HOUR)


def test_a_line_of_a_file_reads_back_with_and_without_its_heads():
    (one,) = series((("acme", 1, A),))

    assert checkpoint_of(line_of(one)) == one
    assert checkpoint_of(line_of(Taken(one.checkpoint))) == Taken(one.checkpoint)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"more": 1},
        {"number": "1"},
        {"number": True},
        {"number": -1},
        {"taken_at": "yesterday"},
        {"hash": A.upper()},
        {"key_id": "x"},
        {"signature": "AAAA"},
        {"heads": {}},
        {"heads": [["acme", "calls", 0, A]]},
        {"heads": [["acme", "calls", True, A]]},
        {"heads": [["acme", "calls", 1]]},
    ],
    ids=str,
)
def test_what_is_no_checkpoint_is_refused(change):
    (one,) = series((("acme", 1, A),))

    with pytest.raises(ValueError, match=r"\w"):
        checkpoint_of({**line_of(one), **change})


@pytest.mark.parametrize("name", [n for n in Checkpoint.__slots__ if n not in ("hash", "key_id")])
def test_every_field_is_under_the_hash(name):
    (one,) = series((("acme", 1, A),))
    value = getattr(one.checkpoint, name)
    other = replace(one.checkpoint, **{name: f"{value}0" if isinstance(value, str) else value + 1})

    assert (hash_of_checkpoint(other) == one.checkpoint.hash) is (name == "signature")


def test_of_two_checkpoints_that_differ_about_a_line_the_earlier_is_believed():
    evidence = evidence_of(series((("acme", 1, A),), (("acme", 1, B),)))

    assert evidence.faults == []
    assert evidence.marks(("acme", "calls")) == {1: Mark(A, 1)}


def test_a_copy_is_believed_before_the_stores_own():
    ours = evidence_of(series((("acme", 1, B),)))
    kept = evidence_of(series((("acme", 1, A),)))

    whole = joined(ours, kept)

    assert whole.marks(("acme", "calls")) == {1: Mark(A, 1)}
    assert whole.faults == ["checkpoint 1: the store has another one than the copy"]


def test_a_chain_that_was_gone_when_a_later_checkpoint_was_taken_is_told():
    (fault,) = evidence_of(series((("acme", 1, A), ("beta", 1, B)), (("acme", 1, A),))).faults

    assert "was gone when taken" in fault


def test_a_series_that_begins_later_is_taken_as_it_is():
    _, second, third = series((("acme", 1, A),), (("acme", 2, B),), (("acme", 3, C),))

    assert evidence_of([second, third]).faults == []
    assert "some are missing" in evidence_of([second, second]).faults[0]


def test_marks_of_a_checkpoint_that_nobody_signed_are_not_believed():
    found = series((("acme", 1, A),))

    evidence = evidence_of(found, lambda _: Verdict.UNSIGNED)

    assert evidence.faults == [f"{found[0].checkpoint}: it is not signed"]
    assert evidence.marks(("acme", "calls")) == {}
    assert evidence.hashes == {}


def test_a_trail_takes_48_bytes_a_mark():
    trail = Trail()
    for line in range(1, 1_001):
        trail.add(line, Mark(A, line))

    assert list(trail)[-1] == (1_000, Mark(A, 1_000))
    sizes = trail._lines.itemsize, trail._numbers.itemsize, len(trail._hashes) // 1_000
    assert sum(sizes) == 48


def test_without_any_checkpoint_there_is_no_mark():
    assert evidence_of([]) == Evidence()
