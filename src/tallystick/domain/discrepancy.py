"""A discrepancy: a difference that reconcile found, with where to look for its events; and a
comparison: both sides of one line of a bill, equal or not."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tallystick.domain.quantity import subtract
from tallystick.domain.window import Window


class Kind(StrEnum):
    """What disagrees with what. The first six are differences; the others need a person or time."""

    AGGREGATE = "aggregate_differs_from_events"
    LEDGER = "ledger_differs_from_aggregate"
    CHAIN = "ledger_chain_broken"
    SLOT = "slot_differs_from_ledger"
    PROVIDER = "provider_differs_from_slot"
    NOT_BILLED = "accepted_not_billed"
    INVOICE = "invoice_differs_from_slots"
    SUBSCRIPTION = "subscription_differs"
    HELD = "held"
    CREDIT = "credit_left"
    AMBIGUOUS = "ambiguous"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """`subject` names what differs (an aggregate, a slot, an invoice line …), so that `trace`
    finds the events behind it. `ours` and `theirs` are quantities; their difference is ours minus
    theirs.
    """

    kind: Kind
    tenant: str = ""
    meter: str = ""
    subject: str
    ours: Decimal
    theirs: Decimal
    detail: str = ""
    found_at: int

    @property
    def difference(self) -> Decimal:
        return subtract(self.ours, self.theirs)

    def because(self, detail: str) -> "Discrepancy":
        return replace(self, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that our slots hold for one line of a bill, beside what the provider shows for them.

    `theirs` is None where a part of it could not be read.
    """

    destination: str
    counter: str
    period: Window
    ours: Decimal
    theirs: Decimal | None
    compared_at: int

    @property
    def difference(self) -> Decimal | None:
        return None if self.theirs is None else subtract(self.ours, self.theirs)
