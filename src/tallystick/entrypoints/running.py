"""What belongs to the whole process of a server: whether it must end, its log and its spans."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tallystick.domain.errors import StoreLost

if TYPE_CHECKING:
    from tallystick.entrypoints.tracing import OtelSpans


class Running:
    """One running process, as all its parts see it. Any thread may say that the store is lost."""

    def __init__(
        self, spans: "OtelSpans | None" = None, lines_dropped: Callable[[], int] = lambda: 0
    ) -> None:
        self.spans = spans
        self.lines_dropped = lines_dropped
        self._lost: StoreLost | None = None
        self._lock = threading.Lock()

    def lose(self, error: StoreLost) -> None:
        """Nobody knows whether the last write happened: this process takes no more work and ends,
        and the next one sees what is there."""
        with self._lock:
            self._lost = self._lost or error

    @property
    def lost(self) -> StoreLost | None:
        return self._lost
