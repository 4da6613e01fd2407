"""`/metrics`: who may see it, what it says, and that it names nobody."""

import re
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from tallystick.config import Settings
from tallystick.domain.api_key import Scope
from tallystick.domain.dead_letter import Reason
from tallystick.domain.instant import HOUR, MINUTE
from tallystick.domain.publication import State
from tallystick.entrypoints.http.observing import NO_ROUTE
from tallystick.entrypoints.worker import HourlyLoop, Passed
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tests.docs.test_docs import OPERATIONS
from tests.http.conftest import Api, native


def scraped(api: Api) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample by its name and its labels' values."""
    response = api.client.get(
        "/metrics", headers={"authorization": f"Bearer {api.key(Scope.READ)}"}
    )
    assert response.status_code == 200, response.text
    families = list(text_string_to_metric_families(response.text))
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def with_passes(api: Api, *outcomes: Passed | Exception) -> HourlyLoop:
    """The server's loop, after these passes of two minutes each."""
    left = list(outcomes)

    def one_pass() -> Passed:
        api.clock.at += 2 * MINUTE
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    loop = HourlyLoop(one_pass, api.clock, grace=0, on_lost=lambda _: None)
    for _ in outcomes:
        loop._passed(api.clock.at)
    api.service.hourly = loop
    return loop


def test_it_takes_a_key_that_reads_and_is_bound_to_nobody(api: Api):
    def status(key: str) -> int:
        return api.client.get("/metrics", headers={"authorization": f"Bearer {key}"}).status_code

    assert api.client.get("/metrics").status_code == 401
    assert status(api.key(Scope.INGEST)) == 403
    assert status(api.key(Scope.READ, tenant="acme")) == 404
    assert status(api.key(Scope.READ)) == status(api.key(Scope.ADMIN)) == 200


def test_it_is_open_where_a_setting_says_so(make_api: Callable[..., Api]):
    opened = make_api(Settings(metrics_open=True))

    response = opened.client.get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    assert opened.client.get("/metrics", headers=accept).text.endswith("# EOF\n")


def test_reports_and_what_waits_are_counted(api: Api):
    reports = [native("a"), native("b"), native("b"), native("b", 6), native("c", "many")]
    api.post(reports)
    api.clock.at += 2 * HOUR

    found = scraped(api)

    assert {
        labels[0]: n for (name, labels), n in found.items() if name.endswith("reports_total")
    } == {
        "recorded": 2,
        "duplicate": 1,
        "late": 0,
        "conflict": 1,
        "dead_letter": 1,
    }
    assert found["tallystick_dead_letters_open", ("conflict",)] == 1
    assert found["tallystick_dead_letters_open", ("invalid",)] == 1
    assert found["tallystick_seal_lag_seconds", ()] == 3600
    assert found["tallystick_aggregates_due", ()] == 1
    assert found["tallystick_ingest_group_duration_seconds_count", ()] == 1
    assert found["tallystick_ingest_waiting_reports", ()] == 0
    assert found["tallystick_store_up", ()] == 1


def test_requests_are_counted_by_route_and_never_by_what_was_asked(api: Api):
    names = {"authorization": f"Bearer {api.key(Scope.READ)}"}
    for path in ("/api/v1/tenants/acme", "/api/v1/tenants/other", "/secret-place", "/secret2"):
        api.client.get(path, headers=names)
    api.client.request("BREW", "/healthz")

    found = scraped(api)

    def requests(*labels: str) -> float:
        return found["tallystick_http_requests_total", labels]

    assert requests("GET", "/api/v1/tenants/{tenant}", "200") == 1
    assert requests("GET", "/api/v1/tenants/{tenant}", "404") == 1
    assert requests("GET", NO_ROUTE, "404") == 2
    assert requests("(other)", "/healthz", "405") == 1
    duration = "tallystick_http_request_duration_seconds_count"
    assert found[duration, ("GET", "/api/v1/tenants/{tenant}")] == 2
    assert found["tallystick_http_requests_in_progress", ()] == 1


def test_passes_and_what_they_found_are_counted(api: Api):
    with_passes(
        api,
        Passed(counts={"entries": 3}),
        ValueError("a bug"),
        Passed(counts={"entries": 4}),
    )

    found = scraped(api)

    assert found["tallystick_passes_total", ("done",)] == 2
    assert found["tallystick_passes_total", ("failed",)] == 1
    assert found["tallystick_passes_seconds_total", ()] == 360
    assert found["tallystick_pass_last_seconds", ()] == 120
    assert found["tallystick_pass_steps_total", ("entries",)] == 7
    assert found["tallystick_pass_last_success_timestamp_seconds", ()] * 1_000_000 == api.clock.at


def test_what_the_last_comparison_found_is_counted(api: Api):
    api.post([native("a")])
    api.clock.at += 2 * HOUR
    limits, routes = SealLimits(), api.service.app.publisher.routes
    seal(api.store, routes, api.clock.at, limits=limits)
    assert scraped(api)["tallystick_reconcile_last_timestamp_seconds", ()] == 0

    assert api.service.checks.begin()
    api.service.checks.stop()

    found = scraped(api)
    assert found["tallystick_discrepancies", ("held",)] == 1
    assert found["tallystick_discrepancies", ("provider_differs_from_slot",)] == 0
    assert found["tallystick_reconcile_last_timestamp_seconds", ()] * 1_000_000 == api.clock.at


def test_no_series_names_a_tenant_and_all_values_of_labels_are_closed(api: Api):
    api.post([native("a", TenantID="acme"), native("b", TenantID="nobody-knows")])
    with_passes(api, Passed(counts={"entries": 3}))

    found = scraped(api)

    assert not any("acme" in label or "nobody" in label for _, labels in found for label in labels)
    reasons = {labels[0] for name, labels in found if name == "tallystick_dead_letters_open"}
    states = {labels[0] for name, labels in found if name == "tallystick_publications_unsettled"}
    assert reasons == set(Reason)
    assert states == {state for state in State if not state.is_settled}


def test_a_store_that_does_not_answer_is_shown_as_that(api: Api):
    key = api.key(Scope.READ)
    names = {"authorization": f"Bearer {key}"}
    assert api.client.get("/metrics", headers=names).status_code == 200
    api.store.close()

    text = api.client.get("/metrics", headers=names).text

    assert "tallystick_store_up 0.0" in text
    assert "tallystick_seal_lag" not in text
    assert "tallystick_http_requests_total" in text


def test_names_keep_to_the_conventions_and_stand_in_the_page(api: Api):
    with_passes(api, Passed(counts={"entries": 3}))
    text = api.client.get(
        "/metrics", headers={"authorization": f"Bearer {api.key(Scope.READ)}"}
    ).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))
    ours = {name: kind for name, kind in kinds.items() if not name.startswith("process_")}

    assert all(name.startswith("tallystick_") for name in ours)
    assert all(name.endswith("_total") for name, kind in ours.items() if kind == "counter")
    assert not any(name.endswith(("_ms", "_milliseconds", "_minutes")) for name in ours)
    assert [name for name in ours if name not in OPERATIONS] == []


def test_pages_have_routes_of_their_own_too(api: Api):
    api.client.get("/dashboard/tenants", follow_redirects=False)
    api.client.get("/dashboard/nobody-knows", follow_redirects=False)

    routes = {
        labels[1] for name, labels in scraped(api) if name == "tallystick_http_requests_total"
    }

    assert "/dashboard/tenants" in routes
    assert not any("nobody" in route for route in routes)
