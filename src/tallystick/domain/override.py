"""An override: a line of the audit trail."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a person did against the rules or changed: who, why, when. Kept for ever."""

    at: int
    who: str
    why: str
    action: str
    subject: str
