"""Which endpoint a path names, and which permission a restricted key needs for it."""

from collections.abc import Callable
from dataclasses import dataclass

from . import calls
from .answers import Body
from .calls import Call


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `template` names it in counters."""

    method: str
    template: str
    permission: str
    endpoint: Callable[[Call], Body]


_TABLE = (
    ("GET", "/v1/account", "account", calls.retrieve_account),
    ("GET", "/v1/accounts/:id", "account", calls.retrieve_account),
    ("POST", "/v1/customers", "customer", calls.create_customer),
    ("GET", "/v1/customers", "customer", calls.list_customers),
    ("GET", "/v1/customers/:id", "customer", calls.retrieve_customer),
    ("POST", "/v1/customers/:id", "customer", calls.update_customer),
    ("POST", "/v1/products", "product", calls.create_product),
    ("GET", "/v1/products", "product", calls.list_products),
    ("GET", "/v1/products/:id", "product", calls.retrieve_product),
    ("POST", "/v1/prices", "plan", calls.create_price),
    ("GET", "/v1/prices", "plan", calls.list_prices),
    ("GET", "/v1/prices/:id", "plan", calls.retrieve_price),
    ("POST", "/v1/billing/meters", "billing_meter", calls.create_meter),
    ("GET", "/v1/billing/meters", "billing_meter", calls.list_meters),
    ("GET", "/v1/billing/meters/:id", "billing_meter", calls.retrieve_meter),
    ("POST", "/v1/billing/meters/:id", "billing_meter", calls.update_meter),
    ("POST", "/v1/billing/meters/:id/deactivate", "billing_meter", calls.deactivate_meter),
    ("POST", "/v1/billing/meters/:id/reactivate", "billing_meter", calls.reactivate_meter),
    ("GET", "/v1/billing/meters/:id/event_summaries", "billing_meter", calls.list_event_summaries),
    ("POST", "/v1/billing/meter_events", "billing_meter_event", calls.create_meter_event),
    (
        "POST",
        "/v1/billing/meter_event_adjustments",
        "billing_meter_event_adjustment",
        calls.create_meter_event_adjustment,
    ),
    ("POST", "/v2/billing/meter_events", "billing_meter_event", calls.create_meter_event_v2),
    ("POST", "/v1/subscriptions", "subscription", calls.create_subscription),
    ("GET", "/v1/subscriptions", "subscription", calls.list_subscriptions),
    ("GET", "/v1/subscriptions/:id", "subscription", calls.retrieve_subscription),
    ("POST", "/v1/subscriptions/:id", "subscription", calls.update_subscription),
    ("DELETE", "/v1/subscriptions/:id", "subscription", calls.cancel_subscription),
    ("GET", "/v1/subscription_items", "subscription", calls.list_subscription_items),
    ("GET", "/v1/subscription_items/:id", "subscription", calls.retrieve_subscription_item),
    (
        "POST",
        "/v1/subscription_items/:id/usage_records",
        "usage_record",
        calls.create_usage_record,
    ),
    (
        "GET",
        "/v1/subscription_items/:id/usage_record_summaries",
        "usage_record",
        calls.list_usage_record_summaries,
    ),
    ("GET", "/v1/invoices", "invoice", calls.list_invoices),
    ("GET", "/v1/invoices/:id", "invoice", calls.retrieve_invoice),
    ("GET", "/v1/invoices/:id/lines", "invoice", calls.list_invoice_lines),
    ("POST", "/v1/invoices/:id/finalize", "invoice", calls.finalize_invoice),
    ("GET", "/v2/core/events", "event", calls.list_thin_events),
    ("GET", "/v2/core/events/:id", "event", calls.retrieve_thin_event),
)


def _permission(resource: str, method: str) -> str:
    return f"rak_{resource}_{'read' if method == 'GET' else 'write'}"


ROUTES = tuple(
    Route(method, template, _permission(resource, method), endpoint)
    for method, template, resource, endpoint in _TABLE
)
_FIXED = {(route.method, route.template): route for route in ROUTES if ":id" not in route.template}
_NAMED = tuple(
    (route.method, tuple(route.template.split("/")), route)
    for route in ROUTES
    if ":id" in route.template
)


def routed(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The endpoint with the identities in its path, or None."""
    fixed = _FIXED.get((method, path))
    if fixed is not None:
        return fixed, ()
    parts = tuple(path.split("/"))
    for wanted, template, route in _NAMED:
        if wanted != method or len(template) != len(parts):
            continue
        if all(t in (":id", p) for t, p in zip(template, parts, strict=True)):
            return route, tuple(p for t, p in zip(template, parts, strict=True) if t == ":id")
    return None
