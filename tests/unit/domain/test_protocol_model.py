"""Explore what two workers, a ledger and a faulty provider can do to one slot.

After every move the provider holds a total that the ledger had, and what is confirmed is held;
from every world seen, with faults off, the slot comes to rest on the last total. Each rule that
is taken away on purpose is missed at once: the exploration can fail.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from tallystick.domain import publication as rules
from tallystick.domain import reading as evidence
from tallystick.domain.publication import Outcome, State, Step
from tallystick.domain.slot import Mode, Reads, Route, Slot
from tests.unit.domain import protocol_world
from tests.unit.domain.protocol_world import World, converged, first_world, moves

ABSOLUTE = Route(name="absolute", mode=Mode.ABSOLUTE, hourly=True)
DELTA = Route(name="delta", mode=Mode.DELTA, hourly=False)
ONCE = Route(name="once", mode=Mode.ONCE, hourly=True, reads=Reads.NOTHING)
EACH_MODE = pytest.mark.parametrize("route", [ABSOLUTE, DELTA, ONCE], ids=lambda route: route.name)


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 (a test must be repeatable)


def explored(first: World, most: int, dice: Random | None = None) -> Iterator[tuple[World, str]]:
    """Each world once, with what led to it: in breadth, or with dice in random depth."""
    seen: dict[World, tuple[str, World | None]] = {first: ("", None)}
    open_worlds = deque([first])
    while open_worlds and len(seen) < most:
        world = open_worlds.pop() if dice else open_worlds.popleft()
        following = list(moves(world))
        if dice:
            dice.shuffle(following)
        for name, after in following:
            if after not in seen:
                seen[after] = (name, world)
                open_worlds.append(after)
                yield after, _trace(seen, after) if after.wrong else ""


def _trace(seen: dict[World, tuple[str, World | None]], world: World) -> str:
    names, at = [world.wrong], world
    while (before := seen[at][1]) is not None:
        names.append(seen[at][0])
        at = before
    return ", ".join(reversed(names))


def first_wrong(first: World, most: int, dice: Random | None = None) -> str:
    return next((trace for _, trace in explored(first, most, dice) if trace), "")


@EACH_MODE
def test_one_fault_never_makes_the_provider_hold_what_the_ledger_never_said(route):
    first = first_world(route, faults=1, changes=1, jumps=3)

    assert first_wrong(first, most=12_000) == ""


@EACH_MODE
@pytest.mark.parametrize("seed", range(3))
def test_deep_histories_of_several_faults_stay_right(route, seed):
    first = first_world(route, faults=3, changes=3, jumps=10)

    assert first_wrong(first, most=5_000, dice=seeded(seed)) == ""


@EACH_MODE
def test_with_faults_off_every_world_comes_to_rest_on_the_last_total(route):
    breadth = explored(first_world(route, faults=1, changes=1, jumps=2), most=2_000)
    depth = explored(first_world(route, faults=2, changes=2, jumps=8), most=5_000, dice=seeded(7))
    worlds = [world for world, _ in (*breadth, *depth)][::25]

    assert len(worlds) > 200
    assert [why for world in worlds if (why := converged(world))] == []


# ── Each rule taken away ────────────────────────────────────────────────────────────────────────

answered, decide = rules.answered, rules.decide


def unknown_is_rejected(current, answer, limits, now):
    if answer.outcome is not Outcome.UNKNOWN:
        return answered(current, answer, limits, now)
    return replace(current, state=State.REJECTED, settled_at=now, step=current.step + 1)


def refusal_is_believed(current, answer, limits, now):
    alone = replace(current, doubts=1) if answer.outcome is Outcome.REFUSED else current
    return answered(alone, answer, limits, now)


def resent_for_ever(current, limits, now):
    return current.resendable


def absent_at_first_sight(current, seen, at, route, limits):
    return seen == current.before


def absent_without_a_wait(current, seen, at, route, limits):
    apart = current.absent_at is not None and at >= current.absent_at + limits.absence_gap
    return apart and current.absent == seen == current.before


def absent_since_the_last_attempt(current, seen, at, route, limits):
    waited = at >= current.last_attempt_at + limits.summary_lag
    return waited and absent_without_a_wait(current, seen, at, route, limits)


def always_fresh(slot, current, route):
    return True


def intends_at_once(slot, current, route, limits, now):
    if current is not None and slot.total != current.total:
        return Step.INTEND
    return decide(slot, current, route, limits, now)


def never_spent(slot, route):
    return False


def stored_unseen(world, fresh):
    """An intend that looks neither at the version nor at what is unsettled."""
    if fresh.slot_revision != world.slot.revision + 1:
        return None
    slot = replace(world.slot, revision=fresh.slot_revision, unsettled=fresh.identifier)
    return replace(world, slot=slot, current=fresh)


TAKEN_AWAY = {
    "a new identifier at once": (DELTA, (1, 0), [(rules, "answered", unknown_is_rejected)]),
    "a refusal is a verdict": (DELTA, (2, 0), [(rules, "answered", refusal_is_believed)]),
    "no end of resending": (DELTA, (1, 0), [(rules, "_may_send", resent_for_ever)]),
    "one reading is absence": (
        DELTA,
        (1, 0),
        [(evidence, "_proves_absence", absent_at_first_sight)],
    ),
    "no wait for absence": (DELTA, (1, 0), [(evidence, "_proves_absence", absent_without_a_wait)]),
    "48 h from the last attempt": (
        DELTA,
        (1, 0),
        [(evidence, "_proves_absence", absent_since_the_last_attempt)],
    ),
    "every total is fresh": (DELTA, (1, 1), [(evidence, "is_fresh", always_fresh)]),
    "every absolute total is fresh": (ABSOLUTE, (1, 1), [(evidence, "is_fresh", always_fresh)]),
    "a second record for a slot": (ONCE, (0, 1), [(Slot, "is_spent", never_spent)]),
    "a lost answer is a verdict": (ONCE, (1, 1), [(rules, "answered", unknown_is_rejected)]),
    "a later refusal is a verdict": (ONCE, (2, 1), [(rules, "answered", refusal_is_believed)]),
    "two at once": (
        ABSOLUTE,
        (1, 1),
        [(rules, "decide", intends_at_once), (protocol_world, "with_intent", stored_unseen)],
    ),
}
"""By name: the mode, the (faults, ledger changes) that show it, what is weakened."""


@pytest.mark.parametrize("name", TAKEN_AWAY)
def test_the_exploration_misses_each_rule_that_is_taken_away(name, monkeypatch):
    route, (faults, changes), weakened = TAKEN_AWAY[name]
    for module, attribute, weaker in weakened:
        monkeypatch.setattr(module, attribute, weaker)

    first = first_world(route, faults=faults, changes=changes, jumps=3)

    assert first_wrong(first, most=20_000)
