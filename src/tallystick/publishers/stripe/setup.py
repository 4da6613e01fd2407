"""Making the meter that a mapping needs, or finding that it is there."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tallystick.domain.errors import InvalidSetting, PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import Outcome
from tallystick.publishers.stripe.answers import answer_to
from tallystick.publishers.stripe.api_key import SETTING
from tallystick.publishers.stripe.connection import READ_SECONDS_MAX, Connection
from tallystick.publishers.stripe.meters import PATH, BillingMeter, all_meters
from tallystick.publishers.stripe.wire import Broken, NotConnected, TooLate


class MeterKind(StrEnum):
    """How the meter takes a quantity: with which route it goes."""

    HOUR = "hour"
    """The last value of each UTC hour stays: stripe.hour_meter."""
    SUM = "sum"
    """Values are added up: stripe.sum_meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSetup:
    """The meter that stands now; `created` where this call made it."""

    meter: str
    event_name: str
    kind: MeterKind
    created: bool


def setup_meter(
    connection: Connection,
    *,
    display_name: str,
    event_name: str,
    kind: MeterKind,
    customer_key: str,
    value_key: str,
) -> MeterSetup:
    """Find the active meter of that event name, or make it. Done twice it is done once.

    Raises InvalidSetting where a meter of that name is of another kind, since Stripe changes
    nothing of a meter but its display name; what reading raises, where Stripe cannot be asked.
    """
    named = [meter for meter in all_meters(connection) if meter.event_name == event_name]
    active = [meter for meter in named if meter.is_active]
    if named and not active:
        raise InvalidSetting(
            f"the meter {named[0].id} of the event name {event_name!r} is inactive: reactivate "
            "it at Stripe, or choose another event name"
        )
    if active:
        _check(active[0], kind, customer_key, value_key)
        return MeterSetup(meter=active[0].id, event_name=event_name, kind=kind, created=False)
    params: dict[str, object] = {
        "display_name": display_name,
        "event_name": event_name,
        "default_aggregation": {"formula": "sum"},
        "customer_mapping": {"type": "by_id", "event_payload_key": customer_key},
        "value_settings": {"event_payload_key": value_key},
    }
    if kind is MeterKind.HOUR:
        params["event_time_window"] = "hour"
    made = _create(connection, params)
    return MeterSetup(meter=made.id, event_name=event_name, kind=kind, created=True)


def _check(meter: BillingMeter, kind: MeterKind, customer_key: str, value_key: str) -> None:
    window = "hour" if kind is MeterKind.HOUR else None
    wanted = {
        "default_aggregation[formula]": ("sum", meter.default_aggregation.formula),
        "event_time_window": (window, meter.event_time_window),
        "customer_mapping[event_payload_key]": (
            customer_key,
            meter.customer_mapping.event_payload_key,
        ),
        "value_settings[event_payload_key]": (value_key, meter.value_settings.event_payload_key),
    }
    wrong = [
        f"{name} is {theirs}, not {ours}"
        for name, (ours, theirs) in wanted.items()
        if ours != theirs
    ]
    if wrong:
        raise InvalidSetting(
            f"the meter {meter.id} has the event name {meter.event_name!r}, but "
            f"{' and '.join(wrong)}; a meter cannot be changed: choose another event name"
        )


def _create(connection: Connection, params: dict[str, object]) -> BillingMeter:
    deadline = connection.clock.now() + READ_SECONDS_MAX * SECOND
    try:
        heard = connection.post(PATH, params, deadline=deadline)
    except (TooLate, NotConnected, Broken) as error:
        text = f"{type(error).__name__} {error}".strip()
        raise PublisherUnavailable(f"the meter may not have been made, try again: {text}") from None
    answer = answer_to(heard, "billing.meter")
    match answer.outcome:
        case Outcome.ACCEPTED:
            return msgspec.json.decode(heard.body, type=BillingMeter)
        case Outcome.DENIED:
            raise PublisherMisconfigured(f"Stripe does not take {SETTING}: {answer.detail}")
        case Outcome.REFUSED | Outcome.KNOWN:
            raise InvalidSetting(f"Stripe does not make this meter: {answer.detail}")
        case _:
            raise PublisherUnavailable(f"the meter was not made, try again: {answer.detail}")
