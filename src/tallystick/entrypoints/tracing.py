"""OpenTelemetry, where its own variables ask for it: a span for each request and each pass.

Names and attributes follow the stable semantic conventions for HTTP. No attribute holds a query,
since that may hold a token. Without the extra `otel` nothing of it is loaded.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from tallystick import __version__
from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.http.observing import NO_ROUTE, OTHER_METHOD, Exchange, Routes
from tallystick.entrypoints.worker import Passed

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, TracerProvider

HOW_TO_GET_IT: Final = "install the extra (tallystick[otel]), or unset OpenTelemetry's variables"


@contextmanager
def tracing(asked: str) -> "Iterator[OtelSpans | None]":
    """What makes spans while it is open, or None where nothing asks. What is left is sent at the
    end. Raises InvalidSetting where it is asked for and not installed."""
    if not asked:
        yield None
        return
    try:
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        exporter = _exporter(asked)
    except ImportError as error:
        raise InvalidSetting(
            f"OpenTelemetry is asked for and not installed: {HOW_TO_GET_IT}"
        ) from error
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield OtelSpans(provider)
    finally:
        provider.shutdown()


def _exporter(asked: str) -> "SpanExporter":
    if asked == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


class OtelSpans:
    """Spans of one tracer provider."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self._trace = trace
        self._tracer = provider.get_tracer("tallystick", __version__)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, exchange: Exchange, routes: Routes) -> Iterator[None]:
        """A server's span around the exchange, a child of the caller's."""
        carrier = dict(Headers(scope=exchange.scope))
        with self._tracer.start_as_current_span(
            exchange.method,
            context=self._propagator.extract(carrier),
            kind=self._trace.SpanKind.SERVER,
            attributes=_asked(exchange, carrier),
        ) as span:
            context = span.get_span_context()
            exchange.ids = {
                "trace_id": self._trace.format_trace_id(context.trace_id),
                "span_id": self._trace.format_span_id(context.span_id),
            }
            try:
                yield
            finally:
                self._answered(span, exchange, routes.of(exchange.scope))

    def _answered(self, span: "Span", exchange: Exchange, route: str) -> None:
        if route != NO_ROUTE:
            span.update_name(f"{_method(exchange)} {route}")
            span.set_attribute("http.route", route)
        if exchange.status is None:
            return
        span.set_attribute("http.response.status_code", exchange.status)
        if exchange.status >= 500:
            span.set_attribute("error.type", str(exchange.status))
            span.set_status(self._trace.StatusCode.ERROR)

    def around_pass(self, one_pass: Callable[[], Passed]) -> Callable[[], Passed]:
        """The same pass in a span of its own, with its counts."""

        def spanned() -> Passed:
            with self._tracer.start_as_current_span("hourly pass") as span:
                passed = one_pass()
                for name, count in passed.counts.items():
                    span.set_attribute(f"tallystick.pass.{name}", count)
                return passed

        return spanned


def _method(exchange: Exchange) -> str:
    return "HTTP" if exchange.method == OTHER_METHOD else exchange.method


def _asked(exchange: Exchange, headers: Mapping[str, str]) -> dict[str, str | int]:
    scope = exchange.scope
    is_other = exchange.method == OTHER_METHOD
    found: dict[str, str | int] = {
        "http.request.method": "_OTHER" if is_other else exchange.method,
        "url.path": scope["path"],
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if scope.get("server"):
        found |= {"server.address": scope["server"][0], "server.port": scope["server"][1] or 0}
    if "user-agent" in headers:
        found["user_agent.original"] = headers["user-agent"]
    return found
