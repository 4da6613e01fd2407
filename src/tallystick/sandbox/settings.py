"""What the sandbox assumes about Stripe where Stripe's documents give a number or leave a choice.

Every default is the documented value or, where nothing is documented, the choice that is harder
on a publisher. docs/sandbox.md lists them as assumptions.
"""

from dataclasses import dataclass
from typing import Literal

HOUR = 3_600
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One sandbox's rules; all times are in seconds of sandbox time."""

    idempotency_seconds: int = DAY
    identifier_seconds: int = DAY
    identifier_scope: Literal["account", "event_name"] = "account"
    oldest_event_seconds: int = 35 * DAY
    newest_event_seconds: int = 5 * 60
    timestamp_refusal: Literal["answer", "report"] = "answer"
    unknown_meter: Literal["answer", "report"] = "answer"
    cancel_seconds: int = DAY
    value_digits_max: int = 15
    summary_lag_seconds: int = 0
    summary_end: Literal["exclusive", "inclusive"] = "exclusive"
    report_window_seconds: int = 0
    report_samples_max: int = 10
    meter_grace_seconds: int = HOUR
    legacy_drift_seconds: int = 5 * 60
    body_bytes_max: int = 1_048_576
    requests_kept: int = 1_000
    account: str = "acct_sandbox"
