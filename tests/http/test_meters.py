"""Meters over HTTP: made once, in OpenMeter's shape."""

import pytest

from tallystick.domain.api_key import Scope
from tests.http.conftest import Api, cloud_event, counts
from tests.http.test_bad_input import problem
from tests.http.test_queries import got

NEW = {
    "slug": "api_time",
    "eventType": "api",
    "aggregation": "SUM",
    "valueProperty": "$.timing.ms",
    "groupBy": {"path": "$.path"},
}


def test_a_meter_is_made_and_counts_what_waited_for_it(api: Api):
    waiting = cloud_event("w", type="api", data={"timing": {"ms": 12}, "path": "/"})
    assert counts(api.post(waiting)) == {"dead_letter": 1}

    made = api.post(NEW, "/api/v1/meters", key=api.key(Scope.ADMIN))

    assert made.status_code == 201
    assert {**made.json(), **NEW} == made.json()
    assert got(api, made.headers["location"]).json() == made.json()
    assert made.json() in got(api, "/api/v1/meters").json()
    assert api.value(meter="api_time") == 12
    assert api.letters() == []
    lines = [line for line in api.store.catalog.overrides().elements if line.who[:4] == "key "]
    assert [(line.action, line.subject) for line in lines] == [("meters add", "api_time")]


def test_the_same_meter_again_changes_nothing_and_another_is_refused(api: Api):
    key = api.key(Scope.ADMIN)
    first = api.post(NEW, "/api/v1/meters", key=key)

    again = api.post(NEW, "/api/v1/meters", key=key)
    other = api.post({**NEW, "aggregation": "MAX"}, "/api/v1/meters", key=key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert problem(other) == (409, "already-there")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"aggregation": "MEDIAN"}, "must be one of SUM"),
        ({"valueProperty": None}, "say where the value is"),
        ({"valueProperty": "$..ms"}, "plain path"),
        ({"valueProperty": "$.a[?(@.b)]"}, "plain path"),
        ({"groupBy": {"p": "$.path"}}, "named by its path"),
        ({"slug": ""}, "1 to 255"),
        ({"slug": " x"}, "printable"),
        ({"eventTyp": "x"}, "eventTyp"),
        ({"windowSize": "HOUR"}, "windowSize"),
        ({"groupBy": {f"d{n}": f"$.d{n}" for n in range(9)}}, "at most 8 dimensions"),
        ({"slug": 5}, "slug"),
    ],
)
def test_a_meter_that_cannot_be_meant_is_refused(api: Api, change, sentence):
    before = api.store.catalog.meters()

    response = api.post({**NEW, **change}, "/api/v1/meters", key=api.key(Scope.ADMIN))

    assert problem(response)[0] == 400
    assert sentence in response.json()["detail"]
    assert api.store.catalog.meters() == before
