"""What Stripe accepted and then reported as wrong: thin events with samples of the errors.

Only samples are given, and the report names a request, not every copy of it; so each is a reason
to read the totals and no verdict (docs.stripe.com/billing/subscriptions/usage-based/
recording-usage-api). Identifier and Idempotency-Key are one text with us, so that it does not
matter which of the two Stripe shows.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import msgspec

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import format_instant, parse_instant
from tallystick.domain.statement import Rejection
from tallystick.publishers.stripe.connection import Connection, NotReadable
from tallystick.publishers.stripe.lists import PAGES_MAX, ROWS_A_PAGE

PATH: Final = "/v2/core/events"
TYPES: Final = (
    "v1.billing.meter.error_report_triggered",
    "v1.billing.meter.no_meter_found",
)


class Named(msgspec.Struct, frozen=True):
    """The request that an error came from."""

    identifier: str | None = None
    idempotency_key: str | None = None


class Sample(msgspec.Struct, frozen=True):
    """One error that was found."""

    error_message: str = ""
    request: Named = Named()


class ErrorType(msgspec.Struct, frozen=True):
    """All errors of one code."""

    code: str
    sample_errors: list[Sample] = []


class Reason(msgspec.Struct, frozen=True):
    """What was wrong."""

    error_types: list[ErrorType] = []


class Findings(msgspec.Struct, frozen=True):
    """The content of a report."""

    reason: Reason = Reason()


class Report(msgspec.Struct, frozen=True):
    """A thin event; where it is listed without its content, that is fetched."""

    id: str
    created: str
    findings: Findings | None = msgspec.field(default=None, name="data")


class Reports(msgspec.Struct, frozen=True):
    """One page of API v2, whose next page is an address."""

    rows: list[Report] = msgspec.field(name="data")
    next_page_url: str | None = None


def rejections(connection: Connection, since: int) -> tuple[Rejection, ...]:
    """Every sample of an error reported at or after `since`."""
    found: list[Rejection] = []
    for report in _reports(connection, since):
        found += _rejections(_complete(connection, report))
    return tuple(found)


def rejections_in(connection: Connection, event: str) -> tuple[Rejection, ...]:
    """The samples of one report, fetched by the id of its event. Raises NotReadable for another's
    id, and what `Connection.read` does."""
    return tuple(_rejections(connection.read(_path_of(event), Report, {})))


def _path_of(event: str) -> str:
    return f"{PATH}/{quote(event, safe='')}"


def _reports(connection: Connection, since: int) -> Iterator[Report]:
    path = PATH
    params: dict[str, object] = {
        "types": list(TYPES),
        "created": {"gte": format_instant(since)},
        "limit": ROWS_A_PAGE,
    }
    for _ in range(PAGES_MAX):
        page = connection.read(path, Reports, params)
        yield from page.rows
        if page.next_page_url is None:
            return
        path, params = page.next_page_url, {}
        if not path.startswith(f"{PATH}?"):
            raise PublisherUnavailable("Stripe's next page of events is at no known address")
    raise PublisherUnavailable(f"the list of events does not end after {PAGES_MAX} pages")


def _complete(connection: Connection, report: Report) -> Report:
    if report.findings is not None:
        return report
    try:
        return connection.read(_path_of(report.id), Report, {})
    except NotReadable:
        return report


def _rejections(report: Report) -> Iterator[Rejection]:
    if report.findings is None:
        return
    at = _instant(report.created)
    for error in report.findings.reason.error_types:
        for sample in error.sample_errors:
            identifier = sample.request.identifier or sample.request.idempotency_key
            if identifier:
                yield Rejection(identifier, error.code, sample.error_message, at)


def _instant(created: str) -> int:
    try:
        return parse_instant(created)
    except ValueError:
        raise PublisherUnavailable("Stripe dates an event with no time") from None
