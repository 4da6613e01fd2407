"""Stripe, by its official SDK: meter events and legacy usage records.

    publisher    ports.Publisher: send, and delegate what reads
    connection   calls by the SDK, and what came back, raw      wire  what is below the SDK
    answers      what an answer means for money: a table without I/O
    pacing       rate, and one call in flight per customer and meter
    readings     totals, read back      statements  invoices and subscriptions
    refusals     what Stripe accepted and reported as wrong later
    setup        make the meter that a mapping needs

docs/stripe.md is the user's page.
"""

from tallystick.publishers.stripe.pacing import Rates
from tallystick.publishers.stripe.publisher import PayloadKeys, StripePublisher
from tallystick.publishers.stripe.setup import MeterKind, MeterSetup

__all__ = ["MeterKind", "MeterSetup", "PayloadKeys", "Rates", "StripePublisher"]
