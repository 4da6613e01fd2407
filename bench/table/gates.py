"""The ratios that were promised, and what was measured of each: met, or what stands in the way.

A result is what `python -m bench` wrote as JSON; everything here is computed from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Result = dict[str, Any]
GATE_KEYS: Final = 10_000_000
LAYERS_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One promised figure. `found` is None where it was not measured, and `why_not` says why where
    there is a reason; `standing` is what it is made of. `by_processor` is the same ratio by
    processor time, which other work on the machine disturbs less than it does the clock."""

    name: str
    gate: float
    stretch: float
    found: float | None
    standing: str = ""
    why_not: str = ""
    by_processor: float | None = None
    is_ceiling: bool = False
    unit: str = ""

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        if self._holds(self.stretch):
            return "met, stretch too"
        return "met" if self._holds(self.gate) else "missed"

    def _holds(self, bound: float) -> bool:
        if self.found is None:
            return False
        return self.found <= bound if self.is_ceiling else self.found >= bound


def gates(result: Result) -> list[Gate]:
    """Every promised figure, in the order in which they were promised."""
    return [
        *_against_raw(result),
        *_against_rival(result),
        *_by_size(result),
        *_in_itself(result),
        _publishing(result),
    ]


# ── Finding rows ──────────────────────────────────────────────────────────────────────────────────


def sizes(result: Result) -> list[Result]:
    """Our store at each number of keys, the empty one first."""
    return sorted(result.get("ours", []), key=lambda size: int(size["keys"]))


def at_gate_size(result: Result) -> Result:
    """The size that is closest to ten million keys."""
    found = [size for size in sizes(result) if size.get("rows")]
    return min(found, key=lambda size: abs(int(size["keys"]) - GATE_KEYS), default={})


def largest(result: Result) -> Result:
    return sizes(result)[-1] if sizes(result) else {}


def row_of(side: Result, batch: int, connections: int = 0, duplicates: int = 0) -> Result:
    """The row with scattered keys; empty where there is none."""
    for row in side.get("rows", []):
        if (row["batch"], row["duplicates"], row["is_ordered"]) == (batch, duplicates, False) and (
            not connections or row["connections"] == connections
        ):
            return dict(row)
    return {}


def rate(row: Result) -> float | None:
    return row.get("events_per_second")


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _ratio_of_times(slower: Result, quicker: Result) -> float | None:
    """How many times the processor time of the second the first takes."""
    return ratio(slower.get("server_us_per_event"), quicker.get("server_us_per_event"))


# ── What the gates are ────────────────────────────────────────────────────────────────────────────


def _against_raw(result: Result) -> list[Gate]:
    size, raw = at_gate_size(result), result.get("raw", {})
    keys = f"{size.get('keys', 0):,} keys"
    decoded = raw.get("decoded_per_second", {})
    lone, crowd = row_of(size, 1, 1), row_of(size, 1, 64)
    noops = {row["connections"]: row for row in raw.get("noop", [])}
    noop = noops.get(64, {})
    return [
        Gate(
            name=f"batch {batch:,}, durable, deduplicated against {keys} and rolled up, "
            "beside msgspec's decoding on one core",
            gate=gate,
            stretch=stretch,
            found=ratio(rate(row_of(size, batch)), decoded.get(str(batch))),
            standing=_spent(result, row_of(size, batch), "1000"),
            by_processor=_ratio_of_times(
                {"server_us_per_event": 1e6 / decoded[str(batch)]} if decoded else {},
                row_of(size, batch),
            ),
        )
        for batch, gate, stretch in ((1_000, 0.12, 0.22), (100, 0.10, 0.18))
    ] + [
        Gate(
            name="batch 1 on 64 connections beside a no-op POST on the same server stack",
            gate=0.35,
            stretch=0.5,
            found=ratio(rate(crowd), rate(noop)),
            by_processor=_ratio_of_times(noop, crowd),
            standing=_spent(result, crowd, "1")
            + _sentence(noop, " The no-op takes {server_us_per_event:,.1f} µs."),
        ),
        Gate(
            name="batch 1 on 1 connection beside appends of 4 KiB with fdatasync",
            gate=0.35,
            stretch=0.5,
            found=ratio(rate(lone), raw.get("appends_per_second")),
            standing=_sentence(lone, "Half of the requests take more than {p50_ms:,.2f} ms")
            + _sentence(noops.get(1, {}), " (a no-op {p50_ms:,.2f})")
            + _sentence(raw, ", an append {0:,.2f} ms on average.", _append_ms),
        ),
    ]


def _append_ms(raw: Result) -> float:
    return float(1_000 / raw["appends_per_second"])


def _against_rival(result: Result) -> list[Gate]:
    size, rival = at_gate_size(result), result.get("rival", {})
    found = []
    for batch, gate, stretch in ((1, 5, 10), (100, 8, 12), (1_000, 8, 15)):
        connections = 64 if batch == 1 else 0
        ours, theirs = row_of(size, batch, connections), row_of(rival, batch, connections)
        told = "We do {events_per_second:,} events/s at {server_us_per_event:,.1f} µs of processor "
        standing = _sentence(ours, told + "time each") + _sentence(
            theirs, ", the rival {events_per_second:,} at {server_us_per_event:,.1f}."
        )
        found.append(
            Gate(
                name=f"batch {batch:,} beside the honest rival",
                gate=gate,
                stretch=stretch,
                found=ratio(rate(ours), rate(theirs)),
                standing=standing,
                why_not=rival.get("missing", ""),
                by_processor=_ratio_of_times(theirs, ours),
            )
        )
    return found


def _by_size(result: Result) -> list[Gate]:
    found = sizes(result)
    empty, most = (found[0], found[-1]) if found else ({}, {})
    before, after = row_of(empty, 1_000), row_of(most, 1_000)
    queried = [size for size in found if size.get("queries")]
    small, large = (queried[0], queried[-1]) if len(queried) > 1 else ({}, {})
    counts = tuple(f"{int(size.get('keys', 0)):,}" for size in (small, large))
    return [
        Gate(
            name=f"{most.get('keys', 0):,} keys stored beside an empty store, batch 1,000",
            gate=0.75,
            stretch=0.9,
            found=ratio(rate(after), rate(before)) if most is not empty else None,
            by_processor=_ratio_of_times(before, after),
            standing=_sentence(before, "Empty, an event takes {server_us_per_event:,.1f} µs")
            + _sentence(after, " of processor time, then {server_us_per_event:,.1f}."),
        ),
        Gate(
            name=f"usage query at {counts[1]} events beside one at {counts[0]}, p99",
            gate=1.2,
            stretch=1.0,
            is_ceiling=True,
            found=ratio(_p99(large), _p99(small)),
            standing=_sentence(small.get("queries", {}), "p50 {p50_ms} ms, p99 {p99_ms}")
            + _sentence(large.get("queries", {}), "; then {p50_ms} and {p99_ms}."),
        ),
    ]


def _p99(size: Result) -> float | None:
    return size.get("queries", {}).get("p99_ms")  # type: ignore[no-any-return]


def _in_itself(result: Result) -> list[Gate]:
    size, most = at_gate_size(result), largest(result)
    known, new = row_of(size, 1_000, duplicates=100), row_of(size, 1_000)
    keys = f"{most.get('keys', 0):,} keys"
    return [
        Gate(
            name="nothing but duplicates beside none, batch 1,000",
            gate=0.5,
            stretch=0.8,
            found=ratio(rate(known), rate(new)),
            by_processor=_ratio_of_times(new, known),
            standing=_sentence(known, "A duplicate takes {server_us_per_event:,.1f} µs")
            + _sentence(new, ", a new event {server_us_per_event:,.1f}."),
        ),
        Gate(
            name=f"restart to ready after kill -9, {keys}",
            gate=30,
            stretch=5,
            is_ceiling=True,
            unit="s",
            found=most.get("ready_seconds"),
        ),
        Gate(
            name=f"on disk for an event, all in, {keys}",
            gate=60,
            stretch=30,
            is_ceiling=True,
            unit="bytes",
            found=most.get("bytes_per_event"),
            standing=_sentence(most, "The file holds {bytes_per_event} bytes an event."),
        ),
    ]


def _publishing(result: Result) -> Gate:
    hourly = result.get("hourly", {})
    sent = hourly.get("sent", {})
    return Gate(
        name=f"hourly run, {hourly.get('tenants', 0):,} tenants x {hourly.get('meters', 0)} "
        "meters: calls/s beside the sandbox's own ceiling",
        gate=0.8,
        stretch=0.95,
        found=ratio(sent.get("calls_per_second"), hourly.get("ceiling_calls_per_second")),
        standing=_sentence(
            sent,
            "{calls_per_second:,.0f} calls/s; our one process used {0:,.0f} µs of processor time "
            "to store the intent, call by Stripe's SDK and store the answer",
            _us_per_call,
        )
        + _sentence(
            hourly,
            "; the sandbox takes {ceiling_calls_per_second:,.0f}, a live account of Stripe 1,000.",
        )
        if sent
        else "",
    )


def _us_per_call(sent: Result) -> float:
    return float(sent["sending_processor_seconds"] / sent["calls"] * 1e6)


# ── What stands in the way ────────────────────────────────────────────────────────────────────────


def _spent(result: Result, row: Result, batch: str) -> str:
    """Of what the processor time of an event is made, by the profile."""
    told = _sentence(
        row,
        "{events_per_second:,} events/s with the server's core {server_share:.0%} busy, "
        "{server_us_per_event:,.1f} µs an event",
    )
    profile = result.get("profile", {}).get(batch, {})
    if not profile or not told:
        return f"{told}." if told else ""
    parts = [f"{p['share']:.0%} {p['name']}" for p in profile["layers"][:LAYERS_NAMED]]
    return f"{told}: {', '.join(parts)}."


def _sentence(found: Result, words: str, computed: Callable[[Result], float] | None = None) -> str:
    """The words, filled in; nothing where nothing was measured."""
    if not found:
        return ""
    return words.format(*(() if computed is None else (computed(found),)), **found)
