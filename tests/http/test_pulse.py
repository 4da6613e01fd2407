"""What the server counted lately: whole seconds, since the start, and where."""

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.event import Receipt
from tallystick.domain.instant import SECOND
from tallystick.domain.window import Window
from tallystick.entrypoints.http.pulse import PLACES_KEPT, SECONDS_KEPT, Pulse
from tallystick.ports import Recorded
from tallystick.testing.factories import NOON, THE_HOUR, aggregate_key, dead_letter
from tests.http.conftest import NOW, Api, native


def recorded(*meters: str, receipt: Receipt = Receipt.RECORDED) -> Recorded:
    return Recorded(receipt, tuple(aggregate_key(meter=meter) for meter in meters))


def test_a_second_shows_when_it_is_over():
    pulse = Pulse()
    pulse.note([recorded("a")] * 3, NOON)
    pulse.note([recorded("a")] * 2, NOON + SECOND - 1)

    assert pulse.beat(NOON + SECOND - 1).seconds == (0,) * SECONDS_KEPT
    assert pulse.beat(NOON + SECOND).seconds[-2:] == (0, 5)
    assert pulse.beat(NOON + 3 * SECOND).seconds[-3:] == (5, 0, 0)
    assert sum(pulse.beat(NOON + SECONDS_KEPT * SECOND).seconds) == 5
    assert sum(pulse.beat(NOON + (SECONDS_KEPT + 1) * SECOND).seconds) == 0


def test_totals_tell_what_became_of_each_report():
    pulse = Pulse()
    pulse.note([recorded("a"), recorded(receipt=Receipt.DUPLICATE), dead_letter()], NOON)
    pulse.note([recorded("a")], NOON + 90 * SECOND)

    assert pulse.beat(NOON).totals == {"recorded": 2, "duplicate": 1, "dead_letter": 1}


def test_the_last_places_are_known_newest_first_and_only_a_few():
    pulse = Pulse()
    pulse.note([recorded("a"), recorded("b"), recorded("a")], NOON)
    pulse.note([recorded("c", "d")], NOON)
    groups = Recorded(Receipt.RECORDED, (AggregateKey("t", "m", '{"x":"1"}', Window(0, 1)),))
    pulse.note([groups], NOON)

    assert [key.meter for key in pulse.beat(NOON).places] == ["c", "d", "a", "b"]
    assert pulse.beat(NOON).places[0].window == THE_HOUR

    pulse.note([recorded(f"m{n}") for n in range(100)], NOON)
    assert [k.meter for k in pulse.beat(NOON).places] == [f"m{99 - n}" for n in range(PLACES_KEPT)]


def test_what_a_request_brought_is_in_the_pulse_when_it_is_answered(api: Api):
    api.post([native("a"), native("b"), {**native("c"), "TenantID": "nobody"}])
    api.post(native("a"))

    beat = api.service.counting.pulse.beat(NOW + SECOND)
    assert beat.seconds[-1] == 4
    assert beat.totals == {"recorded": 2, "duplicate": 1, "dead_letter": 1}
    assert [key.tenant for key in beat.places] == ["acme"]
