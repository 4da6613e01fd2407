"""Room for what a provider sends us, apart from everybody else's.

Each delivery waits for the provider to be asked, and its body is read before anybody knows whose
it is; so neither may use up what events and queries need.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tallystick.entrypoints.http.bodies import Memory
from tallystick.entrypoints.http.problems import overloaded
from tallystick.stages.heeding import Directory

T = TypeVar("T")

HELD_BYTES_MAX: Final = 8 * 1024 * 1024
ASKING: Final = 2
"""So many deliveries ask the provider at once: its limit for reads is shared with the passes."""

WAITING_MAX: Final = 64


@dataclass(kw_only=True)
class Deliveries:
    """One server's room for deliveries; `directory` knows whom they concern."""

    directory: Directory
    memory: Memory = field(default_factory=lambda: Memory(limit=HELD_BYTES_MAX))
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(ASKING, thread_name_prefix="delivery")
    )
    _waiting: int = 0

    async def in_thread(self, call: Callable[[], T]) -> T:
        """What asks the provider, in a thread; the problem where too much waits for one."""
        if self._waiting >= WAITING_MAX:
            raise overloaded("too many deliveries wait for the provider; send it again later")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True)
