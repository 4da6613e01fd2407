"""Usage and events read back: windows, zones, tenants, dimensions, JSON and CSV."""

import csv
import io
import json
from decimal import Decimal

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import DAY, SECOND
from tallystick.domain.meter import Aggregation, Meter, Span
from tallystick.domain.tenant import Tenant, Terms
from tallystick.entrypoints.http import listings
from tallystick.stages import querying
from tests.http.conftest import AUDIT, Api, cloud_event, counts, native
from tests.http.test_bad_input import problem

TOKENS = [
    ("acme", "2026-01-30T10:15:00Z", 5, "large", "ann"),
    ("acme", "2026-01-30T10:45:00Z", "2.5", "small", "bob"),
    ("acme", "2026-01-30T23:30:00Z", 1, "large", "ann"),
    ("beta", "2026-01-30T10:20:00Z", 7, "large", "ann"),
    ("acme", "2026-01-31T00:10:00Z", 4, None, "ann"),
]


@pytest.fixture
def used(api: Api) -> Api:
    """Two tenants, and meters of several kinds over the same events."""
    api.store.catalog.save(Tenant(id="beta", versions=(Terms(zone="Asia/Kolkata"),)), AUDIT)
    for meter in (
        Meter(id="tokens", code="chat", value_path="tokens", dimensions=("model",)),
        Meter(id="calls", code="chat", aggregation=Aggregation.COUNT),
        Meter(id="people", code="chat", aggregation=Aggregation.UNIQUE_COUNT, value_path="who"),
        Meter(id="peak", code="chat", aggregation=Aggregation.MAX, value_path="tokens"),
        Meter(id="mean", code="chat", aggregation=Aggregation.AVERAGE, value_path="tokens"),
        Meter(
            id="monthly",
            code="chat",
            aggregation=Aggregation.UNIQUE_COUNT,
            value_path="who",
            span=Span.PERIOD,
        ),
    ):
        api.store.catalog.save(meter, AUDIT)
    events = []
    for number, (tenant, time, tokens, model, who) in enumerate(TOKENS):
        properties = {"tokens": tokens, "who": who} | ({"model": model} if model else {})
        events.append(
            cloud_event(f"t{number}", type="chat", subject=tenant, time=time, data=properties)
        )
    assert counts(api.post(events)) == {"recorded": len(TOKENS)}
    return api


def got(api: Api, path: str, *, key: str = "", **headers: str):
    names = {"authorization": f"Bearer {key or api.key(Scope.READ)}", **headers}
    return api.client.get(path, headers=names)


def rows(api: Api, path: str) -> list[tuple[object, ...]]:
    """(start, subject, groups, value) of each row of a query's answer."""
    response = got(api, f"/api/v1/meters/{path}")
    assert response.status_code == 200, response.text
    found = json.loads(response.text, parse_float=Decimal)["data"]
    return [
        (row["windowStart"][5:16], row["subject"], *row["groupBy"].values(), row["value"])
        for row in found
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tokens/query", [("01-30T10:00", None, Decimal("19.5"))]),
        ("calls/query?subject=beta", [("01-30T10:00", "beta", 1)]),
        (
            "tokens/query?windowSize=HOUR&subject=acme",
            [
                ("01-30T10:00", "acme", Decimal("7.5")),
                ("01-30T23:00", "acme", 1),
                ("01-31T00:00", "acme", 4),
            ],
        ),
        (
            "tokens/query?windowSize=day&groupBy=subject",
            [
                ("01-30T00:00", "acme", Decimal("8.5")),
                ("01-30T00:00", "beta", 7),
                ("01-31T00:00", "acme", 4),
            ],
        ),
        (
            "tokens/query?windowSize=DAY&windowTimeZone=America/New_York",
            [("01-30T05:00", None, Decimal("19.5"))],
        ),
        (
            "tokens/query?windowSize=HOUR&windowTimeZone=Asia/Kolkata&subject=acme",
            [
                ("01-30T09:30", "acme", 5),
                ("01-30T10:30", "acme", Decimal("2.5")),
                ("01-30T23:30", "acme", 5),
            ],
        ),
        ("peak/query?windowSize=MONTH&windowTimeZone=Asia/Tokyo", [("12-31T15:00", None, 7)]),
        ("tokens/query?windowSize=MINUTE&subject=beta", [("01-30T10:20", "beta", 7)]),
        ("tokens/query?from=2026-01-30T10:16:00Z&to=2026-01-30T10:50:00Z", [
            ("01-30T10:16", None, Decimal("9.5"))
        ]),
        ("tokens/query?from=2026-01-30T10:16:00Z", [("01-30T10:16", None, Decimal("14.5"))]),
        ("people/query", [("01-30T10:00", None, 2)]),
        ("people/query?windowSize=DAY", [("01-30T00:00", None, 2), ("01-31T00:00", None, 1)]),
        ("mean/query?windowSize=DAY&subject=acme", [
            ("01-30T00:00", "acme", Decimal("2.833333333333")), ("01-31T00:00", "acme", 4)
        ]),
        ("monthly/query?windowSize=DAY&subject=acme", [
            ("01-30T00:00", "acme", 2), ("01-31T00:00", "acme", 1)
        ]),
        ("tokens/query?groupBy=model&subject=acme", [
            ("01-30T10:00", "acme", None, 4),
            ("01-30T10:00", "acme", "large", 6),
            ("01-30T10:00", "acme", "small", Decimal("2.5")),
        ]),
        ("tokens/query?filterGroupBy[model]=large", [("01-30T10:00", None, 13)]),
        (
            "tokens/query?filterGroupBy=%7B%27model%27%3A+%27small%27%7D",
            [("01-30T10:00", None, Decimal("2.5"))],
        ),
        ("tokens/query?subject=nobody", []),
        ("tokens/query?from=2027-01-01T00:00:00Z", []),
    ],
)  # fmt: skip
def test_a_meter_answers_by_window_tenant_and_dimension(used: Api, path, expected):
    assert rows(used, path) == expected


def test_the_whole_answer_is_as_openmeter_gives_it(used: Api):
    query = "from=2026-01-30T00:00:00Z&to=2026-02-01T00:00:00Z&windowSize=DAY&subject=beta"

    assert got(used, f"/api/v1/meters/calls/query?{query}").json() == {
        "from": "2026-01-30T00:00:00Z",
        "to": "2026-02-01T00:00:00Z",
        "windowSize": "DAY",
        "data": [
            {
                "value": 1,
                "windowStart": "2026-01-30T00:00:00Z",
                "windowEnd": "2026-01-31T00:00:00Z",
                "subject": "beta",
                "groupBy": {},
            }
        ],
    }


def test_a_query_may_be_a_body(used: Api):
    asked = {"windowSize": "DAY", "subject": ["beta"], "filterGroupBy": {"model": ["large"]}}

    response = used.post(asked, "/api/v1/meters/tokens/query", key=used.key(Scope.READ))

    assert [row["value"] for row in response.json()["data"]] == [7]


def test_a_void_changes_the_answer(used: Api):
    used.post({"tenant": "acme", "key": "v", "voids": "7:gateway2:t0"})

    assert rows(used, "peak/query?subject=acme") == [("01-30T10:00", "acme", 4)]
    assert rows(used, "tokens/query?filterGroupBy[model]=large&subject=acme") == [
        ("01-30T23:00", "acme", 1)
    ]


def test_an_answer_is_a_table_where_csv_is_wanted(used: Api):
    used.store.catalog.save(Tenant(id="=cmd|x"), AUDIT)
    used.post(cloud_event("f", type="chat", subject="=cmd|x", data={"tokens": 1, "who": "a"}))

    response = got(
        used, "/api/v1/meters/tokens/query?groupBy=subject&groupBy=model", accept="text/csv"
    )

    assert response.headers["content-type"].startswith("text/csv")
    table = list(csv.reader(io.StringIO(response.text)))
    assert table[0] == ["window_start", "window_end", "subject", "model", "value"]
    assert [row[2:] for row in table[1:]] == [
        ["'=cmd|x", "", "1"],
        ["acme", "", "4"],
        ["acme", "large", "6"],
        ["acme", "small", "2.5"],
        ["beta", "large", "7"],
    ]


@pytest.mark.parametrize(
    "query",
    [
        "windowSize=YEAR",
        "windowTimeZone=Mars/Base",
        "groupBy=nothing",
        "filterGroupBy[nothing]=x",
        "filterGroupBy=rubbish",
        "filterGroupBy=__import__('os')",
        "filterGroupBy=%7B1%3A2%7D",
        "from=yesterday",
        "from=2026-01-30T00:00:00",
        "from=2026-01-30T00:00:00Z&to=2026-01-30T00:00:00Z",
        "fromm=2026-01-30T00:00:00Z",
        "customer=x",
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(used: Api, query):
    assert problem(got(used, f"/api/v1/meters/tokens/query?{query}")) == (400, "invalid-parameter")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"windowSise": "DAY"}', b'{"subject": 5}']
)
def test_a_query_body_that_cannot_be_meant_is_refused(used: Api, body):
    response = used.post(body, "/api/v1/meters/tokens/query", key=used.key(Scope.READ))

    assert problem(response) == (400, "unreadable")


def test_an_answer_of_too_many_rows_is_refused(used: Api, monkeypatch):
    monkeypatch.setattr(querying, "ROWS_MAX", 2)

    response = got(used, "/api/v1/meters/tokens/query?windowSize=HOUR")

    assert problem(response) == (400, "invalid-parameter")
    assert "more than 2 rows" in response.json()["detail"]


def test_a_meter_that_is_not_there_is_said_so(used: Api):
    for path in ("", "/query"):
        assert problem(got(used, f"/api/v1/meters/nothing{path}")) == (404, "not-found")


def test_a_tenants_key_sees_its_own_usage_only(used: Api):
    key = used.key(Scope.READ, tenant="beta")

    all_of_it = got(used, "/api/v1/meters/tokens/query", key=key).json()["data"]
    foreign = got(used, "/api/v1/meters/tokens/query?subject=acme", key=key)
    mixed = got(used, "/api/v1/meters/tokens/query?subject=beta&subject=acme", key=key)

    assert [row["value"] for row in all_of_it] == [7]
    assert problem(foreign) == problem(mixed) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/events", Scope.READ),
        ("GET", "/api/v1/meters", Scope.READ),
        ("GET", "/api/v1/meters/tokens", Scope.READ),
        ("GET", "/api/v1/meters/tokens/query", Scope.READ),
        ("POST", "/api/v1/meters/tokens/query", Scope.READ),
        ("POST", "/api/v1/meters", Scope.ADMIN),
    ],
)
def test_each_route_asks_for_its_scope(used: Api, method, path, scope):
    for other in set(Scope) - {scope, Scope.ADMIN}:
        names = {"authorization": f"Bearer {used.key(other)}"}
        response = used.client.request(method, path, content=b"{}", headers=names)
        assert problem(response) == (403, "scope-missing")
    assert problem(used.client.request(method, path)) == (401, "unauthorized")


# ── Events ────────────────────────────────────────────────────────────────────────────────────────


def test_events_are_listed_as_they_were_sent(used: Api):
    (found,) = got(used, "/api/v1/events?subject=beta").json()

    assert found == {
        "event": {
            "specversion": "1.0",
            "id": "t3",
            "source": "gateway",
            "type": "chat",
            "subject": "beta",
            "time": "2026-01-30T10:20:00Z",
            "datacontenttype": "application/json",
            "data": {"model": "large", "tokens": 7, "who": "ann", "quantity": 1},
        },
        "ingestedAt": "2026-01-31T12:00:00Z",
        "storedAt": "2026-01-31T12:00:00Z",
    }


def test_events_are_found_by_id_time_and_place(used: Api, monkeypatch):
    used.post(native("own key"))

    def ids(query: str) -> list[str]:
        return [e["event"]["id"] for e in got(used, f"/api/v1/events?{query}").json()]

    assert ids("id=t2") == ["t2"]
    assert ids("id=own+key&subject=acme") == ["own key"]
    assert ids("from=2026-01-30T10:20:00Z&to=2026-01-30T10:45:00Z") == ["t3"]
    assert ids("id=none") == []
    used.clock.sleep(3 * DAY - 12 * 3600 * SECOND)
    assert ids("") == ["t4", "own key"]


def test_a_listing_goes_on_where_its_link_says(used: Api, monkeypatch):
    monkeypatch.setattr(listings, "PAGES_MAX", 1)
    found, path = [], "/api/v1/events?limit=2"
    while path:
        response = got(used, path)
        found += [e["event"]["id"] for e in response.json()]
        path = response.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert found == ["t0", "t1", "t2", "t3", "t4"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=rubbish",
        "cursor=" + "9" * 5_000,
        "cursor=" + "[" * 3_000,
        "from=now",
        "subject=acme&subject=beta",
        "meter=tokens",
    ],
)
def test_a_listing_that_cannot_be_meant_is_refused(used: Api, query):
    assert problem(got(used, f"/api/v1/events?{query}")) == (400, "invalid-parameter")


def test_a_tenants_key_lists_its_own_events_only(used: Api):
    key = used.key(Scope.READ, tenant="beta")

    assert [e["event"]["id"] for e in got(used, "/api/v1/events", key=key).json()] == ["t3"]
    assert problem(got(used, "/api/v1/events?subject=acme", key=key)) == (404, "not-found")
