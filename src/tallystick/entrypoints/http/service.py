"""What every route works with: the application, the thread that counts, and threads that read."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar

from starlette.requests import Request

from tallystick.bootstrap import App
from tallystick.domain.api_key import ApiKey, Scope
from tallystick.entrypoints.checking import Checks
from tallystick.entrypoints.http.access import Access
from tallystick.entrypoints.http.bodies import Memory
from tallystick.entrypoints.http.counting import Counting
from tallystick.entrypoints.http.deliveries import Deliveries
from tallystick.entrypoints.http.problems import overloaded
from tallystick.stages.heeding import Directory
from tallystick.stages.ingesting import Intake, intake_of

T = TypeVar("T")

READERS: Final = 4
READS_WAITING_MAX: Final = 256
NO_PARTS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType({})


@dataclass(kw_only=True)
class Service:
    """One running server's means. `parts` says of each part beside the store what is wrong with
    it, or nothing."""

    app: App
    counting: Counting
    access: Access
    deliveries: Deliveries
    checks: Checks
    parts: Mapping[str, Callable[[], str]] = field(default_factory=lambda: NO_PARTS)
    memory: Memory = field(default_factory=Memory)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READERS, thread_name_prefix="reading")
    )
    editing: threading.Lock = field(default_factory=threading.Lock)
    """Held from reading a setting to saving it, so that two edits do not undo each other."""
    _reads_waiting: int = 0

    async def in_thread(self, call: Callable[[], T]) -> T:
        """What blocks, in a thread; the problem where too much waits for one."""
        if self._reads_waiting >= READS_WAITING_MAX:
            raise overloaded("too many requests wait for an answer; try again in a second")
        self._reads_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, call)
        finally:
            self._reads_waiting -= 1

    async def granted(self, request: Request, scope: Scope) -> ApiKey:
        return await self.access.granted(request, scope, self.in_thread)

    def intake(self) -> Intake:
        """One for a reading thread: the counting thread's remembers, and is that thread's own."""
        return intake_of(self.app.store, auto_onboard=self.app.settings.auto_onboard)

    def close(self) -> None:
        """Let what is under way end. The store is closed by whoever opened it."""
        self.counting.close()
        self.threads.shutdown(wait=True)
        self.deliveries.close()
        self.checks.stop()


def service_for(app: App, parts: Mapping[str, Callable[[], str]] = NO_PARTS) -> Service:
    intake = intake_of(app.store, auto_onboard=app.settings.auto_onboard)
    return Service(
        app=app,
        counting=Counting(intake, app.clock),
        access=Access(app.store.keys, app.clock),
        deliveries=Deliveries(directory=Directory(app.store.catalog)),
        checks=Checks(app),
        parts=parts,
    )


def service_of(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101  # for the type checker
    return service
