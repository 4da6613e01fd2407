"""Below the SDK: one HTTP exchange, its deadline, and what really became of it.

The SDK's own client looks at neither a deadline nor at what was sent, and its reading of errors
drops headers; so this is the SDK's interface for an HTTP client of one's own, over the library
that its default client stands on. It neither follows redirects nor repeats anything, and takes
no credentials, proxies or certificates from the environment.
"""

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import stripe
import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from tallystick.domain.instant import SECOND
from tallystick.ports import Clock
from tallystick.publishers.stripe.answers import Heard

CONNECT_SECONDS_MAX: Final = 10
EXCHANGE_SECONDS_MAX: Final = 80
"""The SDK's own default."""

CONNECTIONS: Final = 64


class TooLate(Exception):
    """The deadline had passed before the first byte: nothing was sent."""


class NotConnected(Exception):
    """No connection came about: nothing was sent."""


class Broken(Exception):
    """The line broke, or was silent for too long: it may have been received."""


class Answered(Exception):
    """Stripe answered with something other than success; `heard` is the answer, raw."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(f"HTTP {heard.status}")
        self.heard = heard


class Wire(stripe.HTTPClient):
    """Connections kept open and shared by all threads. `until` sets the calling thread's deadline
    for its next request."""

    name = "urllib3"

    def __init__(self, clock: Clock, proxy: str | None) -> None:
        super().__init__()
        self._clock = clock
        self._limits = threading.local()
        self._pool = (
            urllib3.PoolManager(maxsize=CONNECTIONS, ca_certs=stripe.ca_bundle_path)
            if proxy is None
            else urllib3.ProxyManager(proxy, maxsize=CONNECTIONS, ca_certs=stripe.ca_bundle_path)
        )

    def until(self, deadline: int) -> None:
        self._limits.deadline = deadline

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: str | None = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        timeout = self._timeout()
        try:
            answer = self._pool.urlopen(
                method.upper(),
                url,
                body=post_data,
                headers=headers,
                timeout=timeout,
                redirect=False,
                retries=False,
            )
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise NotConnected(_reason(error)) from None
        except HTTPError as error:
            raise Broken(_reason(error)) from None
        heard = Heard(
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            answer.data.decode("utf-8", "replace"),
        )
        if not heard.is_success:
            raise Answered(heard)
        return heard.body, heard.status, heard.headers

    def _timeout(self) -> urllib3.Timeout:
        """What is left until the deadline, at this very moment; raises TooLate for nothing."""
        left = self._limits.deadline - self._clock.now()
        if left <= 0:
            raise TooLate
        seconds = min(left / SECOND, EXCHANGE_SECONDS_MAX)
        return urllib3.Timeout(connect=min(seconds, CONNECT_SECONDS_MAX), total=seconds)

    def close(self) -> None:
        with suppress(HTTPError):
            self._pool.clear()


def _reason(error: HTTPError) -> str:
    """Short, and free of addresses of objects."""
    cause = error.__cause__ or error.__context__
    return type(error).__name__ + (f" ({type(cause).__name__})" if cause else "")
