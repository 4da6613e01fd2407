"""What each endpoint does with a call: read the parameters, apply the rule, render the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from . import (
    catalogue,
    invoices,
    meter_events,
    rendering,
    subscriptions,
    summaries,
    thin_events,
    usage_records,
)
from .answers import Body, invalid, missing, unrecognized_url
from .books import Books
from .clock import seconds_from_rfc3339
from .params import Params, integer, listing, mapping, required, text
from .records import Invoice, Subscription, ThinEvent
from .rendering import Shape, newest_first, page


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authorised call of an endpoint, at one instant."""

    books: Books
    params: Params
    now: int
    shape: Shape
    method: str = "GET"
    path: str = ""
    ids: tuple[str, ...] = ()
    idempotency_key: str | None = None
    rejected: str | None = None
    lag: int = 0


def retrieve_account(call: Call) -> Body:
    return {
        "id": call.books.settings.account,
        "object": "account",
        "business_profile": {"name": "Sandbox"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "sandbox@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def create_customer(call: Call) -> Body:
    created = catalogue.create_customer(call.books, call.params, call.now)
    return rendering.customer(created, call.shape)


def update_customer(call: Call) -> Body:
    updated = catalogue.update_customer(call.books, call.ids[0], call.params)
    return rendering.customer(updated, call.shape)


def retrieve_customer(call: Call) -> Body:
    return rendering.customer(_found(call.books.customers, call.ids[0], "customer"), call.shape)


def list_customers(call: Call) -> Body:
    email = text(call.params, "email")
    kept = [c for c in call.books.customers.values() if email is None or c.email == email]
    rows = newest_first(kept, lambda c: rendering.customer(c, call.shape))
    return page(rows, call.params, call.path)


def create_product(call: Call) -> Body:
    created = catalogue.create_product(call.books, call.params, call.now)
    return rendering.product(created, call.shape)


def retrieve_product(call: Call) -> Body:
    return rendering.product(_found(call.books.products, call.ids[0], "product"), call.shape)


def list_products(call: Call) -> Body:
    products = call.books.products.values()
    rows = newest_first(products, lambda p: rendering.product(p, call.shape))
    return page(rows, call.params, call.path)


def create_price(call: Call) -> Body:
    created = catalogue.create_price(call.books, call.params, call.now, call.shape.version)
    return rendering.price(created, call.shape)


def retrieve_price(call: Call) -> Body:
    return rendering.price(_found(call.books.prices, call.ids[0], "price"), call.shape)


def list_prices(call: Call) -> Body:
    wanted = text(call.params, "product")
    meter = text(mapping(call.params, "recurring"), "meter")
    keys = [str(key) for key in listing(call.params, "lookup_keys")]
    kept = [
        price
        for price in call.books.prices.values()
        if (wanted is None or price.product == wanted)
        and (meter is None or price.meter == meter)
        and (not keys or price.lookup_key in keys)
    ]
    rows = newest_first(kept, lambda p: rendering.price(p, call.shape))
    return page(rows, call.params, call.path)


def create_meter(call: Call) -> Body:
    created = catalogue.create_meter(call.books, call.params, call.now)
    return rendering.meter(created, call.shape)


def retrieve_meter(call: Call) -> Body:
    return rendering.meter(catalogue.found_meter(call.books, call.ids[0]), call.shape)


def update_meter(call: Call) -> Body:
    renamed = catalogue.rename_meter(call.books, call.ids[0], call.params, call.now)
    return rendering.meter(renamed, call.shape)


def deactivate_meter(call: Call) -> Body:
    changed = catalogue.set_meter_active(call.books, call.ids[0], call.now, active=False)
    return rendering.meter(changed, call.shape)


def reactivate_meter(call: Call) -> Body:
    changed = catalogue.set_meter_active(call.books, call.ids[0], call.now, active=True)
    return rendering.meter(changed, call.shape)


def list_meters(call: Call) -> Body:
    status = text(call.params, "status")
    kept = [m for m in call.books.meters.values() if status is None or m.status == status]
    rows = newest_first(kept, lambda m: rendering.meter(m, call.shape))
    return page(rows, call.params, call.path)


def list_event_summaries(call: Call) -> Body:
    rows = summaries.summaries(
        call.books,
        call.ids[0],
        call.params,
        call.now,
        lag=call.lag,
        livemode=call.shape.livemode,
    )
    return page(rows, call.params, call.path)


def create_meter_event(call: Call) -> Body:
    report = meter_events.parsed_report(call.params, call.now)
    received = meter_events.receive(
        call.books,
        report,
        call.now,
        idempotency_key=call.idempotency_key,
        rejected=call.rejected,
    )
    return rendering.meter_event(received, call.shape)


def create_meter_event_v2(call: Call) -> Body:
    written = text(call.params, "timestamp")
    params = dict(call.params)
    if written is not None:
        try:
            params["timestamp"] = seconds_from_rfc3339(written)
        except ValueError:
            raise invalid("Invalid timestamp", param="timestamp") from None
    body = create_meter_event(
        Call(
            books=call.books,
            params=params,
            now=call.now,
            shape=call.shape,
            idempotency_key=call.idempotency_key,
            rejected=call.rejected,
        )
    )
    return rendering.as_v2_meter_event(body)


def create_meter_event_adjustment(call: Call) -> Body:
    event_name, identifier = meter_events.cancel(call.books, call.params, call.now)
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": event_name,
        "livemode": call.shape.livemode,
        "status": "pending",
        "type": "cancel",
    }


def _subscription(call: Call, record: Subscription) -> Body:
    return rendering.subscription(call.books, record, call.shape)


def create_subscription(call: Call) -> Body:
    version = call.shape.version
    created = subscriptions.create(call.books, call.params, call.now, version)
    return _subscription(call, created)


def retrieve_subscription(call: Call) -> Body:
    return _subscription(call, subscriptions.found(call.books, call.ids[0]))


def update_subscription(call: Call) -> Body:
    version = call.shape.version
    updated = subscriptions.update(call.books, call.ids[0], call.params, call.now, version)
    return _subscription(call, updated)


def cancel_subscription(call: Call) -> Body:
    canceled = subscriptions.cancel(call.books, call.ids[0], call.params, call.now)
    return _subscription(call, canceled)


def list_subscriptions(call: Call) -> Body:
    customer, status = text(call.params, "customer"), text(call.params, "status")
    price = text(call.params, "price")
    kept = [
        s
        for s in call.books.subscriptions.values()
        if (customer is None or s.customer == customer)
        and (status == "all" or (s.is_live if status is None else s.status == status))
        and (price is None or any(item.price == price for item in s.items))
    ]
    rows = newest_first(kept, lambda s: _subscription(call, s))
    return page(rows, call.params, call.path)


def retrieve_subscription_item(call: Call) -> Body:
    found = call.books.item(call.ids[0])
    if found is None:
        raise missing("subscription item", call.ids[0])
    return rendering.subscription_item(call.books, *found, call.shape)


def list_subscription_items(call: Call) -> Body:
    record = subscriptions.found(call.books, required(call.params, "subscription"))
    rows = [
        rendering.subscription_item(call.books, record, item, call.shape) for item in record.items
    ]
    return page(rows, call.params, call.path)


def _before_basil(call: Call) -> None:
    if call.shape.is_basil:
        raise unrecognized_url(call.method, call.path)


def create_usage_record(call: Call) -> Body:
    _before_basil(call)
    record = usage_records.create(call.books, call.ids[0], call.params, call.now)
    return usage_records.rendered(record, livemode=call.shape.livemode)


def list_usage_record_summaries(call: Call) -> Body:
    _before_basil(call)
    return page(usage_records.summaries(call.books, call.ids[0]), call.params, call.path)


def retrieve_invoice(call: Call) -> Body:
    record = _found(call.books.invoices, call.ids[0], "invoice")
    return rendering.invoice(call.books, record, call.shape)


def list_invoices(call: Call) -> Body:
    wanted = {name: text(call.params, name) for name in ("customer", "subscription", "status")}
    kept = [record for record in call.books.invoices.values() if _is_wanted(record, wanted)]
    rows = newest_first(kept, lambda i: rendering.invoice(call.books, i, call.shape))
    return page(rows, call.params, call.path)


def _is_wanted(record: Invoice, wanted: Mapping[str, str | None]) -> bool:
    return all(value is None or getattr(record, name) == value for name, value in wanted.items())


def list_invoice_lines(call: Call) -> Body:
    record = _found(call.books.invoices, call.ids[0], "invoice")
    seen = invoices.current(call.books, record)
    rows = [rendering.invoice_line(call.books, seen, line, call.shape) for line in seen.lines]
    return page(rows, call.params, call.path)


def finalize_invoice(call: Call) -> Body:
    record = _found(call.books.invoices, call.ids[0], "invoice")
    if not record.is_draft:
        raise invalid("This invoice is already finalized.", code="invoice_not_editable")
    invoices.finalize(call.books, record.id, call.now)
    return retrieve_invoice(call)


def retrieve_thin_event(call: Call) -> Body:
    event = _found(call.books.thin_events, call.ids[0], "event")
    return thin_events.rendered(call.books, event, livemode=call.shape.livemode)


def list_thin_events(call: Call) -> Body:
    kept = [e for e in call.books.thin_events.values() if _is_asked_for(e, call.params)]
    kept.reverse()
    limit, start = integer(call.params, "limit") or 20, integer(call.params, "page") or 0
    if not 1 <= limit <= 100:
        raise invalid("Invalid limit: must be between 1 and 100", param="limit")
    shown = kept[start : start + limit]
    rendered = [
        thin_events.rendered(call.books, event, livemode=call.shape.livemode) for event in shown
    ]
    has_more = start + limit < len(kept)
    return {
        "data": rendered,
        "next_page_url": _page_url(call, limit, start + limit) if has_more else None,
        "previous_page_url": _page_url(call, limit, max(0, start - limit)) if start else None,
    }


def _is_asked_for(event: ThinEvent, params: Params) -> bool:
    types = [str(name) for name in listing(params, "types")]
    wanted = text(params, "object_id")
    created = mapping(params, "created")
    try:
        bounds = {name: seconds_from_rfc3339(str(at)) for name, at in created.items()}
    except ValueError:
        raise invalid("Invalid timestamp", param="created") from None
    return (
        (not types or event.type in types)
        and (wanted is None or event.meter == wanted)
        and event.created > bounds.get("gt", event.created - 1)
        and event.created >= bounds.get("gte", event.created)
        and event.created < bounds.get("lt", event.created + 1)
        and event.created <= bounds.get("lte", event.created)
    )


def _page_url(call: Call, limit: int, start: int) -> str:
    kept: list[tuple[str, str]] = [("limit", str(limit)), ("page", str(start))]
    kept += [(f"types[{n}]", str(v)) for n, v in enumerate(listing(call.params, "types"))]
    kept += [(f"created[{k}]", str(v)) for k, v in mapping(call.params, "created").items()]
    wanted = text(call.params, "object_id")
    kept += [] if wanted is None else [("object_id", wanted)]
    return f"{call.path}?{urlencode(kept)}"


def _found(records: Mapping[str, rendering.T], identity: str, kind: str) -> rendering.T:
    if identity not in records:
        raise missing(kind, identity)
    return records[identity]
