"""Query parameters: each read strictly, and the problem names the one that is wrong."""

import json
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from tallystick.domain.api_key import ApiKey
from tallystick.domain.instant import EARLIEST, LATEST, parse_instant
from tallystick.domain.window import Window
from tallystick.entrypoints.http.bodies import read_whole
from tallystick.entrypoints.http.problems import Problem, invalid_parameter, not_found, unreadable
from tallystick.entrypoints.http.reading import JSON, media_type
from tallystick.entrypoints.http.service import service_of

T = TypeVar("T")

CURSOR_MAX: Final = 4_096


def check_known(request: Request, known: Iterable[str]) -> None:
    """A misspelt parameter must not look like one that filtered nothing."""
    allowed = sorted(known)
    for name in request.query_params:
        if name.partition("[")[0] not in allowed:
            raise invalid_parameter(name[:64], f"is none of {', '.join(allowed)}")


def instant(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return parse_instant(text.replace(" ", "+"))  # a plus sign that was not escaped
    except (ValueError, OverflowError) as error:
        raise invalid_parameter(name, f"is {error}") from error


def span(start: str | None, end: str | None, default_start: int = EARLIEST) -> Window:
    """[from, to)."""
    found = (instant("from", start, default_start), instant("to", end, LATEST))
    if found[0] >= found[1]:
        raise invalid_parameter("to", "must be after from")
    return Window(*found)


def number(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise invalid_parameter(name, f"must be a whole number from 1 to {most}")
    return int(text)


def cursor(request: Request) -> str:
    text = request.query_params.get("cursor", "")
    try:
        place = json.loads(text) if len(text) <= CURSOR_MAX else None
    except (ValueError, RecursionError):
        place = None
    if text and not isinstance(place, list):
        raise invalid_parameter("cursor", "is none of ours; begin without one")
    return text


async def read_json(request: Request, decoder: "msgspec.json.Decoder[T]") -> T:
    """A setting's body; a field that nobody knows is refused."""
    service = service_of(request)
    if media_type(request.headers.get("content-type", "")) != JSON:
        detail = f"Content-Type must be {JSON} here"
        raise Problem(status=415, kind="unsupported-content", detail=detail)
    body = await read_whole(request, service.memory)
    service.memory.give_back(len(body))
    try:
        return decoder.decode(body)
    except (UnicodeDecodeError, RecursionError, msgspec.MsgspecError) as error:
        raise unreadable(f"the body cannot be meant: {error}") from error


def tenants_seen(key: ApiKey, asked: Iterable[str]) -> tuple[str, ...]:
    """The tenants to look at: those asked for, or the key's own. 404 for any that it lacks."""
    wanted = tuple(dict.fromkeys(asked))
    if not all(key.sees(tenant) for tenant in wanted):
        raise not_found("there is no such tenant")
    return wanted or ((key.tenant,) if key.tenant else ())
