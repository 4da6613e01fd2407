"""Other people's clients, installed and unchanged, against the real server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cloudevents.conversion import to_binary, to_dict, to_structured
from cloudevents.http import CloudEvent
from corehttp.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError
from lago_python_client.client import Client as LagoClient
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import BatchEvent
from lago_python_client.models import Event as LagoEvent
from openmeter import Client as OpenMeterClient
from openmeter.models import (
    Event,
    MeterAggregation,
    MeterCreate,
    MeterQueryRequest,
    MeterUpdate,
)

from tallystick.bootstrap import open_store
from tallystick.entrypoints.cli import main
from tallystick.entrypoints.http.lago_reading import NO_CURRENCY
from tests.http.served import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all clients; each test has a tenant of its own."""
    folder: Path = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{folder / 'tally.db'}"
    for tenant in ("open", "batch", "lago", "cloud", "asked", "asked_by_lago"):
        assert main(["tenants", "add", tenant, "--store", url]) == 0
    assert main(["meters", "add", "requests", "--store", url]) == 0
    with serving(folder) as running:
        yield running


@pytest.fixture
def openmeter(served: Served) -> Iterator[OpenMeterClient]:
    with OpenMeterClient(endpoint=f"http://127.0.0.1:{served.port}", token=served.key) as client:
        yield client


@pytest.fixture
def lago(served: Served) -> LagoClient:
    return LagoClient(api_key=served.key, api_url=f"http://127.0.0.1:{served.port}/")


def total(served: Served, tenant: str, meter: str = "requests") -> object:
    store = open_store(served.url)
    found = store.events.aggregates(tenant=tenant, meter=meter).elements
    store.close()
    return sum(aggregate.value for aggregate in found if not aggregate.key.group)


def usage(
    id_: str, tenant: str, quantity: float | str = 1, code: str = "requests", **more: object
) -> Event:
    return Event(
        id=id_,
        source="app",
        specversion="1.0",
        type=code,
        subject=tenant,
        time=datetime(2026, 1, 31, 10, 30, tzinfo=UTC),
        data={"quantity": quantity, **more},
    )


# ── OpenMeter ─────────────────────────────────────────────────────────────────────────────────────


def test_openmeter_sends_one_event_and_its_retry(served: Served, openmeter: OpenMeterClient):
    for _ in range(2):
        openmeter.events.ingest_event(usage("one", "open", 2.5))

    assert str(total(served, "open")) == "2.5"


def test_openmeter_sends_a_batch_and_json(served: Served, openmeter: OpenMeterClient):
    openmeter.events.ingest_events([usage("a", "batch"), usage("b", "batch", "0.25")])
    openmeter.events.ingest_events_json([usage("b", "batch", "0.25"), usage("c", "batch")])
    openmeter.events.ingest_events_json(usage("d", "batch"))

    assert str(total(served, "batch")) == "3.25"


def test_openmeter_lists_the_events(openmeter: OpenMeterClient):
    openmeter.events.ingest_event(usage("listed", "asked", 3))

    found = openmeter.events.list(
        subject="asked", from_parameter=datetime(2026, 1, 1, tzinfo=UTC), id="listed", limit=5
    )

    assert [(e.event.id, e.event.type, e.event.data["quantity"]) for e in found] == [
        ("listed", "requests", 3)
    ]
    assert found[0].ingested_at.tzinfo is not None


def test_openmeter_makes_meters_and_asks_them(openmeter: OpenMeterClient):
    made = openmeter.meters.create(
        MeterCreate(
            slug="tokens_total",
            event_type="chat",
            aggregation=MeterAggregation.SUM,
            value_property="$.tokens",
            group_by={"model": "$.model"},
            description="Tokens by model",
        )
    )
    for number, (model, tokens) in enumerate((("large", 10), ("small", 2.5), ("large", 1))):
        event = usage(f"q{number}", "asked", code="chat", tokens=tokens, model=model)
        openmeter.events.ingest_event(event)

    assert openmeter.meters.get("tokens_total").aggregation == "SUM"
    assert made.id in [meter.id for meter in openmeter.meters.list()]
    answer = openmeter.meters.query_json(
        "tokens_total",
        from_parameter=datetime(2026, 1, 31, tzinfo=UTC),
        to=datetime(2026, 2, 1, tzinfo=UTC),
        window_size="DAY",
        window_time_zone="Europe/Berlin",
        subject=["asked"],
        group_by=["model"],
        filter_group_by={"model": "large"},
    )
    (row,) = answer.data
    assert (row.value, row.subject, row.group_by) == (11, "asked", {"model": "large"})
    assert row.window_start == datetime(2026, 1, 30, 23, tzinfo=UTC)


def test_openmeter_asks_for_a_table_and_by_a_body(openmeter: OpenMeterClient):
    openmeter.events.ingest_event(usage("csv", "asked", 1))

    table = openmeter.meters.query_csv("requests", window_size="MONTH", subject=["asked"])
    answer = openmeter.meters.query(
        "requests", MeterQueryRequest(window_size="MONTH", subject=["asked"])
    )

    header, line = str(table).split()
    assert header == "window_start,window_end,subject,value"
    assert line.split(",")[:3] == ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "asked"]
    assert [row.subject for row in answer.data] == ["asked"]


def test_openmeter_changes_and_deletes_meters(openmeter: OpenMeterClient):
    wanted = MeterCreate(slug="gone", event_type="gone", aggregation="COUNT")
    openmeter.meters.create(wanted)
    openmeter.events.ingest_event(usage("gone", "asked", code="gone", region="eu"))

    changed = openmeter.meters.update("gone", MeterUpdate(group_by={"region": "$.region"}))
    openmeter.meters.delete("gone")

    assert changed.group_by == {"region": "$.region"}
    assert openmeter.meters.get("gone").deleted_at is not None
    assert "gone" not in [meter.slug for meter in openmeter.meters.list()]
    assert openmeter.meters.query_json("gone").data[0].value == 1
    with pytest.raises(HttpResponseError) as refused:
        openmeter.meters.delete("never was")
    assert refused.value.status_code == 404
    assert openmeter.meters.create(wanted).deleted_at is None


def test_openmeter_understands_our_refusals(served: Served, openmeter: OpenMeterClient):
    wanted = MeterCreate(slug="twice", event_type="t", aggregation="COUNT")
    other = MeterCreate(slug="twice", event_type="u", aggregation="COUNT")
    openmeter.meters.create(wanted)

    with pytest.raises(ResourceExistsError):
        openmeter.meters.create(other)
    with pytest.raises(HttpResponseError) as refused:
        openmeter.events.ingest_events_json(usage("x", "open", filler="x" * 1_100_000))
    assert refused.value.status_code == 413
    stranger = OpenMeterClient(endpoint=f"http://127.0.0.1:{served.port}", token="nobody")  # noqa: S106
    with pytest.raises(ClientAuthenticationError), stranger:
        stranger.meters.list()


def test_openmeters_collector_sends_an_array_of_one(served: Served):
    body = [to_dict(CloudEvent({"source": "c", "type": "requests", "subject": "cloud", "id": "1"}))]

    response = httpx.post(
        f"http://127.0.0.1:{served.port}/api/v1/events",
        json=body,
        headers={"Authorization": f"Bearer {served.key}"},
    )

    assert response.status_code == 204


# ── Lago ──────────────────────────────────────────────────────────────────────────────────────────


def lago_event(id_: str, quantity: str) -> LagoEvent:
    return LagoEvent(
        transaction_id=id_,
        external_subscription_id="lago",
        code="requests",
        timestamp=1_769_855_400,
        properties={"quantity": quantity, "region": "eu"},
    )


def test_lago_sends_events_and_repeats_them(served: Served, lago: LagoClient):
    first = lago.events.create(lago_event("one", "2.5"))
    again = lago.events.create(lago_event("one", "2.5"))
    lago.events.batch_create(BatchEvent(events=[lago_event("two", "1"), lago_event("one", "2.5")]))

    assert first is not None
    assert first == again
    assert (first.transaction_id, first.timestamp) == ("one", "2026-01-31T10:30:00.000Z")
    assert first.properties == {"quantity": "2.5", "region": "eu"}
    assert str(total(served, "lago")) == "3.5"


def test_lago_finds_an_event(served: Served, lago: LagoClient):
    sent = lago.events.create(lago_event("find/me", "7"))

    assert lago.events.find("find%2Fme") == sent
    with pytest.raises(LagoApiError, match="404"):
        lago.events.find("never was")


def test_lago_reads_the_current_usage(served: Served, lago: LagoClient):
    event = lago_event("now", "4.5").copy(
        update={"external_subscription_id": "asked_by_lago", "timestamp": None}
    )
    lago.events.create(event)
    lago.events.create(event)

    usage = lago.customers.current_usage("asked_by_lago", "asked_by_lago")
    (one,) = [c for c in usage.charges_usage if c.billable_metric.code == "requests"]

    assert (one.units, one.events_count, one.billable_metric.aggregation_type) == (
        "4.5",
        1,
        "sum_agg",
    )
    assert (usage.amount_cents, usage.currency) == (0, NO_CURRENCY)
    assert usage.from_datetime < usage.to_datetime
    with pytest.raises(LagoApiError, match="404"):
        lago.customers.current_usage("asked_by_lago", "lago")
    with pytest.raises(LagoApiError, match="404"):
        lago.customers.current_usage("nobody", "nobody")


def test_lago_understands_our_refusals(served: Served, lago: LagoClient):
    stranger = LagoClient(api_key="nobody", api_url=f"http://127.0.0.1:{served.port}/")

    with pytest.raises(LagoApiError, match="401"):
        stranger.events.create(lago_event("x", "1"))
    with pytest.raises(LagoApiError, match="422"):
        lago.events.batch_create(BatchEvent(events=[]))


# ── CloudEvents ───────────────────────────────────────────────────────────────────────────────────


def test_cloudevents_come_in_both_modes_and_count_once(served: Served):
    attributes = {"source": "/app", "type": "requests", "subject": "cloud", "id": "both"}
    event = CloudEvent(attributes, {"quantity": 4})
    before = total(served, "cloud")

    for headers, body in (to_structured(event), to_binary(event)):
        response = httpx.post(
            f"http://127.0.0.1:{served.port}/api/v1/events",
            content=body,
            headers={**headers, "Authorization": f"Bearer {served.key}"},
        )
        assert response.status_code == 204, response.text

    assert total(served, "cloud") - before == 4
