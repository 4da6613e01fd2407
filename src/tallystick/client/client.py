"""The client itself: what a service calls, and nothing that could hold it up."""

import atexit
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tallystick.client.answers import Transport
from tallystick.client.counts import Stats
from tallystick.client.encoding import KEY_RANDOM_BYTES, Unrecordable, encode_event, key_from
from tallystick.client.limits import Limits
from tallystick.client.live import Live, Means
from tallystick.client.transport import HttpTransport, checked_key, checked_url

_OPEN: Final[set["Client"]] = set()
"""Clients that were not closed: flushed at the interpreter's end, begun anew after a fork."""


class Client:
    """Reports usage to one Tallystick service. Make one for a process and share it: it may be used
    by all threads, and goes on after a fork.

    `url` is the service's, https or this very machine; `key` an API key with the scope `ingest`.
    `spool` is a folder on a local disk that outlives the process; None keeps events in memory only,
    and what the service has not acknowledged when the process ends is lost. `strict` makes `record`
    raise ValueError for arguments that can never be counted: for tests and development.

    ValueError for a URL or a key that cannot be used. Nothing is opened before the first event.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool: str | os.PathLike[str] | None,
        strict: bool = False,
        allow_http: bool = False,
        ca_file: str | None = None,
        limits: Limits | None = None,
        transport: Callable[[], Transport] | None = None,
        now: Callable[[], int] = time.time_ns,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        service, secret = checked_url(url, allow_http=allow_http), checked_key(key)
        chosen = limits or Limits()

        def connect() -> Transport:
            return HttpTransport(service, secret, limits=chosen, ca_file=ca_file)

        self._means = Means(
            service=service,
            connect=transport or connect,
            spool=None if spool is None else Path(spool),
            limits=chosen,
            now=now,
            random_bytes=random_bytes,
        )
        self._is_strict = strict
        self._live = Live(self._means)
        _OPEN.add(self)

    def record(
        self,
        tenant: str,
        meter: str,
        quantity: int | Decimal | str = 1,
        *,
        at: datetime | None = None,
        key: str | None = None,
        dimensions: Mapping[str, object] | None = None,
    ) -> str:
        """Take one event of usage, at once and without I/O; its key.

        `at` is when it occurred (now), `key` what makes it this event for ever (drawn). Arguments
        that can never be counted, such as a float, are not taken: '' is returned, and the log and
        `stats.refused` tell; with `strict` they are a ValueError.
        """
        now = self._means.now()
        chosen = key_from(now, self._means.random_bytes(KEY_RANDOM_BYTES)) if key is None else key
        try:
            line = encode_event(
                tenant=tenant,
                meter=meter,
                quantity=quantity,
                at=at,
                key=chosen,
                dimensions=dimensions,
                now=now,
            )
        except Unrecordable as error:
            if self._is_strict:
                raise
            self._live.refuse(f"{error} (tenant {_shown(tenant)}, meter {_shown(meter)})")
            return ""
        self._live.take(line)
        return chosen

    @property
    def stats(self) -> Stats:
        """What became of the events so far, in this process."""
        return self._live.stats()

    def flush(self, timeout: float = 5.0) -> bool:
        """Send now what was recorded so far, and wait for it; False where the service has not
        taken all of it in so many seconds (it stays where it was, and is sent later)."""
        return self._live.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Send what is left, for at most `timeout` (Limits.exit_seconds), keep the rest in the
        spool, and end. False where something is left. May be called again."""
        seconds = self._means.limits.exit_seconds if timeout is None else timeout
        is_all_sent = self._live.close(seconds)
        _OPEN.discard(self)
        return is_all_sent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        spool = self._means.spool
        return f"<Client of {self._means.service}, {'no spool' if spool is None else spool}>"

    def _begin_anew(self) -> None:
        """In a forked child."""
        self._live.forget()
        self._live = Live(self._means)


def _shown(name: object) -> str:
    """A name for the log; of what is no text only the kind, whose repr is anybody's code."""
    return repr(name[:80]) if isinstance(name, str) else f"a {type(name).__name__}"


def _close_all() -> None:
    for client in tuple(_OPEN):
        client.close()


def _after_fork() -> None:
    for client in tuple(_OPEN):
        client._begin_anew()  # noqa: SLF001  # the same module


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
