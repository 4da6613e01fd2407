"""A Stripe that can be told what time it is and what shall go wrong, in one object.

`respond` is the whole of Stripe; every other method is the hand of whoever runs the test.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from . import hand, reports, webhooks
from .answers import Answer, Body, Dropped, Request
from .authority import fingerprint
from .clock import Clock, wall_clock
from .desk import Admitted, Desk, Reply
from .faults import Fault
from .records import Invoice, ReceivedEvent
from .settings import Settings
from .webhooks import Endpoint, Post


class StripeSandbox:
    """Thread-safe, in memory, deterministic for a seed and an order of calls.

    `now` fixes sandbox time at a UTC second; None lets it follow the wall clock until
    `set_time` or `advance` is called.
    """

    def __init__(
        self,
        now: int | None = None,
        *,
        seed: int = 0,
        settings: Settings | None = None,
        wall: Callable[[], float] = wall_clock,
        pause: Callable[[float], None] = time.sleep,
        post: Post = webhooks.post,
    ) -> None:
        self._lock = threading.RLock()
        self._delivering = threading.Lock()
        self._post = post
        self._wall = wall
        self._pause = pause
        self._seed = seed
        self.settings = settings or Settings()
        self.witness: Callable[[Request, int], None] | None = None
        self._begin(now)

    def _begin(self, now: int | None) -> None:
        self._clock = Clock(now, self._wall)
        self._desk = Desk(self.settings, self._seed)
        self._requests: deque[Body] = deque(maxlen=self.settings.requests_kept)
        self._answered = 0

    # ---------------------------------------------------------------- Stripe

    def respond(self, request: Request) -> Reply:
        """Answer one request as Stripe would, or cut its connection."""
        with self._lock:
            self._tell_witness(request)
            admitted = self._desk.admit(request, self._now())
            if not isinstance(admitted, Admitted):
                return self._noted(request, admitted)
            if admitted.delay == 0:
                return self._noted(request, self._desk.execute(admitted, self._now()))
        self._pause(admitted.delay)
        with self._lock:
            return self._noted(request, self._desk.execute(admitted, self._now()))

    def _tell_witness(self, request: Request) -> None:
        if self.witness is not None and (request.method != "GET" or self._desk.faults):
            self.witness(request, self._now())

    @contextmanager
    def order(self, request: Request) -> Iterator[None]:
        """Carry out an order of the control API with nothing happening in between."""
        with self._lock:
            if self.witness is not None and request.method != "GET":
                self.witness(request, self._now())
            yield

    def _noted(self, request: Request, reply: Reply) -> Reply:
        self._answered += 1
        identity = f"req_{self._answered:014d}"
        key = request.headers.get("idempotency-key")
        note: Body = {
            "id": identity,
            "at": self._clock.now(),
            "method": request.method,
            "target": request.target,
            "idempotency_key": key,
            "status": reply.status if isinstance(reply, Answer) else "dropped",
        }
        self._requests.append(note)
        if isinstance(reply, Dropped):
            return reply
        headers = {"Request-Id": identity, **reply.headers}
        if key is not None:
            headers["Idempotency-Key"] = key
        return replace(reply, headers=headers)

    # ------------------------------------------------------------------ time

    def _now(self) -> int:
        now = self._clock.now()
        self._desk.catch_up(now)
        return now

    def now(self) -> int:
        """Sandbox time, with everything done that was due until now."""
        with self._lock:
            return self._now()

    @property
    def free_running(self) -> bool:
        """True while sandbox time follows the wall clock."""
        return self._clock.free_running

    def set_time(self, at: int) -> int:
        """Move sandbox time forwards to a UTC second; ValueError when it lies in the past."""
        with self._lock:
            self._clock.move_to(at)
            return self._now()

    def advance(self, seconds: int) -> int:
        """Move sandbox time forwards by a span."""
        with self._lock:
            self._clock.move_to(self._clock.now() + seconds)
            return self._now()

    # ---------------------------------------------------------------- faults

    def add_fault(self, fault: Fault) -> int:
        """Order a fault; the number takes it back."""
        with self._lock:
            return self._desk.faults.add(fault)

    def faults(self) -> list[dict[str, object]]:
        """The orders in force, with how often each matched and struck."""
        with self._lock:
            return self._desk.faults.listed()

    def clear_faults(self, identity: int | None = None) -> None:
        """Take back one order, or all; requests already on their way still land."""
        with self._lock:
            self._desk.faults.clear(identity)

    def set_summary_lag(self, seconds: int) -> None:
        """From now on summaries show only what was received that long ago."""
        with self._lock:
            self._desk.summary_lag = seconds

    def in_transit(self) -> int:
        """How many late requests have not landed yet."""
        with self._lock:
            return len(self._desk.landings)

    # -------------------------------------------------------------- webhooks

    def add_webhook(
        self, url: str, *secrets: str, thin: bool = False, types: Iterable[str] = ()
    ) -> Endpoint:
        """From now on tell this URL what happens: thin events, or snapshots; all types, or these.

        It is signed with every secret given, or with one that the answer names.
        """
        with self._lock:
            return self._desk.webhooks.add(url, secrets, thin=thin, types=types)

    def remove_webhook(self, identity: str) -> None:
        """Tell this endpoint nothing more."""
        with self._lock:
            self._desk.webhooks.remove(identity)

    def webhooks(self) -> Body:
        """The endpoints, and what became of every delivery."""
        with self._lock:
            return self._desk.webhooks.listed()

    def deliver(self) -> list[Body]:
        """Send everything that is due now, and say what came of each; returns when all is sent.

        Nothing is locked meanwhile: an endpoint may ask the sandbox back.
        """
        results: list[Body] = []
        with self._delivering:
            with self._lock:
                due = self._desk.webhooks.take_due(self._now())
            for delivery in due:
                headers = webhooks.signed(delivery, self.now())
                status = self._post(delivery.endpoint.url, headers, delivery.body)
                with self._lock:
                    noted = self._desk.webhooks.note(delivery, status, self._now())
                results.append(webhooks.described(noted))
        return results

    def resend(self, event: str) -> int:
        """Have an event that was delivered before delivered once more; how often."""
        with self._lock:
            return self._desk.webhooks.resend(event, self._now())

    # ----------------------------------------------------------------- books

    def books(self, limit: int = 1_000) -> Body:
        """A readable dump, at most `limit` rows a section; `truncated` names what was cut."""
        with self._lock:
            return reports.books(self._desk, self._now(), limit)

    def events(self, after: int = -1, limit: int = 1_000) -> list[Body]:
        """Received events with their fate, in order of receipt."""
        with self._lock:
            self._now()
            return reports.events(self._desk.books, after, limit)

    def received_events(self) -> tuple[ReceivedEvent, ...]:
        """The received events as values."""
        with self._lock:
            self._now()
            return tuple(self._desk.books.received)

    def invoices(self) -> tuple[Invoice, ...]:
        """All invoices as values, oldest first; a draft shows the usage so far."""
        with self._lock:
            self._now()
            return reports.invoices_now(self._desk.books)

    def usage_total(self, meter: str, customer: str, start: int, end: int) -> Decimal:
        """The exact usage of a half-open span, without lag; `meter` is an id or event name."""
        with self._lock:
            self._now()
            return hand.usage_total(self._desk.books, meter, customer, (start, end))

    def hour_totals(self, meter: str, customer: str) -> dict[int, Decimal]:
        """The exact total of every UTC hour that has usage, by its first second."""
        with self._lock:
            self._now()
            return hand.hour_totals(self._desk.books, meter, customer)

    def record_total(self, item: str, start: int, end: int) -> int:
        """The legacy usage that a half-open span bills for a subscription item."""
        with self._lock:
            self._now()
            return hand.record_total(self._desk.books, item, (start, end))

    def outcomes(self) -> dict[str, dict[str, int]]:
        """How often each endpoint was called, by outcome."""
        with self._lock:
            return reports.outcomes(self._desk)

    def requests(self, limit: int = 100) -> list[Body]:
        """The latest requests, oldest first."""
        with self._lock:
            return list(self._requests)[-limit:]

    # ------------------------------------------------------------- by hand

    def set_total(self, meter: str, customer: str, timestamp: int, total: Decimal) -> Decimal:
        """Plant a total for the meter's window (an hour where it has none); returns the old one."""
        with self._lock:
            return hand.set_total(
                self._desk.books, meter, customer, timestamp, total, now=self._now()
            )

    def set_record(self, item: str, timestamp: int, quantity: int) -> int:
        """Plant a legacy usage quantity at a second; returns the old one."""
        with self._lock:
            return hand.set_record(self._desk.books, item, timestamp, quantity, self._now())

    def set_status(self, subscription: str, status: str) -> None:
        """Put a subscription into a state that only payments would lead to, such as past_due."""
        with self._lock:
            hand.set_status(self._desk.books, subscription, status, self._now())

    def grant(self, key: str, permissions: Iterable[str]) -> None:
        """Restrict a key: from now on it has these permissions and no other."""
        with self._lock:
            self._desk.granted[fingerprint(key)] = frozenset(permissions)

    def reset(self, now: int | None = None) -> None:
        """Start over with empty books and no faults, at any time."""
        with self._lock:
            self._begin(now)
