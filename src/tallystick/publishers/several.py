"""Several providers as one: each slot is its route's provider's business."""

from collections import defaultdict
from collections.abc import Sequence

from tallystick.domain.publication import Answer, Publication
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Route, Slot
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.ports import Publisher
from tallystick.publishers import may_go_to


class SeveralPublishers:
    """`tallystick.ports.Publisher` on others, no two of which have a route in common."""

    def __init__(self, *publishers: Publisher) -> None:
        self.publishers = publishers
        self._by_route = {route: one for one in publishers for route in one.routes}
        self._routes = {name: r for one in publishers for name, r in one.routes.items()}

    @property
    def routes(self) -> dict[str, Route]:
        return dict(self._routes)

    def send(self, publication: Publication) -> Answer:
        return self._by_route[publication.slot.route].send(publication)

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        asked = self._each(slots)
        return tuple(reading for one, theirs in asked for reading in one.totals(theirs))

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        asked = self._each(slots)
        return tuple(line for one, theirs in asked for line in one.invoice_lines(theirs))

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        return tuple(found for one in self.publishers for found in one.rejections(since))

    def subscription(self, destination: str) -> Subscription | None:
        whose = (
            one for one in self.publishers if any(may_go_to(r, destination) for r in one.routes)
        )
        one = next(whose, None)
        return one.subscription(destination) if one is not None else None

    def clock_ahead(self) -> int:
        return max(one.clock_ahead() for one in self.publishers)

    def _each(self, slots: Sequence[Slot]) -> list[tuple[Publisher, list[Slot]]]:
        """The slots by whose they are; whoever has none is not asked."""
        theirs: dict[int, list[Slot]] = defaultdict(list)
        for slot in slots:
            theirs[self.publishers.index(self._by_route[slot.key.route])].append(slot)
        return [(self.publishers[number], found) for number, found in theirs.items()]
