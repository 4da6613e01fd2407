"""A half-open span of time in UTC, [start, end): what a meter folds over, what a bill covers."""

from dataclasses import dataclass

from tallystick.domain.instant import format_instant


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """[start, end) in microseconds UTC; never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a window must end after it starts: {self.start} .. {self.end}")

    def contains(self, instant: int) -> bool:
        return self.start <= instant < self.end

    def cut_to(self, other: "Window") -> "Window":
        """The part of this window that lies in `other`; ValueError when there is none."""
        return Window(max(self.start, other.start), min(self.end, other.end))

    def __str__(self) -> str:
        return f"{format_instant(self.start)}/{format_instant(self.end)}"
