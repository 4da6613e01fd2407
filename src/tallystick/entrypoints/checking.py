"""What reconciling found, kept by the process that looked: no store holds it, so a start begins
with nothing, and says so.

The hourly loop compares a share of the tenants each hour; everything is compared when somebody
asks, in a thread of its own.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tallystick.bootstrap import App
from tallystick.domain.discrepancy import Comparison, Discrepancy
from tallystick.domain.errors import (
    InvariantViolated,
    PublisherMisconfigured,
    PublisherUnavailable,
    StoreUnavailable,
    TallystickError,
)
from tallystick.domain.instant import HOUR
from tallystick.domain.publication import Limits
from tallystick.domain.window import Window
from tallystick.stages.reconciling import SHARES, Reconciling

EVERYTHING: Final = "everything"
OUR_HALF: Final = "our half"
"""All but the provider, where there is none to be read."""

SHARE: Final = "share"
FOUND_MAX: Final = 1_000
LINES_MAX: Final = 10_000
SHARE_LINES_MAX: Final = 500
"""What one share keeps; there are SHARES of them."""

STOP_SECONDS: Final = 20

Line = tuple[str, str, Window]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One run. What it found beyond the limits is counted, and not kept.

    trouble    why it did not come to its end; nothing is known then of what it did not reach
    """

    what: str
    began_at: int
    ended_at: int | None = None
    discrepancies: tuple[Discrepancy, ...] = ()
    lines: tuple[Comparison, ...] = ()
    discrepancies_left_out: int = 0
    lines_left_out: int = 0
    trouble: str = ""


def reconciling_of(app: App, on_line: Callable[[Comparison], None] = lambda _: None) -> Reconciling:
    return Reconciling(
        store=app.store,
        publisher=app.publisher,
        now=app.clock.now(),
        limits=Limits(),
        on_line=on_line,
    )


class Checks:
    """The last run of each kind. `on_trouble` is told what ended one before its end."""

    def __init__(
        self, app: App, on_trouble: Callable[[str, Exception], None] = lambda *_: None
    ) -> None:
        self._app = app
        self._on_trouble = on_trouble
        self._lock = threading.Lock()
        self._shares: Mapping[int, Check] = {}
        self._whole: Check | None = None
        self._under_way: Check | None = None
        self._thread: threading.Thread | None = None

    # ── Looking ──────────────────────────────────────────────────────────────────────────────────

    def share(self) -> tuple[Discrepancy, ...]:
        """Compare this hour's share, here and now; what was found. Raises as the publisher does."""
        found = _Found()
        reconciling = reconciling_of(self._app, found.lines.append)
        found.take(reconciling.share())
        begun = Check(what=SHARE, began_at=reconciling.now)
        check = found.as_check(begun, self._app.clock.now(), lines_max=SHARE_LINES_MAX)
        with self._lock:
            self._shares = {**self._shares, reconciling.now // HOUR % SHARES: check}
        return check.discrepancies

    def begin(self) -> bool:
        """Compare everything, in a thread; False where that is under way already."""
        with self._lock:
            if self._under_way is not None:
                return False
            what = EVERYTHING if self._app.has_provider else OUR_HALF
            self._under_way = begun = Check(what=what, began_at=self._app.clock.now())
            self._thread = threading.Thread(
                target=self._run, args=(begun,), name="reconciling", daemon=True
            )
            self._thread.start()
        return True

    def stop(self) -> None:
        """Wait a while for a run under way: it may be cut anywhere."""
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self, begun: Check) -> None:
        found, trouble = _Found(), "it was cut off by a bug; the log says more"
        reconciling = reconciling_of(self._app, found.lines.append)
        whole = begun.what == EVERYTHING
        try:
            found.take(reconciling.everything() if whole else reconciling.our_half())
            trouble = ""
        except TallystickError as error:
            trouble = _told(error)
            self._on_trouble("reconciling failed", error)
        finally:
            ended_at = self._app.clock.now()
            check = found.as_check(begun, ended_at, lines_max=LINES_MAX, trouble=trouble)
            with self._lock:
                self._whole, self._shares, self._under_way = check, {}, None

    # ── What was seen ────────────────────────────────────────────────────────────────────────────

    @property
    def under_way(self) -> Check | None:
        return self._under_way

    def runs(self) -> tuple[Check, ...]:
        """The last run over everything, then the shares since, oldest first."""
        with self._lock:
            shares = sorted(self._shares.values(), key=lambda check: check.began_at)
            return (*(() if self._whole is None else (self._whole,)), *shares)

    def discrepancies(self) -> tuple[Discrepancy, ...]:
        """What the runs that are kept found, the newest finding of each kind and subject."""
        newest: dict[tuple[str, str], Discrepancy] = {}
        for check in self.runs():
            newest |= {(str(one.kind), one.subject): one for one in check.discrepancies}
        return tuple(newest.values())

    def lines(self) -> tuple[Comparison, ...]:
        """Each line of a bill as it was compared last, by destination, counter and period."""
        newest: dict[Line, Comparison] = {}
        for check in self.runs():
            newest |= {(c.destination, c.counter, c.period): c for c in check.lines}
        return tuple(newest[line] for line in sorted(newest))


@dataclass(slots=True)
class _Found:
    """What a run finds while it looks; what ends it does not take that along."""

    discrepancies: list[Discrepancy] = field(default_factory=list)
    lines: list[Comparison] = field(default_factory=list)
    left_out: int = 0

    def take(self, listed: Iterable[Discrepancy]) -> None:
        for one in listed:
            if len(self.discrepancies) < FOUND_MAX:
                self.discrepancies.append(one)
            else:
                self.left_out += 1

    def as_check(self, begun: Check, ended_at: int, *, lines_max: int, trouble: str = "") -> Check:
        return replace(
            begun,
            ended_at=ended_at,
            discrepancies=tuple(self.discrepancies),
            discrepancies_left_out=self.left_out,
            lines=tuple(self.lines[:lines_max]),
            lines_left_out=max(0, len(self.lines) - lines_max),
            trouble=trouble,
        )


def _told(error: TallystickError) -> str:
    """For whoever asks. The store's own words name files of this machine, so they go to the log."""
    match error:
        case PublisherUnavailable() | PublisherMisconfigured():
            return f"the provider could not be read: {error}"
        case StoreUnavailable():
            return "the store did not answer"
        case InvariantViolated():
            return "a promise of this program is broken; the log says more"
    return str(error)
