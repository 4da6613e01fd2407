"""What the stand-in is told to do wrong, and when."""

from collections.abc import Iterator
from typing import Final

from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.dice import Dice
from tallystick.entrypoints.demo.links import SandboxLink

SENDS: Final = "/v1/billing/meter_events"
READS: Final = "*/event_summaries"
LANDING_SECONDS: Final = 3 * 3_600
LAG: Final = 7 * MINUTE

RATES: Final = (
    ("error_before", "0.006"),
    ("error_after", "0.006"),
    ("drop_before", "0.01"),
    ("drop_after", "0.01"),
    ("rate_limit", "0.005"),
    ("rate_limit_retry", "0.003"),
    ("rate_limit_lock_timeout", "0.003"),
)

NAMES: Final = {
    "error_before": "failed, without effect",
    "error_after": "failed, after the effect",
    "drop_before": "cut off, without effect",
    "drop_after": "cut off, after the effect",
    "rate_limit": "too many requests",
    "rate_limit_retry": "too many requests, retry",
    "rate_limit_lock_timeout": "locked",
    "late": "landed 3 h late",
    "reject": "accepted, then reported as wrong",
    "outage": "in an outage",
}


def order_faults(sandbox: SandboxLink, periods: tuple[Window, ...], dice: Dice) -> None:
    """Order all of them; in the middle of each period that is long enough, an outage of more than
    a day."""
    for period in periods:
        for order in _monthly(period, dice):
            sandbox.order("faults", **order)
    for kind, probability in RATES:
        sandbox.order("faults", kind=kind, probability=probability, method="POST", path=SENDS)
    sandbox.order("faults", kind="drop_before", probability="0.01", method="GET", path=READS)
    sandbox.order("summary_lag", seconds=LAG // SECOND)


def _monthly(period: Window, dice: Dice) -> Iterator[dict[str, object]]:
    length = period.end - period.start
    start = period.start + length // 2 - dice.below(12, "outage", period.start) * HOUR
    lasts = 26 * HOUR + dice.below(60, "lasts", period.start) * MINUTE
    if start + lasts < period.end - DAY:
        yield {"kind": "outage", "start": start // SECOND, "end": (start + lasts) // SECOND}
    early = {"method": "POST", "path": SENDS, "end": (period.end - DAY) // SECOND}
    later = (period.start + length // 4) // SECOND
    yield {"kind": "late", "count": 1, "start": later, "landing_seconds": LANDING_SECONDS} | early
    yield {"kind": "reject", "count": 2, "start": later} | early


def met(sandbox: SandboxLink) -> dict[str, int]:
    """How often each kind struck, by the stand-in's own count."""
    struck: dict[str, int] = {}
    for fault in sandbox.ask("faults")["faults"]:
        struck[fault["kind"]] = struck.get(fault["kind"], 0) + int(fault["applied"])
    return struck
