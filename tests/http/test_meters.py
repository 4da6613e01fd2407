"""Meters over HTTP: made once, in OpenMeter's shape."""

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import DAY, format_instant
from tests.http.conftest import NOW, Api, cloud_event, counts, native
from tests.http.test_bad_input import problem
from tests.http.test_management import called
from tests.http.test_mappings import ONE, TARGET
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


# ── Changed and deleted ───────────────────────────────────────────────────────────────────────────

METER = "/api/v1/meters/requests"


def counted_at(api: Api, key: str, at: int) -> dict[str, int]:
    return counts(api.post({**native(key, 1), "Timestamp": at // 1_000}))


def test_a_meter_gets_other_dimensions_from_the_next_period_on(api: Api):
    read = called(api, "GET", METER).headers["etag"]
    change = {"groupBy": {"region": "$.region"}, "name": "Requests", "metadata": {"a": "b"}}

    changed = called(api, "PUT", METER, change, **{"if-match": read})
    again = called(api, "PUT", METER, change)
    late = called(api, "PUT", METER, {"groupBy": {}}, **{"if-match": read})

    assert changed.json()["groupBy"] == {"region": "$.region"}
    assert again.json() == changed.json() == called(api, "GET", METER).json()
    assert problem(late) == (412, "changed-meanwhile")
    first, second = api.store.catalog.meters()[0]
    assert (first.dimensions, second.dimensions) == ((), ("region",))
    assert (second.version, second.effective_from) == (2, NOW)
    lines = [o for o in api.store.catalog.overrides().elements if o.action == "meters change"]
    assert [line.subject for line in lines] == ["requests"]


@pytest.mark.parametrize("body", [{"slug": "x"}, {"aggregation": "MAX"}, {"groupBy": {"a": "$.b"}}])
def test_what_makes_a_meter_another_one_cannot_be_changed(api: Api, body):
    assert problem(called(api, "PUT", METER, body))[0] == 400
    assert len(api.store.catalog.meters()[0]) == 1


def test_a_deleted_meter_counts_until_the_period_ends_and_loses_nothing(api: Api):
    assert counted_at(api, "before", NOW) == {"recorded": 1}

    gone = called(api, "DELETE", METER)
    again = called(api, "DELETE", METER)

    assert (gone.status_code, gone.content, again.status_code) == (204, b"", 204)
    assert counted_at(api, "in its period", NOW) == {"recorded": 1}
    api.clock.sleep(2 * DAY)
    assert counted_at(api, "late", NOW) == {"recorded": 1}
    assert counted_at(api, "after", NOW + DAY) == {"dead_letter": 1}
    assert (api.value(), api.letters()) == (3, ["unknown_code"])
    assert got(api, "/api/v1/meters").json() == []
    (shown,) = got(api, "/api/v1/meters?includeDeleted=true").json()
    assert shown["deletedAt"] == format_instant(NOW)
    assert got(api, METER).json() == shown
    assert got(api, f"{METER}/query").json()["data"][0]["value"] == 3
    lines = [o for o in api.store.catalog.overrides().elements if o.action == "meters archive"]
    assert [(line.who[:4], line.subject) for line in lines] == [("key ", "requests")]


def test_a_deleted_meter_that_is_made_again_counts_what_waited_since_then(api: Api):
    called(api, "DELETE", METER)
    api.clock.sleep(2 * DAY)
    counted_at(api, "after", NOW + DAY)
    new = {"slug": "requests", "eventType": "requests", "aggregation": "COUNT"}

    made = called(api, "POST", "/api/v1/meters", new)

    assert (made.status_code, made.json()["aggregation"]) == (201, "COUNT")
    assert "deletedAt" not in made.json()
    assert made.json() == got(api, METER).json()
    assert (api.value(), api.letters()) == (1, [])


def test_a_meter_that_bills_somebody_is_not_deleted(api: Api):
    called(api, "PUT", ONE, TARGET)

    refused = called(api, "DELETE", METER)
    called(api, "POST", f"{ONE}/end", {"why": "they left"})

    assert problem(refused) == (409, "still-billed")
    assert "'acme'" in refused.json()["detail"]
    assert called(api, "DELETE", METER).status_code == 204
    assert problem(called(api, "PUT", ONE, TARGET)) == (400, "invalid-parameter")
    assert problem(called(api, "PUT", METER, {"groupBy": {}})) == (404, "not-found")


def test_a_meter_that_is_not_there_is_neither_changed_nor_deleted(api: Api):
    for method in ("PUT", "DELETE"):
        assert problem(called(api, method, "/api/v1/meters/no", {})) == (404, "not-found")
    stale = called(api, "DELETE", METER, **{"if-match": '"old"'})
    assert problem(stale) == (412, "changed-meanwhile")
    assert not api.store.catalog.meters()[0][-1].archived
