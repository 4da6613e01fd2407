"""Subscriptions: their periods roll with the clock, their items decide what is billed."""

from dataclasses import dataclass, replace

from . import invoices
from .answers import invalid, missing, missing_reference
from .books import Books
from .params import (
    Params,
    boolean,
    choice,
    instant,
    integer,
    listing,
    mapping,
    required,
    text,
    texts,
)
from .periods import period_at
from .records import Price, Subscription, SubscriptionItem

BASIL = "2025-03-31"
_PAUSES = ("keep_as_draft", "mark_uncollectible", "void")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry of the `items` parameter, read and checked."""

    id: str | None
    price: str | None
    quantity: int
    usage_gte: int | None
    deleted: bool
    metadata: dict[str, str]


def create(books: Books, params: Params, now: int, version: str) -> Subscription:
    """Start a subscription; an anchor in the past puts `now` into a running period."""
    customer = required(params, "customer")
    if customer not in books.customers:
        raise missing_reference("customer", customer, "customer")
    wanted = [_wanted(entry) for entry in listing(params, "items")]
    if not wanted:
        raise invalid("Missing required param: items.", code="parameter_missing", param="items")
    prices = [_price(books, entry.price, version) for entry in wanted]
    first = prices[0]
    backdated = instant(params, "backdate_start_date")
    anchor = instant(params, "billing_cycle_anchor")
    interval = first.interval or "month"
    if anchor is None:
        anchor = now if backdated is None else backdated
    start, end = period_at(anchor, interval, first.interval_count, now)
    if anchor > now:
        start = max(start, now if backdated is None else backdated)
    begun = min(now, start if backdated is None else backdated)
    identity = books.new_id("sub")
    subscription = Subscription(
        id=identity,
        created=now,
        customer=customer,
        items=tuple(
            _new_item(books, identity, entry, billed_from=begun, now=now) for entry in wanted
        ),
        anchor=anchor,
        interval=interval,
        interval_count=first.interval_count,
        currency=first.currency,
        start_date=begun,
        period_start=start,
        period_end=end,
        collection_method=_collection(params),
        cancel_at_period_end=boolean(params, "cancel_at_period_end") or False,
        amount_gte=integer(mapping(params, "billing_thresholds"), "amount_gte"),
        metadata=texts(params, "metadata"),
    )
    _keep(books, subscription, "created", now)
    books.plan(end, "period_end", identity)
    return subscription


def _collection(params: Params) -> str:
    allowed = ("charge_automatically", "send_invoice")
    return choice(params, "collection_method", allowed) or "charge_automatically"


def _wanted(entry: object) -> Wanted:
    if not isinstance(entry, dict):
        raise invalid("Invalid hash", param="items")
    quantity = integer(entry, "quantity")
    return Wanted(
        id=text(entry, "id"),
        price=text(entry, "price") or text(entry, "plan"),
        quantity=1 if quantity is None else quantity,
        usage_gte=integer(mapping(entry, "billing_thresholds"), "usage_gte"),
        deleted=boolean(entry, "deleted") or False,
        metadata=texts(entry, "metadata"),
    )


def _price(books: Books, identity: str | None, version: str) -> Price:
    price = books.prices.get(identity or "")
    if price is None:
        raise missing_reference("price", identity or "", "items[0][price]")
    if price.interval is None:
        raise invalid("The price is not recurring.", param="items[0][price]")
    if price.is_legacy and version >= BASIL:
        message = "Metered prices without a meter cannot be used in this API version."
        raise invalid(message, param="items[0][price]")
    return price


def _new_item(
    books: Books, subscription: str, wanted: Wanted, *, billed_from: int, now: int
) -> SubscriptionItem:
    item = SubscriptionItem(
        id=books.new_id("si"),
        created=now,
        billed_from=billed_from,
        price=wanted.price or "",
        quantity=wanted.quantity,
        usage_gte=wanted.usage_gte,
        metadata=wanted.metadata,
    )
    books.subscription_of_item[item.id] = subscription
    return item


def _keep(books: Books, subscription: Subscription, what: str, now: int) -> None:
    books.subscriptions[subscription.id] = subscription
    books.announce(f"customer.subscription.{what}", subscription, now)


def found(books: Books, identity: str) -> Subscription:
    """The subscription, or 404."""
    subscription = books.subscriptions.get(identity)
    if subscription is None:
        raise missing("subscription", identity)
    return subscription


def update(books: Books, identity: str, params: Params, now: int, version: str) -> Subscription:
    """Change items, pause, thresholds, metadata or the cancellation at the period's end."""
    before = found(books, identity)
    if not before.is_live:
        raise invalid("A canceled subscription can only update its metadata.")
    items = before.items
    for entry in listing(params, "items"):
        items = _changed_items(books, before.id, items, _wanted(entry), now=now, version=version)
    thresholds = before.amount_gte
    if "billing_thresholds" in params:
        thresholds = integer(mapping(params, "billing_thresholds"), "amount_gte")
    at_end = boolean(params, "cancel_at_period_end")
    after = replace(
        _paused(before, params),
        items=items,
        amount_gte=thresholds,
        cancel_at_period_end=before.cancel_at_period_end if at_end is None else at_end,
        metadata={**before.metadata, **texts(params, "metadata")},
    )
    _keep(books, after, "updated", now)
    if before.pause_behavior == "keep_as_draft" != after.pause_behavior:
        _finalize_kept_drafts(books, identity, now)
    elif after.pause_behavior and after.resumes_at is not None:
        books.plan(after.resumes_at, "resume", identity)
    return after


def _paused(subscription: Subscription, params: Params) -> Subscription:
    if "pause_collection" not in params:
        return subscription
    pause = mapping(params, "pause_collection")
    behavior = choice(pause, "behavior", _PAUSES)
    return replace(subscription, pause_behavior=behavior, resumes_at=instant(pause, "resumes_at"))


def resume(books: Books, identity: str, now: int) -> None:
    """The pause is over, unless it was changed meanwhile."""
    subscription = books.subscriptions[identity]
    if subscription.resumes_at == now:
        _keep(books, replace(subscription, pause_behavior=None, resumes_at=None), "updated", now)
        _finalize_kept_drafts(books, identity, now)


def _finalize_kept_drafts(books: Books, identity: str, now: int) -> None:
    for invoice in books.invoices_of(identity):
        if invoice.is_draft and invoice.finalizes_at <= now:
            invoices.finalize(books, invoice.id, now)


def _changed_items(
    books: Books,
    subscription: str,
    items: tuple[SubscriptionItem, ...],
    wanted: Wanted,
    *,
    now: int,
    version: str,
) -> tuple[SubscriptionItem, ...]:
    """Usage before a price change is lost, as with Stripe; so is a removed item's usage."""
    if wanted.id is None:
        _price(books, wanted.price, version)
        return (*items, _new_item(books, subscription, wanted, billed_from=now, now=now))
    before = next((item for item in items if item.id == wanted.id), None)
    if before is None:
        raise missing_reference("subscription item", wanted.id, "items[0][id]")
    if wanted.deleted:
        return tuple(item for item in items if item.id != wanted.id)
    after = replace(
        before,
        quantity=wanted.quantity,
        usage_gte=wanted.usage_gte if wanted.usage_gte is not None else before.usage_gte,
        metadata={**before.metadata, **wanted.metadata},
    )
    if wanted.price is not None and wanted.price != before.price:
        _price(books, wanted.price, version)
        after = replace(after, price=wanted.price, billed_from=now)
    return tuple(after if item.id == wanted.id else item for item in items)


def cancel(books: Books, identity: str, params: Params, now: int) -> Subscription:
    """End now: what is not invoiced yet is discarded, unless `invoice_now` bills it.

    The running second belongs to the last invoice, since a clock that stands still would
    otherwise lose what was reported just before.
    """
    subscription = found(books, identity)
    if not subscription.is_live:
        raise missing("subscription", identity)
    latest = subscription.latest_invoice
    if boolean(params, "invoice_now"):
        draft = invoices.open_invoice(
            books, subscription, now + 1, reason="subscription_update", grace=0
        )
        invoices.finalize(books, draft.id, now)
        latest = draft.id
    ended = replace(
        subscription, status="canceled", canceled_at=now, ended_at=now, latest_invoice=latest
    )
    _keep(books, ended, "deleted", now)
    return ended


def end_period(books: Books, identity: str, at: int) -> None:
    """Invoice the period that ends now and begin the next, or end the subscription."""
    subscription = books.subscriptions[identity]
    if not subscription.is_live:
        return
    grace = invoices.grace_seconds(books, subscription)
    draft = invoices.open_invoice(books, subscription, at, reason="subscription_cycle", grace=grace)
    if subscription.cancel_at_period_end:
        rolled = replace(subscription, status="canceled", canceled_at=at, ended_at=at)
    else:
        count = subscription.interval_count
        start, end = period_at(subscription.anchor, subscription.interval, count, at)
        rolled = replace(subscription, period_start=start, period_end=end)
        books.plan(end, "period_end", identity)
    what = "updated" if rolled.is_live else "deleted"
    _keep(books, replace(rolled, latest_invoice=draft.id), what, at)
