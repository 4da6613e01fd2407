"""`?strict=true`: all of a request is counted, or nothing of it is stored."""

import pytest

from tallystick.config import Settings
from tallystick.domain.meter import Meter
from tests.http.conftest import AUDIT, Api, counts, native
from tests.http.test_bad_input import problem


@pytest.mark.parametrize(
    ("bad", "code", "pointer"),
    [
        (native("b", "much"), "invalid_quantity", "/1/Quantity"),
        ({**native("b"), "TenantID": "nobody"}, "unknown_tenant", "/1/tenant"),
        ({**native("b"), "ProductCode": "nothing"}, "unknown_code", "/1/code"),
        (native("b", 5, Timestamp=1_769_990_000_000), "in_the_future", "/1/occurred_at"),
        (native("a", 6), "conflict", "/1"),
        (native("old", 6), "conflict", "/1"),
        (7, "not_an_object", "/1"),
    ],
)
def test_a_strict_request_stores_all_or_nothing(api: Api, bad, code, pointer):
    api.post(native("old", 1))

    response = api.post([native("a"), bad], "/api/v1/events?strict=true")

    assert problem(response) == (422, "not-countable")
    (error,) = response.json()["errors"]
    assert (error["code"], error["pointer"]) == (code, pointer)
    assert (api.value(), api.letters()) == (1, [])


def test_a_strict_request_that_can_be_counted_is(api: Api):
    body = [native("a"), native("a"), native("b")]

    response = api.post(body, "/api/v1/events?strict=true")

    assert counts(response) == {"recorded": 2, "duplicate": 1}
    assert api.value() == 10


def test_a_strict_request_makes_tenants_only_if_all_can_be_counted(make_api):
    api = make_api(Settings(auto_onboard=True))
    api.store.catalog.save(Meter(id="requests", code="requests"), AUDIT)
    unknown = {**native("b"), "ProductCode": "nothing", "TenantID": "beta"}

    refused = api.post([native("a"), unknown], "/api/v1/events?strict=true")
    assert refused.json()["errors"][0]["code"] == "unknown_code"
    assert api.store.catalog.accounts().elements == ()

    taken = api.post(native("a"), "/api/v1/events?strict=true")
    assert counts(taken) == {"recorded": 1}
    assert api.value() == 5


def test_a_strict_single_report_is_pointed_into_without_an_index(api: Api):
    response = api.post(native("a", "much"), "/api/v1/events?strict=1")

    assert response.json()["errors"][0]["pointer"] == "/Quantity"


def test_lines_cannot_be_strict(api: Api):
    response = api.post(b"{}", "/api/v1/events?strict=true", content_type="application/x-ndjson")

    assert problem(response) == (400, "invalid-parameter")
