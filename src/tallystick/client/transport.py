"""One HTTP exchange with the service: it follows nothing, repeats nothing, and takes no proxies
or credentials from the environment. The key is in no error and in no repr."""

from collections.abc import Mapping
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from tallystick.client.answers import Answer, Unanswered
from tallystick.client.limits import Limits

PATH: Final = "/api/v1/events"
ANSWER_BYTES_MAX: Final = 256 * 1024

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def checked_url(url: str, *, allow_http: bool) -> str:
    """The service's URL without its last slash. ValueError unless it is https, or http to this
    very machine (or anywhere, with `allow_http`): the key travels over it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the service's URL cannot be read: {error}") from None
    is_more = "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable()
    if not host or is_more:
        raise ValueError("the service's URL must be such as https://tallystick.example.com")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not is_safe and not (allow_http and parts.scheme == "http"):
        raise ValueError(
            "the service's URL must begin with https://, since the key travels over it; plain "
            "http:// is for this very machine, or for allow_http=True"
        )
    return url.rstrip("/")


def checked_key(key: str) -> str:
    """The API key; ValueError, which does not show it, where it can be none."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the API key must be printable ASCII characters without blanks")
    return key


class HttpTransport:
    """Connections to one service, kept open; for one thread."""

    def __init__(self, url: str, key: str, *, limits: Limits, ca_file: str | None) -> None:
        self._url = url + PATH
        self._key = key
        seconds = limits.connect_seconds + limits.answer_seconds
        self._timeout = urllib3.Timeout(
            connect=limits.connect_seconds, read=limits.answer_seconds, total=seconds
        )
        self._pool = urllib3.PoolManager(maxsize=1, retries=False, ca_certs=ca_file)

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers={**headers, "Authorization": f"Bearer {self._key}"},
                timeout=self._timeout,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            found = answer.read(ANSWER_BYTES_MAX)
            # A longer answer is not read to its end, so its connection is of no more use.
            answer.release_conn() if len(found) < ANSWER_BYTES_MAX else answer.close()
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise Unanswered(_reason(error)) from None
        names = {name.lower(): text for name, text in answer.headers.items()}
        return Answer(status=answer.status, headers=names, body=found)


def _reason(error: Exception) -> str:
    """The kinds of the error and its cause: their texts may hold what was sent."""
    cause = error.__cause__ or error.__context__
    return type(error).__name__ + (f" ({type(cause).__name__})" if cause else "")
