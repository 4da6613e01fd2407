"""Reconciliation over HTTP: ours beside the provider's, the difference, and when it was checked."""

import threading
from collections.abc import Callable

import pytest

from tallystick.config import Secret, Settings
from tallystick.domain.api_key import Scope
from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import HOUR, format_instant, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints import checking
from tallystick.stages.publishing import Publishing
from tallystick.stages.reconciling import COMPARED_FOR, SHARES
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tallystick.testing.fakes import HOUR_METER, FakeProvider, FakePublisher
from tests.http.conftest import AUDIT, Api, native
from tests.http.test_bad_input import problem
from tests.http.test_management import called, elements

PATH = "/api/v1/reconciliation"
BEGINNING = parse_instant("2026-01-05T12:00:00Z")
TENANTS = ("acme", "beta", "gamma")


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """Three tenants' usage of an hour, sealed, and a provider that was told nothing yet."""
    api = make_api(Settings(stripe_api_key=Secret("sk_test_1")))
    api.clock.at = BEGINNING
    provider = FakeProvider(api.clock, periods=lambda _, at: Tenant(id="any").period_at(at))
    publisher = FakePublisher(provider, api.clock)
    api.service.app.__dict__["publisher"] = publisher
    api.store.catalog.save(Meter(id="requests", code="requests"), AUDIT)
    for quantity, tenant in enumerate(TENANTS, start=3):
        mapping = Mapping(
            tenant=tenant,
            meter="requests",
            route=HOUR_METER.name,
            destination=f"cus_{tenant}",
            counter="requests",
            publish_from=BEGINNING,
        )
        for changed in (Tenant(id=tenant), mapping):
            api.store.catalog.save(changed, AUDIT)
        api.post({**native("k", quantity), "TenantID": tenant})
    api.clock.sleep(2 * HOUR)
    seal(api.store, publisher.routes, api.clock.now(), limits=SealLimits())
    return api


def looked(api: Api) -> dict[str, object]:
    """What is shown once a run over everything has ended."""
    assert called(api, "POST", PATH, key=api.key(Scope.PUBLISH)).status_code == 202
    api.service.checks.stop()
    return called(api, "GET", PATH, key=api.key(Scope.READ)).json()


def published(api: Api) -> None:
    publisher = api.service.app.publisher
    Publishing(store=api.store, publisher=publisher, clock=api.clock, limits=Limits()).run()


def test_a_start_has_looked_at_nothing_and_says_so(api: Api):
    shown = called(api, "GET", PATH).json()

    assert (shown["whole"], shown["share"], shown["under_way_since"]) == (None, None, None)
    assert (shown["discrepancies"], elements(api, f"{PATH}/lines")) == ([], [])


def test_what_the_provider_lacks_stands_beside_what_we_hold(api: Api):
    shown = looked(api)

    assert shown["whole"]["what"] == "everything"
    assert (shown["whole"]["lines"], shown["whole"]["trouble"]) == (3, "")
    assert [one["kind"] for one in shown["discrepancies"]] == ["undelivered"] * 3
    first = elements(api, f"{PATH}/lines?limit=1")[0]
    assert (first["destination"], first["counter"]) == ("cus_acme", "requests")
    assert (first["ours"], first["theirs"], first["difference"]) == ("3", "0", "3")
    assert first["compared_at"] == format_instant(api.clock.now())


def test_what_is_equal_is_shown_too_and_a_later_run_replaces_the_earlier(api: Api):
    looked(api)
    published(api)
    api.clock.sleep(HOUR)

    shown = looked(api)

    lines = elements(api, f"{PATH}/lines?limit=2")
    assert [(line["ours"], line["difference"]) for line in lines] == [
        ("3", "0"),
        ("4", "0"),
        ("5", "0"),
    ]
    assert {line["compared_at"] for line in lines} == {format_instant(api.clock.now())}
    assert shown["whole"]["began_at"] == format_instant(api.clock.now())
    assert shown["whole"]["left_out_before"] == format_instant(api.clock.now() - COMPARED_FOR)


def test_the_shares_of_a_week_are_kept_together_until_everything_was_compared(api: Api):
    for _ in range(SHARES):
        api.service.checks.share()
        api.clock.sleep(HOUR)

    shown = called(api, "GET", PATH).json()
    lines = elements(api, f"{PATH}/lines")
    assert [line["destination"] for line in lines] == [f"cus_{tenant}" for tenant in TENANTS]
    assert len({line["compared_at"] for line in lines}) == 3, "each in an hour of its own"
    assert sorted(one["subject"].split("/")[2] for one in shown["discrepancies"]) == [
        f"cus_{tenant}" for tenant in TENANTS
    ]
    assert (shown["whole"], shown["share"]["what"]) == (None, "share")
    assert looked(api)["share"] is None


def test_a_provider_that_is_away_is_told_with_what_was_found_before(api: Api, monkeypatch):
    def away(*_: object) -> None:
        raise PublisherUnavailable("no connection")

    monkeypatch.setattr(FakePublisher, "totals", away)

    shown = looked(api)

    assert shown["whole"]["trouble"] == "the provider could not be read: no connection"
    assert shown["under_way_since"] is None
    assert problem(called(api, "GET", f"{PATH}/lines?cursor=[1]")) == (400, "invalid-parameter")


def test_one_run_at_a_time(api: Api, monkeypatch):
    waits, goes_on = threading.Event(), threading.Event()
    read = FakePublisher.totals

    def slow(publisher: FakePublisher, slots: object) -> object:
        waits.set()
        assert goes_on.wait(60)
        return read(publisher, slots)

    monkeypatch.setattr(FakePublisher, "totals", slow)
    began = called(api, "POST", PATH).json()["under_way_since"]
    assert waits.wait(60)
    api.clock.sleep(HOUR)
    again = called(api, "POST", PATH).json()["under_way_since"]
    goes_on.set()
    api.service.checks.stop()

    assert began == again == format_instant(BEGINNING + 2 * HOUR)
    assert called(api, "GET", PATH).json()["whole"]["began_at"] == began


def test_more_than_can_be_kept_is_counted(api: Api, monkeypatch):
    monkeypatch.setattr(checking, "FOUND_MAX", 2)
    monkeypatch.setattr(checking, "LINES_MAX", 2)

    shown = looked(api)

    assert (len(shown["discrepancies"]), shown["discrepancies_left_out"]) == (2, 1)
    assert (shown["whole"]["discrepancies"], shown["whole"]["lines"]) == (3, 3)
    assert len(elements(api, f"{PATH}/lines")) == 2


def test_without_a_provider_our_own_half_is_compared(make_api: Callable[..., Api]):
    api = make_api()

    assert looked(api)["whole"]["what"] == "our half"


def test_tenants_share_what_is_compared_so_a_tenants_key_sees_none_of_it(api: Api):
    for method, path in (("GET", PATH), ("GET", f"{PATH}/lines"), ("POST", PATH)):
        key = api.key(Scope.READ, Scope.PUBLISH, tenant="acme")
        assert problem(called(api, method, path, key=key)) == (404, "not-found")


def test_what_could_not_be_read_is_not_taken_for_nothing(api: Api, monkeypatch):
    monkeypatch.setattr(FakePublisher, "totals", lambda *_: ())

    looked(api)

    lines = elements(api, f"{PATH}/lines")
    assert [(line["ours"], line["theirs"], line["difference"]) for line in lines] == [
        ("3", None, None),
        ("4", None, None),
        ("5", None, None),
    ]
