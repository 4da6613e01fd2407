"""Report the same kind of usage by four clients, of which only one is ours.

    python examples/report_usage.py KEY 2026-09-01T09

The README's walk runs it. The others need no change and no plugin: they think that they talk to
their own service.
"""

import sys
from datetime import datetime

import httpx
from cloudevents.conversion import to_structured
from cloudevents.http import CloudEvent
from lago_python_client.client import Client as LagoClient
from lago_python_client.models import Event as LagoEvent
from openmeter import Client as OpenMeterClient
from openmeter.models import Event as OpenMeterEvent

from tallystick.client import Client

URL = "http://127.0.0.1:8750"


def by_tallystick(key: str, at: datetime) -> None:
    with Client(URL, key=key, spool="spool") as usage:
        usage.record("acme", "api_calls", 3, key="ours", at=at)


def by_openmeter(key: str, at: datetime) -> None:
    event = OpenMeterEvent(
        id="openmeter",
        source="app",
        specversion="1.0",
        type="api_calls",
        subject="acme",
        time=at,
        data={"quantity": 4},
    )
    with OpenMeterClient(endpoint=URL, token=key) as openmeter:
        openmeter.events.ingest_event(event)
        openmeter.events.ingest_event(event)  # the same again: it counts once


def by_lago(key: str, at: datetime) -> None:
    event = LagoEvent(
        transaction_id="lago",
        external_subscription_id="acme",
        code="api_calls",
        timestamp=int(at.timestamp()),
        properties={"quantity": 5},
    )
    LagoClient(api_key=key, api_url=f"{URL}/").events.create(event)


def by_cloudevents(key: str, at: datetime) -> None:
    named = {"id": "cloud", "source": "app", "type": "api_calls", "subject": "acme"}
    headers, body = to_structured(CloudEvent({**named, "time": at.isoformat()}, {"quantity": 6}))
    headers["Authorization"] = f"Bearer {key}"
    httpx.post(f"{URL}/api/v1/events", content=body, headers=headers).raise_for_status()


if __name__ == "__main__":
    own_key, hour = sys.argv[1:]
    for report in (by_tallystick, by_openmeter, by_lago, by_cloudevents):
        report(own_key, datetime.fromisoformat(f"{hour}:30:00+00:00"))
