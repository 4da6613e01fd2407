"""What a provider's own books say: bills, refusals that came later, and subscriptions."""

from dataclasses import dataclass
from decimal import Decimal

from tallystick.domain.window import Window


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What a bill says of one counter: the billed quantity of a closed or open period.

    `finalized_at` is None while the bill still changes.
    """

    destination: str
    counter: str
    period: Window
    quantity: Decimal
    invoice: str
    finalized_at: int | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A provider's later word that a request it accepted did not count. A reason to read."""

    identifier: str
    code: str
    detail: str
    at: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the provider bills a destination by: compared with our tenant's terms."""

    destination: str
    status: str
    period: Window
    paused: bool = False
