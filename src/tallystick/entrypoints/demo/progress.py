"""How far the demo is: a bar on a terminal, a line every few days elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from tallystick.domain.instant import DAY, HOUR, to_datetime
from tallystick.domain.window import Window

Shown = Callable[[int, int], None]
"""Takes the instant that was reached, and how many events are acknowledged."""

DAYS_A_LINE: Final = 7


@dataclass(frozen=True, slots=True)
class Progress:
    """Where it is shown."""

    console: Console

    @contextmanager
    def over(self, periods: Sequence[Window]) -> Iterator[Shown]:
        """While the months are lived through."""
        if not self.console.is_terminal:
            yield self._line
            return
        hours = sum(p.end - p.start for p in periods) // HOUR
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Bar(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task("", total=hours)
            yield lambda at, events: bar.update(task, advance=1, description=_said(at, events))

    def _line(self, at: int, events: int) -> None:
        day = to_datetime(at - 1).day
        if at % DAY == 5 * HOUR and day % DAYS_A_LINE == 0:
            self.console.print(_said(at, events), highlight=False)


def _said(at: int, events: int) -> str:
    return f"{to_datetime(at - 1):%d %b %Y}  {events:>7,} events acknowledged"
