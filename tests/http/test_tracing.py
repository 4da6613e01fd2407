"""Traces: a span for each request and pass where OpenTelemetry is asked for, else nothing of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.testclient import TestClient

from tallystick.config import Settings, read_settings
from tallystick.domain.api_key import Scope
from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.http.api import build_api
from tallystick.entrypoints.logs import logging_to
from tallystick.entrypoints.tracing import OtelSpans, tracing
from tallystick.entrypoints.worker import Passed
from tests.http.conftest import Api, native

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Traced:
    """The API with spans kept in memory."""

    def __init__(self, api: Api) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = OtelSpans(provider)
        api.service.running.spans = self.spans
        self.api = api
        # Without entering it: the first client's end ends the service.
        self.client = TestClient(build_api(api.service), raise_server_exceptions=False)

    def only(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span


@pytest.fixture
def traced(api: Api) -> Traced:
    return Traced(api)


def test_a_request_is_a_span_by_the_stable_conventions(traced: Traced):
    key = traced.api.key(Scope.READ)
    names = {"authorization": f"Bearer {key}", "user-agent": "curl/8"}
    traced.client.get("/api/v1/tenants/acme?limit=secret", headers=names)

    span = traced.only()

    assert (span.name, span.kind) == ("GET /api/v1/tenants/{tenant}", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/tenants/{tenant}",
        "http.response.status_code": 200,
        "url.path": "/api/v1/tenants/acme",
        "url.scheme": "http",
        "server.address": "testserver",
        "server.port": 80,
        "network.protocol.version": "1.1",
        "user_agent.original": "curl/8",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert key not in span.to_json()


def test_it_belongs_to_the_callers_trace_and_the_log_names_it(traced: Traced, tmp_path: Path):
    with (tmp_path / "log").open("wb") as log, logging_to(log.fileno(), "info", "json"):
        traced.client.get("/healthz", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})

    span = traced.only()
    line = json.loads((tmp_path / "log").read_text())

    assert (line["trace_id"], line["span_id"]) == (TRACE, format(span.context.span_id, "016x"))
    assert format(span.context.trace_id, "032x") == TRACE
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == PARENT


def test_a_failure_is_an_error_and_a_refusal_is_none(traced: Traced):
    traced.client.get("/nowhere")
    assert traced.only().status.status_code is StatusCode.UNSET
    assert traced.only().name == "GET"
    traced.exporter.clear()
    names = {"authorization": f"Bearer {traced.api.key(Scope.READ)}"}
    traced.api.store.close()

    traced.client.get("/api/v1/usage?tenant=acme", headers=names)

    span = traced.only()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "503"


def test_a_method_nobody_knows_is_no_name(traced: Traced):
    traced.client.request("BREW", "/healthz")

    span = traced.only()

    assert span.name == "HTTP /healthz"
    assert (span.attributes or {})["http.request.method"] == "_OTHER"


def test_a_pass_is_a_span_with_its_counts(traced: Traced):
    spanned = traced.spans.around_pass(lambda: Passed(counts={"entries": 3}, again=True))

    assert spanned().again

    span = traced.only()
    assert (span.name, dict(span.attributes or {})) == (
        "hourly pass",
        {"tallystick.pass.entries": 3},
    )


def test_reports_are_counted_under_a_span_as_without(traced: Traced):
    names = {"authorization": f"Bearer {traced.api.key(Scope.INGEST)}"}

    assert (
        traced.client.post("/api/v1/events", json=[native("a")], headers=names).status_code == 204
    )
    assert traced.api.value() == 5


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, ""),
        ({"OTEL_SERVICE_NAME": "tallystick"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_only_opentelemetrys_own_variables_ask_for_it(environment: dict[str, str], asked: str):
    assert read_settings(environment).otel_asked == asked


def test_an_exporter_that_we_do_not_have_is_refused():
    with pytest.raises(InvalidSetting, match="otlp, console, none"):
        read_settings({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_asked_for_and_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(InvalidSetting, match=r"tallystick\[otel\]"), tracing("otlp"):
        pass
    with tracing("") as spans:
        assert spans is None


def test_what_is_asked_for_makes_spans(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    for asked in ("console", "otlp"):
        with tracing(asked) as spans:
            assert isinstance(spans, OtelSpans)


def test_without_it_nothing_of_it_is_loaded():
    program = (
        "import sys\n"
        "import tallystick.entrypoints.http.api, tallystick.entrypoints.cli.serve\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    assert Settings().otel_asked == ""
    subprocess.run([sys.executable, "-c", program], check=True)
