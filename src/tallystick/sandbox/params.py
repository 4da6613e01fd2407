"""Parameters as Stripe takes them: nested brackets in forms and queries, JSON for v2."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from .answers import invalid
from .clock import LATEST

Params = dict[str, object]
_DEPTH_MAX = 8
_FIELDS_MAX = 1_000


def from_form(text: str) -> Params:
    """`a[b][0][c]=d` as nested dicts; list positions stay keys until `listing` reads them."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise invalid("Too many parameters.") from None
    result: Params = {}
    for key, value in pairs:
        if "[" in key:
            _put(result, key.replace("]", "").split("["), value)
        else:
            result[key] = value
    return result


def _put(target: Params, path: list[str], value: str) -> None:
    if len(path) > _DEPTH_MAX:
        raise invalid("Parameters are nested too deeply.")
    for part in path[:-1]:
        branch = target.setdefault(part, {})
        if not isinstance(branch, dict):
            raise invalid(f"Invalid nesting of parameter: {part}", param=part)
        target = branch
    target[path[-1] or str(len(target))] = value


def from_json(body: bytes) -> Params:
    """A v2 body: one JSON object."""
    try:
        decoded = json.loads(body or b"{}", parse_float=str, parse_int=int)
    except (ValueError, RecursionError):
        raise invalid("The request body is not valid JSON.") from None
    if not isinstance(decoded, dict):
        raise invalid("The request body must be a JSON object.")
    return decoded


def text(params: Mapping[str, object], name: str) -> str | None:
    """A string parameter, None when absent; an empty string unsets, so it counts as absent."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, dict | list):
        raise invalid(f"Invalid string: {name}", param=name)
    return str(value)


def required(params: Mapping[str, object], name: str) -> str:
    """A string parameter that must be there."""
    value = text(params, name)
    if value is None:
        raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def limited(params: Mapping[str, object], name: str, length: int) -> str | None:
    """A string parameter of at most `length` characters."""
    value = text(params, name)
    if value is not None and len(value) > length:
        message = f"Invalid string: {name} must be at most {length} characters"
        raise invalid(message, param=name)
    return value


def integer(params: Mapping[str, object], name: str) -> int | None:
    """A whole number; anything else is refused, decimals included."""
    value = text(params, name)
    if value is None:
        return None
    digits = value[1:] if value[:1] == "-" else value
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def instant(params: Mapping[str, object], name: str) -> int | None:
    """A UTC second between 1970 and 2100."""
    value = integer(params, name)
    if value is not None and not 0 <= value <= LATEST:
        raise invalid(f"Invalid timestamp: {value}", param=name)
    return value


def only(params: Mapping[str, object], *names: str) -> None:
    """Refuse a parameter that the endpoint does not have, since it is a misspelt one."""
    for name in params:
        if name not in names and name != "expand":
            message = f"Received unknown parameter: {name}"
            raise invalid(message, code="parameter_unknown", param=name)


def required_integer(params: Mapping[str, object], name: str) -> int:
    """A whole number that must be there."""
    required(params, name)
    return integer(params, name) or 0


def boolean(params: Mapping[str, object], name: str) -> bool | None:
    """`true` or `false`."""
    value = text(params, name)
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", param=name)
    return value.lower() == "true"


def choice(params: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str | None:
    """One of a closed set of words."""
    value = text(params, name)
    if value is not None and value not in allowed:
        listed = ", ".join(allowed)
        raise invalid(f"Invalid {name}: must be one of {listed}", param=name)
    return value


def mapping(params: Mapping[str, object], name: str) -> Params:
    """A nested hash; empty when absent."""
    value = params.get(name)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise invalid("Invalid hash", param=name)
    return value


def listing(params: Mapping[str, object], name: str) -> list[object]:
    """A nested list; empty when absent."""
    value = params.get(name)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def texts(params: Mapping[str, object], name: str) -> dict[str, str]:
    """A hash of strings, such as metadata or a meter event's payload."""
    found = mapping(params, name)
    for key, value in found.items():
        if isinstance(value, dict | list) or value is None:
            raise invalid(f"Invalid string: {name}[{key}]", param=f"{name}[{key}]")
    return {key: str(value) for key, value in found.items()}
