"""The one writer of a process: group commit.

Calls that wait while another's transaction is on its way to the disk are folded into the next
transaction: one of them leads, does everybody's part, commits once, and all are answered.

    leader   BEGIN IMMEDIATE  part 1  part 2 …  COMMIT (one fsync)  answers 1, 2, …
    others   wait ......................................................... answered, or lead next

Each part has its own outcome: what one raises undoes that part only. When the transaction cannot
be begun, or is lost half-way, nothing was done, and every call of the group says so. When COMMIT
fails nobody knows whether it happened: every call says so, and the writer refuses all further
work until the file is opened again and tells.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, TypeVar, cast

import apsw

from tallystick.domain.errors import StoreLost, StoreUnavailable
from tallystick.stores.sqlite.connection import Refusal, unavailable

T = TypeVar("T")
Part = Callable[[apsw.Connection], T]

GROUP_MAX: Final = 256
"""So many calls share a transaction at most, so that none waits for ever."""

CLOSED: Final[Refusal] = partial(StoreUnavailable, "the store is closed")


class _Call(Generic[T]):
    """One waiting call: its part of the transaction, and later its outcome.

    As a context it keeps what its part raises, for the thread that asked. An interrupt of the
    leading thread is nobody's outcome and goes on.
    """

    def __init__(self, part: Part[T]) -> None:
        self._part = part
        self._value: T | None = None
        self.error: BaseException | None = None
        self.is_answered = False
        self.turn = threading.Event()

    def __enter__(self) -> None:
        self.error = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error
        return isinstance(error, Exception)

    def run(self, db: apsw.Connection) -> None:
        with self:
            self._value = self._part(db)

    def fail(self, error: StoreUnavailable) -> None:
        self.error = error
        self.is_answered = True

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self._value)


class Writer:
    """Carries out writes, many in one transaction, each wholly or not at all, durable on return."""

    def __init__(
        self, path: Path, db: apsw.Connection, on_refusal: Callable[[Refusal], None]
    ) -> None:
        self._path = path
        self._db = db
        self._on_refusal = on_refusal
        self._lock = threading.Lock()
        self._waiting: list[_Call[object]] = []
        self._is_led = False
        self._refusal: Refusal | None = None
        self.begun = 0
        """How many transactions were begun; a part can tell by it whether it is in a new one."""
        self.commits = 0

    def write(self, part: Part[T]) -> T:
        """The part's value, once what it wrote is on stable storage."""
        call: _Call[T] = _Call(part)
        self._carry_out(cast(_Call[object], call))
        return call.outcome()

    def close(self) -> None:
        """Wait for the transaction under way, then take no more."""
        self._refuse(CLOSED)
        self._carry_out(_Call(lambda _: None))
        # Closing copies the log into the file. Where the disk refuses that, nothing is lost: the
        # log is on it, and whoever opens the store next reads it.
        with suppress(apsw.Error):
            self._db.close()

    def _carry_out(self, call: _Call[object]) -> None:
        if not self._leads(call):
            self._wait_for(call)
        if not call.is_answered:
            self._lead(call)

    def _wait_for(self, call: _Call[object]) -> None:
        """Until the call is answered, or has to lead. Who is interrupted while waiting steps back,
        or else nobody would lead."""
        is_turn = False
        try:
            is_turn = call.turn.wait()
        finally:
            if not is_turn and not self._stepped_back(call):
                call.turn.wait()
                if not call.is_answered:
                    self._lead(call)

    def _stepped_back(self, call: _Call[object]) -> bool:
        with self._lock:
            if call not in self._waiting:
                return False
            self._waiting.remove(call)
            return True

    def _leads(self, call: _Call[object]) -> bool:
        with self._lock:
            if self._is_led:
                self._waiting.append(call)
                return False
            self._is_led = True
            return True

    def _lead(self, own: _Call[object]) -> None:
        group = [own]
        try:
            with self._lock:
                group += self._waiting[: GROUP_MAX - 1]
                del self._waiting[: GROUP_MAX - 1]
            self._answer(group)
        finally:
            # An interrupt may have cut the commit short: whoever has no answer has to ask again.
            sentence = f"the write to {self._path} was interrupted: try again"
            self._fail(group, partial(StoreUnavailable, sentence))
            with self._lock:
                following = self._waiting.pop(0) if self._waiting else None
                self._is_led = following is not None
            for call in (*group[1:], *((following,) if following else ())):
                call.turn.set()

    def _answer(self, group: list[_Call[object]]) -> None:
        if self._refusal:
            self._fail(group, self._refusal)
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self.begun += 1
            self._run(group)
            self._commit(group)
        except apsw.Error as error:
            reason = unavailable(self._path, error)
            self._fail(group, partial(StoreUnavailable, f"{reason}. Nothing was written"))
        finally:
            self._roll_back()

    def _run(self, group: list[_Call[object]]) -> None:
        """Each call's part. An error of the driver that ended the transaction ends the group."""
        if len(group) == 1:
            group[0].run(self._db)
            if group[0].error is not None:
                self._roll_back()
                self._settle(group)
            return
        for call in group:
            self._db.execute("SAVEPOINT part")
            call.run(self._db)
            if call.error is not None:
                if not self._db.in_transaction:
                    raise self._lost(call.error)
                self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")

    def _commit(self, group: list[_Call[object]]) -> None:
        if not self._db.in_transaction:
            return
        try:
            self._db.execute("COMMIT")
        except apsw.Error as error:
            sentence = (
                f"{unavailable(self._path, error)}. Whether the last write happened is not known: "
                "this store takes no more work until it is opened again"
            )
            self._refuse(partial(StoreLost, sentence))
            self._fail(group, partial(StoreLost, sentence))
            return
        self.commits += 1
        self._settle(group)

    def _settle(self, group: list[_Call[object]]) -> None:
        for call in group:
            if isinstance(call.error, apsw.Error):
                call.error = unavailable(self._path, call.error)
            call.is_answered = True

    def _lost(self, error: BaseException) -> apsw.Error:
        return error if isinstance(error, apsw.Error) else apsw.AbortError(str(error))

    def _fail(self, group: list[_Call[object]], refusal: Refusal) -> None:
        for call in group:
            if not call.is_answered:
                call.fail(refusal())

    def _refuse(self, refusal: Refusal) -> None:
        with self._lock:
            self._refusal = self._refusal or refusal
        self._on_refusal(refusal)

    def _roll_back(self) -> None:
        if not self._db.in_transaction:
            return
        try:
            self._db.execute("ROLLBACK")
        except apsw.Error as error:
            sentence = f"{unavailable(self._path, error)}. Open the store again"
            self._refuse(partial(StoreLost, sentence))
