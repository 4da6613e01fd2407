"""A publisher without a provider: it knows what can be sent, and shows it."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Never

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.publication import Answer, Outcome, Publication, value_text
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Route, Slot
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.ports import PAGE
from tallystick.publishers import ROUTES

NO_KEY = "there is no key for a provider (TALLYSTICK_STRIPE_API_KEY), so nothing can be read there"


class DryRunPublisher:
    """Sends nothing and confirms nothing.

    A dry run does not call `send`. Whoever does is told that nothing was looked at, and finds
    what would have been sent (the last thousand) in `unsent`.
    """

    def __init__(self, routes: Mapping[str, Route] = ROUTES) -> None:
        self._routes = dict(routes)
        self._unsent: deque[Publication] = deque(maxlen=PAGE)

    @property
    def routes(self) -> dict[str, Route]:
        return dict(self._routes)

    @property
    def unsent(self) -> tuple[Publication, ...]:
        return tuple(self._unsent)

    def send(self, publication: Publication) -> Answer:
        self._unsent.append(publication)
        text = f"a dry run: {value_text(publication)} would go to {publication.slot}"
        return Answer(Outcome.DENIED, text)

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        _unreadable()

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        _unreadable()

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        _unreadable()

    def subscription(self, destination: str) -> Subscription | None:
        _unreadable()

    def clock_ahead(self) -> int:
        return 0


def _unreadable() -> Never:
    raise PublisherUnavailable(NO_KEY)
