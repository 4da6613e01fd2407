"""Stripe behind ports.Publisher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from tallystick.domain.errors import NotFound
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import Answer, Outcome, Publication, value_text
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Route, Slot
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.ports import Clock
from tallystick.publishers import HOUR_METER, STRIPE_ROUTES, SUM_METER, USAGE_RECORD
from tallystick.publishers.stripe.answers import (
    Heard,
    answer_to,
    limits_whole_account,
    retry_after,
)
from tallystick.publishers.stripe.api_key import checked_key, is_live
from tallystick.publishers.stripe.connection import (
    API_VERSION,
    LEGACY_API_VERSION,
    Connection,
    NotReadable,
    checked_base,
    is_loopback,
)
from tallystick.publishers.stripe.meters import Meters
from tallystick.publishers.stripe.pacing import TEST_MODE, Pace, Rates, Turns
from tallystick.publishers.stripe.readings import totals
from tallystick.publishers.stripe.refusals import rejections, rejections_in
from tallystick.publishers.stripe.setup import MeterKind, MeterSetup, setup_meter
from tallystick.publishers.stripe.statements import Statements
from tallystick.publishers.stripe.wire import Broken, NotConnected, TooLate


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadKeys:
    """What a meter calls the customer and the value in its events' payload."""

    customer: str = "stripe_customer_id"
    value: str = "value"


DEFAULT_KEYS: Final = PayloadKeys()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What a publication looks like on the wire: a pure function of it."""

    path: str
    params: dict[str, object]
    version: str
    expected: str


class StripePublisher:
    """An account at Stripe; `payload_keys` by event name, for meters with other keys than usual.

    Raises InvalidSetting where key or address cannot be meant.
    """

    def __init__(
        self,
        api_key: str,
        *,
        clock: Clock,
        api_base: str | None = None,
        account: str = "default",
        allow_live: bool = False,
        rates: Rates | None = None,
        payload_keys: Mapping[str, PayloadKeys] = MappingProxyType({}),
        proxy: str | None = None,
    ) -> None:
        self._api_base = checked_base(api_base)
        self._is_live = is_live(checked_key(api_key, allow_live=allow_live))
        self._account = account
        self._payload_keys = dict(payload_keys)
        self.rates = rates or _usual_rates(is_live=self._is_live, api_base=self._api_base)
        events = Pace(self.rates.meter_events, clock)
        self._paces = {
            HOUR_METER.name: events,
            SUM_METER.name: events,
            USAGE_RECORD.name: Pace(self.rates.usage_records, clock),
        }
        self._turns = Turns()
        self._connection = Connection(
            api_key,
            api_base=self._api_base,
            clock=clock,
            reads=Pace(self.rates.reads, clock),
            proxy=proxy,
        )
        self._meters = Meters(self._connection)
        self._statements = Statements(self._connection, self._meters)

    def __repr__(self) -> str:
        mode = "live" if self._is_live else "test"
        return f"StripePublisher(account={self._account!r}, {mode}, {self._api_base})"

    @property
    def routes(self) -> dict[str, Route]:
        return dict(STRIPE_ROUTES)

    def send(self, publication: Publication) -> Answer:
        slot = publication.slot
        if slot.account != self._account or slot.route not in STRIPE_ROUTES:
            return Answer(Outcome.DENIED, f"{slot} does not belong to account {self._account!r}")
        request = self._request(publication)
        if request is None:
            return Answer(Outcome.REFUSED, f"{value_text(publication)} is no whole number from 0")
        pace = self._paces[slot.route]
        with self._turns.of((slot.destination, slot.counter)):
            if not pace.wait(publication.deadline):
                return Answer(Outcome.BUSY, "its turn did not come before its deadline", SECOND)
            heard = self._attempt(publication, request)
        if isinstance(heard, Answer):
            return heard
        if limits_whole_account(heard):
            pace.hold_back(retry_after(heard))
        return answer_to(heard, request.expected)

    def _attempt(self, publication: Publication, request: _Request) -> Heard | Answer:
        try:
            return self._connection.post(
                request.path,
                request.params,
                deadline=publication.deadline,
                idempotency_key=publication.identifier,
                version=request.version,
            )
        except TooLate:
            return Answer(Outcome.BUSY, "its deadline passed before it was sent")
        except NotConnected as error:
            return Answer(Outcome.BUSY, f"no connection, nothing was sent: {error}")
        except Broken as error:
            return Answer(Outcome.UNKNOWN, f"the connection broke: {error}")

    def _request(self, publication: Publication) -> _Request | None:
        """None for a value that its route cannot carry."""
        if publication.slot.route == USAGE_RECORD.name:
            return _usage_record(publication)
        counter = publication.slot.counter
        return _meter_event(publication, self._payload_keys.get(counter, DEFAULT_KEYS))

    def clock_ahead(self) -> int:
        return self._connection.clock_ahead

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        return totals(self._connection, self._meters, self._ours(slots))

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        return self._statements.invoice_lines(self._ours(slots))

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        return rejections(self._connection, since)

    def rejections_in(self, event: str) -> tuple[Rejection, ...]:
        """What one event reports as not counted. Raises NotFound for one that is not this
        account's, and what every reading does."""
        try:
            return rejections_in(self._connection, event)
        except NotReadable as error:
            raise NotFound(f"Stripe shows our key no event {event[:80]!r}") from error

    def subscription(self, destination: str) -> Subscription | None:
        return self._statements.subscription(destination)

    def setup_meter(self, display_name: str, event_name: str, kind: MeterKind) -> MeterSetup:
        """Find or make the meter for a mapping; see `setup.setup_meter`."""
        keys = self._payload_keys.get(event_name, DEFAULT_KEYS)
        return setup_meter(
            self._connection,
            display_name=display_name,
            event_name=event_name,
            kind=kind,
            customer_key=keys.customer,
            value_key=keys.value,
        )

    def _ours(self, slots: Sequence[Slot]) -> tuple[Slot, ...]:
        ours = (s for s in slots if s.key.account == self._account)
        return tuple(s for s in ours if s.key.route in STRIPE_ROUTES)


def _meter_event(publication: Publication, keys: PayloadKeys) -> _Request:
    slot = publication.slot
    params: dict[str, object] = {
        "event_name": slot.counter,
        "payload": {keys.customer: slot.destination, keys.value: value_text(publication)},
        "identifier": publication.identifier,
        "timestamp": publication.place.timestamp // SECOND,
    }
    return _Request(
        path="/v1/billing/meter_events",
        params=params,
        version=API_VERSION,
        expected="billing.meter_event",
    )


def _usage_record(publication: Publication) -> _Request | None:
    quantity = publication.value
    if quantity < 0 or quantity != quantity.to_integral_value():
        return None
    params: dict[str, object] = {
        "quantity": int(quantity),
        "timestamp": publication.place.timestamp // SECOND,
        "action": "set",
    }
    return _Request(
        path=f"/v1/subscription_items/{quote(publication.slot.destination, safe='')}/usage_records",
        params=params,
        version=LEGACY_API_VERSION,
        expected="usage_record",
    )


def _usual_rates(*, is_live: bool, api_base: str) -> Rates:
    """An account's documented limits; a stand-in on this machine is no test account."""
    return Rates() if is_live or is_loopback(api_base) else TEST_MODE
