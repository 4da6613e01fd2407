"""Confirm: read what the provider shows, and store what that proves of each slot.

What a reading proves is decided in `domain.reading`; this stage asks for as few totals as it can,
and for whole reading groups, since only their sums can be read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tallystick.domain.instant import DAY, HOUR, floor_hour
from tallystick.domain.publication import Limits, Publication, State, Step, decide
from tallystick.domain.quantity import ZERO
from tallystick.domain.reading import Reading, adopted, verdicts
from tallystick.domain.slot import Mode, Reads, Slot, is_read_alone, reading_group
from tallystick.domain.window import Window
from tallystick.ports import Clock, Due, Publisher, Store
from tallystick.stages.adopting import adopt_group, is_shown, set_again
from tallystick.stages.recounting import pages


@dataclass(kw_only=True)
class Seen:
    """What readings came to, by outcome, and whether any slot can go a further step now."""

    outcomes: Counter[str] = field(default_factory=Counter)
    moved: bool = False


@dataclass(frozen=True, kw_only=True)
class Confirming:
    """Who reads, and by whose clock."""

    store: Store
    publisher: Publisher
    clock: Clock
    limits: Limits

    def read(self, due: Sequence[Due]) -> Seen:
        """Read the totals that decide, and with the same calls those of the same days.

        Raises PublisherUnavailable.
        """
        seen = Seen()
        if not due:
            return seen
        wanted = [*due, *self._neighbours(due)]
        groups = self._groups(wanted)
        readings = self.publisher.totals([d.slot for g in groups.values() for d in g])
        seen.outcomes["adopted"] += sum(self._adopt(groups, reading) for reading in readings)
        pairs = [pair for reading in readings for pair in self._verdicts(groups, reading)]
        stored = self.store.outbox.advance(pairs)
        slots = {one.slot.key: one.slot for group in groups.values() for one in group}
        done: list[Slot] = []
        for (_, after), ours in zip(pairs, stored, strict=True):
            seen.outcomes[after.state if after.state.is_settled else "unseen"] += ours
            slot = slots[after.slot]
            if ours and after.state is State.CONFIRMED and after.total == slot.total:
                done.append(slot)
            else:
                seen.moved |= ours and (after.state.is_settled or not after.resendable)
        # Settling changes neither version nor revision, so these marks need no further round.
        self.store.outbox.clear_due(done)
        seen.outcomes["cleared"] += len(done)
        return seen

    def compare(self, unknown: Iterable[Due], restored_at: int) -> int:
        """Find out what slots hold to which a lost copy may have sent; of how many it is known now.

        Where a value is set and the slot is open it is set again. Else the total is read and
        adopted, once it must show what was sent until the restore. Raises PublisherUnavailable.
        """
        routes, now = self.publisher.routes, self.clock.now()
        set_anew, shown = 0, list[Due]()
        for one in unknown:
            route = routes[one.slot.key.route]
            is_open = now + self.limits.send_timeout < one.slot.place.closes_at
            if route.mode is Mode.ABSOLUTE and is_open:
                set_anew += len(set_again(self.store, one, ZERO, now))
            elif is_shown(route, restored_at, self.limits, now):
                shown.append(one)
        quiet = [g for g in self._groups(shown).values() if all(d.current is None for d in g)]
        if not quiet:
            return set_anew
        groups = {reading_group(routes[g[0].slot.key.route], g[0].slot): g for g in quiet}
        readings = self.publisher.totals([d.slot for g in quiet for d in g])
        for reading in readings:
            adopt_group(self.store, groups[reading.group], reading.total, now)
        return set_anew + len(readings)

    def _neighbours(self, due: Iterable[Due]) -> Iterator[Due]:
        """What was accepted of the same days, and would otherwise be read by calls of its own."""
        routes, now = self.publisher.routes, self.clock.now()
        known = {one.slot.key for one in due}
        for route, destination, counter, day in sorted({_day(one.slot) for one in due}):
            span = Window(day * DAY, (day + 1) * DAY)
            for one in self._slots_in(span, route, destination):
                if one.slot.key in known or one.slot.key.counter != counter or one.current is None:
                    continue
                step = decide(one.slot, one.current, routes[route], self.limits, now)
                if one.current.state is State.ACCEPTED and step is Step.WAIT:
                    yield one

    def _slots_in(self, span: Window, route: str, destination: str) -> Iterator[Due]:
        """The slots of a destination that start in the span."""
        return pages(
            lambda cursor: self.store.outbox.slots(
                route=route, destination=destination, starting=span, cursor=cursor
            )
        )

    def _groups(self, due: Iterable[Due]) -> dict[str, list[Due]]:
        """The slots to read with all others of their reading groups."""
        routes, groups = self.publisher.routes, dict[str, list[Due]]()
        for one in due:
            route = routes[one.slot.key.route]
            group = reading_group(route, one.slot)
            if group in groups:
                continue
            groups[group] = [one] if is_read_alone(route) else self._whole_group(one.slot, group)
        return groups

    def _whole_group(self, slot: Slot, group: str) -> list[Due]:
        key, route = slot.key, self.publisher.routes[slot.key.route]
        hour = Window(floor_hour(key.start), floor_hour(key.start) + HOUR)
        span = slot.place.period if route.reads is Reads.PERIOD else hour
        members = self._slots_in(span, key.route, key.destination)
        return [d for d in members if reading_group(route, d.slot) == group]

    def _verdicts(
        self, groups: dict[str, list[Due]], reading: Reading
    ) -> Iterable[tuple[Publication, Publication]]:
        """What the reading changes in each unsettled publication of its group."""
        members = groups.get(reading.group, [])
        if not members:
            return ()
        route = self.publisher.routes[members[0].slot.key.route]
        return verdicts([(d.slot, d.current) for d in members], reading, route, self.limits)

    def _adopt(self, groups: dict[str, list[Due]], reading: Reading) -> int:
        """Take over what closed slots hold of which nobody knew it; how many."""
        members = [(d.slot, d.current) for d in groups.get(reading.group, [])]
        if not members:
            return 0
        route = self.publisher.routes[members[0][0].key.route]
        found = list(adopted(members, reading, route, self.limits))
        return sum(self.store.outbox.adjust(before, after) for before, after in found)


def _day(slot: Slot) -> tuple[str, str, str, int]:
    """What one call can read at once: a counter's UTC day."""
    key = slot.key
    return key.route, key.destination, key.counter, key.start // DAY
