"""Stripe, by its official SDK: meter events and legacy usage records.

    publisher    ports.Publisher: send, and delegate what reads
    connection   one request, with its deadline, and what came back, raw
    answers      what an answer means for money: a table without I/O
    pacing       rate, and one call in flight per customer and meter
    readings     totals, read back      statements  invoices, refusals, subscriptions
    setup        make the meter that a mapping needs

docs/stripe.md is the user's page.
"""

from tallystick.publishers.stripe.publisher import StripePublisher

__all__ = ["StripePublisher"]
