"""What each page shows, and what its forms do."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest

from tallystick.domain.api_key import Scope, digest_of
from tallystick.domain.instant import DAY, HOUR, SECOND, format_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Aggregation, Meter
from tallystick.domain.tenant import Tenant, Terms
from tallystick.entrypoints.dashboard import publications
from tallystick.entrypoints.dashboard.rendering import grouped, local_text, sentence
from tallystick.testing.fakes import SUM_METER
from tests.dashboard.conftest import Person, signed_in
from tests.http.conftest import AUDIT, NOW, Api, cloud_event, native


def ago(hours: int) -> str:
    return format_instant(NOW - hours * HOUR)


def usage(key: str, quantity: object, hours: int, **more: object) -> dict[str, object]:
    at = (NOW - hours * HOUR) // 1_000
    return {**native(key, quantity), "Timestamp": at, **more}


# ── Overview ──────────────────────────────────────────────────────────────────────────────────────


def test_the_overview_shows_what_was_counted_just_now(api: Api, admin: Person):
    api.post([native("a", "1.5"), native("b", "2"), {**native("c"), "ProductCode": "odd"}])
    api.post(native("a", "1.5"))
    api.clock.sleep(SECOND)

    for path in ("/", "/live"):
        page = admin.see(path)
        assert page.one("p", id="rate").text == "0.4"
        assert page.one("dl", id="totals").text == "counted 2 duplicates 1 dead letters 1"
        assert page.table(1) == [["acme", "requests", "2026-01-31 12:00 UTC", "2", "3.5"]]
        assert page.links()["acme"] == "/dashboard/tenant?id=acme"


def test_the_overview_says_what_needs_a_person_and_where(billed: Api):
    admin = signed_in(billed)
    calm = admin.main("/")
    assert calm.links()["Dead letters, invalid: 2"] == "/dashboard/dead-letters?reason=invalid"

    admin.post("/sending", action="pause", why="a look")
    billed.store.catalog.switch("hold:cus_acme", "the subscription is paused", AUDIT)

    main = admin.main("/")
    assert any("paused for all tenants since" in text for text in main.links())
    assert "Nothing is sent to cus_acme: the subscription is paused." in main.links()


def test_the_overview_of_an_empty_store_says_how_to_begin(make_api: Callable[..., Api]):
    admin = signed_in(make_api())

    commands = admin.main("/").one("pre").text
    assert "tallystick tenants add acme" in commands
    assert "tallystick meters add requests" in commands
    assert "curl http://127.0.0.1:8750/api/v1/events" in commands


# ── Tenants ───────────────────────────────────────────────────────────────────────────────────────


def test_tenants_come_by_pages_and_by_how_they_begin(api: Api, admin: Person):
    for number in range(60):
        api.store.catalog.save(Tenant(id=f"t/{number:02}"), AUDIT)

    first = admin.main("/tenants")
    second = admin.main(first.links()["Next page"].removeprefix("/dashboard"))
    found = admin.main("/tenants?q=t/5")

    ids = [row[0] for page in (first, second) for row in page.table()]
    assert ids == ["acme", *(f"t/{number:02}" for number in range(60))]
    assert [row[0] for row in found.table()] == [f"t/5{digit}" for digit in range(10)]
    assert "Next page" not in second.links()
    assert admin.main(found.links()["t/50"].removeprefix("/dashboard")).one("h1").text == "t/50"
    assert "No tenant's id begins with" in admin.main("/tenants?q=zz").text


def test_usage_is_shown_by_the_tenant_s_own_clocks(api: Api, admin: Person):
    berlin = Tenant(id="acme", versions=(Terms(zone="Europe/Berlin"),))
    api.store.catalog.save(berlin, AUDIT)
    api.post([usage("a", "1000.000000000001", 1), usage("b", "234", 12), usage("c", "5", 13)])

    main = admin.main("/tenant?id=acme&reach=week&size=DAY")

    assert main.table() == [
        ["2026-01-31 00:00", "2026-01-30 23:00", "1,239.000000000001"],
    ]
    (hours,) = [t for t in admin.main("/tenant?id=acme").all("table") if "id" in t.attributes]
    assert [row.all("td")[-1].text for row in hours.one("tbody").all("tr")] == [
        "5", "234", "1,000.000000000001"]  # fmt: skip
    assert hours.one("tfoot").text == "The whole span 1,239.000000000001"
    row = hours.one("tbody").all("tr")[0].attributes
    assert row["data-quantity"] == "5"
    assert int(row["data-start"]) * SECOND == NOW - 13 * HOUR


def test_the_total_of_what_does_not_add_up_is_folded_anew(api: Api, admin: Person):
    users = Meter(id="users", code="logins", aggregation=Aggregation.UNIQUE_COUNT, value_path="who")
    api.store.catalog.save(users, AUDIT)
    for number, (who, hours) in enumerate((("ada", 1), ("ada", 2), ("bob", 2))):
        told = {"type": "logins", "data": {"who": who}, "time": ago(hours)}
        api.post(cloud_event(f"l{number}", **told), content_type="application/cloudevents+json")

    table = admin.main("/tenant?id=acme&meter=users").one("table", id="usage")

    assert [row.all("td")[-1].text for row in table.one("tbody").all("tr")] == ["2", "1"]
    assert table.one("tfoot").all("td")[-1].text == "2"


def test_the_csv_is_the_table_exactly(api: Api, admin: Person):
    api.post([usage("a", "1000.5", 1), usage("b", "0.25", 2)])
    path = admin.main("/tenant?id=acme").links()["Download as CSV"]

    answer = admin.get(path.removeprefix("/dashboard"))

    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["window_start", "window_end", "value"]
    assert rows[1:] == [[ago(2), ago(1), "0.25"], [ago(1), ago(0), "1000.5"]]
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="requests.csv"'


def test_what_runs_now_is_shown_as_it_is_counted(api: Api, admin: Person):
    assert "Nothing was counted" in admin.see("/tenant/now?id=acme").text

    api.post([native("a", "1.25")])
    shown = admin.see("/tenant/now?id=acme").one("dl", id="open-windows")

    assert shown.one("dt").text == "requests"
    assert shown.one("dd").text == "1.25 sum of 1 events since 2026-01-31 12:00 UTC"


@pytest.mark.parametrize("reach", ["day", "week", "month", "period", "before", "nonsense"])
@pytest.mark.parametrize("size", ["HOUR", "DAY", "MONTH", "nonsense"])
def test_every_choice_of_a_span_shows_what_lies_in_it(api: Api, admin: Person, reach, size):
    api.store.catalog.save(Tenant(id="acme", versions=(Terms(anchor=NOW - 40 * DAY),)), AUDIT)
    for number, hours in enumerate((0, 30, 24 * 8, 24 * 20, 24 * 35)):
        api.post(usage(f"e{number}", 10**number, hours))

    found = admin.main(f"/tenant?id=acme&reach={reach}&size={size}").one("tfoot").text

    wanted = {"day": "1", "week": "11", "month": "1,111", "period": "111", "before": "11,000"}
    assert found == f"The whole span {wanted.get(reach, '1')}"


def test_pausing_a_tenant_is_on_record(api: Api, admin: Person):
    admin.post("/sending", action="pause", tenant="acme", why="", status=400)
    place = admin.post("/sending", action="pause", tenant="acme", why="they asked")

    page = admin.main(place.headers["location"].removeprefix("/dashboard"))
    assert (
        "Publishing is paused for acme." in page.one("p", role="status", **{"class": "notice"}).text
    )
    assert "paused since 2026-01-31T12:00:00Z" in page.text
    assert not admin.main("/tenant?id=acme").all("p", **{"class": "notice"}), "said once"
    line = api.store.catalog.overrides().elements[-1]
    assert (line.action, line.subject, line.why) == ("pause", "acme", "they asked")
    assert line.who.startswith("key ")

    admin.post("/sending", action="resume", tenant="acme", why="they paid")
    assert api.store.catalog.switches() == {}


# ── Publications ──────────────────────────────────────────────────────────────────────────────────


def test_a_publication_leads_to_its_lines_and_their_events(billed: Api):
    admin = signed_in(billed)
    listing = admin.main("/publications")
    assert [row[2] for row in listing.table()] == ["cus_acme requests", "cus_beta requests"]
    link = next(iter(listing.one("tbody").links().values()))

    publication = admin.main(link.removeprefix("/dashboard"))
    assert publication.table()[0][1:] == [
        "requests 1", "■ seal", "acme", "2026-01-31 12:00", "5", "5"]  # fmt: skip
    entry = admin.main(publication.links()["requests 1"].removeprefix("/dashboard"))

    (row,) = entry.table()
    assert row[:3] == ["1", "acme1", "requests"]
    assert row[5] == "5"
    found = billed.store.ledger.entries(tenant="acme").elements[0]
    assert found.hash in entry.text


def test_a_long_lineage_comes_by_pages_and_ends_where_the_publication_did(
    billed: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publications, "LINES", 2)
    monkeypatch.setattr(publications, "CHANGES", 2)
    admin = signed_in(billed)
    (told,) = (p for p in billed.store.outbox.publications().elements if "acme" in str(p.slot))
    grown = billed.store.outbox.slots(destination="cus_acme").elements[0].slot
    assert told.slot_version == grown.version == 1

    link = f"/publication?identifier={told.identifier}"
    assert len(admin.main(link).table()) == 1
    assert "Next page" not in admin.main(link).links()
    assert admin.main(f"{link}&seen=1").table() == []
    admin.get("/publication?identifier=tly_nothing", status=404)
    admin.get(f"/entry?identifier={told.identifier}&tenant=acme&meter=requests&line=9", status=404)


def test_the_events_of_a_line_come_by_pages(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publications, "CHANGES", 2)
    billed = billed_with(api, events=5)
    admin = signed_in(billed)
    listing = admin.main("/publications")
    path = next(iter(listing.one("tbody").links().values()))
    path = admin.main(path.removeprefix("/dashboard")).links()["requests 1"]

    keys, pages = [], 0
    while path:
        entry = admin.main(path.removeprefix("/dashboard"))
        keys += [row[1] for row in entry.table()]
        path, pages = entry.links().get("Next page", ""), pages + 1

    assert (keys, pages) == ([f"e{number}" for number in range(5)], 3)


def billed_with(api: Api, events: int) -> Api:
    """The tenant acme, billed for some events of one hour."""
    from tallystick.domain.publication import Limits  # noqa: PLC0415
    from tallystick.stages.passing import one_pass  # noqa: PLC0415
    from tallystick.stages.publishing import Publishing  # noqa: PLC0415
    from tallystick.stages.targeting import SealLimits  # noqa: PLC0415
    from tallystick.testing.fakes import FakeProvider, FakePublisher  # noqa: PLC0415

    mapping = Mapping(tenant="acme", meter="requests", route=SUM_METER.name, account="acct",
                      destination="cus_acme", counter="requests", publish_from=0)  # fmt: skip
    api.store.catalog.save(mapping, AUDIT)
    api.post([native(f"e{number}") for number in range(events)])
    api.clock.sleep(2 * HOUR)
    publisher = FakePublisher(FakeProvider(api.clock), api.clock)
    publishing = Publishing(store=api.store, publisher=publisher, clock=api.clock, limits=Limits())
    one_pass(publishing, SealLimits())
    return api


def test_an_unsettled_publication_is_settled_with_its_evidence(billed: Api):
    admin = signed_in(billed)
    told = billed.store.outbox.publications(unsettled=True).elements[0]
    fields = {"identifier": told.identifier, "verdict": "arrived"}

    admin.post("/settle", **fields, why="", status=400)
    admin.post("/settle", identifier=told.identifier, verdict="perhaps", why="x", status=400)
    admin.post("/settle", **fields, why="seen in their dashboard")

    page = admin.main(f"/publication?identifier={told.identifier}")
    assert "● confirmed" in page.text
    assert not page.all("input", name="verdict")
    admin.post("/settle", **fields, why="again", status=409)


# ── Dead letters ──────────────────────────────────────────────────────────────────────────────────


def test_dead_letters_show_why_and_what_and_are_replayed_one_or_all(api: Api, admin: Person):
    api.post([{**native(key), "ProductCode": "odd"} for key in ("a", "b", "c")])
    api.post([native("bad", "a lot")])
    api.store.catalog.save(Meter(id="odd", code="odd"), AUDIT)

    assert len(admin.main("/dead-letters").all("li", **{"class": "letter"})) == 4
    of_code = admin.main("/dead-letters?reason=unknown_code")
    letters = of_code.all("li", **{"class": "letter"})
    assert len(letters) == 3
    assert '"ProductCode":"odd"' in letters[0].one("pre").text.replace(" ", "")
    assert "no meter reads the code 'odd'" in letters[0].text

    one = letters[0].one("input", name="id").attributes["value"]
    place = admin.post("/dead-letters", id=one).headers["location"]
    assert (
        "Replayed 1: 1 recorded; 0 could not" in admin.main(place.removeprefix("/dashboard")).text
    )
    admin.post("/dead-letters", reason="unknown_code")
    assert api.value(meter="odd") == 15

    place = admin.post("/dead-letters", reason="invalid").headers["location"]
    assert "1 could not be counted again" in admin.main(place.removeprefix("/dashboard")).text
    replayed = admin.main("/dead-letters?reason=unknown_code&all=1")
    assert replayed.text.count("and became: recorded") == 3
    assert "No dead letter has this reason" in admin.main("/dead-letters?reason=overflow").text
    admin.post("/dead-letters", reason="nonsense", status=400)


# ── Meters and keys ───────────────────────────────────────────────────────────────────────────────


def test_a_meter_is_made_by_the_rules_of_the_api(api: Api, admin: Person):
    form = {
        "slug": "tokens",
        "aggregation": "SUM",
        "path": "$.tokens",
        "dimensions": "model, $.tier",
    }
    admin.post("/meters", **form)

    (made,) = (v[-1] for v in api.store.catalog.meters() if v[0].id == "tokens")
    assert (made.code, made.value_path, made.dimensions) == ("tokens", "tokens", ("model", "tier"))
    assert ["tokens", "tokens", "sum", "tokens", "hour", "model, tier", "0", "hold"] in (
        admin.main("/meters").table()
    )

    for changed, status, said in (
        ({"aggregation": "MAX"}, 409, "another definition"),
        ({"slug": "new", "path": "tokens[*]"}, 400, "must be a plain path"),
        ({"slug": "", "code": "x"}, 400, "slug"),
    ):
        answer = admin.post("/meters", **{**form, **changed}, status=status)
        assert said in answer.text
        assert 'value="model, $.tier"' in answer.text, "what was filled in is still there"
    assert len(api.store.catalog.meters()) == 2


def test_a_key_is_shown_once_and_ended_with_a_reason(api: Api, admin: Person):
    fields = {"name": "Gateway", "scope": ["ingest", "read"], "tenant": "acme", "expires": "720h"}
    page = admin.post("/keys", **fields, why="a new service", status=200).text

    made = api.store.keys.list()[-1]
    assert (made.name, made.scopes, made.tenant) == ("Gateway", (Scope.INGEST, Scope.READ), "acme")
    assert made.expires_at == NOW + 30 * DAY
    (text,) = {word for word in page.replace("<", " ").replace(">", " ").split()
               if word.startswith("tally_") and digest_of(word) == made.digest}  # fmt: skip
    assert text not in admin.get("/keys").text

    admin.post("/keys/revoke", id=made.id, why="", status=400)
    admin.post("/keys/revoke", id=made.id, why="it leaked")
    admin.post("/keys/revoke", id=made.id, why="it leaked", status=404)
    assert admin.main("/keys").table()[0][2] == "✕ revoked"
    assert api.store.catalog.overrides().elements[-1].why == "it leaked"

    for changed, said in (
        ({"scope": []}, "at least one scope"),
        ({"expires": "soon"}, "expires in"),
        ({"tenant": "nobody"}, "no such tenant"),
        ({"scope": "admin"}, "sees all tenants"),
    ):
        answer = admin.post(
            "/keys", **{**fields, **changed}, status=404 if "tenant" in changed else 400
        )
        assert said in answer.text


# ── Reconciliation ────────────────────────────────────────────────────────────────────────────────


def test_reconciliation_says_that_nothing_was_compared_and_compares(api: Api, admin: Person):
    assert "Nothing was compared since this server started" in admin.main("/reconciliation").text

    admin.post("/reconciliation")
    api.service.checks.stop()

    assert "our half alone" in admin.main("/reconciliation").text
    run = admin.get("/reconciliation/run")
    assert run.headers["hx-refresh"] == "true"


# ── How values look ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Decimal(0), "0"),
        (Decimal(-999), "-999"),
        (Decimal(-1000), "-1,000"),
        (Decimal("1234567.000000000001"), "1,234,567.000000000001"),
        (Decimal("99999999999999999999999999.123456789012"),
         "99,999,999,999,999,999,999,999,999.123456789012"),
        (1_000_000, "1,000,000"),
    ],
)  # fmt: skip
def test_a_quantity_keeps_every_digit(quantity, text):
    assert grouped(quantity) == text


def test_a_time_is_told_by_the_clocks_of_its_zone():
    assert local_text(NOW, "Asia/Kathmandu") == "2026-01-31 17:45"
    assert local_text(NOW + SECOND, "UTC") == "2026-01-31 12:00:01"
    assert sentence("no such tenant") == "No such tenant."
