"""A result as tables: for the terminal, and for the page. No figure stands anywhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.table.gates import Gate, Result, gates, sizes

LATENCIES: Final = ("p50_ms", "p99_ms", "p999_ms")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under a header; what is said before it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def plain(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.header, *self.rows)
        ]
        return "\n".join([f"── {self.title}", *lines])

    def markdown(self) -> str:
        rule = tuple("---" for _ in self.header)
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows))


def tables(result: Result) -> list[Table]:
    """All that the result has, the ratios first."""
    found = [ratios(result), raw(result), rows(result), latencies(result), stored(result)]
    found += [hourly(result), *profiles(result)]
    return [table for table in found if table.rows]


def printed(result: Result) -> str:
    text = "\n\n".join(table.plain() for table in tables(result))
    standing = [f"* {gate.name}: {told}" for gate in gates(result) if (told := in_the_way(gate))]
    return "\n".join(["", text, "", *standing, ""])


def in_the_way(gate: Gate) -> str:
    """What is told of a gate that is not met."""
    if gate.found is None:
        return gate.why_not
    return "" if gate.verdict.startswith("met") else gate.standing


def ratios(result: Result) -> Table:
    shown = tuple(
        (
            *(gate.name, _bound(gate.gate, gate), _bound(gate.stretch, gate), _found(gate)),
            *("" if gate.by_processor is None else f"{gate.by_processor:.3g}", gate.verdict),
        )
        for gate in gates(result)
    )
    header = ("what", "gate", "stretch", "found", "by processor time", "")
    return Table("Ratios", header, shown)


def _bound(value: float, gate: Gate) -> str:
    return f"{'≤' if gate.is_ceiling else '≥'} {value:g} {gate.unit}".rstrip()


def _found(gate: Gate) -> str:
    if gate.found is None:
        return "—"
    return f"{gate.found:.3g} {gate.unit}".rstrip() if gate.found < 1_000 else f"{gate.found:,.0f}"


def raw(result: Result) -> Table:
    found = result.get("raw")
    if not found:
        return Table("", (), ())
    lines = [("appends of 4 KiB with fdatasync", f"{found['appends_per_second']:,}/s", "")]
    for batch, rate in found["decoded_per_second"].items():
        name = f"msgspec decodes and checks batches of {int(batch):,}, one core"
        lines.append((name, f"{rate:,} events/s", ""))
    for row in found["noop"]:
        name = f"no-op POST, {row['name'].partition(', ')[2]}"
        rate = f"{row['events_per_second']:,}/s"
        lines.append((name, rate, f"{row['server_us_per_event']} µs of processor time each"))
    return Table("Raw limits", ("what", "rate", ""), tuple(lines))


def rows(result: Result) -> Table:
    """Every row of both sides."""
    header = (
        *("who, keys stored", "what", "events/s", "µs of processor time an event"),
        *("server's core", "generator's", "p50 ms", "p99 ms"),
    )
    return Table(
        "Rows",
        header,
        tuple(
            (
                *(who, row["name"], f"{row['events_per_second']:,}"),
                *(f"{row['server_us_per_event']:,.1f}", f"{row['server_share']:.0%}"),
                *(f"{row['generator_share']:.0%}", f"{row['p50_ms']:,.2f}"),
                f"{row['p99_ms']:,.2f}",
            )
            for who, side in sides(result)
            for row in side.get("rows", [])
        ),
    )


def sides(result: Result) -> Iterable[tuple[str, Result]]:
    for size in sizes(result):
        yield f"Tallystick, {size['keys']:,}", size
    rival = result.get("rival", {})
    if "keys" in rival:
        yield f"rival, {rival['keys']:,}", rival


def latencies(result: Result) -> Table:
    """At half of the measured throughput, from the moment each request was due."""
    return Table(
        "Latency at half of the measured throughput, open loop",
        ("who, keys stored", "what", "events/s", "p50 ms", "p99 ms", "p99.9 ms"),
        tuple(
            (
                *(who, found["name"], f"{found['events_per_second']:,}"),
                *(f"{found[name]:,.2f}" for name in LATENCIES),
            )
            for who, side in sides(result)
            for found in side.get("latency", [])
        ),
    )


def stored(result: Result) -> Table:
    """What a number of keys costs."""
    found = [size for size in sizes(result) if "queries" in size]
    lines = [
        (
            *(f"{size['keys']:,} of {size['keys_asked']:,} asked", f"{size['fill_seconds']:,} s"),
            *(f"{size['bytes_per_event']:,}", f"{size['ready_seconds']:,.2f} s"),
            f"{size['memory_mib']['VmRSS']:,}, {size['memory_mib']['VmHWM']:,}",
            f"{size['queries']['p50_ms']:,.2f}, {size['queries']['p99_ms']:,.2f}",
        )
        for size in found
    ]
    header = ("keys stored", "stored in", "bytes an event", "restart to ready")
    memory = "MiB in memory, at its highest"
    return Table("Size", (*header, memory, "usage query of 24 hours: p50, p99 ms"), tuple(lines))


def hourly(result: Result) -> Table:
    found = result.get("hourly")
    if not found:
        return Table("", (), ())
    sent, confirmed = found["sent"], found["confirmed"]
    size = f"{found['tenants']:,} x {found['meters']}"
    lines = (
        ("tenants x meters, slots", f"{size}, {found['slots']:,}"),
        ("sandbox's own ceiling", f"{found['ceiling_calls_per_second']:,} calls/s"),
        ("sealed, before the first was told", f"{found['killed']['sealing_seconds']:,} s"),
        ("killed with kill -9 after telling", f"{found['killed']['told']:,} slots"),
        ("the next run: told the rest", _run(sent)),
        ("read back and confirmed all, hours later", _run(confirmed)),
        ("of the slots of a tenant 200 hours behind, told when half of the others' were",
         f"{found['huge_share_told_at_half']:.0%} (50 % is in turn)"),
    )  # fmt: skip
    return Table("Hourly run", ("what", "found"), lines)


def _run(found: Result) -> str:
    words = f"{found['seconds']:,} s, {found['memory_mib']:,} MiB at its highest"
    if "calls_per_second" in found:
        words += f"; {found['calls']:,} slots told, {found['calls_per_second']:,} a second"
    return words


def profiles(result: Result) -> Sequence[Table]:
    found = result.get("profile", {})
    return [
        Table(
            f"Where the microseconds go, batch {int(batch):,}: by {kind}",
            (kind.rstrip("s"), "share", "µs an event"),
            tuple(
                (part["name"], f"{part['share']:.0%}", f"{part['us_per_event']:,.2f}")
                for part in found[batch][kind]
            ),
        )
        for batch in found
        if batch != "missing"
        for kind in ("layers", "functions")
    ]
