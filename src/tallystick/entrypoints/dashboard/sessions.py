"""Who is signed in: sessions of one server's memory, and how often somebody may guess.

A session holds the digest of the API key that opened it, never the key; it ends with the key.
"""

import secrets
import threading
from dataclasses import dataclass, field
from typing import Final

from tallystick.domain.api_key import digest_of
from tallystick.domain.instant import HOUR, MINUTE
from tallystick.ports import Clock

SESSION_LENGTH: Final = 12 * HOUR
SESSIONS_MAX: Final = 1_000
"""Beyond it the oldest ends: a page of ours is for people, and they are few."""

FAILURES_MAX: Final = 10
FAILURES_FORGOTTEN: Final = 5 * MINUTE
ADDRESSES_MAX: Final = 4_096


@dataclass(slots=True, eq=False)
class Session:
    """One person's. `csrf` must come back with every POST; `notice` is shown once."""

    key_digest: str
    began_at: int
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notice: str = ""

    def take_notice(self) -> str:
        notice, self.notice = self.notice, ""
        return notice


class Sessions:
    """All sessions by the digest of their id: a dump of this memory opens none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, key_digest: str) -> str:
        """The id of a new session, 256 random bits."""
        session_id = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._sessions) >= SESSIONS_MAX:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[digest_of(session_id)] = Session(key_digest, self._clock.now())
        return session_id

    def find(self, session_id: str) -> Session | None:
        """The session that has not ended yet."""
        with self._lock:
            session = self._sessions.get(digest_of(session_id))
        if session is None or not 0 <= self._clock.now() - session.began_at < SESSION_LENGTH:
            return None
        return session

    def end(self, session_id: str) -> None:
        with self._lock:
            self._sessions.pop(digest_of(session_id), None)


class Guesses:
    """Failed attempts to sign in, by address. 256 bits cannot be guessed; trying costs us work."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, tuple[int, int]] = {}

    def wait_for(self, address: str) -> int:
        """How long (microseconds) this address has to wait before its next attempt."""
        with self._lock:
            count, since = self._failures.get(address, (0, 0))
        left = since + FAILURES_FORGOTTEN - self._clock.now()
        return left if count >= FAILURES_MAX and 0 < left <= FAILURES_FORGOTTEN else 0

    def note_failure(self, address: str) -> None:
        now = self._clock.now()
        with self._lock:
            count, since = self._failures.pop(address, (0, now))
            if not 0 <= now - since < FAILURES_FORGOTTEN:
                count, since = 0, now
            while len(self._failures) >= ADDRESSES_MAX:
                del self._failures[next(iter(self._failures))]
            self._failures[address] = (count + 1, since)

    def forget(self, address: str) -> None:
        with self._lock:
            self._failures.pop(address, None)
