"""A batch of SQS messages, and which of them are to come again.

A report that cannot be counted is a dead letter in the store, and its message is done. Only what
an outage, or a bug, kept from being settled comes again; its neighbours do not.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tallystick.domain.errors import StoreUnavailable
from tallystick.entrypoints.aws.runtime import Answer, Payload
from tallystick.entrypoints.logs import LOG, note
from tallystick.stages.ingesting import Report

MILLISECOND: Final = 1_000

AWAY_MIN: Final = 2
"""When so many messages in a row fail each by itself, the store is away, and the rest waits."""

TURN_SECONDS: Final = 25
"""So long the store may try before it says that it is away."""

Message = Mapping[str, Any]
Work = Callable[[Sequence[Report]], None]


def settle(event: Payload, origin: str, work: Work, goes_on: Callable[[], bool]) -> Answer:
    """Give the batch's reports to the work, and name the messages for which it failed."""
    failed = _failed(event["Records"], origin, work, goes_on)
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}


def _failed(
    messages: Sequence[Message], origin: str, work: Work, goes_on: Callable[[], bool]
) -> list[Message]:
    """Together, which is fast; where that fails each by itself, since one may be the reason."""
    if _is_done(messages, origin, work):
        return []
    if len(messages) == 1:
        return list(messages)
    failed: list[Message] = []
    in_a_row = 0
    for message in messages:
        is_away = in_a_row >= AWAY_MIN or not goes_on()
        if not is_away and _is_done([message], origin, work):
            in_a_row = 0
            continue
        failed.append(message)
        in_a_row += 1
    return failed


def _is_done(messages: Sequence[Message], origin: str, work: Work) -> bool:
    try:
        work([_report(message, origin) for message in messages])
    except StoreUnavailable as error:
        note(logging.WARNING, "a batch is to come again", messages=len(messages), error=str(error))
        return False
    except Exception:  # noqa: BLE001  # the outermost loop: reported, and it stays in its queue
        fields = {"messages": len(messages)}
        LOG.exception("a batch failed by a bug", extra={"fields": fields})
        return False
    return True


def _report(message: Message, origin: str) -> Report:
    sent_at = message.get("attributes", {}).get("SentTimestamp")
    received_at = None if sent_at is None else int(sent_at) * MILLISECOND
    return Report(origin=origin, body=str(message["body"]), received_at=received_at)
