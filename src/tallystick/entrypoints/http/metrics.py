"""What one server counts by itself, in a registry of its own, in Prometheus' shape.

No label names a tenant, and every label's values are a closed set: a series costs memory for ever.
"""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.process_collector import ProcessCollector

from tallystick import __version__

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets: from what a commit on a fast disk takes to what nobody waits for."""

CUT_OFF: Final = "none"
"""The status of a request whose caller went away before an answer began."""


class HttpMetrics:
    """Requests and group commits, counted where they happen; all else is read when it is asked
    for."""

    def __init__(self) -> None:
        # A second series for each, with the time at which it began, tells nobody anything.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Info("tallystick_build", "The running program.", registry=self.registry)
        build.info({"version": __version__})
        self._requests = Counter(
            "tallystick_http_requests_total",
            "Requests answered, or cut off by whoever asked.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._durations = Histogram(
            "tallystick_http_request_duration_seconds",
            "From the first byte of a request's headers being read to the end of its answer.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._under_way = Gauge(
            "tallystick_http_requests_in_progress",
            "Requests that are being answered.",
            registry=self.registry,
        )
        self._groups = Histogram(
            "tallystick_ingest_group_duration_seconds",
            "One call of the store for all reports that waited: each is one group commit.",
            buckets=SECONDS,
            registry=self.registry,
        )

        self._series: dict[tuple[str, str, int | None], tuple[Counter, Histogram]] = {}

    def begun(self) -> None:
        self._under_way.inc()

    def ended(self, method: str, route: str, status: int | None, seconds: float) -> None:
        self._under_way.dec()
        kind = (method, route, status)
        series = self._series.get(kind)
        if series is None:  # to find them by their labels takes longer than to count
            told = CUT_OFF if status is None else str(status)
            requests = self._requests.labels(method, route, told)
            series = self._series[kind] = requests, self._durations.labels(method, route)
        series[0].inc()
        series[1].observe(seconds)

    def counted_group(self, seconds: float) -> None:
        self._groups.observe(seconds)
