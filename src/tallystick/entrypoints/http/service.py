"""What every route works with: the application, the thread that counts, and threads that read."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Final, TypeVar

from starlette.requests import Request

from tallystick.bootstrap import App
from tallystick.domain.api_key import ApiKey, Scope
from tallystick.entrypoints.checking import Checks
from tallystick.entrypoints.http.access import Access
from tallystick.entrypoints.http.bodies import Memory
from tallystick.entrypoints.http.counting import Counting
from tallystick.entrypoints.http.deliveries import Deliveries
from tallystick.entrypoints.http.metrics import HttpMetrics
from tallystick.entrypoints.http.observing import KEY_ID
from tallystick.entrypoints.http.pacing import Pace
from tallystick.entrypoints.http.problems import overloaded
from tallystick.entrypoints.running import Running
from tallystick.entrypoints.worker import HourlyLoop
from tallystick.stages.heeding import Directory
from tallystick.stages.ingesting import Intake, intake_of

T = TypeVar("T")

READERS: Final = 4
READS_WAITING_MAX: Final = 256


@dataclass(kw_only=True)
class Service:
    """One running server's means."""

    app: App
    counting: Counting
    access: Access
    metrics: HttpMetrics = field(default_factory=HttpMetrics)
    hourly: HourlyLoop | None = None
    running: Running = field(default_factory=Running)
    deliveries: Deliveries
    checks: Checks
    memory: Memory = field(default_factory=Memory)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READERS, thread_name_prefix="reading")
    )
    _reads_waiting: int = 0

    async def in_thread(self, call: Callable[[], T]) -> T:
        """What blocks, in a thread; the problem where too much waits for one."""
        if self._reads_waiting >= READS_WAITING_MAX:
            raise overloaded("too many requests wait for an answer; try again in a second")
        self._reads_waiting += 1
        # With the request's context, so that what the thread logs names the request.
        run = copy_context().run
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, run, call)
        finally:
            self._reads_waiting -= 1

    async def granted(self, request: Request, scope: Scope) -> ApiKey:
        key = await self.access.granted(request, scope, self.in_thread)
        request.scope[KEY_ID] = key.id
        return key

    @property
    def parts(self) -> Mapping[str, Callable[[], str]]:
        """Each part beside the store, and who says what is wrong with it, or nothing."""
        return {} if self.hourly is None else {"hourly loop": self.hourly.trouble}

    def intake(self) -> Intake:
        """One for a reading thread: the counting thread's remembers, and is that thread's own."""
        return intake_of(self.app.store, auto_onboard=self.app.settings.auto_onboard)

    def close(self) -> None:
        """Let what is under way end. The store is closed by whoever opened it."""
        self.counting.close()
        self.threads.shutdown(wait=True)
        self.deliveries.close()
        self.checks.stop()


def service_for(
    app: App,
    *,
    hourly: HourlyLoop | None = None,
    running: Running | None = None,
    checks: Checks | None = None,
) -> Service:
    intake = intake_of(app.store, auto_onboard=app.settings.auto_onboard)
    metrics = HttpMetrics()
    return Service(
        app=app,
        counting=Counting(intake, app.clock, metrics.counted_group),
        access=Access(app.store.keys, app.clock, Pace(app.settings.key_rate)),
        deliveries=Deliveries(directory=Directory(app.store.catalog)),
        checks=checks or Checks(app),
        metrics=metrics,
        hourly=hourly,
        running=running or Running(),
    )


def service_of(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101  # for the type checker
    return service
