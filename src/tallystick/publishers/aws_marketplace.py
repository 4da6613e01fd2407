"""AWS Marketplace: one record for each customer, dimension and hour, by BatchMeterUsage.

A record is told once and never corrected; the same one again is answered like the first; nothing
can be read back. AWS takes 25 records a call, and refuses all of them where one is out of time: so
each goes by itself, and none waits for another's fault.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from tallystick.domain.instant import MINUTE, to_datetime
from tallystick.domain.publication import Answer, Outcome, Publication
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Route, Slot
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.ports import Clock
from tallystick.publishers import AWS_MARKETPLACE, marketplace_customer

QUANTITY_MAX: Final = 2_147_483_647

SECONDS_MAX: Final = 30
"""For connecting, and for each part of an answer: together less than a sender's deadline."""

_VERDICTS: Final[Mapping[str, Outcome]] = {
    "Success": Outcome.COUNTED,
    "CustomerNotSubscribed": Outcome.REFUSED,
    "DuplicateRecord": Outcome.MISMATCH,  # another quantity stands there; ours was not honoured
}
_BUSY: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException"})
_DENIED: Final = frozenset(
    {
        *("AccessDeniedException", "DisabledApiException", "ExpiredTokenException"),
        *("IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException"),
        *("MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClientException"),
    }
)


class MarketplacePublisher:
    """`tallystick.ports.Publisher` for one region's metering endpoint; `endpoint` replaces it."""

    def __init__(self, *, region: str, clock: Clock, endpoint: str = "") -> None:
        steady = Config(
            connect_timeout=SECONDS_MAX,
            read_timeout=SECONDS_MAX,
            # A repeat is the domain's to decide: it stores each attempt before it is made.
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        self._clock = clock
        self._client: Any = boto3.Session().client(
            "meteringmarketplace",
            region_name=region,
            endpoint_url=endpoint or None,
            config=steady,
        )

    @property
    def routes(self) -> dict[str, Route]:
        return {AWS_MARKETPLACE.name: AWS_MARKETPLACE}

    def send(self, publication: Publication) -> Answer:
        if publication.value > QUANTITY_MAX:
            return Answer(Outcome.REFUSED, f"{publication.value} is more than {QUANTITY_MAX}")
        if self._clock.now() > publication.deadline:
            return Answer(Outcome.BUSY, "it is past the deadline; nothing was sent")
        try:
            return verdict(self._client.batch_meter_usage(**request_of(publication)))
        except ClientError as error:
            return _refusal(error)
        except (NoCredentialsError, PartialCredentialsError) as error:
            return Answer(Outcome.DENIED, str(error))
        except (ConnectTimeoutError, EndpointConnectionError) as error:
            return Answer(Outcome.BUSY, f"no connection: {error}", MINUTE)
        except BotoCoreError as error:
            return Answer(Outcome.UNKNOWN, str(error))

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        """None: AWS shows what was metered in reports of the day after, and never in an API."""
        return ()

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        return ()

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        return ()

    def subscription(self, destination: str) -> Subscription | None:
        return None

    def clock_ahead(self) -> int:
        return 0


def request_of(publication: Publication) -> dict[str, object]:
    """What BatchMeterUsage is sent: the same for the same publication."""
    slot = publication.slot
    product, who = marketplace_customer(slot.destination)
    record = {
        **who,
        "Dimension": slot.counter,
        "Timestamp": to_datetime(publication.place.timestamp),
        "Quantity": int(publication.value),
    }
    return {**product, "UsageRecords": [record]}


def verdict(answer: Mapping[str, Any]) -> Answer:
    """What a 200 says of the one record: its status, or that it was not looked at."""
    if answer.get("UnprocessedRecords"):
        return Answer(Outcome.BUSY, "the record was not processed")
    results = answer.get("Results") or [{}]
    status = str(results[0].get("Status", ""))
    detail = str(results[0].get("MeteringRecordId", ""))
    outcome = _VERDICTS.get(status, Outcome.UNKNOWN)
    return Answer(outcome, f"{status} {detail}".strip())


def _refusal(error: ClientError) -> Answer:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    told = str(error)
    if code in _BUSY or status == 429:
        return Answer(Outcome.BUSY, told)
    if code in _DENIED or status in (401, 403):
        return Answer(Outcome.DENIED, told)
    if 400 <= status < 500:
        return Answer(Outcome.REFUSED, told)
    return Answer(Outcome.FAILED, told)
