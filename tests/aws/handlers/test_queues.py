"""What comes over the bus: counted, a known duplicate, or a dead letter; and what comes again."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from tallystick.domain.dead_letter import Reason
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.aws import ingest, onboard, stray
from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.ports import Recorded, Recording, Store
from tallystick.testing import factories
from tests.aws.handlers.calls import TIME, Context, batch, envelope, failed, onboarding, usage

LARGE = 256 * 1024


@pytest.fixture
def store(memory, call) -> Store:
    """With the tenant acme, and a meter that reads api_calls."""
    catalog = cold_start().store.catalog
    catalog.save(Tenant(id="acme"), factories.override())
    catalog.save(Meter(id="api_calls", code="api_calls"), factories.override())
    return cold_start().store


def counted(store: Store) -> object:
    return sum(aggregate.value for aggregate in store.events.aggregates().elements)


def reasons(store: Store) -> list[Reason]:
    return [letter.reason for letter in store.dead_letters.list().elements]


def test_a_batch_is_counted(store, call):
    assert call(ingest.handler, batch(usage(), usage(quantity="2.5"))) == {"batchItemFailures": []}

    assert counted(store) == Decimal("7.5")
    (line,) = call.lines
    assert (line["event"], line["recorded"], line["request"]) == ("counted", 2, "request-1")


def test_an_event_that_is_delivered_five_times_counts_once(store, call):
    event = usage()

    call(ingest.handler, batch(event, event))
    for _ in range(3):
        call(ingest.handler, batch(event))

    assert counted(store) == 5
    assert sum(line.get("duplicate", 0) for line in call.lines) == 4


def test_a_producer_that_puts_an_event_twice_is_known_by_its_event_id(store, call):
    call(ingest.handler, batch(usage(EventID="order 7"), usage(EventID="order 7")))

    assert counted(store) == 5


def test_the_later_form_counts_for_the_only_meter_at_the_envelopes_time(store, call):
    call(ingest.handler, batch(envelope({"TenantID": "acme", "Quantity": 5})))

    (event,) = store.events.events().elements
    assert (event.code, event.occurred_at) == ("api_calls", factories.at(TIME))


@pytest.mark.parametrize(
    ("body", "reason", "pointer"),
    [
        ("not JSON", Reason.UNREADABLE, ""),
        ("[]", Reason.INVALID, ""),
        (envelope("not JSON"), Reason.INVALID, "/detail"),
        (envelope([1]), Reason.INVALID, "/detail"),
        (usage(tenant=None), Reason.INVALID, "/detail/TenantID"),
        (usage(quantity="five"), Reason.INVALID, "/detail/Quantity"),
        (json.dumps(usage()).replace(": 5}", ": 1e400}"), Reason.INVALID, "/detail/Quantity"),
        (usage(tenant="nobody"), Reason.UNKNOWN_TENANT, "/tenant"),
        (usage(ProductCode="nothing"), Reason.UNKNOWN_CODE, "/code"),
        (usage(Comment="x" * LARGE), Reason.INVALID, "/detail/Comment"),
        (onboarding(), Reason.INVALID, "/detail-type"),
    ],
    ids=range(11),
)
def test_what_cannot_be_counted_is_kept_with_its_reason_and_stops_nobody(
    store, call, body, reason, pointer
):
    answer = call(ingest.handler, batch(usage(), body, usage()))

    assert failed(answer) == []
    assert counted(store) == 10
    (letter,) = store.dead_letters.list().elements
    assert (letter.reason, letter.errors[0].pointer) == (reason, pointer)
    assert letter.body == (body if isinstance(body, str) else encoded(body))


def encoded(body: object) -> str:
    return json.dumps(body)


def test_a_dead_letter_that_comes_again_is_kept_once(store, call):
    event = usage(tenant="nobody")

    for _ in range(5):
        call(ingest.handler, batch(event))

    assert reasons(store) == [Reason.UNKNOWN_TENANT]


def test_a_stray_event_is_kept_whatever_it_says(store, call):
    strays = (envelope({"TenantID": "acme", "Quantity": 5}, "BILING"), envelope(None, "Order"))

    assert failed(call(stray.handler, batch(*strays))) == []

    assert counted(store) == 0
    letters = store.dead_letters.list().elements
    assert [letter.errors[0].pointer for letter in letters] == ["/detail-type"] * 2
    assert [letter.tenant for letter in letters] == ["acme", ""]


def test_an_onboarding_that_loses_the_race_counts_what_came_first(store, call):
    call(ingest.handler, batch(usage(tenant="new")))
    assert reasons(store) == [Reason.UNKNOWN_TENANT]

    answer = call(onboard.handler, batch(onboarding("new"), onboarding("new", "nonsense")))

    assert failed(answer) == []
    assert counted(store) == 5
    assert [line["became"] for line in call.lines if line["event"] == "onboarding"] == [
        "onboarded",
        "dead_letter",
    ]


class Outage:
    """What is recorded while the store is away from some, or from all."""

    def __init__(self, store: Store, away: Callable[[str], Exception | None]) -> None:
        self._record = store.events.record
        self._away = away
        self.asked = 0

    def __call__(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        self.asked += 1
        for recording in batch:
            if error := self._away(recording.event.key):
                raise error
        return self._record(batch, now)


def away_for(*keys: str, error: type[Exception] = StoreUnavailable) -> Callable:
    return lambda key: error("as ordered") if not keys or key in keys else None


@pytest.mark.parametrize("error", [StoreUnavailable, ValueError])
def test_only_what_fails_by_itself_comes_again(store, call, monkeypatch, error):
    monkeypatch.setattr(store.events, "record", Outage(store, away_for("k2", error=error)))
    bodies = [usage(EventID=f"k{number}") for number in range(5)]

    answer = call(ingest.handler, batch(*bodies))

    assert failed(answer) == ["m2"]
    assert counted(store) == 20
    assert all("as ordered" in str(line) for line in call.lines if line["level"] != "info")


def test_an_outage_sends_the_whole_batch_back_after_a_few_tries(store, call, monkeypatch):
    outage = Outage(store, away_for())
    monkeypatch.setattr(store.events, "record", outage)

    answer = call(ingest.handler, batch(*(usage() for _ in range(50))))

    assert failed(answer) == [f"m{number}" for number in range(50)]
    assert outage.asked == 3

    monkeypatch.undo()
    assert counted(store) == 0


def test_nothing_is_tried_again_one_by_one_when_the_time_is_short(store, call, monkeypatch):
    outage = Outage(store, away_for("k0"))
    monkeypatch.setattr(store.events, "record", outage)
    late = Context(milliseconds=[60_000, 1_000])

    answer = call(ingest.handler, batch(usage(EventID="k0"), usage(EventID="k1")), late)

    assert failed(answer) == ["m0", "m1"]
    assert outage.asked == 1


def test_a_single_message_is_tried_once(store, call, monkeypatch):
    outage = Outage(store, away_for())
    monkeypatch.setattr(store.events, "record", outage)

    assert failed(call(ingest.handler, batch(usage()))) == ["m0"]
    assert outage.asked == 1
