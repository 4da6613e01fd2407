"""The API in this process, on a memory or SQLite store, with keys and a few settings."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tallystick.bootstrap import App, open_store
from tallystick.clock import FixedClock
from tallystick.config import Settings
from tallystick.domain.api_key import ApiKey, Scope, digest_of
from tallystick.domain.instant import parse_instant
from tallystick.domain.meter import Aggregation, Meter
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.cli import main
from tallystick.entrypoints.http.api import build_api
from tallystick.entrypoints.http.service import Service, service_for
from tallystick.ports import Override, Store

NOW = parse_instant("2026-01-31T12:00:00Z")
AUDIT = Override(at=NOW, who="ada", why="a test", action="save", subject="it")


@dataclass
class Api:
    """A client of the API, and what lies behind it."""

    client: TestClient
    store: Store
    clock: FixedClock
    service: Service

    def key(self, *scopes: Scope, tenant: str = "", **more: Any) -> str:
        """A new key's text."""
        text = f"tally_test_{len(self.store.keys.list())}"
        key = ApiKey(
            id=text[6:], digest=digest_of(text), scopes=scopes, tenant=tenant, created_at=NOW
        )
        assert self.store.keys.add(replace(key, **more), AUDIT)
        return text

    def post(self, body: object, path: str = "/api/v1/events", *, key: str = "", **headers: str):
        """Send a body, by default as JSON with a key that may ingest."""
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        names.setdefault("content-type", "application/json")
        names["authorization"] = f"Bearer {key or self.key(Scope.INGEST)}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers=names)

    def value(self, tenant: str = "acme", meter: str = "requests") -> object:
        """What the tenant's meter came to, all windows together."""
        found = self.store.events.aggregates(tenant=tenant, meter=meter).elements
        return sum(aggregate.value for aggregate in found if not aggregate.key.group)

    def letters(self) -> list[str]:
        return [str(letter.reason) for letter in self.store.dead_letters.list().elements]


def counts(response: Any) -> dict[str, int]:
    """The kinds that are not zero."""
    parts = (part.split("=") for part in response.headers["tallystick-counts"].split(", "))
    return {kind: int(number) for kind, number in parts if number != "0"}


def cloud_event(id_: str = "e1", quantity: object = 5, **more: object) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "gateway",
        "type": "requests",
        "subject": "acme",
        "time": "2026-01-31T11:30:00Z",
        "data": {"quantity": quantity},
        **more,
    }


def native(id_: str | None = "n1", quantity: object = 5, **more: object) -> dict[str, object]:
    body = {"TenantID": "acme", "ProductCode": "requests", "Quantity": quantity, **more}
    return body if id_ is None else {**body, "EventID": id_}


def envelope(detail: object, detail_type: str = "BILLING") -> dict[str, object]:
    """As EventBridge delivers an event to an API destination."""
    told = {"id": "b3c1", "source": "shop", "time": "2026-01-31T10:00:00Z"}
    return {**told, "detail-type": detail_type, "detail": detail}


@pytest.fixture
def make_api(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    opened = []

    def make(settings: Settings | None = None, url: str = "memory:") -> Api:
        clock = FixedClock(NOW)
        store = open_store(url)
        service = service_for(App(store=store, clock=clock, settings=settings or Settings()))
        client = TestClient(build_api(service), raise_server_exceptions=False)
        client.__enter__()
        opened.append((client, store, service))
        return Api(client, store, clock, service)

    yield make
    for client, store, service in opened:
        client.__exit__(None, None, None)
        store.close()
        assert service.memory.held == 0


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """The tenant 'acme' and the meter 'requests'."""
    made = make_api()
    made.store.catalog.save(Tenant(id="acme"), AUDIT)
    made.store.catalog.save(
        Meter(id="requests", code="requests", aggregation=Aggregation.SUM), AUDIT
    )
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds a store with the tenant 'acme' and the meter 'requests', for a server of its own."""
    url = f"sqlite:///{tmp_path / 'tally.db'}"
    assert main(["tenants", "add", "acme", "--store", url]) == 0
    assert main(["meters", "add", "requests", "--store", url]) == 0
    return tmp_path
