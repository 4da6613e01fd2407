"""What tells that the ledger was changed after the fact, and which line was the first.

A chain alone finds what was changed and not hashed anew. Marks (what checkpoints said of its end
at their time) find the rest: a chain that was rewritten whole, cut off, or taken away.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tallystick.domain.checkpoint import (
    Chain,
    ChainEnd,
    Checkpoint,
    Taken,
    Verdict,
    hash_of_checkpoint,
    hash_of_ends,
)
from tallystick.domain.ledger import GENESIS, Entry, Head, hash_of

_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Mark:
    """A line's hash, as the checkpoint of this number has it."""

    hash: str
    number: int


NO_MARKS: Final[Mapping[int, Mark]] = MappingProxyType({})


def first_broken(
    entries: Iterable[Entry], head: Head | None = None, marks: Mapping[int, Mark] = NO_MARKS
) -> str | None:
    """What is wrong with a chain read from its first line, or None: the first line that fails.

    With `head`, a chain that ends before it was once known to end is broken too; with `marks` (by
    line), one that is not what the checkpoints say, though it is sound in itself.
    """
    line, previous, marked = 0, GENESIS, 0
    for entry in entries:
        line += 1
        if entry.line != line:
            return f"line {line} is missing"
        if entry.previous_hash != previous:
            return f"line {line} does not follow the line before it"
        if entry.hash != hash_of(entry):
            return f"line {line} was changed"
        previous = entry.hash
        mark = marks.get(line)
        if mark is not None:
            if mark.hash != entry.hash:
                return _rewritten(marked + 1, line, mark)
            marked = line
    if head is not None and (line, previous) != (head.line, head.hash):
        return f"the chain ends at line {line}, and its head says line {head.line}"
    return _cut_off(line, marks)


def _rewritten(first: int, last: int, mark: Mark) -> str:
    which = f"line {last}" if first == last else f"one of the lines {first} to {last}"
    return f"{which} was changed, and the chain hashed anew: checkpoint {mark.number} tells it"


def _cut_off(line: int, marks: Mapping[int, Mark]) -> str | None:
    beyond = [marked for marked in marks if marked > line]
    if not beyond:
        return None
    last = max(beyond)
    return (
        f"line {line + 1} is missing: the chain ends at line {line}, and checkpoint "
        f"{marks[last].number} has a line {last}"
    )


@dataclass(slots=True)
class Trail:
    """The marks of one chain, 48 bytes each: there may be one for every hour of many years."""

    _lines: "array[int]" = field(default_factory=lambda: array("Q"))
    _numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    _hashes: bytearray = field(default_factory=bytearray)

    def add(self, line: int, mark: Mark) -> None:
        self._lines.append(line)
        self._numbers.append(mark.number)
        self._hashes += bytes.fromhex(mark.hash)

    def __iter__(self) -> Iterator[tuple[int, Mark]]:
        for at, (line, number) in enumerate(zip(self._lines, self._numbers, strict=True)):
            yield line, Mark(self._hash(at), number)

    def marks(self) -> dict[int, Mark]:
        """By line; where two checkpoints differ about a line, what the earlier one said."""
        found: dict[int, Mark] = {}
        for line, mark in self:
            found.setdefault(line, mark)
        return found

    def last(self) -> tuple[int, str]:
        """The line and the hash of the newest mark."""
        return self._lines[-1], self._hash(len(self._lines) - 1)

    def _hash(self, at: int) -> str:
        return self._hashes[at * _HASH_BYTES : (at + 1) * _HASH_BYTES].hex()


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What a series of checkpoints says, and what is wrong with the series itself."""

    faults: list[str] = field(default_factory=list)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    hashes: dict[int, str] = field(default_factory=dict)
    """By number."""
    trails: dict[Chain, Trail] = field(default_factory=dict)

    def marks(self, chain: Chain) -> Mapping[int, Mark]:
        trail = self.trails.get(chain)
        return NO_MARKS if trail is None else trail.marks()


def evidence_of(
    series: Iterable[Taken], verdict_of: Callable[[Checkpoint], Verdict] | None = None
) -> Evidence:
    """Read a series of checkpoints in order. Without `verdict_of` no signature is checked.

    The marks of one that is not as it was taken are left out: they would accuse the wrong line.
    """
    evidence = Evidence()
    before: Checkpoint | None = None
    is_whole = True
    for one in series:
        checkpoint = one.checkpoint
        fault = _fault(one, before) or _unproved(checkpoint, verdict_of, evidence.verdicts)
        if fault:
            evidence.faults.append(f"{checkpoint}: {fault}")
        else:
            _note(one, evidence)
        is_whole = is_whole and one.moved is not None and not fault
        is_whole = is_whole and (before is not None or checkpoint.number == 1)
        before = checkpoint
    if before is not None and is_whole and _ends_hash(evidence) != before.heads_hash:
        evidence.faults.append(f"{before}: a chain that an earlier one has was gone when taken")
    return evidence


def _fault(one: Taken, before: Checkpoint | None) -> str:
    checkpoint = one.checkpoint
    if checkpoint.hash != hash_of_checkpoint(checkpoint):
        return "it was changed"
    ends = one.moved
    if ends is not None and (
        len(ends) != checkpoint.moved or hash_of_ends(ends) != checkpoint.moved_hash
    ):
        return "its heads were changed"
    if before is not None and checkpoint.number != before.number + 1:
        return f"it comes after number {before.number}: some are missing, or two series are mixed"
    if before is not None and checkpoint.previous_hash != before.hash:
        return "it does not follow the one before it"
    if checkpoint.number == 1 and checkpoint.previous_hash != GENESIS:
        return "it does not begin a series"
    return ""


def _unproved(
    checkpoint: Checkpoint,
    verdict_of: Callable[[Checkpoint], Verdict] | None,
    verdicts: Counter[Verdict],
) -> str:
    if verdict_of is None:
        # By a key that nobody named, if any: what it is worth cannot be said.
        verdicts[Verdict.FOREIGN if checkpoint.signature else Verdict.UNSIGNED] += 1
        return ""
    verdict = verdict_of(checkpoint)
    verdicts[verdict] += 1
    return {
        Verdict.TRUE: "",
        Verdict.UNSIGNED: "it is not signed",
        Verdict.FOREIGN: f"it is signed by key {checkpoint.key_id}, which is none of those given",
        Verdict.FALSE: "its signature is false",
    }[verdict]


def _note(one: Taken, evidence: Evidence) -> None:
    number = one.checkpoint.number
    evidence.hashes[number] = one.checkpoint.hash
    for end in one.moved or ():
        evidence.trails.setdefault(end.chain, Trail()).add(end.line, Mark(end.hash, number))


def _ends_hash(evidence: Evidence) -> str:
    ends = ((chain, trail.last()) for chain, trail in sorted(evidence.trails.items()))
    return hash_of_ends(ChainEnd(*chain, *last) for chain, last in ends)


def joined(ours: Evidence, kept: Evidence) -> Evidence:
    """What the store's own checkpoints and a copy kept elsewhere say together.

    The copy is believed first: whoever changed the store could not change it.
    """
    whole = Evidence(faults=[*kept.faults, *ours.faults, *_differences(ours, kept)])
    whole.verdicts = kept.verdicts + ours.verdicts
    whole.hashes = {**ours.hashes, **kept.hashes}
    for part in (kept, ours):
        for chain, trail in part.trails.items():
            joint = whole.trails.setdefault(chain, Trail())
            for line, mark in trail:
                joint.add(line, mark)
    return whole


def _differences(ours: Evidence, kept: Evidence) -> Iterator[str]:
    for number in sorted(ours.hashes.keys() & kept.hashes.keys()):
        if ours.hashes[number] != kept.hashes[number]:
            yield f"checkpoint {number}: the store has another one than the copy"
            return
    last, there = max(ours.hashes, default=0), max(kept.hashes, default=0)
    if there > last:
        yield f"checkpoint {last + 1}: the store's end before it, and the copy's go on to {there}"
