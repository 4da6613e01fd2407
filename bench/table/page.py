"""docs/performance.md and its picture, written from the results that are kept.

python -m bench.table.page
"""

import json
from pathlib import Path
from typing import Final

from bench.table.gates import Result, at_gate_size, gates, row_of
from bench.table.machine import ROOT
from bench.table.plot import Bar, Group, bars
from bench.table.tables import Table, hourly, in_the_way, latencies, profiles, ratios, raw, rows
from bench.table.tables import stored as stored_sizes

RESULTS: Final = ROOT / "bench" / "results"
PAGE: Final = ROOT / "docs" / "performance.md"
PICTURE: Final = ROOT / "docs" / "performance.svg"
FORMS: Final = ("short", "full")
COMPARED: Final = ((1, 64), (100, 16), (1_000, 8))

OPENING: Final = """# Performance

How fast Tallystick takes events that are durable, deduplicated for ever and totalled when it
answers; beside what the machine can do at all, and beside what a good team would build on
PostgreSQL. Run it yourself:

```sh
make bench              # about ten minutes
make bench FORM=full    # a hundred million keys, 100,000 tenants: hours
python -m bench --help  # a part of it, or other sizes
```

This page and its picture are written by `python -m bench.table.page` from the results in
[`bench/results`](../bench/results); no figure in it is typed by hand. Ratios are of one run.
"""

METHOD: Final = """
## How it is measured

- **Every row proves itself.** The server is killed with `kill -9` while every connection has a
  request under way, and started again. Then what each connection was answered last, and events
  drawn from all that were ever sent, must come back as duplicates; what was not answered is sent
  again; and the totals, events and quantities, must be those of every event that was ever sent,
  once. A row of which that is not so ends the run.
- The server has one core, the load generator the other; the rival's PostgreSQL shares the core of
  its service. The share that each took is in the table: a generator near 100 % is the limit of the
  generator.
- An event is a CloudEvent of about 190 bytes with a quantity and one property, from 200 tenants on
  five meters. Keys are scattered, as UUIDs are, unless a row says otherwise. Stored keys belong to
  the 24 hours before, stored and sealed before the server starts.
- Rates are of connections that send again when they were answered. Latencies are of an open loop:
  requests are due at moments drawn from a seed, whatever the server does, and a request's time runs
  from when it was due.
- Processor time is the server's, of all its processes and threads. On a machine that does other
  work it says more than the clock does.
- The profile is py-spy's: each sample is given to the innermost function of ours on its stack, or
  to the server stack where there is none; threads that wait are left out.

- The hourly run seals, and tells the sandbox by Stripe's own SDK without our pacing; it has the
  server's core, the sandbox the other. Its ceiling is what it takes, just before, from a load
  generator in our place. The run is killed with `kill -9` after a quarter of the slots, and another
  goes on; at the end the sandbox must hold in each slot what was reported, all of it confirmed.

## The rival

[`bench/rival`](../bench/rival): FastAPI, pydantic, asyncpg and Debian's PostgreSQL on a cluster of
its own. One statement for a request: the events whose key is new by `INSERT … SELECT unnest … ON
CONFLICT DO NOTHING RETURNING`, and from them the rollup, in one transaction with
`synchronous_commit` on. uvicorn with uvloop and httptools, pydantic straight from the bytes, 16
pooled connections with prepared statements, keys looked up by their digest and remembered for two
seconds, as ours are. PostgreSQL has 2 GB of shared buffers and room for 8 GB of log between
checkpoints, and writes no log for a replica (`SETTINGS` in `cluster.py`). It is filled by `COPY`
with its index built afterwards, at most with ten million keys. It writes no log of its requests,
where ours does. It does less: it tells
no conflict from a duplicate, refuses a batch for one bad event, and has no ledger, no windows by a
tenant's time zone and no lineage.
"""


QUIET: Final = 1.0
"""A load average up to which a machine of two cores is taken for quiet."""

BUSY: Final = (
    "**The machine did other work meanwhile: ratios by the clock say little, those by processor "
    "time more.**"
)


def kept() -> list[Result]:
    """The results of this folder, the short form first."""
    paths = [RESULTS / f"{form}.json" for form in FORMS]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def page(results: list[Result]) -> str:
    """The whole page."""
    parts = [OPENING, *(_of(result) for result in results), METHOD.strip() + "\n"]
    return "\n".join(parts)


def _of(result: Result) -> str:
    name = "The full form" if result["form"] == "full" else "The short form"
    parts = [f"## {name}", _machine(result), ratios(result).markdown(), _missed(result)]
    if result.get("ours"):
        parts.append(f"![Events a second of both, by batch]({PICTURE.name})")
    sections = (
        ("Raw limits", raw(result)),
        ("Rows", rows(result)),
        ("Latency", latencies(result)),
        ("Size", stored_sizes(result)),
        ("The hourly run", hourly(result)),
        *((table.title, table) for table in profiles(result)),
    )
    parts += [_section(title, table) for title, table in sections if table.rows]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, table: Table) -> str:
    return f"### {title}\n\n{table.markdown()}"


def _missed(result: Result) -> str:
    lines = [f"- *{gate.name}*: {told}" for gate in gates(result) if (told := in_the_way(gate))]
    return (
        "What stands in the way of those that are not met:\n\n" + "\n".join(lines) if lines else ""
    )


def _machine(result: Result) -> str:
    found = result["machine"]
    rival = result.get("rival", {})
    rest = rival.get("version") or rival.get("missing", "")
    return (
        f"{found['at']}, commit `{found['commit']}`, {result.get('minutes', 0)} minutes, load "
        f"average {found['load_average_at_start']} before it. {found['cores']} cores of "
        f"{found['processor']}, {found['memory_gib']} GiB, {found['file_system']}, "
        f"{found['system']}, Python {found['python']}, SQLite {found['sqlite']}, "
        f"uvicorn {found['uvicorn']}"
        + (f"; {rest}." if rest else ".")
        + (f" {BUSY}" if found["load_average_at_start"] > QUIET else "")
    )


def picture(result: Result) -> str:
    """Both sides by batch, and what msgspec decodes."""
    ours, theirs = at_gate_size(result), result.get("rival", {})
    decoded = result.get("raw", {}).get("decoded_per_second", {})
    groups = []
    for batch, connections in COMPARED:
        values = (
            row_of(ours, batch, connections).get("events_per_second", 0),
            row_of(theirs, batch, connections).get("events_per_second", 0),
            decoded.get(str(batch), 0),
        )
        shown = tuple(Bar(series, value) for series, value in enumerate(values) if value)
        groups.append(Group(f"batch {batch:,}", shown))
    legend = ("Tallystick", "the rival", "msgspec decodes")
    return bars(f"Events a second, {ours.get('keys', 0):,} keys stored", legend, groups)


def write_page() -> Path:
    """Write both; the picture is of the last result that has both sides."""
    results = kept()
    PAGE.write_text(page(results), encoding="utf-8")
    shown = [result for result in results if result.get("ours")]
    if shown:
        PICTURE.write_text(picture(shown[-1]), encoding="utf-8")
    return PAGE


if __name__ == "__main__":
    print(write_page())
