"""Mappings over HTTP: made, changed by who read them last, and ended."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tallystick.bootstrap import open_store
from tallystick.domain.api_key import Scope
from tallystick.domain.instant import HOUR, format_instant
from tallystick.domain.tenant import Tenant
from tallystick.publishers import HOUR_METER, ROUTES, SUM_METER
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tests.http.conftest import AUDIT, NOW, Api, native
from tests.http.test_bad_input import problem
from tests.http.test_management import called, elements

ALL = "/api/v1/tenants/acme/mappings"
ONE = f"{ALL}/requests"
TARGET = {"route": HOUR_METER.name, "destination": "cus_1", "counter": "requests"}
OTHER = {**TARGET, "destination": "cus_2", "why": "they moved"}
NEXT_HOUR = format_instant(NOW + HOUR)


def held(api: Api) -> list[str]:
    """Why each line of the ledger is held, after all that is due was sealed."""
    seal(api.store, ROUTES, api.clock.now(), limits=SealLimits())
    return [entry.held for entry in api.store.ledger.entries(tenant="acme").elements]


def test_a_mapping_is_made_once_and_releases_what_was_held(api: Api):
    api.post({**native(), "Timestamp": (NOW - 2 * HOUR) // 1_000})
    assert held(api) == ["no mapping"]

    since = {**TARGET, "publish_from": "2026-01-01T00:00:00Z"}
    made, again = called(api, "PUT", ONE, since), called(api, "PUT", ONE, since)

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json() == called(api, "GET", ONE).json()
    assert made.headers["etag"] == again.headers["etag"]
    assert [v["destination"] for v in made.json()["versions"]] == ["cus_1"]
    assert held(api)[-1] == ""
    lines = [o for o in api.store.catalog.overrides().elements if o.action == "mappings add"]
    assert [(line.who[:4], line.subject) for line in lines] == [("key ", "acme/requests")]


def test_a_mapping_is_changed_from_the_next_full_hour_by_who_read_it(api: Api):
    read = called(api, "PUT", ONE, TARGET).headers["etag"]

    unread = called(api, "PUT", ONE, OTHER)
    changed = called(api, "PUT", ONE, OTHER, **{"if-match": read})
    late = called(api, "PUT", ONE, {**TARGET, "destination": "cus_3"}, **{"if-match": read})

    assert problem(unread) == (428, "precondition-required")
    assert problem(late) == (412, "changed-meanwhile")
    assert changed.status_code == 200
    first, second = changed.json()["versions"]
    assert (first["effective_from"], second["effective_from"]) == (None, NEXT_HOUR)
    assert (first["destination"], second["destination"]) == ("cus_1", "cus_2")
    assert first["publish_from"] == second["publish_from"] == format_instant(NOW)


def test_what_is_not_there_was_not_read(api: Api):
    response = called(api, "PUT", ONE, TARGET, **{"if-match": '"any"'})

    assert problem(response) == (412, "changed-meanwhile")
    assert problem(called(api, "GET", ONE)) == (404, "not-found")


def test_of_several_edits_through_two_servers_one_is_made(
    make_api: Callable[..., Api], tmp_path, api: Api
):
    url = f"sqlite:///{tmp_path / 'tally.db'}"
    first = make_api(url=url)
    for changed in (Tenant(id="acme"), api.store.catalog.meters()[0][0]):
        first.store.catalog.save(changed, AUDIT)
    second = make_api(url=url)
    key = first.key(Scope.ADMIN)
    read = called(first, "PUT", ONE, TARGET, key=key).headers["etag"]

    def edit(number: int) -> int:
        server = (first, second)[number % 2]
        body = {**TARGET, "destination": f"cus_new{number}"}
        return called(server, "PUT", ONE, body, key=key, **{"if-match": read}).status_code

    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(edit, range(4)))

    assert sorted(codes) == [200, 412, 412, 412]
    with_both = open_store(url)
    assert len(with_both.catalog.account("acme").mappings) == 2
    with_both.close()


def test_an_ended_mapping_bills_what_came_before_and_holds_what_comes_after(api: Api):
    called(api, "PUT", ONE, {**TARGET, "publish_from": "2026-01-01T00:00:00Z"})
    api.post(native("before"))

    ended = called(api, "POST", f"{ONE}/end", {"why": "they left"})
    again = called(api, "POST", f"{ONE}/end", {"why": "they left"})
    api.clock.sleep(HOUR)
    api.post(native("after"))
    api.clock.sleep(2 * HOUR)

    assert (ended.status_code, ended.json()["is_ended"]) == (200, True)
    assert ended.json()["versions"][-1]["effective_from"] == NEXT_HOUR
    assert again.json() == ended.json()
    assert held(api) == ["", "no mapping"]
    lines = [o for o in api.store.catalog.overrides().elements if o.action == "mappings end"]
    assert [line.why for line in lines] == ["they left"]


def test_an_ended_mapping_goes_on_when_it_is_mapped_again(api: Api):
    called(api, "PUT", ONE, TARGET)
    read = called(api, "POST", f"{ONE}/end", {"why": "a mistake"}).headers["etag"]
    api.clock.sleep(HOUR)

    again = called(api, "PUT", ONE, TARGET, **{"if-match": read})

    assert [v["destination"] for v in again.json()["versions"]] == ["cus_1", "", "cus_1"]
    assert again.json()["is_ended"] is False


def test_a_dimension_set_is_mapped_for_itself(api: Api):
    large = f'{ONE}?group={{"region": "eu"}}'

    called(api, "PUT", ONE, TARGET)
    made = called(api, "PUT", large, {**TARGET, "counter": "eu"})

    assert made.json()["group"] == '{"region":"eu"}'
    assert [m["group"] for m in elements(api, ALL)] == ["", '{"region":"eu"}']
    assert called(api, "GET", large).json() == made.json()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({**TARGET, "route": "paypal"}, "is none of stripe.hour_meter"),
        ({**TARGET, "destination": "si_1"}, "cus_"),
        ({**TARGET, "counter": ""}, "event name"),
        ({**TARGET, "route": "stripe.usage_record", "destination": "si_1"}, "no counter"),
        ({**TARGET, "publish_from": "soon"}, "publish_from"),
        ({**TARGET, "boundary_hour": "both"}, "boundary_hour"),
        ({**TARGET, "colour": "red"}, "colour"),
        ({**TARGET, "why": ""}, "why"),
        ({}, "route"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_not_made(api: Api, body, sentence):
    response = called(api, "PUT", ONE, body)

    assert problem(response)[0] == 400
    assert sentence in response.json()["detail"]
    assert elements(api, ALL) == []


NO_GROUPS = ("x", "[]", "{}", '{"a": 1}', "[" * 3_000, "-Infinity", '["a"]', '"a"', "5", "null")


@pytest.mark.parametrize("group", NO_GROUPS)
def test_a_group_that_cannot_be_meant_is_refused(api: Api, group):
    response = api.client.get(
        ONE, params={"group": group}, headers={"authorization": f"Bearer {api.key(Scope.READ)}"}
    )

    assert problem(response) == (400, "invalid-parameter")


def test_who_shares_slots_bills_a_cut_hour_in_one_period(api: Api):
    api.store.catalog.save(Tenant(id="beta"), AUDIT)
    shared = {**TARGET, "route": SUM_METER.name, "boundary_hour": "next"}
    called(api, "PUT", ONE, shared)

    path = "/api/v1/tenants/beta/mappings/requests"
    refused = called(api, "PUT", path, {**shared, "boundary_hour": "previous"})

    assert problem(refused) == (400, "invalid-parameter")
    assert called(api, "PUT", path, shared).status_code == 201


@pytest.mark.parametrize(
    ("path", "why"), [(f"{ALL}/nothing", "x"), ("/api/v1/tenants/nobody/mappings/requests", "x")]
)
def test_nothing_is_mapped_that_is_not_there(api: Api, path: str, why: str):
    assert problem(called(api, "PUT", path, TARGET)) == (404, "not-found")
    assert problem(called(api, "POST", f"{path}/end", {"why": why})) == (404, "not-found")
    assert problem(called(api, "POST", f"{ONE}/end", {"why": why})) == (404, "not-found")
    assert problem(called(api, "POST", f"{ONE}/end", {"why": " "}))[0] == 400
