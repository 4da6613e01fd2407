"""Who asks, and what for: API keys, checked at the door."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from starlette.requests import Request

from tallystick.domain.api_key import KEY_LENGTH_MAX, ApiKey, Scope, digest_of
from tallystick.domain.instant import HOUR, SECOND
from tallystick.entrypoints.http.pacing import Pace
from tallystick.entrypoints.http.problems import Problem
from tallystick.ports import Clock, Keys

T = TypeVar("T")
Reading = Callable[[Callable[[], T]], Awaitable[T]]
"""Runs what blocks in a thread."""

REMEMBERED: Final = 2 * SECOND
"""So long a key that was found is not looked up again: a revoked one dies within this time."""

REMEMBERED_MAX: Final = 4_096
USE_NOTED: Final = HOUR

HOW_TO_GET_ONE: Final = "make one with `tallystick keys create --scope ingest`"


class Access:
    """The keys, as they were a moment ago."""

    def __init__(self, keys: Keys, clock: Clock, pace: Pace) -> None:
        self._keys = keys
        self._clock = clock
        self._pace = pace
        self._remembered: dict[str, tuple[ApiKey, int]] = {}

    async def granted(
        self, request: Request, scope: Scope, in_thread: Reading[ApiKey | None]
    ) -> ApiKey:
        """The key of the request, if it may do this. The problem says what is wrong otherwise."""
        key = await self.live(digest_of(_bearer(request)), in_thread)
        self._pace.check(key.id, self._clock.now())
        check_allows(key, scope)
        return key

    async def live(self, digest: str, in_thread: Reading[ApiKey | None]) -> ApiKey:
        """The key of this digest, if it opens anything: as it was a moment ago."""
        now = self._clock.now()
        remembered = self._remembered.get(digest)
        if remembered is None or not 0 <= now - remembered[1] < REMEMBERED:
            key = await in_thread(lambda: self._looked_up(digest, now))
        else:
            key = remembered[0]
        if key is None:
            raise _unauthorized(f"there is no such key; {HOW_TO_GET_ONE}")
        if not key.is_live(now):
            raise _unauthorized("this key is revoked or has expired; use its successor")
        return key

    def _looked_up(self, digest: str, now: int) -> ApiKey | None:
        """The key in the store, its use noted. An unknown digest is not remembered: there may be
        any number of them."""
        key = self._keys.find(digest)
        if key is None:
            return None
        if key.is_live(now) and (key.used_at is None or now - key.used_at >= USE_NOTED):
            self._keys.touch(key.id, now)
            key = replace(key, used_at=now)
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[digest] = (key, now)
        return key


def check_allows(key: ApiKey, scope: Scope) -> None:
    if not key.allows(scope):
        detail = f"this key has no scope {scope!r}; it has {', '.join(key.scopes)}"
        raise Problem(status=403, kind="scope-missing", detail=detail)


def _bearer(request: Request) -> str:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        raise _unauthorized(f"send `Authorization: Bearer KEY`; {HOW_TO_GET_ONE}")
    if len(text) > KEY_LENGTH_MAX:
        raise _unauthorized("that is no key of ours")
    return text


def _unauthorized(detail: str) -> Problem:
    headers = {"WWW-Authenticate": "Bearer"}
    return Problem(status=401, kind="unauthorized", detail=detail, headers=headers)
