"""A small SaaS company at the sandbox, reached through the official SDK over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from tallystick.sandbox import Fault, StripeSandbox

HOUR = 3_600
DAY = 86_400
NOON = 1_789_992_000  # 2026-09-21 12:00:00 UTC
OLD_VERSION = "2025-02-24.acacia"
EVENTS = "/v1/billing/meter_events"


@dataclass(frozen=True)
class Shop:
    sandbox: StripeSandbox
    stripe: stripe.StripeClient
    url: str

    def customer(self, **params: Any) -> str:
        return self.stripe.v1.customers.create(params or {"name": "Ada"}).id

    def meter(self, event_name: str = "api_calls", **params: Any) -> str:
        created = self.stripe.v1.billing.meters.create(
            {
                "display_name": "API calls",
                "event_name": event_name,
                "default_aggregation": {"formula": params.pop("formula", "sum")},
                **params,
            }
        )
        return created.id

    def price(self, meter: str, unit_amount_decimal: str = "2") -> str:
        created = self.stripe.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "API"},
                "unit_amount_decimal": unit_amount_decimal,
                "recurring": {"interval": "month", "usage_type": "metered", "meter": meter},
            }
        )
        return created.id

    def legacy_price(self, aggregate_usage: str = "sum") -> str:
        created = self.stripe.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "API"},
                "unit_amount": 2,
                "recurring": {
                    "interval": "month",
                    "usage_type": "metered",
                    "aggregate_usage": aggregate_usage,
                },
            },
            {"stripe_version": OLD_VERSION},
        )
        return created.id

    def subscribe(self, customer: str, price: str, **params: Any) -> stripe.Subscription:
        version = params.pop("stripe_version", None)
        options: Any = {"stripe_version": version} if version else {}
        wanted: Any = {"customer": customer, "items": [{"price": price}], **params}
        return self.stripe.v1.subscriptions.create(wanted, options)

    def legacy_item(self, **params: Any) -> str:
        price = self.legacy_price(params.pop("aggregate_usage", "sum"))
        made = self.subscribe(self.customer(), price, stripe_version=OLD_VERSION, **params)
        return made["items"]["data"][0].id

    def report(
        self,
        customer: str,
        value: str = "1",
        *,
        at: int | None = None,
        identifier: str | None = None,
        key: str | None = None,
        event_name: str = "api_calls",
    ) -> stripe.billing.MeterEvent:
        params: Any = {
            "event_name": event_name,
            "payload": {"stripe_customer_id": customer, "value": value},
        }
        params |= {} if at is None else {"timestamp": at}
        params |= {} if identifier is None else {"identifier": identifier}
        options: Any = {} if key is None else {"idempotency_key": key}
        return self.stripe.v1.billing.meter_events.create(params, options)

    def record(self, item: str, quantity: Any, **params: Any) -> Any:
        return self.stripe.raw_request(
            "post",
            f"/v1/subscription_items/{item}/usage_records",
            quantity=quantity,
            stripe_version=params.pop("stripe_version", OLD_VERSION),
            **params,
        )

    def hours(self, meter: str, customer: str, start: int, end: int) -> dict[int, float]:
        found = self.stripe.v1.billing.meters.event_summaries.list(
            meter,
            {
                "customer": customer,
                "start_time": start,
                "end_time": end,
                "value_grouping_window": "hour",
                "limit": 100,
            },
        )
        return {row.start_time: row.aggregated_value for row in found.data}

    def total(self, meter: str, customer: str) -> str:
        return format(self.sandbox.usage_total(meter, customer, 0, 2**40), "f")

    def invoices(self, **params: Any) -> list[stripe.Invoice]:
        return self.stripe.v1.invoices.list(params).data

    def fault(self, kind: str, **filters: Any) -> int:
        return self.sandbox.add_fault(Fault(kind=kind, **filters))


def quantities(invoice: stripe.Invoice) -> list[str]:
    return [str(line.quantity_decimal) for line in invoice.lines.data]


def header(error: stripe.StripeError, name: str) -> str | None:
    headers: Mapping[str, str] = error.headers or {}
    return headers.get(name)
