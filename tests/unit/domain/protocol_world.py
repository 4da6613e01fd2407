"""One slot, its store, a provider, two workers and all that can go wrong between them.

A world is a value; `moves` lists every world that can come next. The store is what ports.Outbox
promises, the decisions are the real ones. Faults and ledger changes come from a budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from tallystick.domain import publication as rules
from tallystick.domain import reading as evidence
from tallystick.domain.instant import DAY, HOUR
from tallystick.domain.publication import Answer, Limits, Outcome, Publication, State, Step
from tallystick.domain.slot import Place, Route, Slot, SlotKey
from tallystick.domain.window import Window

LIMITS = Limits()
FORGETS_AFTER = 24 * HOUR
START = 1_000 * DAY
PLACE = Place(
    SlotKey("r", "a", "d", "c", START), START, Window(START, START + 400 * DAY), START + 400 * DAY
)
TOTALS = (Decimal(0), Decimal(1), Decimal(2))


@dataclass(frozen=True, slots=True)
class World:
    """`held` is what the provider holds, `past` what it held until when, `known` the identifiers
    it remembers and since when, `saved` those that it answers with a failure for ever. `flying`
    are requests under way with the instant by which they have landed or died; `asleep` a sender
    that has claimed and not sent; `noted` a reading that was taken and not made use of yet;
    `second` another record for a slot that takes one."""

    slot: Slot
    route: Route
    now: int = START
    current: Publication | None = None
    held: Decimal = Decimal(0)
    past: tuple[tuple[int, Decimal], ...] = ()
    known: tuple[tuple[str, int], ...] = ()
    saved: frozenset[str] = frozenset()
    flying: tuple[tuple[Publication, int], ...] = ()
    asleep: Publication | None = None
    noted: tuple[Decimal, int] | None = None
    reached: frozenset[Decimal] = frozenset({Decimal(0)})
    second: Decimal | None = None
    faults: int = 0
    changes: int = 0
    jumps: int = 0

    @property
    def wrong(self) -> str:
        """What is broken in this world, or ''."""
        if self.held not in self.reached:
            return f"the provider holds {self.held}, which no ledger state was"
        if self.second is not None:
            return f"a second record, {self.second}, is sent to the slot that has {self.held}"
        slot = self.slot
        if self.current is None and slot.confirmed is not None and slot.confirmed != self.held:
            return f"{slot.confirmed} is confirmed, and the provider holds {self.held}"
        return ""


def first_world(route: Route, *, faults: int, changes: int, jumps: int) -> World:
    slot = Slot(place=PLACE, total=Decimal(1), version=1)
    reached = frozenset({Decimal(0), slot.total})
    return World(slot, route, reached=reached, faults=faults, changes=changes, jumps=jumps)


# ── The store: each write on the condition of what was read ─────────────────────────────────────


def with_intent(world: World, fresh: Publication) -> World | None:
    slot = world.slot
    if slot.unsettled or fresh.slot_revision != slot.revision + 1:
        return None
    if fresh.slot_version != slot.version:
        return None
    taken = replace(slot, revision=fresh.slot_revision, unsettled=fresh.identifier)
    return replace(world, slot=taken, current=fresh)


def advanced(world: World, before: Publication, after: Publication) -> World:
    """The world with `after` stored; unchanged where somebody else was first."""
    stored = world.current
    if stored is None or (stored.identifier, stored.step) != (before.identifier, before.step):
        return world
    after = replace(after, answer="")
    if not after.state.is_settled:
        return replace(world, current=after)
    slot = world.slot
    freed = replace(
        slot,
        confirmed=evidence.confirmed_after(after, slot),
        earlier=(*slot.earlier, after.total),
        unsettled=None,
    )
    return replace(world, slot=freed, current=None)


# ── The provider ────────────────────────────────────────────────────────────────────────────────


def landed(world: World, sent: Publication, *, counts: bool = True) -> tuple[World, Outcome]:
    """The request arrives: the world after it, and the provider's answer."""
    if world.route.mode is rules.Mode.ONCE:
        return _landed_once(world, sent, counts=counts)
    known = dict(world.known)
    first = known.get(sent.identifier)
    if first is not None and world.now < first + FORGETS_AFTER:
        failed = sent.identifier in world.saved
        return world, Outcome.FAILED if failed else Outcome.KNOWN
    known[sent.identifier] = world.now
    after = replace(world, known=tuple(sorted(known.items())))
    if not counts:
        return after, Outcome.ACCEPTED
    adds = world.route.mode is rules.Mode.DELTA
    held = world.held + sent.value if adds else sent.value
    past = (*world.past, (world.now, world.held)) if held != world.held else world.past
    return replace(after, held=held, past=past), Outcome.ACCEPTED


def _landed_once(world: World, sent: Publication, *, counts: bool) -> tuple[World, Outcome]:
    """The first record stays, the same again is as good; a refusal is remembered nowhere."""
    if not counts:
        return world, Outcome.REFUSED
    if world.held in (0, sent.value):
        return replace(world, held=sent.value), Outcome.COUNTED
    return replace(world, second=sent.value), Outcome.MISMATCH


def shown(world: World) -> set[Decimal]:
    """What a total read now can be: what is held, or was within the lag of the summaries."""
    since = world.now - LIMITS.summary_lag
    return {world.held} | {held for until, held in world.past if until > since}


def told(world: World, sent: Publication, outcome: Outcome) -> World:
    answer = Answer(outcome)
    return advanced(world, sent, rules.answered(sent, answer, LIMITS, world.now))


def delivered(world: World, sent: Publication) -> World:
    """Sent, landed and answered without a fault."""
    after, outcome = landed(world, sent)
    return told(after, sent, outcome)


def sendings(world: World, sent: Publication) -> Iterator[tuple[str, World]]:
    """Everything that can come of an attempt that was claimed."""
    yield "sent", delivered(world, sent)
    if not world.faults:
        return
    world = replace(world, faults=world.faults - 1)
    there = landed(world, sent)[0]
    saved = replace(there, saved=there.saved | {sent.identifier})
    nowhere = landed(world, sent, counts=False)[0]
    nothing = replace(nowhere, saved=nowhere.saved | {sent.identifier})
    yield "answer lost", told(there, sent, Outcome.UNKNOWN)
    yield "crashed after sending", there
    yield "crashed before sending", world
    yield "line cut", told(world, sent, Outcome.UNKNOWN)
    under_way = replace(world, flying=(*world.flying, (sent, sent.deadline + LIMITS.transport)))
    yield "under way", told(under_way, sent, Outcome.UNKNOWN)
    yield "under way, and crashed", under_way
    yield "5xx after the effect", told(saved, sent, Outcome.FAILED)
    yield "5xx before the effect", told(nothing, sent, Outcome.FAILED)
    yield "accepted and dropped", told(nowhere, sent, Outcome.ACCEPTED)
    yield "refused", told(world, sent, Outcome.REFUSED)
    yield "turned away", told(world, sent, Outcome.BUSY)
    if world.asleep is None:
        yield "fell asleep", replace(world, asleep=sent)


# ── What can happen next ────────────────────────────────────────────────────────────────────────


def read_as(world: World, seen: Decimal, at: int) -> World:
    current = world.current
    if current is None:
        return world
    after = evidence.read(world.slot, current, seen, at=at, route=world.route, limits=LIMITS)
    return advanced(world, current, after)


def next_step(world: World) -> Step:
    return rules.decide(world.slot, world.current, world.route, LIMITS, world.now)


def work(world: World) -> Iterator[tuple[str, World]]:
    """What a worker that looks at the slot now does."""
    step, slot, current = next_step(world), world.slot, world.current
    if step is Step.INTEND:
        fresh = rules.intended(slot, world.route, "here", LIMITS, world.now)
        stored = with_intent(world, fresh)
        if stored is not None:
            yield from sendings(stored, fresh)
    elif current is not None and step is Step.SEND:
        claim = rules.claimed(current, LIMITS, world.now)
        yield from sendings(advanced(world, current, claim), claim)
    elif current is not None and step is Step.SUPERSEDE:
        yield "superseded", advanced(world, current, rules.superseded(current, world.now))
    elif step is Step.CLOSED and slot.is_spent(world.route):
        yield "gone to a later slot", gone_later(world)
    elif current is not None and step is Step.ASK:
        yield from asked(world, current)
    elif step is Step.READ or (current is not None and current.state is State.ACCEPTED):
        # An accepted one that waits is read along with others of its day.
        for seen in sorted(shown(world)):
            yield f"read {seen}", read_as(world, seen, world.now)


def gone_later(world: World) -> World:
    """What the slot does not take is in another one; what it took is given back to it."""
    slot = world.slot
    assert slot.confirmed is not None
    total = slot.confirmed
    return replace(world, slot=replace(slot, total=total, version=slot.version + 1))


def asked(world: World, current: Publication) -> Iterator[tuple[str, World]]:
    """A person looks when nothing is under way any more, and says what is there."""
    if world.now > rules.landed_by(current, LIMITS) and not world.flying:
        arrived = world.held == current.total
        after = rules.settled_by_person(current, arrived=arrived, why="seen", now=world.now)
        yield "a person said", advanced(world, current, after)


def environment(world: World) -> Iterator[tuple[str, World]]:
    if world.changes:
        for total in TOTALS:
            if total != world.slot.total:
                slot = replace(world.slot, total=total, version=world.slot.version + 1)
                reached = world.reached | {total}
                yield (
                    f"ledger {total}",
                    replace(world, slot=slot, reached=reached, changes=world.changes - 1),
                )
    for index, (sent, _) in enumerate(world.flying):
        rest = world.flying[:index] + world.flying[index + 1 :]
        yield "landed late", landed(replace(world, flying=rest), sent)[0]
    sent = world.asleep
    if sent is not None:
        awake = replace(world, asleep=None)
        in_time = world.now < sent.deadline
        yield "woke", delivered(awake, sent) if in_time else told(awake, sent, Outcome.BUSY)
    if world.noted is not None:
        yield "used the reading", read_as(replace(world, noted=None), *world.noted)
    elif world.faults and world.current is not None:
        for seen in sorted(shown(world)):
            noted = replace(world, noted=(seen, world.now), faults=world.faults - 1)
            yield f"noted {seen}", noted


def instants(world: World) -> list[int]:
    """The later instants at which something can change, the next of them first."""
    current, lag = world.current, LIMITS.summary_lag
    found = {until + lag for until, _ in world.past}
    if world.known:
        found.add(max(first for _, first in world.known) + FORGETS_AFTER)
    if current is not None:
        quiet = current.deadline + LIMITS.transport
        found |= {current.deadline, current.next_at, current.read_from, quiet, quiet + lag}
        found.add(current.last_attempt_at + lag)
        found.add(current.first_attempt_at + LIMITS.resend_for - 2 * LIMITS.send_timeout)
        if current.absent_at is not None:
            found.add(current.absent_at + LIMITS.absence_gap)
    return sorted(instant for instant in found if instant > world.now)


def later(world: World, now: int) -> World:
    """The world at `now`: what was under way for too long is gone, what is old is forgotten."""
    return replace(
        world,
        now=now,
        flying=tuple(one for one in world.flying if one[1] >= now),
        past=tuple(one for one in world.past if one[0] > now - LIMITS.summary_lag),
    )


def moves(world: World) -> Iterator[tuple[str, World]]:
    yield from work(world)
    yield from environment(world)
    for now in instants(world) if world.jumps else ():
        name = f"+{(now - world.now) / HOUR:.2f} h"
        yield name, replace(later(world, now), jumps=world.jumps - 1)


def converged(world: World, steps: int = 600) -> str:
    """Why the slot does not come to rest on the last total with faults off; '' if it does."""
    world = replace(world, faults=0, changes=0, noted=None, asleep=None)
    for sent, _ in world.flying:
        world = landed(world, sent)[0]
    world = replace(world, flying=())
    for _ in range(steps):
        if world.wrong:
            return world.wrong
        step, slot = next_step(world), world.slot
        if step is Step.CLEAR:
            return "" if world.held == slot.total else f"cleared while {world.held} is held"
        if step is Step.WAIT:
            world = later(world, _next_pass(world))
        elif step is Step.ASK and not list(work(world)):
            world = later(world, world.now + HOUR)
        elif step is Step.READ and world.current is not None:
            world = read_as(world, world.held, world.now)
        else:
            world = next(iter(work(world)))[1]
    return f"after {steps} steps: {world.current}"


def _next_pass(world: World) -> int:
    """When the next hourly pass finds something to do."""
    current = world.current
    assert current is not None
    due = max(current.next_at, current.deadline)
    if current.state is State.ACCEPTED and due <= world.now:
        due = current.read_from
    return due if due > world.now else world.now + HOUR
