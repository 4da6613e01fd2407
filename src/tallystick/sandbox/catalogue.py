"""Customers, products, prices and meters: what must exist before usage can be billed."""

from dataclasses import replace
from decimal import Decimal

from .answers import invalid, missing, missing_reference
from .books import Books
from .params import Params, choice, integer, limited, mapping, only, required, text, texts
from .periods import INTERVALS
from .quantities import ZERO, parsed
from .records import Customer, Meter, Price, Product
from .subscriptions import BASIL

_INTERVAL_COUNT_MAX = 1_095
_AGGREGATE_USAGES = ("sum", "last_during_period", "last_ever", "max")


def create_customer(books: Books, params: Params, now: int) -> Customer:
    """A customer; an `id` of the caller's own is taken over, which helps offline fixtures."""
    identity = limited(params, "id", 100) or books.new_id("cus")
    if identity in books.customers:
        raise invalid("Customer already exists.", code="resource_already_exists", param="id")
    customer = Customer(
        id=identity,
        created=now,
        name=text(params, "name"),
        email=text(params, "email"),
        description=text(params, "description"),
        metadata=texts(params, "metadata"),
    )
    books.customers[identity] = customer
    return customer


def update_customer(books: Books, identity: str, params: Params) -> Customer:
    """Change names and metadata."""
    before = books.customers.get(identity)
    if before is None:
        raise missing("customer", identity)
    after = replace(
        before,
        name=text(params, "name") or before.name,
        email=text(params, "email") or before.email,
        description=text(params, "description") or before.description,
        metadata={**before.metadata, **texts(params, "metadata")},
    )
    books.customers[identity] = after
    return after


def create_product(books: Books, params: Params, now: int) -> Product:
    """A product."""
    identity = limited(params, "id", 100) or books.new_id("prod")
    if identity in books.products:
        raise invalid("Product already exists.", code="resource_already_exists", param="id")
    product = Product(
        id=identity,
        created=now,
        name=required(params, "name"),
        description=text(params, "description"),
        metadata=texts(params, "metadata"),
    )
    books.products[identity] = product
    return product


def create_price(books: Books, params: Params, now: int, version: str) -> Price:
    """A one-time or recurring price; a metered one without a meter only before Basil."""
    recurring = mapping(params, "recurring")
    interval = required(recurring, "interval") if recurring else None
    if interval is not None and interval not in INTERVALS:
        raise invalid(f"Invalid interval: {interval}", param="recurring[interval]")
    usage_type = choice(recurring, "usage_type", ("licensed", "metered")) or "licensed"
    meter = _meter_of_price(books, recurring, usage_type, version)
    legacy = usage_type == "metered" and meter is None
    aggregate = choice(recurring, "aggregate_usage", _AGGREGATE_USAGES)
    count = integer(recurring, "interval_count") or 1
    if not 1 <= count <= _INTERVAL_COUNT_MAX:
        raise invalid("Invalid interval_count", param="recurring[interval_count]")
    price = Price(
        id=books.new_id("price"),
        created=now,
        currency=required(params, "currency").lower(),
        unit_amount=_unit_amount(params),
        product=_product_of_price(books, params, now),
        interval=interval,
        interval_count=count,
        usage_type=usage_type,
        meter=meter,
        aggregate_usage=(aggregate or "sum") if legacy else None,
        nickname=text(params, "nickname"),
        lookup_key=text(params, "lookup_key"),
        metadata=texts(params, "metadata"),
    )
    books.prices[price.id] = price
    return price


def _meter_of_price(books: Books, recurring: Params, usage_type: str, version: str) -> str | None:
    meter = text(recurring, "meter")
    if meter is None:
        if usage_type == "metered" and version >= BASIL:
            message = "Metered prices must be backed by a meter in this API version."
            raise invalid(message, param="recurring[meter]")
        return None
    if usage_type != "metered":
        raise invalid("A meter needs usage_type metered.", param="recurring[usage_type]")
    if meter not in books.meters:
        raise missing_reference("billing meter", meter, "recurring[meter]")
    return meter


def _product_of_price(books: Books, params: Params, now: int) -> str:
    described = mapping(params, "product_data")
    if described:
        return create_product(books, described, now).id
    product = required(params, "product")
    if product not in books.products:
        raise missing_reference("product", product, "product")
    return product


def _unit_amount(params: Params) -> Decimal:
    written = text(params, "unit_amount_decimal") or text(params, "unit_amount")
    amount = ZERO if written is None else parsed(written)
    if amount is None:
        raise invalid("Invalid decimal: unit_amount_decimal", param="unit_amount_decimal")
    return amount


def create_meter(books: Books, params: Params, now: int) -> Meter:
    """A meter; an event name belongs to one meter for as long as that meter is active."""
    event_name = required(params, "event_name")
    limited(params, "event_name", 100)
    existing = books.meters.get(books.meter_by_event_name.get(event_name, ""))
    if existing is not None and existing.status == "active":
        raise invalid(
            f"A meter with event name {event_name} already exists.",
            code="resource_already_exists",
            param="event_name",
        )
    formulas = ("sum", "count", "last")
    formula = choice(mapping(params, "default_aggregation"), "formula", formulas)
    if formula is None:
        required({}, "default_aggregation[formula]")
    window = choice(params, "event_time_window", ("day", "hour", "none"))
    customer = mapping(params, "customer_mapping")
    meter = Meter(
        id=books.new_id("mtr"),
        created=now,
        updated=now,
        display_name=required(params, "display_name"),
        event_name=event_name,
        formula=formula or "sum",
        event_time_window=None if window == "none" else window,
        customer_key=text(customer, "event_payload_key") or "stripe_customer_id",
        value_key=text(mapping(params, "value_settings"), "event_payload_key") or "value",
    )
    books.meters[meter.id] = meter
    books.meter_by_event_name[event_name] = meter.id
    return meter


def found_meter(books: Books, identity: str) -> Meter:
    """The meter, or 404."""
    meter = books.meters.get(identity)
    if meter is None:
        raise missing("billing meter", identity)
    return meter


def rename_meter(books: Books, identity: str, params: Params, now: int) -> Meter:
    """Only the display name of a meter can change."""
    before = found_meter(books, identity)
    only(params, "display_name")
    name = text(params, "display_name") or before.display_name
    books.meters[identity] = replace(before, display_name=name, updated=now)
    return books.meters[identity]


def set_meter_active(books: Books, identity: str, now: int, *, active: bool) -> Meter:
    """Deactivate or reactivate; doing it twice is an error, as with Stripe."""
    before = found_meter(books, identity)
    status = "active" if active else "inactive"
    if before.status == status:
        raise invalid(f"The meter is already {status}.", param="id")
    if active:
        holder = books.meters[books.meter_by_event_name[before.event_name]]
        if holder.id != identity and holder.status == "active":
            raise invalid("Another active meter has this event name.", param="id")
        books.meter_by_event_name[before.event_name] = identity
    after = replace(before, status=status, updated=now, deactivated_at=None if active else now)
    books.meters[identity] = after
    return after
