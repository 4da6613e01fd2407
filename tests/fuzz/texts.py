"""Targets: short texts that people and programs type: numbers, times, zones, addresses, keys."""

import contextlib
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from unittest.mock import patch
from urllib.parse import urlsplit

from starlette.requests import Request

from tallystick.bootstrap import open_store
from tallystick.config import parse_duration, read_settings
from tallystick.domain.api_key import KEY_LENGTH_MAX, digest_of
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import (
    DAY,
    EARLIEST,
    LATEST,
    format_instant,
    parse_instant,
    to_datetime,
)
from tallystick.domain.period import parse_interval, period_containing
from tallystick.domain.quantity import (
    QuantityError,
    add,
    equal_as_read,
    format_quantity,
    parse_quantity,
    quotient,
    read_number,
    rounded_whole,
)
from tallystick.domain.slot import parse_slot_key
from tallystick.domain.tenant import Tenant, Terms, check_name, check_zone
from tallystick.entrypoints.http.access import _bearer
from tallystick.entrypoints.http.problems import Problem
from tallystick.publishers.stripe.connection import checked_base
from tallystick.stores import dynamodb, sqlite
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite.sizes import Sizes
from tests.fuzz.refusals import check_hidden, check_problem, check_sentence

LOCAL: Final = "localhost"
TABLE: Final = re.compile(r"dynamodb://[A-Za-z0-9_.-]{3,255}")


def decimal_text(raw: bytes) -> None:
    """A quantity is exactly what Python's Decimal reads from the same text, or is refused."""
    text = raw.decode("utf-8", "replace")
    wide = read_number(text)
    if wide is not None:
        assert wide == Decimal(text)
    try:
        quantity = parse_quantity(text)
    except QuantityError:
        return
    assert quantity == Decimal(text) == wide
    assert parse_quantity(format_quantity(quantity)) == quantity
    assert "E" not in format_quantity(quantity).upper()
    assert add(quantity, quantity) == 2 * Fraction(quantity)
    assert abs(Fraction(rounded_whole(quantity)) - Fraction(quantity)) <= Fraction(1, 2)
    assert abs(Fraction(quotient(quantity, 7)) - Fraction(quantity) / 7) <= Fraction(1, 10**12)
    assert equal_as_read(quantity, quantity)


def time_text(raw: bytes) -> None:
    """An instant reads back, and is what Python's own reader of ISO times says."""
    text = raw.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0
    try:
        instant = parse_instant(text)
    except ValueError:
        return
    assert EARLIEST <= instant <= LATEST + 10**6
    assert parse_instant(format_instant(instant)) == instant
    assert to_datetime(instant) == datetime.fromisoformat(text.upper().replace(" ", "T"))


def zone_and_period(raw: bytes) -> None:
    """zone, interval, anchor, time by line: the windows hold the time and lie inside each other."""
    zone, interval, anchor, at = (raw.decode("utf-8", "replace").split("\n", 3) + [""] * 4)[:4]
    try:
        terms = Terms(
            zone=check_zone(zone), interval=parse_interval(interval), anchor=parse_instant(anchor)
        )
        instant = parse_instant(at)
    except (InvalidSetting, ValueError):
        return
    if not EARLIEST + 400 * DAY <= instant <= LATEST - 400 * DAY:
        return
    tenant = Tenant(id="acme", versions=(terms,))
    hour, day, period = tenant.hour_at(instant), tenant.day_at(instant), tenant.period_at(instant)
    assert hour.contains(instant)
    assert day.start <= hour.start < hour.end <= day.end
    assert period.start <= day.start < day.end <= period.end
    assert tenant.hour_at(hour.end).start == hour.end
    whole = period_containing(terms.anchor, terms.interval, instant)
    assert period_containing(terms.anchor, terms.interval, whole.end).start == whole.end


def settings(raw: bytes) -> None:
    """The environment: a key travels over https or to this machine, and shows in no repr."""
    base, grace, flag, key = (raw.decode("utf-8", "replace").split("\n", 3) + [""] * 4)[:4]
    try:
        found = read_settings(
            {
                "TALLYSTICK_STRIPE_API_BASE": base,
                "TALLYSTICK_GRACE": grace,
                "TALLYSTICK_AUTO_ONBOARD": flag,
                "TALLYSTICK_STRIPE_API_KEY": key,
            }
        )
        address = checked_base(found.stripe_api_base)
    except InvalidSetting as error:
        check_hidden(error, key)
        return
    parts = urlsplit(address)
    assert not parts.username
    assert not parts.password
    assert parts.scheme == "https" or _is_local(parts.hostname or "")
    assert len(key) < 16 or key not in repr(found) + str(found)


def _is_local(host: str) -> bool:
    return host == LOCAL or ip_address(host).is_loopback


class OpenedElsewhere(MemoryStore):
    """Stands where a file or a table in the cloud would be opened: nothing is made here."""

    @classmethod
    def connect(cls, table: str, **options: object) -> "OpenedElsewhere":
        assert TABLE.fullmatch(f"dynamodb://{table}")
        assert isinstance(options["region"], str)
        return cls()

    @classmethod
    def open(cls, path: Path, *, sizes: Sizes, **_: object) -> "OpenedElsewhere":
        assert str(path)
        assert sizes.filters_max > 0
        return cls()


@patch.object(dynamodb, "DynamoStore", OpenedElsewhere)
@patch.object(sqlite, "SqliteStore", OpenedElsewhere)
def store_url(raw: bytes) -> None:
    """A store's address names a file, the memory, or is refused with what to write instead."""
    url = raw.decode("utf-8", "replace")
    scheme = url.partition(":")[0]
    try:
        open_store(url, create=True).close()
        assert scheme == "sqlite" or url == "memory:" or TABLE.match(url)
    except InvalidSetting as error:
        check_sentence(error, "sqlite:///")


def api_key(raw: bytes) -> None:
    """An Authorization header: a text to look up, or 401; and never part of the answer."""
    scope = {"type": "http", "headers": [(b"authorization", raw.replace(b"\n", b""))]}
    try:
        text = _bearer(Request(scope))
    except Problem as problem:
        check_problem(problem, 401)
        return
    assert 0 < len(text) <= KEY_LENGTH_MAX
    assert len(digest_of(text)) == 64


def slot_key(raw: bytes) -> None:
    """A slot's key reads back; a name is printable or refused."""
    text = raw.decode("utf-8", "replace")
    with contextlib.suppress(InvalidSetting):
        assert check_name("tenant", text).isprintable()
    try:
        key = parse_slot_key(text)
    except (ValueError, InvalidOperation):
        return
    assert parse_slot_key(str(key)) == key
