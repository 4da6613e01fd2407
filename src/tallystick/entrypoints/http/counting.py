"""Between many requests and the store: whatever waits while one commit is on its way to the disk
is counted by the next, in one call and one thread.

Who asks is answered when what was asked for is durable. The queue is bounded: beyond it callers
are told to come back, before memory grows.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from tallystick.clock import seconds
from tallystick.domain.errors import StoreUnavailable
from tallystick.entrypoints.http.problems import overloaded
from tallystick.entrypoints.http.pulse import Pulse
from tallystick.ports import Clock
from tallystick.stages.ingesting import Intake, Outcome, Report, ingest
from tallystick.stages.rehearsing import Fault, faults_of
from tallystick.stages.tabulating import Plain, together

GROUP_MAX: Final = 1_000
"""About so many reports share a group."""

COLUMNS_MAX: Final = 4_000
"""About so many of those that came in columns do: they take less time than the others."""

IN_COLUMNS: Final = 1
BY_ITSELF: Final = COLUMNS_MAX // GROUP_MAX
"""What a report takes of a group's room, which is COLUMNS_MAX."""

WAITING_MAX: Final = 50_000
"""So many reports wait at most."""

ENOUGH: Final = 256
"""Where so many reports wait, a group is begun without a look for more of them."""

QUIET_TURNS: Final = 5
"""Of the loop: who did not come within these is not awaited."""

GATHER_SECONDS: Final = 0.005

Outcomes = tuple[Outcome, ...]


@dataclass(eq=False)
class Uncountable(Exception):
    """A strict request holds what cannot be counted, so nothing of it was stored."""

    faults: tuple[Fault, ...]


@dataclass(slots=True, eq=False)
class _Waiting:
    reports: Sequence[Report]
    is_strict: bool
    answer: "asyncio.Future[Outcomes]"

    @property
    def room(self) -> int:
        """How much of a group it takes."""
        each = IN_COLUMNS if isinstance(self.reports, Plain) else BY_ITSELF
        return len(self.reports) * each

    def settle(self, found: Outcomes | Exception) -> None:
        if self.answer.done():
            return  # whoever asked was cancelled meanwhile
        if isinstance(found, Exception):
            self.answer.set_exception(found)
        else:
            self.answer.set_result(found)


def _together(each: Sequence[Sequence[Report]]) -> Sequence[Report]:
    """The reports of a group; in columns, where all are."""
    plain = [reports for reports in each if isinstance(reports, Plain)]
    return together(plain) if len(plain) == len(each) else list(chain.from_iterable(each))


class Counting:
    """The one thread that counts, and who waits for it. `on_group` is told how many seconds each
    group commit took."""

    def __init__(
        self, intake: Intake, clock: Clock, on_group: Callable[[float], None] = lambda _: None
    ) -> None:
        self.pulse = Pulse()
        self._on_group = on_group
        self._intake = intake
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counting")
        self._queue: deque[_Waiting] = deque()
        self._reports_waiting = 0
        self._served: asyncio.AbstractEventLoop | None = None
        """The loop whose requests are being counted, or gathered for it."""

    async def count(self, reports: Sequence[Report], *, strict: bool = False) -> Outcomes:
        """The outcome of each report, once all of them are durable.

        Raises StoreUnavailable, Uncountable, or the problem that too much waits already.
        """
        if self._reports_waiting and self._reports_waiting + len(reports) > WAITING_MAX:
            raise overloaded("the store is behind; try again in a second")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcomes] = loop.create_future()
        self._queue.append(_Waiting(reports, strict, answer))
        self._reports_waiting += len(reports)
        if self._served is not loop:
            self._served = loop
            # In the loop's next turn, so that all who come in this one share a group.
            loop.call_soon(self._begin_group, loop)
        return await answer

    @property
    def reports_waiting(self) -> int:
        return self._reports_waiting

    def close(self) -> None:
        """Let the call under way end, and take no more."""
        self._thread.shutdown(wait=True)

    def _begin_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the next group to the thread, if anybody waits: the one hop there, and one back."""
        if not self._queue:
            self._served = None
            return
        group = self._next_group()
        try:
            self._thread.submit(self._carry_out, group, loop)
        except RuntimeError as error:  # no thread can be begun now, or the end has come
            self._settle(group, [StoreUnavailable(f"nothing was counted: {error}")] * len(group))
            loop.call_soon(self._begin_group, loop)

    def _carry_out(self, group: Sequence[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: count the group, and have it answered where it was asked."""
        begun = seconds()
        found = self._counted(group)
        took = seconds() - begun
        try:
            loop.call_soon_threadsafe(self._answer, group, found, took, loop)
        except RuntimeError:  # the loop is closed: nobody waits for an answer any more
            self._served = None

    def _answer(
        self,
        group: Sequence[_Waiting],
        found: Sequence[Outcomes | Exception],
        took: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._on_group(took)
        self._settle(group, found)
        if len(group) > 1:
            self._gather(loop, seconds() + GATHER_SECONDS)
        else:
            self._begin_group(loop)

    def _gather(
        self, loop: asyncio.AbstractEventLoop, until: float, before: int = -1, quiet: int = 0
    ) -> None:
        """Begin the next group once those who were just answered had time to ask again: a crowd
        would else come in two halves in turn, and pay for twice as many commits."""
        waiting = self._reports_waiting
        quiet = quiet + 1 if waiting == before else 0
        if waiting >= ENOUGH or quiet == QUIET_TURNS or seconds() >= until:
            self._begin_group(loop)
        else:
            loop.call_soon(self._gather, loop, until, waiting, quiet)

    def _settle(self, group: Sequence[_Waiting], found: Sequence[Outcomes | Exception]) -> None:
        for waiting, outcomes in zip(group, found, strict=True):
            self._reports_waiting -= len(waiting.reports)
            waiting.settle(outcomes)

    def _next_group(self) -> list[_Waiting]:
        first = self._queue.popleft()
        group, taken = [first], first.room
        while self._queue and not (first.is_strict or self._queue[0].is_strict):
            taken += self._queue[0].room
            if taken > COLUMNS_MAX:
                break
            group.append(self._queue.popleft())
        return group

    def _counted(self, group: Sequence[_Waiting]) -> list[Outcomes | Exception]:
        """What became of each request of the group. Those whose columns can be counted as such are
        counted apart, so that no neighbour takes that from them."""
        try:
            fitting = self._fitting(group)
            if len(fitting) < len(group) and self._intake.rules.refresh():
                fitting = self._fitting(group)
        except StoreUnavailable as error:
            return [error] * len(group)
        if len(fitting) in (0, len(group)):
            return self._counted_at_once(group)
        apart = set(fitting)
        others = [waiting for waiting in group if waiting not in apart]
        found: dict[_Waiting, Outcomes | Exception] = {}
        for part in (fitting, others):
            found |= zip(part, self._counted_at_once(part), strict=True)
        return [found[waiting] for waiting in group]

    def _fitting(self, group: Sequence[_Waiting]) -> list[_Waiting]:
        cell = self._intake.rules.cell
        return [
            waiting
            for waiting in group
            if isinstance(waiting.reports, Plain) and None not in map(cell, waiting.reports.names)
        ]

    def _counted_at_once(self, group: Sequence[_Waiting]) -> list[Outcomes | Exception]:
        """The same in one call of the store; what is raised is an outcome like others."""
        reports = _together([waiting.reports for waiting in group])
        now = self._clock.now()
        try:
            if group[0].is_strict and (faults := faults_of(reports, self._intake, now)):
                return [Uncountable(faults)]
            counted = ingest(reports, self._intake, now)
        except StoreUnavailable as error:
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001  # handed to whoever asked, who reports it
            if len(group) == 1:
                return [error]
            # Whoever brought this on must not take the neighbours along: once more, one by one.
            return [one for waiting in group for one in self._counted_at_once([waiting])]
        self.pulse.note(counted, now)
        outcomes = iter(counted)
        return [tuple(islice(outcomes, len(waiting.reports))) for waiting in group]
