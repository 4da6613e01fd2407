"""A stack's dead-letter queues: messages that an outage, or a bug, kept from being settled.

The store knows nothing of them until somebody replays them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tallystick.domain.errors import InvalidSetting, StoreUnavailable

AT_ONCE: Final = 10
"""So many messages SQS hands out in one answer."""

SHOWN_MAX: Final = 1_000
LOOK_SECONDS: Final = 120
"""So long nobody else sees a message that is looked at, where its look dies."""

WAIT_SECONDS: Final = 2
"""A queue that has an answer gives it within this time, though it lies on many machines."""

MILLISECOND: Final = 1_000
SENDS_MAX: Final = 5

_REGION: Final = re.compile(r"https?://sqs\.(?P<region>[a-z0-9-]+)\.amazonaws\.")
_FINAL: Final = ("QueueDoesNotExist", "NonExistentQueue", "AccessDenied", "InvalidAddress")

Answer = dict[str, Any]


class Client(Protocol):
    """What is asked of boto3's client for SQS, with the arguments that AWS documents."""

    def receive_message(self, **asked: object) -> Answer: ...
    def delete_message(self, **asked: object) -> Answer: ...
    def change_message_visibility(self, **asked: object) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """One message. `receipt` is what SQS wants to have back to delete it."""

    id: str
    body: str
    sent_at: int
    tries: int
    receipt: str


class DeadLetterQueue:
    """One queue, by its URL. Raises InvalidSetting where there is none that we may read, and
    StoreUnavailable where it does not answer."""

    def __init__(self, url: str, client: Client | None = None) -> None:
        self.url = url
        self._client = client or _client_for(url)

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def look(self) -> list[Undelivered]:
        """What lies there, up to SHOWN_MAX; put back at once."""
        found = list(self._taken(SHOWN_MAX))
        for one in found:
            self.put_back(one)
        return found

    def take(self) -> Iterator[Undelivered]:
        """What lies there, one after the other. Each is to be deleted or, when all have been seen,
        put back: what is put back at once would be handed out again before the rest."""
        return self._taken(None)

    def delete(self, message: Undelivered) -> None:
        self._ask("delete_message", ReceiptHandle=message.receipt)

    def put_back(self, message: Undelivered) -> None:
        self._ask("change_message_visibility", ReceiptHandle=message.receipt, VisibilityTimeout=0)

    def _taken(self, limit: int | None) -> Iterator[Undelivered]:
        """Each message once, though SQS may hand it out again."""
        seen: set[str] = set()
        while limit is None or len(seen) < limit:
            answer = self._ask(
                "receive_message",
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=LOOK_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                AttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
            fresh = [one for one in map(_read, answer.get("Messages", ())) if one.id not in seen]
            if not fresh:
                return
            seen.update(one.id for one in fresh)
            yield from fresh

    def _ask(self, call: str, **asked: object) -> Answer:
        try:
            answer: Answer = getattr(self._client, call)(QueueUrl=self.url, **asked)
        except ClientError as error:
            told = f"the queue {self.url}: {error}"
            if any(code in error.response["Error"]["Code"] for code in _FINAL):
                raise InvalidSetting(told) from error
            raise StoreUnavailable(told) from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"the queue {self.url} cannot be reached: {error}") from error
        return answer


def _read(message: Answer) -> Undelivered:
    attributes = message.get("Attributes", {})
    return Undelivered(
        id=message["MessageId"],
        body=message["Body"],
        sent_at=int(attributes.get("SentTimestamp", 0)) * MILLISECOND,
        tries=int(attributes.get("ApproximateReceiveCount", 0)),
        receipt=message["ReceiptHandle"],
    )


def _client_for(url: str) -> Client:
    """Keys, and the region where the URL names none, come from where AWS's tools look for them."""
    region = _REGION.match(url)
    steady = Config(retries={"mode": "standard", "max_attempts": SENDS_MAX})
    try:
        client: Client = boto3.client(
            "sqs", region_name=region["region"] if region else None, config=steady
        )
    except BotoCoreError as error:
        raise InvalidSetting(f"the queue {url}: {error}") from error
    return client
