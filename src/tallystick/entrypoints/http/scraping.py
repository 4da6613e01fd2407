"""`GET /metrics`: what this server counted, and what waits in the store, for Prometheus.

What waits is read from the store when it is asked for: a few looks at small indexes, whatever the
store holds. Two servers on one store show the same backlog, and each its own counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import Scope
from tallystick.domain.backlog import Backlog
from tallystick.domain.dead_letter import Reason
from tallystick.domain.discrepancy import Kind
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import State
from tallystick.entrypoints.checking import Checks
from tallystick.entrypoints.http.books import check_unbound
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.entrypoints.worker import Passes
from tallystick.stages.ingesting import KINDS

L = TypeVar("L", bound=str)

UNSETTLED: Final = tuple(state for state in State if not state.is_settled)


async def get_metrics(request: Request) -> Response:
    """Metrics in Prometheus' text format; open without a key where TALLYSTICK_METRICS_OPEN says."""
    service = service_of(request)
    if not service.app.settings.metrics_open:
        check_unbound(await service.granted(request, Scope.READ))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    body = await service.in_thread(lambda: encode(Watched(service)))
    return Response(body, media_type=None, headers={"Content-Type": content_type})


class Watched(Collector):
    """What was counted, and what is read at the moment of asking."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        yield from self._service.metrics.registry.collect()
        now = self._service.app.clock.now()
        try:
            backlog = self._service.app.store.backlog(now)
        except StoreUnavailable:
            yield _gauge("store_up", "1 where the store answers.", 0)
        else:
            yield _gauge("store_up", "1 where the store answers.", 1)
            yield from _backlog(backlog, now)
        yield from _ingest(self._service)
        if self._service.hourly is not None:
            yield from _passes(self._service.hourly.passes())
        yield from _discrepancies(self._service.checks)


def _backlog(backlog: Backlog, now: int) -> Iterator[Metric]:
    yield _gauge(
        "seal_lag_seconds",
        "Since the end of the oldest window that is over and has no entry in the ledger.",
        _since(backlog.unsealed_since, now),
    )
    yield _gauge("aggregates_due", "Aggregates the ledger may be behind.", backlog.aggregates_due)
    yield _gauge(
        "slots_unpublished",
        "Open slots with a total that the provider does not have, and nothing under way.",
        backlog.unpublished,
    )
    yield _gauge(
        "slots_unpublished_oldest_seconds",
        "Since the start of the oldest of these.",
        _since(backlog.unpublished_since, now),
    )
    yield _gauge(
        "slots_undelivered",
        "Slots that closed before the provider had their whole total.",
        backlog.undelivered,
    )
    unsettled = {state: backlog.unsettled.get(state, 0) for state in UNSETTLED}
    yield _gauges("publications_unsettled", "Publications under way.", "state", unsettled)
    oldest = {s: _since(backlog.unsettled_since.get(s), now) for s in UNSETTLED}
    yield _gauges(
        "publications_unsettled_oldest_seconds",
        "Since the oldest of these was intended.",
        "state",
        oldest,
    )
    letters = {reason: backlog.dead_letters.get(reason, 0) for reason in Reason}
    yield _gauges("dead_letters_open", "Reports that could not be counted.", "reason", letters)


def _ingest(service: Service) -> Iterator[Metric]:
    totals = service.counting.pulse.beat(service.app.clock.now()).totals
    yield _counters(
        "reports_total",
        "Reports answered since the start, by what became of them.",
        "outcome",
        {kind: totals[kind] for kind in KINDS},
    )
    yield _gauge(
        "ingest_waiting_reports",
        "Reports that wait for the next group commit.",
        service.counting.reports_waiting,
    )
    yield _gauge(
        "http_held_body_bytes", "Bodies of requests that are held now.", service.memory.held
    )
    dropped = service.running.lines_dropped()
    yield _counter("log_lines_dropped_total", "Lines that nobody read in time.", dropped)


def _passes(passes: Passes) -> Iterator[Metric]:
    ended = {"done": passes.done, "failed": passes.failed}
    yield _counters("passes_total", "Passes of the hourly loop.", "outcome", ended)
    yield _counter("passes_seconds_total", "Time spent in passes.", passes.took / SECOND)
    yield _gauge("pass_last_seconds", "How long the last pass took.", passes.last_took / SECOND)
    yield _gauge(
        "pass_last_success_timestamp_seconds",
        "When the last pass that did not fail ended; 0 before the first.",
        (passes.last_done_at or 0) / SECOND,
    )
    yield _counters("pass_steps_total", "What passes did.", "step", passes.counts)


def _discrepancies(checks: Checks) -> Iterator[Metric]:
    found = Counter(one.kind for one in checks.discrepancies())
    yield _gauges(
        "discrepancies",
        "What the last comparison of each tenant found, since the start.",
        "kind",
        {kind: found[kind] for kind in Kind},
    )
    ended = [check.ended_at for check in checks.runs() if check.ended_at and not check.trouble]
    yield _gauge(
        "reconcile_last_timestamp_seconds",
        "When anything was last compared with the provider; 0 before the first time.",
        max(ended, default=0) / SECOND,
    )


def _since(instant: int | None, now: int) -> float:
    return 0 if instant is None else max(0, now - instant) / SECOND


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tallystick_{name}", told, value)


def _gauges(name: str, told: str, label: str, values: Mapping[L, float]) -> Metric:
    family = GaugeMetricFamily(f"tallystick_{name}", told, labels=[label])
    for text, value in values.items():
        family.add_metric([text], value)
    return family


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"tallystick_{name}", told, value)


def _counters(name: str, told: str, label: str, values: Mapping[L, float]) -> Metric:
    family = CounterMetricFamily(f"tallystick_{name}", told, labels=[label])
    for text, value in values.items():
        family.add_metric([text], value)
    return family
