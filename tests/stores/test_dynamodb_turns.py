"""Writers of one Aggregate in DynamoDB take turns, and nobody waits for the dead for ever.

The table is a stand-in that keeps conditions as DynamoDB does; `tests/aws/test_crowds.py` asks
DynamoDB itself.
"""

from collections.abc import Callable, Sequence

import pytest

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.event import Receipt
from tallystick.ports import Recorded
from tallystick.stores.dynamodb import turns
from tallystick.stores.dynamodb.event_logs import EventLogs
from tallystick.stores.dynamodb.event_rows import Line, aggregate_of, line_of
from tallystick.stores.dynamodb.events import DynamoEventLog
from tallystick.stores.dynamodb.layout import Place, aggregate_place
from tallystick.stores.dynamodb.letters import Letters
from tallystick.stores.dynamodb.listing import Directory
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Item, Refused, Write
from tallystick.stores.dynamodb.turns import ALONE_MAX, LOOKS_MAX, has_come, seconds_to_look
from tallystick.testing.factories import NOON, aggregate_key, event, meter, recording

TWO_METERS = (meter("bytes", code="requests"), meter())


class StandIn:
    """A table in memory, for all its writers; `before` is called before each write."""

    name = "stand-in"

    def __init__(self, items: dict[Place, Item] | None = None) -> None:
        self.items = {} if items is None else items
        self.before: Callable[[], object] = lambda: None
        self.refused = 0
        self.draws = 0

    def get(self, place: Place) -> Item | None:
        return self.items.get(place)

    def get_all(self, places: Sequence[Place]) -> dict[Place, Item]:
        return {place: dict(self.items[place]) for place in places if place in self.items}

    def put(self, write: Write) -> None:
        self.items[write.place] = dict(write.put or {})

    def raised(self, place: Place, counter: str) -> Item:
        self.draws += 1
        item = self.items[place]
        item[counter] = int(item.get(counter, 0)) + 1
        return dict(item)

    def write(self, writes: Sequence[Write]) -> None:
        self.before()
        found = {
            number: self.items.get(write.place)
            for number, write in enumerate(writes)
            if not self._holds(write)
        }
        if found:
            self.refused += 1
            raise Refused(found)
        for write in writes:
            kept = {} if write.put is not None else self.items.get(write.place, {})
            self.items[write.place] = {**kept, **(write.put or {}), **write.sets}

    def _holds(self, write: Write) -> bool:
        item = self.items.get(write.place, {})
        return all(item.get(name) == value for name, value in write.expect.items())


class Impatient(Pausing):
    """Waits for nothing, and tells how long it would have."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.rests: list[float] = []
        self.resting: Callable[[int], object] = lambda _: None

    def pause(self, turn: int) -> None:
        pass

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.resting(len(self.rests))


class Writer:
    """A store object of its own on the same items."""

    def __init__(self, items: dict[Place, Item], name: str) -> None:
        self.table, self.pausing = StandIn(items), Impatient()
        logs = EventLogs(self.table, Directory(self.table, "logs"), name)
        chains, letters = Directory(self.table, "chains"), Letters(self.table)
        self.log = DynamoEventLog(self.table, logs, chains, letters, self.pausing)

    def report(self, *keys: str, meters: tuple = ()) -> list[Receipt]:
        batch = [recording(event(key), *meters) for key in keys]
        told: tuple[Recorded, ...] = self.log.record(batch, NOON)
        return [each.receipt for each in told]

    def line(self, key: AggregateKey | None = None) -> Line:
        return line_of(self.table.items[aggregate_place(key or aggregate_key())])

    def total(self) -> int:
        return int(aggregate_of(self.table.items[aggregate_place(aggregate_key())]).value)


@pytest.fixture
def items() -> dict[Place, Item]:
    return {}


@pytest.fixture
def one(items: dict[Place, Item]) -> Writer:
    made = Writer(items, "one")
    made.report("first")
    return made


@pytest.fixture
def other(items: dict[Place, Item]) -> Writer:
    return Writer(items, "other")


def once(table: StandIn, deed: Callable[[], object]) -> None:
    """Something that happens right before the table's next write."""

    def before() -> None:
        table.before = lambda: None
        deed()

    table.before = before


def test_a_writer_that_meets_nobody_draws_no_ticket(one: Writer):
    for number in range(5):
        one.report(f"e{number}")

    assert (one.table.draws, one.table.refused, one.total()) == (0, 0, 6)


def test_who_was_outrun_draws_a_ticket_and_its_write_passes_the_turn_on(one: Writer, other: Writer):
    once(one.table, lambda: other.report("theirs"))

    assert one.report("mine") == [Receipt.RECORDED]
    assert (one.table.refused, one.line()) == (1, Line(drawn=1, served=1))
    assert one.total() == 3


def test_a_duplicate_that_was_refused_draws_no_ticket(one: Writer, other: Writer):
    other.report("theirs")

    assert one.report("theirs", "mine") == [Receipt.DUPLICATE, Receipt.RECORDED]
    assert one.table.draws == 0


def test_who_sees_that_others_wait_is_not_in_their_way(one: Writer, other: Writer):
    _draw(one)
    seen: list[Line] = []

    def look(_: int) -> None:
        seen.append(other.line())
        _serve(one, 1)

    other.pausing.resting = look
    other.report("theirs")

    assert seen == [Line(drawn=2, served=0)]
    assert other.line() == Line(drawn=2, served=2)
    assert other.table.refused == 0


def test_a_ticket_whose_holder_died_is_passed_over(one: Writer, other: Writer):
    _draw(one)

    assert other.report("e1", "e2") == [Receipt.RECORDED, Receipt.RECORDED]
    assert len(other.pausing.rests) == LOOKS_MAX
    assert other.line() == Line(drawn=2, served=2)
    assert other.total() == 3


def test_many_dead_tickets_are_passed_over_at_once(one: Writer, other: Writer):
    for _ in range(300):
        _draw(one)

    other.report("e1")
    looked = len(other.pausing.rests)
    other.report("e2")

    assert looked == len(other.pausing.rests) < 2 * LOOKS_MAX
    assert other.line() == Line(drawn=302, served=302)


def test_a_line_that_moves_is_waited_for_however_long_it_is(one: Writer, other: Writer):
    for _ in range(100):
        _draw(one)
    other.pausing.resting = lambda looks: _serve(one, looks // 20)

    other.report("e1")

    assert len(other.pausing.rests) == 100 * 20
    assert other.line() == Line(drawn=101, served=101)


def test_who_was_passed_over_still_counts_and_sets_nothing_back(one: Writer, other: Writer):
    once(one.table, lambda: other.report("x"))

    def sleep() -> None:
        once(one.table, lambda: [other.report(f"o{number}") for number in range(3)])

    _after_draw(one, sleep)

    assert one.report("mine") == [Receipt.RECORDED]
    assert one.line().served == one.line().drawn == other.table.draws + 1
    assert one.total() == 6


def test_a_turn_in_which_nothing_is_left_to_write_is_passed_on(one: Writer, other: Writer):
    once(one.table, lambda: other.report("x"))
    _after_draw(one, lambda: once(one.table, lambda: _sneak(other, "mine")))

    assert one.report("mine") == [Receipt.DUPLICATE]
    assert one.line() == Line(drawn=1, served=1)
    assert one.total() == 3


def test_who_met_others_draws_at_once_until_it_is_alone_again(one: Writer, other: Writer):
    once(one.table, lambda: other.report("theirs"))
    one.report("e0")

    for number in range(1, 10):
        one.report(f"e{number}")

    assert one.table.draws == ALONE_MAX
    assert one.table.refused == 1


def test_all_who_meet_at_several_aggregates_wait_at_the_same_one(one: Writer, other: Writer):
    first, second = aggregate_key(meter="bytes"), aggregate_key()
    one.report("both", meters=TWO_METERS)
    once(one.table, lambda: other.report("theirs", meters=TWO_METERS))

    one.report("mine", meters=TWO_METERS)

    assert one.line(first) == Line(drawn=1, served=1)
    assert one.line(second) == Line()


def test_the_next_in_line_loses_patience_first_and_nobody_waits_for_ever():
    patience = [
        next(looks for looks in range(1_000) if has_come(ahead, looks)) for ahead in range(12)
    ]

    assert patience[0] == 0
    assert patience[1] == LOOKS_MAX
    assert patience[1:6] == sorted(set(patience[1:6]))
    assert len(set(patience[5:])) == 1


def test_who_is_next_looks_often_and_who_is_far_back_seldom():
    assert seconds_to_look(1, 0) == turns.NEXT_SECONDS
    assert seconds_to_look(15, 0) == pytest.approx(14 * turns.TURN_SECONDS)
    assert seconds_to_look(1, 8) == 4 * turns.NEXT_SECONDS


@pytest.mark.parametrize("ahead", [1, 2, 10, 1_000])
def test_the_dead_hold_nobody_up_for_more_than_seconds(ahead: int):
    pausing, looks = Pausing(lambda: 1.0), 0
    waited = 0.0
    while not has_come(ahead, looks):
        waited += min(pausing.longest, seconds_to_look(ahead, looks))
        looks += 1

    assert waited < (1.1 if ahead == 1 else 9)


def _draw(writer: Writer) -> None:
    """A ticket whose holder does nothing more."""
    writer.table.raised(aggregate_place(aggregate_key()), "drawn")


def _serve(writer: Writer, ticket: int) -> None:
    """What a write in its turn does to the line."""
    writer.table.items[aggregate_place(aggregate_key())]["served"] = ticket


def _after_draw(writer: Writer, deed: Callable[[], object]) -> None:
    """What happens once, right after the writer's next draw."""
    raised = writer.table.raised

    def drawn(place: Place, counter: str) -> Item:
        item = raised(place, counter)
        writer.table.raised = raised
        deed()
        return item

    writer.table.raised = drawn


def _sneak(writer: Writer, key: str) -> None:
    """Record as a version does that knows of no turns."""
    place = aggregate_place(aggregate_key())
    drawn = writer.table.items[place].pop("drawn")
    writer.report(key)
    writer.table.items[place]["drawn"] = drawn
