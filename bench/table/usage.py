"""The usage that is reported: the n-th event is always the same, whoever sends or stores it.

200 tenants on 5 meters, one of 1,000 series drawn for each event; a CloudEvent of about 190 bytes
with a quantity and one property. Numbers make spaces: those below LIVE fill a store beforehand,
spread over the 24 hours before the run; those from LIVE on occur in the hour in which they are
sent. An event that is sent again is made again from its number.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Final

from tallystick.domain.instant import HOUR, SECOND, floor_hour, format_instant
from tallystick.domain.meter import Meter
from tallystick.domain.recording import Recording
from tallystick.domain.tenant import Tenant
from tallystick.ports import Override, Store
from tallystick.stages.decoding import decode
from tallystick.stages.ingesting import Report, intake_of, prepared

TENANTS: Final = 200
CODES: Final = ("requests", "tokens", "storage", "seats", "builds")
SERIES: Final = TENANTS * len(CODES)
HOURS_FILLED: Final = 24
TOGETHER: Final = 10_000
"""So many of those stored beforehand follow each other in one hour, as usage comes."""

FILLED: Final = 0
LIVE: Final = 1 << 40
ORDERED: Final = 1 << 41
"""From here on keys rise with time, as those of UUIDv7 or ULID do; below they are scattered."""

SPACES: Final = (FILLED, LIVE, ORDERED)

SCATTER: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that each number has its own key
KEYS: Final = (1 << 128) - 1
SOURCE: Final = "api"
WHO: Final = Override(at=0, who="bench", why="bench", action="save", subject="catalog")


def series_of(number: int) -> int:
    """Drawn by the number: a batch of 1,000 touches about 630 of the 1,000 series."""
    return (number * 2_654_435_761 >> 12) % SERIES


def quantity_of(series: int) -> int:
    return 1 + series % 7


def key_of_number(number: int) -> bytes:
    if number >= ORDERED:
        return b"%032x" % number
    return b"%032x" % (number * SCATTER & KEYS)


def many(events: list[bytes]) -> bytes:
    return b"[" + b",".join(events) + b"]"


def tenant_name(number: int) -> str:
    return f"tenant-{number:03d}"


@dataclass(frozen=True)
class Usage:
    """The events of one run, which began at `at`; what is sent live now is of `live_at`'s hour.
    Instants in microseconds."""

    at: int
    live_at: int

    @cached_property
    def live_openings(self) -> tuple[bytes, ...]:
        """Of each series: a sender must make events faster than any server reads them."""
        return tuple(opening(s, self.occurred(LIVE, s)) for s in range(SERIES))

    def occurred(self, number: int, series: int) -> int:
        if number >= LIVE:
            hour = floor_hour(self.live_at)
            return hour + series % (1 + (self.live_at - hour) // SECOND) * SECOND
        hour = floor_hour(self.at)
        hours_before = 1 + number // TOGETHER % HOURS_FILLED
        return hour - hours_before * HOUR + series % 3_600 * SECOND

    def event(self, number: int) -> bytes:
        series = series_of(number)
        if number >= LIVE:
            return self.live_openings[series] + key_of_number(number) + b'"}'
        return opening(series, self.occurred(number, series)) + key_of_number(number) + b'"}'

    def recordings(self, store: Store, numbers: Iterator[int]) -> Iterator[Recording]:
        """The same events, metered: what the server would have the store record. A series' first
        event in an hour is read and metered by the product; the others differ in their key alone.
        """
        template = cache(self._template_of(store))
        for number in numbers:
            series = series_of(number)
            model = template(series, self.occurred(number, series))
            own = model.event.key[: -len(ZEROS)] + key_of_number(number).decode()
            yield Recording(
                replace(model.event, key=own),
                tuple(replace(c, event_key=own) for c in model.contributions),
            )

    def _template_of(self, store: Store) -> Callable[[int, int], Recording]:
        intake = intake_of(store)
        intake.rules.refresh()

        def template(series: int, occurred: int) -> Recording:
            body = decode(opening(series, occurred) + ZEROS.encode() + b'"}')
            assert isinstance(body, dict)  # noqa: S101  # it was made above
            found = prepared(Report(origin="bench", body=body), intake, self.at)
            if not isinstance(found, Recording):
                raise SystemExit(f"the benchmark's own event is refused: {found}")
            return replace(found, origin="", body="")

        return template


ZEROS: Final = "0" * 32


@cache
def opening(series: int, occurred: int) -> bytes:
    """All of an event but its id, which stands last."""
    text = (
        f'{{"specversion":"1.0","type":"{CODES[series % len(CODES)]}","source":"{SOURCE}",'
        f'"subject":"{tenant_name(series // len(CODES))}","time":"{format_instant(occurred)}",'
        f'"data":{{"quantity":{quantity_of(series)},"region":"eu-{series % 3}"}},"id":"'
    )
    return text.encode()


def set_up_catalog(store: Store) -> None:
    """The tenants and their meters."""
    for number in range(TENANTS):
        store.catalog.save(Tenant(id=tenant_name(number)), WHO)
    for code in CODES:
        store.catalog.save(Meter(id=code, code=code), WHO)


def expected_total(numbers: Iterable[int]) -> int:
    """The sum of the quantities of these events."""
    return sum(quantity_of(series_of(number)) for number in numbers)
