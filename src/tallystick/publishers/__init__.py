"""Providers that quantities are told to: one module or package each, behind ports.Publisher.

A publisher carries out what the domain decided and says truthfully what became of it. It keeps
nothing and decides nothing about money.

The routes stand here, each number with where it comes from, so that whoever only shows or checks
(a dry run, a mapping) needs no provider's SDK: the three ways to tell Stripe, and the one to tell
AWS Marketplace.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import DAY, HOUR, MINUTE
from tallystick.domain.slot import Mode, Reads, Route
from tallystick.domain.tenant import NAME_LENGTH_MAX, check_name

DIGITS_MAX: Final = 15
"""A meter event value with more significant digits is refused since API 2026-04-22
(docs.stripe.com/changelog/dahlia/2026-04-22/billing-meter-event-values-validation)."""

OLDEST: Final = 34 * DAY
"""Stripe takes timestamps "within the past 35 calendar days" (docs.stripe.com/api/billing/
meter-event/create). Whose calendar is not said, so a day is kept back."""

GRACE: Final = HOUR
"""An invoice takes usage for an hour after its period by default (docs.stripe.com/billing/
subscriptions/usage-based/configure-grace-period). A longer one changes nothing here: what is
sent later still counts, but it is not relied on."""

PERIOD_LONGEST: Final = 3 * 366 * DAY
"""A usage record may lie anywhere in the current period, and a price recurs at most every three
years."""

HOUR_METER: Final = Route(
    name="stripe.hour_meter",
    mode=Mode.ABSOLUTE,
    hourly=True,
    digits_max=DIGITS_MAX,
    oldest=OLDEST,
    closes_after=GRACE,
    reads=Reads.HOUR,
)
"""A meter with event_time_window=hour: the event received last in a UTC hour is the hour's
(docs.stripe.com/billing/subscriptions/usage-based/meters/configure). Preferred: a repeat cannot
bill twice, however late it comes."""

SUM_METER: Final = Route(
    name="stripe.sum_meter",
    mode=Mode.DELTA,
    hourly=False,
    digits_max=DIGITS_MAX,
    oldest=OLDEST,
    closes_after=GRACE,
    reads=Reads.HOUR,
)
"""A plain sum meter: Stripe adds every event up, so a repeat is only harmless while Stripe
remembers its identifier (24 hours). Slots are seconds, as the timestamps of its events are;
totals are read by the hour. Stripe takes negative values and bills a negative period as zero
(docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api)."""

USAGE_RECORD: Final = Route(
    name="stripe.usage_record",
    mode=Mode.ABSOLUTE,
    hourly=False,
    whole_numbers=True,
    digits_max=DIGITS_MAX,
    oldest=PERIOD_LONGEST,
    closes_after=0,
    reads=Reads.PERIOD,
)
"""A legacy usage record with action=set on a subscription item whose price has no meter. The
timestamp must lie in the current period, so nothing is taken after its end; the few minutes of
drift that Stripe mentions are not guaranteed (docs.stripe.com/billing/subscriptions/
usage-based-legacy/recording-usage). Only a period's total can be read."""

MARKETPLACE_OLDEST: Final = 6 * HOUR
"""So long AWS Marketplace takes an hour's record, and so long after a month's end: BatchMeterUsage
says less than 24 hours by now, and 6 at a month's end and for years before (docs.aws.amazon.com/
marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html)."""

AWS_MARKETPLACE: Final = Route(
    name="aws.marketplace",
    mode=Mode.ONCE,
    hourly=True,
    whole_numbers=True,
    oldest=MARKETPLACE_OLDEST,
    closes_after=MARKETPLACE_OLDEST,
    reads=Reads.NOTHING,
    gathers_for=HOUR + 5 * MINUTE,
)
"""A record of a customer's dimension for an hour, which stays as it was first told: the same again
is answered alike, another quantity is a DuplicateRecord and not honoured. Whole numbers only: older
SDKs know no others. There is no API that shows what was metered."""

STRIPE_ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {route.name: route for route in (HOUR_METER, SUM_METER, USAGE_RECORD)}
)
ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {**STRIPE_ROUTES, AWS_MARKETPLACE.name: AWS_MARKETPLACE}
)

_LICENSED: Final = re.compile(r"(arn:aws[a-z-]*:license-manager:[A-Za-z0-9:_-]+)/([0-9]{12})")
_BY_PRODUCT: Final = re.compile(r"([A-Za-z0-9]+)/([A-Za-z0-9_-]+)")

_PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {HOUR_METER.name: "cus_", SUM_METER.name: "cus_", USAGE_RECORD.name: "si_"}
)
"""How a destination of each route begins."""


def check_target(route: str, destination: str, counter: str) -> None:
    """InvalidSetting where no quantity could ever go there."""
    if route == AWS_MARKETPLACE.name:
        marketplace_customer(destination)
        check_name("counter", counter)
        return
    prefix = _PREFIXES.get(route)
    if prefix is None:
        raise InvalidSetting(f"route {route[:40]!r} is none of {', '.join(ROUTES)}")
    is_legible = destination.isascii() and destination.isprintable()
    if not destination.startswith(prefix) or not is_legible or len(destination) > NAME_LENGTH_MAX:
        raise InvalidSetting(f"{destination[:40]!r} does not begin with {prefix}")
    if bool(counter) is (route == USAGE_RECORD.name):
        wanted = "no counter" if counter else "a counter: the event name of the Stripe meter"
        raise InvalidSetting(f"route {route} takes {wanted}")
    if counter:
        check_name("counter", counter)


def target_of(destination: str, event_name: str) -> tuple[str, str, str]:
    """(route, destination, counter) for one of Stripe's identifiers: a subscription item takes
    usage records, a customer the events of the hour meter of that name. Raises InvalidSetting."""
    is_item = destination.startswith(_PREFIXES[USAGE_RECORD.name])
    route, counter = (USAGE_RECORD.name, "") if is_item else (HOUR_METER.name, event_name)
    check_target(route, destination, counter)
    return route, destination, counter


def may_go_to(route: str, destination: str) -> bool:
    """Whether the route has destinations that look so."""
    if route == AWS_MARKETPLACE.name:
        return bool(_LICENSED.fullmatch(destination) or _BY_PRODUCT.fullmatch(destination))
    return destination.startswith(_PREFIXES[route])


def marketplace_customer(destination: str) -> tuple[dict[str, str], dict[str, str]]:
    """(the product, the customer) as BatchMeterUsage names them: LICENSE_ARN/ACCOUNT for a licence,
    and PRODUCT_CODE/CUSTOMER_ID for a product from before there were licences.

    Never both for one customer: AWS would bill each. Raises InvalidSetting.
    """
    if found := _LICENSED.fullmatch(destination):
        return {}, {"LicenseArn": found[1], "CustomerAWSAccountId": found[2]}
    if found := _BY_PRODUCT.fullmatch(destination):
        return {"ProductCode": found[1]}, {"CustomerIdentifier": found[2]}
    raise InvalidSetting(
        f"{destination[:80]!r} is neither LICENSE_ARN/ACCOUNT_ID nor PRODUCT_CODE/CUSTOMER_ID"
    )
