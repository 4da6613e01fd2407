"""Workers whose turns can be stopped at any port call: to die there, or to sleep for hours.

Only one of them runs at any moment. A turn that may fall asleep has a thread of its own, which
is parked on a baton; the world goes on and hands the baton back later. So a run is repeatable.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import Final

from tallystick.domain.errors import StoreUnavailable
from tallystick.testing.faulty import Crash
from tallystick.testing.simulation.steps import Doom, Step

CALLS_MAX: Final = 20_000
"""A pass that makes more calls than this does not end."""


class Worker:
    """One process of ours. It is the gate that its own port calls pass."""

    def __init__(self, number: int, store_faults: int) -> None:
        self.number = number
        self.met: dict[str, int] = {}
        self._store_faults = store_faults
        self._step: Step | None = None
        self._draws = Random(0)
        self._calls = 0
        self._total_calls = 0
        self._threads: ThreadPoolExecutor | None = None
        self._pass: Future[None] | None = None
        self._has_ended = False
        self._mine = threading.Semaphore(0)
        self._worlds = threading.Semaphore(0)
        self._is_to_die = False
        self._armed: Step | None = None
        self._turns_slept_through = 0

    @property
    def is_asleep(self) -> bool:
        return self._pass is not None

    def turn(self, step: Step, work: Callable[[], None]) -> None:
        """Begin a pass, or go on with the one it fell asleep in, until the step's doom.

        A doom that found no such call waits for one in the worker's next turns. A sleeper may
        sleep through some.
        """
        if self._turns_slept_through > 0:
            self._turns_slept_through -= 1
            return
        if step.doom is not Doom.NONE:
            self._armed = step
        if self._armed is not None:
            armed = self._armed
            step = replace(
                step, doom=armed.doom, call=armed.call, port=armed.port, after=armed.after
            )
        self._step, self._draws, self._calls = step, Random(step.seed), 0
        if self.is_asleep:
            self._hand_over()
        elif step.doom is Doom.SLEEP:
            self._total_calls, self._has_ended = 0, False
            self._threads = self._threads or ThreadPoolExecutor(1)
            self._pass = self._threads.submit(self._run, work)
            self._hand_over()
        else:
            self._total_calls = 0
            self._survive(work)

    def die(self) -> None:
        """End a sleeper where it stands."""
        self._turns_slept_through = 0
        if self.is_asleep:
            self._is_to_die = True
            self._hand_over()
        if self._threads is not None:
            self._threads.shutdown()

    def _hand_over(self) -> None:
        self._mine.release()
        self._worlds.acquire()
        if self._has_ended and self._pass is not None:
            ended, self._pass = self._pass, None
            ended.result()

    def _run(self, work: Callable[[], None]) -> None:
        self._mine.acquire()
        try:
            self._survive(work)
        finally:
            self._has_ended = True
            self._worlds.release()

    def _survive(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Crash:
            self._note("crash")

    def before(self, call: str) -> None:
        self._meet(call, after=False)

    def after(self, call: str) -> None:
        self._meet(call, after=True)

    def _meet(self, call: str, *, after: bool) -> None:
        step = self._step
        if step is None:
            return
        if not after:
            self._calls += step.port in ("", call)
            self._total_calls += 1
            if self._total_calls > CALLS_MAX:
                raise AssertionError(f"a pass makes more than {CALLS_MAX} calls: it does not end")
        is_there = self._calls == step.call and step.port in ("", call)
        if is_there and after is step.after:
            self._doom(step.doom)
        in_store = not call.startswith("publisher.")
        if in_store and self._draws.randrange(2000) < self._store_faults:
            self._note("store_after" if after else "store_before")
            raise StoreUnavailable(f"{call} failed {'after' if after else 'before'} it was done")

    def _doom(self, doom: Doom) -> None:
        self._armed = None
        if doom is Doom.CRASH:
            raise Crash
        if doom is Doom.SLEEP and self.is_asleep:
            self._note("sleep")
            self._turns_slept_through = self._draws.choice((0, 0, 0, 3, 20))
            self._worlds.release()
            self._mine.acquire()
            if self._is_to_die:
                raise Crash

    def _note(self, what: str) -> None:
        self.met[what] = self.met.get(what, 0) + 1
