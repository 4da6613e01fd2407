"""One figure as SVG: bars on a scale by powers of ten, in groups. Legible on light and on dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 760
LEFT: Final = 190
RIGHT: Final = 90
BAR: Final = 18
GAP: Final = 22
TOP: Final = 64
COLOURS: Final = ("#2f7d4f", "#b0762a", "#6b7a90")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: which of the legend's, and its value."""

    series: int
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that are compared with each other."""

    name: str
    bars: tuple[Bar, ...]


def bars(title: str, legend: Sequence[str], groups: Sequence[Group]) -> str:
    """The whole picture."""
    values = [bar.value for group in groups for bar in group.bars if bar.value > 0]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)
    drawn: list[str] = []
    y = TOP
    for group in groups:
        middle = y + len(group.bars) * BAR / 2
        drawn.append(_text(LEFT - 10, middle + 5, group.name, anchor="end"))
        for bar in group.bars:
            length = _along(bar.value, low, high) - LEFT
            drawn.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" '
                f'fill="{COLOURS[bar.series]}"/>'
            )
            drawn.append(_text(LEFT + length + 6, y + BAR - 6, f"{bar.value:,.0f}"))
            y += BAR
        y += GAP
    lines = [_line(power, low, high, y) for power in range(low, high + 1)]
    keys = [
        f'<rect x="{LEFT + 150 * n}" y="34" width="12" height="12" fill="{COLOURS[n]}"/>'
        + _text(LEFT + 150 * n + 18, 45, name)
        for n, name in enumerate(legend)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 24}" '
        f'font-family="sans-serif" font-size="13" role="img"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{y + 24}" fill="#ffffff"/>'
        + _text(LEFT, 20, title, weight="bold")
        + "".join([*keys, *lines, *drawn])
        + "</svg>\n"
    )


def _along(value: float, low: int, high: int) -> float:
    share = (log10(value) - low) / (high - low) if value > 0 else 0
    return LEFT + max(share, 0.004) * (WIDTH - LEFT - RIGHT)


def _line(power: int, low: int, high: int, bottom: float) -> str:
    x = _along(10**power, low, high) if power > low else LEFT
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom - GAP + 6}" '
        'stroke="#d5d9de"/>' + _text(x, bottom + 2, f"{10**power:,}", anchor="middle")
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="#24292f">{escape(words)}</text>'
    )
