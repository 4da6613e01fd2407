"""Stripe's lists (API v1), read to their end."""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from tallystick.domain.errors import PublisherUnavailable
from tallystick.publishers.stripe.connection import API_VERSION, Connection

ROWS_A_PAGE: Final = 100
"""Stripe's own maximum."""

PAGES_MAX: Final = 1_000


class Identified(Protocol):
    """A row that a list can go on after."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Identified)


class Listed(msgspec.Struct, Generic[R], frozen=True):
    """One page."""

    rows: list[R] = msgspec.field(name="data")
    has_more: bool = False


def rows_of(
    connection: Connection,
    path: str,
    kind: type[Listed[R]],
    params: Mapping[str, object],
    version: str = API_VERSION,
) -> Iterator[R]:
    """Every row, page by page; raises what `Connection.read` does, and PublisherUnavailable for
    a list without end."""
    asked: dict[str, object] = {**params, "limit": ROWS_A_PAGE}
    for _ in range(PAGES_MAX):
        page = connection.read(path, kind, asked, version)
        yield from page.rows
        if not page.has_more or not page.rows:
            return
        asked["starting_after"] = page.rows[-1].id
    raise PublisherUnavailable(f"the list at {path} does not end after {PAGES_MAX} pages")
