"""The control API under `/_sandbox/`: JSON in and out, for whoever runs the test."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from .answers import Answer, Body, Refusal, Request
from .faults import fault_from
from .params import Params, from_json
from .stripe_sandbox import StripeSandbox

PREFIX = "/_sandbox/"
_ROWS_MAX = 10_000


def control(sandbox: StripeSandbox, request: Request) -> Answer:
    """Carry out one order; what is wrong with it comes back as 400 with a sentence."""
    path, _, query = request.target.partition("?")
    order = _ORDERS.get((request.method, path.removeprefix(PREFIX)))
    if order is None:
        return Answer(404, {"error": f"no such order: {request.method} {path}"})
    try:
        params: Params = {**dict(parse_qsl(query)), **from_json(request.body)}
        held = nullcontext() if order in _OF_WEBHOOKS else sandbox.order(request)
        with held:
            return Answer(200, order(sandbox, params))
    except Refusal:
        return Answer(400, {"error": "the body must be one JSON object"})
    except KeyError as error:
        return Answer(400, {"error": f"missing or unknown: {error.args[0]}"})
    except (ValueError, TypeError, InvalidOperation) as error:
        return Answer(400, {"error": str(error) or "not a number"})


def _whole(params: Params, name: str, default: int | None = None) -> int:
    value = params[name] if default is None else params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{name} must be a whole number")
    return int(value)


def _rows(params: Params) -> int:
    return max(1, min(_whole(params, "limit", 1_000), _ROWS_MAX))


def _clock(sandbox: StripeSandbox, _: Params) -> Body:
    return {"now": sandbox.now(), "free_running": sandbox.free_running}


def _set_clock(sandbox: StripeSandbox, params: Params) -> Body:
    return {"now": sandbox.set_time(_whole(params, "now")), "free_running": False}


def _advance(sandbox: StripeSandbox, params: Params) -> Body:
    return {"now": sandbox.advance(_whole(params, "seconds")), "free_running": False}


def _list_faults(sandbox: StripeSandbox, _: Params) -> Body:
    return {"faults": sandbox.faults()}


def _add_fault(sandbox: StripeSandbox, params: Params) -> Body:
    if isinstance(params.get("probability"), str):
        params["probability"] = float(str(params["probability"]))
    if isinstance(params.get("delay_seconds"), str):
        params["delay_seconds"] = float(str(params["delay_seconds"]))
    return {"id": sandbox.add_fault(fault_from(params))}


def _clear_faults(sandbox: StripeSandbox, params: Params) -> Body:
    sandbox.clear_faults(_whole(params, "id") if "id" in params else None)
    return {"faults": sandbox.faults()}


def _books(sandbox: StripeSandbox, params: Params) -> Body:
    return sandbox.books(_rows(params))


def _events(sandbox: StripeSandbox, params: Params) -> Body:
    return {"events": sandbox.events(_whole(params, "after", -1), _rows(params))}


def _requests(sandbox: StripeSandbox, params: Params) -> Body:
    return {"outcomes": sandbox.outcomes(), "requests": sandbox.requests(_rows(params))}


def _total(sandbox: StripeSandbox, params: Params) -> Body:
    start, end = _whole(params, "start"), _whole(params, "end")
    if "subscription_item" in params:
        item = str(params["subscription_item"])
        return {"total": str(sandbox.record_total(item, start, end))}
    meter, customer = str(params["meter"]), str(params["customer"])
    return {"total": format(sandbox.usage_total(meter, customer, start, end), "f")}


def _set_total(sandbox: StripeSandbox, params: Params) -> Body:
    timestamp = _whole(params, "timestamp")
    if "subscription_item" in params:
        item, quantity = str(params["subscription_item"]), _whole(params, "total")
        return {"before": str(sandbox.set_record(item, timestamp, quantity))}
    meter, customer = str(params["meter"]), str(params["customer"])
    wanted = Decimal(str(params["total"]))
    if not wanted.is_finite():
        raise ValueError("total must be a finite decimal")
    return {"before": format(sandbox.set_total(meter, customer, timestamp, wanted), "f")}


def _set_status(sandbox: StripeSandbox, params: Params) -> Body:
    subscription, status = str(params["subscription"]), str(params["status"])
    sandbox.set_status(subscription, status)
    return {"subscription": subscription, "status": status}


def _set_lag(sandbox: StripeSandbox, params: Params) -> Body:
    seconds = _whole(params, "seconds")
    if seconds < 0:
        raise ValueError("seconds must not be negative")
    sandbox.set_summary_lag(seconds)
    return {"seconds": seconds}


def _grant(sandbox: StripeSandbox, params: Params) -> Body:
    permissions = params["permissions"]
    if not isinstance(permissions, list):
        raise TypeError("permissions must be a list of names")
    sandbox.grant(str(params["key"]), map(str, permissions))
    return {"permissions": permissions}


def _webhooks(sandbox: StripeSandbox, _: Params) -> Body:
    return sandbox.webhooks()


def _add_webhook(sandbox: StripeSandbox, params: Params) -> Body:
    thin = params.get("thin", False)
    if not isinstance(thin, bool):
        raise TypeError("thin must be true or false")
    names = (_texts(params, "secrets"), _texts(params, "types"))
    made = sandbox.add_webhook(str(params["url"]), *names[0], thin=thin, types=names[1])
    return {"id": made.id, "url": made.url, "thin": made.thin, "secrets": list(made.secrets)}


def _texts(params: Params, name: str) -> list[str]:
    found = params.get(name, [])
    if not isinstance(found, list):
        raise TypeError(f"{name} must be a list of texts")
    return list(map(str, found))


def _remove_webhook(sandbox: StripeSandbox, params: Params) -> Body:
    sandbox.remove_webhook(str(params["id"]))
    return sandbox.webhooks()


def _deliver(sandbox: StripeSandbox, _: Params) -> Body:
    return {"delivered": sandbox.deliver()}


def _resend(sandbox: StripeSandbox, params: Params) -> Body:
    return {"waiting": sandbox.resend(str(params["event"]))}


def _settings(sandbox: StripeSandbox, _: Params) -> Body:
    return asdict(sandbox.settings)


def _reset(sandbox: StripeSandbox, params: Params) -> Body:
    sandbox.reset(_whole(params, "now") if "now" in params else None)
    return {"now": sandbox.now(), "free_running": sandbox.free_running}


def _healthz(sandbox: StripeSandbox, _: Params) -> Body:
    return {"status": "ok", "now": sandbox.now()}


_ORDERS: dict[tuple[str, str], Callable[[StripeSandbox, Params], Body]] = {
    ("GET", "healthz"): _healthz,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _set_clock,
    ("POST", "clock/advance"): _advance,
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "books"): _books,
    ("GET", "events"): _events,
    ("GET", "requests"): _requests,
    ("GET", "total"): _total,
    ("POST", "total"): _set_total,
    ("POST", "subscription_status"): _set_status,
    ("POST", "summary_lag"): _set_lag,
    ("POST", "keys"): _grant,
    ("GET", "webhooks"): _webhooks,
    ("POST", "webhooks"): _add_webhook,
    ("DELETE", "webhooks"): _remove_webhook,
    ("POST", "webhooks/deliver"): _deliver,
    ("POST", "webhooks/resend"): _resend,
    ("GET", "settings"): _settings,
    ("POST", "reset"): _reset,
}
# Without the sandbox's lock, since an endpoint may ask back before it answers; and so without its
# journal: a state file holds no secret of an endpoint, and its replay tells nobody anything.
_OF_WEBHOOKS = frozenset((_webhooks, _add_webhook, _remove_webhook, _deliver, _resend))
