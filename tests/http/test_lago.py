"""What Lago's users may have to choose: 200 or 422 for a used id; and whose event is found."""

from collections.abc import Callable

import pytest

from tallystick.config import Settings
from tallystick.domain.api_key import Scope
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tests.http.conftest import AUDIT, Api, native
from tests.http.test_bad_input import problem
from tests.http.test_management import called, elements

USED = {"transaction_id": ["value_already_exist"]}


def lago(id_: str, quantity: str = "1", tenant: str = "acme") -> dict[str, object]:
    return {
        "transaction_id": id_,
        "external_subscription_id": tenant,
        "code": "requests",
        "timestamp": "1769855400",
        "properties": {"quantity": quantity},
    }


@pytest.fixture
def refusing(make_api: Callable[..., Api]) -> Api:
    api = make_api(Settings(lago_refuse_duplicates=True))
    for changed in (Tenant(id="acme"), Tenant(id="beta"), Meter(id="requests", code="requests")):
        api.store.catalog.save(changed, AUDIT)
    return api


@pytest.mark.parametrize("again", [lago("a"), lago("a", "2")])
def test_by_the_setting_a_used_id_is_refused_as_lago_does(refusing: Api, again):
    assert refusing.post({"event": lago("a")}).status_code == 200

    refused = refusing.post({"event": again})

    assert problem(refused) == (422, "not-countable")
    body = refused.json()
    assert (body["code"], body["error_details"]) == ("validation_errors", USED)
    assert body["error"] == "Unprocessable Entity"
    assert (refusing.value(), refusing.letters()) == (1, [])
    assert refusing.post({"event": lago("a", tenant="beta")}).status_code == 200


@pytest.mark.parametrize(
    ("batch", "refused"),
    [(("b", "a", "c"), {"1"}), (("b", "b", "c", "b"), {"1", "3"}), (("b", "c"), set())],
)
def test_by_the_setting_a_batch_with_a_used_id_is_refused_as_a_whole(refusing: Api, batch, refused):
    refusing.post({"event": lago("a")})

    response = refusing.post({"events": [lago(id_) for id_ in batch]}, "/api/v1/events/batch")

    details = response.json().get("error_details", {})
    assert (set(details), refusing.value()) == (refused, 1 if refused else 3)
    assert all(fault == USED for fault in details.values())


def test_the_setting_leaves_other_senders_alone(refusing: Api):
    for _ in range(2):
        assert refusing.post(native()).status_code == 204


def test_an_event_of_several_tenants_is_found_by_naming_one(refusing: Api):
    for tenant, quantity in (("acme", "1"), ("beta", "2")):
        refusing.post({"event": lago("same", quantity, tenant)})
    path = "/api/v1/events/same"

    unclear = called(refusing, "GET", path)
    named = called(refusing, "GET", f"{path}?external_subscription_id=beta")
    bound = called(refusing, "GET", path, key=refusing.key(Scope.READ, tenant="acme"))

    assert problem(unclear) == (400, "invalid-parameter")
    assert named.json()["event"]["properties"] == {"quantity": "2"}
    assert bound.json()["event"]["properties"] == {"quantity": "1"}
    key = refusing.key(Scope.READ, tenant="acme")
    for query in ("?external_subscription_id=beta", "?external_subscription_id=nobody"):
        assert problem(called(refusing, "GET", path + query, key=key)) == (404, "not-found")


def test_a_tenants_key_reads_the_usage_of_no_other(refusing: Api):
    key = refusing.key(Scope.READ, tenant="acme")
    path = "/api/v1/customers/{0}/current_usage?external_subscription_id={1}"

    assert called(refusing, "GET", path.format("acme", "acme"), key=key).status_code == 200
    for customer, subscription in (("beta", "beta"), ("acme", "beta"), ("beta", "acme")):
        response = called(refusing, "GET", path.format(customer, subscription), key=key)
        assert problem(response) == (404, "not-found")


def test_usage_is_that_of_the_period_of_now(refusing: Api):
    for id_, seconds in (("before", 1767225599), ("in it", 1767225600)):
        refusing.post({"event": {**lago(id_), "timestamp": str(seconds)}})

    path = "/api/v1/customers/acme/current_usage?external_subscription_id=acme"
    usage = called(refusing, "GET", path).json()["customer_usage"]

    assert usage["from_datetime"] == "2026-01-01T00:00:00Z"
    assert (usage["to_datetime"], usage["issuing_date"]) == ("2026-02-01T00:00:00Z", "2026-02-01")
    assert [(c["units"], c["events_count"]) for c in usage["charges_usage"]] == [("1", 1)]
    none = called(refusing, "GET", f"{path}&billable_metric_code=nothing").json()
    assert none["customer_usage"]["charges_usage"] == []


# ── The audit trail ───────────────────────────────────────────────────────────────────────────────


def test_the_audit_trail_says_who_did_what_and_why(refusing: Api):
    key = refusing.key(Scope.PUBLISH)
    called(refusing, "POST", "/api/v1/pause", {"why": "a bill looks wrong"}, key=key)

    lines = elements(refusing, "/api/v1/audit?limit=2")

    assert len(lines) == len(refusing.store.catalog.overrides().elements)
    paused = next(line for line in lines if line["action"] == "pause")
    assert paused == {
        "at": "2026-01-31T12:00:00Z",
        "who": paused["who"],
        "why": "a bill looks wrong",
        "action": "pause",
        "subject": "all",
    }
    assert str(paused["who"]).startswith("key ")


def test_a_tenants_key_sees_no_audit_trail(refusing: Api):
    key = refusing.key(Scope.READ, tenant="acme")

    assert problem(called(refusing, "GET", "/api/v1/audit", key=key)) == (404, "not-found")
