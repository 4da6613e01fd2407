"""How values look on a page, and the files that pages are made of. Nothing here is a float."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from tallystick.domain.instant import format_instant, to_datetime
from tallystick.domain.quantity import format_quantity
from tallystick.entrypoints.dashboard.links import tenant_link

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
)


@cache
def environment() -> Environment:
    """The templates; a name that nobody gave is an error, and everything is escaped."""
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "quantity": grouped,
        "plain": format_quantity,
        "instant": format_instant,
        "utc": utc_text,
        "local": local_text,
        "sentence": sentence,
        "tenant_link": tenant_link,
    }
    made.globals["asset"] = asset_path
    return made


def rendered(template: str, values: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    text = environment().get_template(template).render(values)
    return HTMLResponse(text.encode("utf-8", "replace"), status_code=status)


def grouped(quantity: Decimal | int) -> str:
    """Every digit, the whole part in groups of three."""
    text = str(quantity) if isinstance(quantity, int) else format_quantity(quantity)
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, fraction = digits.partition(".")
    first = len(whole) % 3 or 3
    groups = [whole[:first], *(whole[at : at + 3] for at in range(first, len(whole), 3))]
    return f"{sign}{','.join(groups)}{point}{fraction}"


def utc_text(at: int) -> str:
    """'2026-01-31 11:00 UTC', with the seconds where there are some."""
    return f"{_minutes(to_datetime(at))} UTC"


def local_text(at: int, zone: str) -> str:
    """The same by a zone's clocks, the zone's name left to the column's head."""
    return _minutes(to_datetime(at).astimezone(ZoneInfo(zone)))


def _minutes(moment: datetime) -> str:
    seconds = moment.strftime(":%S") if moment.second else ""
    return f"{moment:%Y-%m-%d %H:%M}{seconds}"


def sentence(text: str) -> str:
    """A problem's detail as a sentence: it begins large, and ends."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


# ── Static files ──────────────────────────────────────────────────────────────────────────────────


def _under(folder: Traversable, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in folder.iterdir():
        if part.is_dir():
            found |= _under(part, f"{prefix}{part.name}/")
        elif part.name.rpartition(".")[2] in MEDIA_TYPES:
            found[f"{prefix}{part.name}"] = part.read_bytes()
    return found


@cache
def assets() -> Mapping[str, bytes]:
    """The static files by their path below /dashboard/static/."""
    return MappingProxyType(_under(files(__package__) / "static"))


@cache
def asset_path(name: str) -> str:
    """Where a page finds a static file: the address changes with its content."""
    version = hashlib.sha256(assets()[name]).hexdigest()[:12]
    return f"/dashboard/static/{name}?v={version}"
