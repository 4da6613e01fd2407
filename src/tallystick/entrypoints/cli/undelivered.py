"""What lies in a stack's dead-letter queues on AWS, as `dead-letters` shows and replays it."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from tallystick.bootstrap import App
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.envelope import USAGE_ORIGIN
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.cli.context import intake
from tallystick.entrypoints.cli.tables import Row
from tallystick.entrypoints.composing import desk_of
from tallystick.stages.enrolling import Onboarded
from tallystick.stages.ingesting import Report, kind_of
from tallystick.stages.onboarding import Desk, take_in

if TYPE_CHECKING:
    from tallystick.entrypoints.aws.queues import DeadLetterQueue, Undelivered

QueueOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--queue",
        negative="",
        help="URL of a dead-letter queue on AWS; else those of TALLYSTICK_DEAD_LETTER_QUEUES.",
    ),
]

UNDELIVERED: Final = "undelivered"
"""Stands where a dead letter has its reason."""

STILL_DEAD: Final = "still_dead"
ONBOARDED: Final = "onboarded"


def undelivered_rows(app: App, urls: tuple[str, ...], *, as_json: bool) -> Iterator[Row]:
    """The messages, with the fields of a dead letter."""
    for queue in _queues(app, urls):
        for message in queue.look():
            yield _full_row(queue, message) if as_json else _row(queue, message)


def replay_undelivered(app: App, urls: tuple[str, ...], message_id: str = "") -> Counter[str]:
    """Settle messages as their functions would have; how many became what.

    One that is counted, or kept as a dead letter, is deleted from its queue; the others stay.
    Raises StoreUnavailable, and then what was not reached stays too.
    """
    desk = desk_of(intake(app))
    became: Counter[str] = Counter()
    for queue in _queues(app, urls):
        waiting = []
        try:
            for message in queue.take():
                waiting.append(message)
                if message_id in {"", message.id}:
                    became[_settled(message, desk, app.clock.now())] += 1
                    queue.delete(message)
                    waiting.pop()
        finally:
            for message in waiting:
                queue.put_back(message)
    return became


def _settled(message: "Undelivered", desk: Desk, now: int) -> str:
    report = Report(origin=USAGE_ORIGIN, body=message.body, received_at=message.sent_at)
    outcome = take_in(report, desk, now)
    if isinstance(outcome, DeadLetter):
        return STILL_DEAD
    return ONBOARDED if isinstance(outcome, Onboarded) else kind_of(outcome)


def _queues(app: App, urls: tuple[str, ...]) -> Iterator["DeadLetterQueue"]:
    """Those of the option, else of the settings. Raises InvalidSetting without boto3."""
    wanted = urls or app.settings.dead_letter_queues
    if not wanted:
        return
    try:
        from tallystick.entrypoints.aws.queues import DeadLetterQueue  # noqa: PLC0415
    except ImportError:
        raise InvalidSetting("a queue on AWS needs boto3: install tallystick[aws]") from None
    yield from map(DeadLetterQueue, wanted)


def _row(queue: "DeadLetterQueue", message: "Undelivered") -> Row:
    return {
        "id": message.id,
        "reason": UNDELIVERED,
        "tenant": "",
        "origin": queue.name,
        "received": format_instant(message.sent_at),
        "what is wrong": "it could not be settled: mend what the function's log says, and replay",
        "became": "",
    }


def _full_row(queue: "DeadLetterQueue", message: "Undelivered") -> Row:
    return {
        "id": message.id,
        "reason": UNDELIVERED,
        "tenant": "",
        "waits_for": "",
        "origin": queue.name,
        "received_at": format_instant(message.sent_at),
        "errors": [],
        "body": message.body,
        "replayed_at": None,
        "replayed_as": "",
    }
