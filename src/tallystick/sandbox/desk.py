"""The way of a request through Stripe: admission, execution, and what is kept of both.

    authorise -> route -> parse -> faults on the way -> one call per customer and meter
      -> idempotency key -> (slow) -> execute -> save the result -> answer, or a cut connection

The desk has no lock and no sleep: its owner calls `admit`, waits, and calls `execute`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import authority
from .answers import Answer, Dropped, Refusal, Request, server_error, too_many, unavailable
from .answers import unrecognized_url as unrecognized
from .books import Books, Happening
from .calls import Call
from .faults import OUTCOMES, Fault, FaultPlan, Subject
from .idempotency import IdempotencyKeys, in_flight
from .invoices import finalize
from .params import Params, from_form, from_json, mapping
from .rendering import Shape
from .routes import Route, routed
from .settings import DAY, Settings
from .subscriptions import end_period, resume
from .thin_events import close_window
from .webhooks import Webhooks

LATEST_VERSION = "2026-10-28.endive"
_METER_EVENTS = frozenset({"/v1/billing/meter_events", "/v2/billing/meter_events"})
_FAILURES = frozenset({"error_before", "error_after"})
_NO_SUBJECT: tuple[str | None, str | None, str | None] = (None, None, None)

Reply = Answer | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that will be executed; `delay` is how long that takes, in real seconds."""

    request: Request
    route: Route
    ids: tuple[str, ...]
    path: str
    params: Params
    shape: Shape
    key: str | None
    subject: Subject
    fault: Fault | None
    busy: tuple[str, str] | None
    delay: float


class Desk:
    """Everything behind Stripe's address: the books, the keys seen and the faults ordered."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.books = Books(settings)
        self.webhooks = Webhooks(self.books, LATEST_VERSION)
        self.faults = FaultPlan(seed)
        self.granted: dict[str, frozenset[str]] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.landings: dict[str, Request] = {}
        self.summary_lag = settings.summary_lag_seconds
        self._keys = IdempotencyKeys(settings.idempotency_seconds)
        self._keys_v2 = IdempotencyKeys(30 * DAY)
        self._busy: set[tuple[str, str]] = set()

    # ------------------------------------------------------------------ time

    def catch_up(self, now: int) -> None:
        """Let everything happen that was due until now, in the order of its seconds."""
        while (due := self.books.next_due(now)) is not None:
            self._let_happen(due)

    def _let_happen(self, due: Happening) -> None:
        if due.kind == "period_end":
            end_period(self.books, due.reference, due.at)
        elif due.kind == "finalize":
            finalize(self.books, due.reference, due.at)
        elif due.kind == "resume":
            resume(self.books, due.reference, due.at)
        elif due.kind == "report":
            close_window(self.books, due.reference)
        elif due.kind == "landing":
            self._land(self.landings.pop(due.reference), due.at)

    def _land(self, request: Request, at: int) -> None:
        """A request that was long on its way arrives, and today's rules apply to it."""
        admitted = self.admit(request, at, on_landing=True)
        reply = self.execute(admitted, at) if isinstance(admitted, Admitted) else admitted
        outcome = f"landed_{reply.status}" if isinstance(reply, Answer) else "landed"
        self._count(request.method, request.target, outcome)

    # ------------------------------------------------------------- admission

    def admit(self, request: Request, now: int, *, on_landing: bool = False) -> Admitted | Reply:
        """Let the request in, or answer it right here without any effect."""
        try:
            read = self._read(request, now)
        except Refusal as refusal:
            return self._counted(request, refusal.answer)
        fault, delay = (None, 0.0) if on_landing else self._faults_of(read.subject)
        refused = None if fault is None else self._on_the_way(fault, request, now)
        refused = refused or self._conflict(read, now)
        if refused is not None:
            cut = fault is not None and fault.kind == "drop_after"
            return self._counted(request, Dropped() if cut else refused, read.route)
        if read.key is not None:
            self._store(read).begin(read.key, _identity(read), now)
        if read.busy is not None:
            self._busy.add(read.busy)
        if fault is None and not on_landing:
            fault = self._failure_of(read.subject)
        return replace(read, fault=fault, delay=delay)

    def _read(self, request: Request, now: int) -> Admitted:
        path, _, query = request.target.partition("?")
        key = authority.api_key(request.headers)
        match = routed(request.method, path)
        if match is None:
            raise unrecognized(request.method, path)
        authority.check(key, match[0], self.granted, self.settings.account)
        params = _params(request, path, query)
        event_name, customer, identifier = self._named(path, params)
        posted = request.method == "POST"
        return Admitted(
            request=request,
            route=match[0],
            ids=match[1],
            path=path,
            params=params,
            shape=Shape(request.headers.get("stripe-version", LATEST_VERSION), key[3:7] == "live"),
            key=request.headers.get("idempotency-key") if posted else None,
            subject=Subject(request.method, path, now, event_name, customer, identifier),
            fault=None,
            busy=(event_name, customer) if event_name and customer and posted else None,
            delay=0.0,
        )

    def _named(self, path: str, params: Params) -> tuple[str | None, str | None, str | None]:
        """Event name, customer and identifier of a meter event; else the customer alone."""
        if path not in _METER_EVENTS:
            customer = params.get("customer")
            return (None, str(customer), None) if customer else _NO_SUBJECT
        event_name = str(params.get("event_name", ""))
        meter = self.books.meters.get(self.books.meter_by_event_name.get(event_name, ""))
        payload = mapping(params, "payload")
        customer = payload.get(meter.customer_key if meter else "stripe_customer_id")
        identifier = params.get("identifier")
        return (
            event_name,
            None if customer is None else str(customer),
            None if identifier is None else str(identifier),
        )

    def _faults_of(self, subject: Subject) -> tuple[Fault | None, float]:
        if not self.faults:
            return None, 0.0
        slow = self.faults.striking(frozenset({"slow"}), subject)
        on_the_way = self.faults.striking(OUTCOMES - _FAILURES, subject)
        return on_the_way, 0.0 if slow is None else slow.delay_seconds

    def _failure_of(self, subject: Subject) -> Fault | None:
        """A 500 strikes only what executes: a replayed key does not use it up."""
        return self.faults.striking(_FAILURES, subject) if self.faults else None

    def _on_the_way(self, fault: Fault, request: Request, now: int) -> Reply | None:
        if fault.kind == "late":
            reference = self.books.new_id("landing")
            self.landings[reference] = request
            self.books.plan(now + fault.landing_seconds, "landing", reference)
            return Dropped()
        return _REFUSED_ON_THE_WAY.get(fault.kind)

    def _conflict(self, read: Admitted, now: int) -> Answer | None:
        if read.busy is not None and read.busy in self._busy:
            message = "Only one request at a time is allowed per customer and meter."
            return too_many(message, reason="resource-specific")
        if read.key is None:
            return None
        return self._store(read).earlier_answer(read.key, _identity(read), now)

    def _store(self, read: Admitted) -> IdempotencyKeys:
        return self._keys_v2 if read.path.startswith("/v2/") else self._keys

    # ------------------------------------------------------------- execution

    def execute(self, admitted: Admitted, now: int) -> Reply:
        """Apply the endpoint, save its result under the key, and answer or cut."""
        kind = None if admitted.fault is None else admitted.fault.kind
        saved: Answer | None = None
        try:
            result = None if kind == "error_before" else self._apply(admitted, now)
            failed = result is None or kind == "error_after"
            answer = server_error() if result is None or failed else result
            saved = result if admitted.path.startswith("/v2/") else answer
        except Refusal as refusal:
            answer = refusal.answer
        finally:
            if admitted.key is not None:
                self._store(admitted).finish(admitted.key, saved)
            if admitted.busy is not None:
                self._busy.discard(admitted.busy)
        cut = kind == "drop_after"
        return self._counted(admitted.request, Dropped() if cut else answer, admitted.route)

    def _apply(self, admitted: Admitted, now: int) -> Answer:
        call = Call(
            books=self.books,
            params=admitted.params,
            now=now,
            shape=admitted.shape,
            method=admitted.request.method,
            path=admitted.path,
            ids=admitted.ids,
            idempotency_key=admitted.key,
            rejected=self._rejected(admitted.subject),
            lag=self._lag(admitted.subject),
        )
        return Answer(200, admitted.route.endpoint(call))

    def _rejected(self, subject: Subject) -> str | None:
        if not self.faults or subject.path not in _METER_EVENTS:
            return None
        fault = self.faults.striking(frozenset({"reject"}), subject)
        return None if fault is None else fault.code

    def _lag(self, subject: Subject) -> int:
        if not self.faults or not subject.path.endswith("/event_summaries"):
            return self.summary_lag
        fault = self.faults.striking(frozenset({"summaries_lag"}), subject)
        return self.summary_lag if fault is None else max(self.summary_lag, fault.lag_seconds)

    def _counted(self, request: Request, reply: Reply, route: Route | None = None) -> Reply:
        outcome = _outcome(reply)
        template = "(unrecognized)" if route is None else route.template
        self._count(request.method, template, outcome)
        return reply

    def _count(self, method: str, template: str, outcome: str) -> None:
        self.outcomes[f"{method} {template.partition('?')[0]}", outcome] += 1


_REFUSED_ON_THE_WAY: Mapping[str, Reply] = {
    "outage": unavailable(),
    "drop_before": Dropped(),
    "conflict": in_flight(),
    "rate_limit": too_many("Request rate limit exceeded.", reason="global-rate"),
    "rate_limit_retry": too_many(
        "Request rate limit exceeded.", reason="endpoint-rate", should_retry=True
    ),
    "rate_limit_lock_timeout": too_many(
        "This object cannot be accessed right now because another API request or Stripe process "
        "is currently accessing it.",
        code="lock_timeout",
    ),
}


def _identity(read: Admitted) -> tuple[str, str, Params]:
    return read.request.method, read.path, read.params


def _params(request: Request, path: str, query: str) -> Params:
    params = from_form(query) if query else {}
    if not request.body:
        return params
    if path.startswith("/v2/"):
        return params | from_json(request.body)
    return params | from_form(request.body.decode("utf-8", "replace"))


def _outcome(reply: Reply) -> str:
    if isinstance(reply, Dropped):
        return "dropped"
    replayed = "_replayed" if "Idempotent-Replayed" in reply.headers else ""
    return f"{reply.status}{replayed}"
