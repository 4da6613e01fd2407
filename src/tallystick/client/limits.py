"""The client's limits, each with its unit, in one value."""

from dataclasses import dataclass
from typing import Final

EVENT_BYTES_MAX: Final = 96 * 1024
"""Of one event as JSON. The service keeps at most 64 KiB of properties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a client's memory, disk and patience; docs/client.md has them in a table."""

    linger_seconds: float = 0.1
    """From memory into the spool: what a `kill -9` can cost."""

    interval_seconds: float = 0.5
    """About so long an event waits for others to share its request."""

    batch_events: int = 1_000
    batch_bytes: int = 1024 * 1024
    memory_bytes: int = 32 * 1024 * 1024
    """Of events that are neither spooled nor delivered; beyond it new ones are dropped."""

    spool_bytes: int = 256 * 1024 * 1024
    """Of the folder, all of its clients together; beyond it events stay in memory."""

    rejected_bytes: int = 16 * 1024 * 1024
    connect_seconds: float = 3.0
    answer_seconds: float = 10.0
    backoff_first_seconds: float = 0.5
    backoff_max_seconds: float = 60.0
    denied_seconds: float = 60.0
    """Between two attempts while the service refuses the key."""

    retry_after_max_seconds: float = 3_600.0
    adopt_every_seconds: float = 30.0
    """How often the folder is searched for what a dead client left."""

    spool_retry_seconds: float = 1.0
    """How long the spool is left alone after the disk refused it."""

    exit_seconds: float = 5.0
    """How long `close` and the end of the interpreter wait for the service."""
