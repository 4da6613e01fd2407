"""`tallystick import`: usage from files, each row counted once however often a file is imported."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from tallystick.bootstrap import App as Opened
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.errors import InvalidReport, InvalidSetting
from tallystick.domain.event import Receipt
from tallystick.entrypoints.cli.columns import (
    Row,
    RowMapping,
    mapping_for_header,
    parse_mapping,
    report_of,
)
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    intake,
    open_app,
)
from tallystick.entrypoints.cli.sources import Line, Source, lines, open_source, records
from tallystick.entrypoints.cli.tables import say, show
from tallystick.stages.decoding import decode, unreadable
from tallystick.stages.ingesting import Outcome, Report, ingest

BATCH: Final = 2_000
LETTERS_SHOWN: Final = 5
_NOT_CLEAN: Final = ("conflict", "dead")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """How the rows of a CSV file, or the objects of an NDJSON file, become reports."""

    map: Annotated[
        tuple[str, ...],
        Parameter(
            name="--map",
            negative="",
            help="FIELD=COLUMN[+COLUMN…], comma-separated: tenant=account,key=day+id. "
            "Fields: tenant, code, key, quantity, occurred_at, voids.",
        ),
    ] = ()
    code: Annotated[str | None, Parameter(help="The code of every row.")] = None
    time: Annotated[
        str | None,
        Parameter(
            name=["--time", "--time-column"],
            help="COLUMN [UNIT] [+ COLUMN UNIT…]: 'time_hour + minute min'. "
            "Without a unit the column is RFC 3339; units: us, ms, s, min, h, d.",
        ),
    ] = None
    where: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="Only rows for which it holds: 'air_time != NA'. Repeatable."),
    ] = ()
    properties: Annotated[
        str | None,
        Parameter(
            help="COLUMN[:text|number|boolean],… to keep; every column not used else if not given."
        ),
    ] = None
    empty: Annotated[
        tuple[str, ...], Parameter(negative="", help="A cell with this text is empty. Repeatable.")
    ] = ()

    def mapping(self) -> RowMapping:
        return parse_mapping(
            assignments=self.map,
            code=self.code,
            time=self.time,
            where=self.where,
            properties=self.properties,
            empty=self.empty,
        )

    @property
    def is_given(self) -> bool:
        return self != RowOptions()


NO_OPTIONS: Final = RowOptions()


@dataclass(slots=True)
class ImportTally:
    """What became of the rows so far."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    letters: list[DeadLetter] = field(default_factory=list)

    def note(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, DeadLetter):
                self.counts["dead"] += 1
                self.reasons[outcome.reason] += 1
                if len(self.letters) < LETTERS_SHOWN:
                    self.letters.append(outcome)
            else:
                self.counts[outcome.receipt] += 1

    @property
    def code(self) -> int:
        return NEEDS_A_PERSON if any(self.counts[kind] for kind in _NOT_CLEAN) else CLEAN

    def row(self) -> dict[str, object]:
        receipts = {str(receipt): self.counts[receipt] for receipt in Receipt}
        out = {"dead": self.counts["dead"], "left_out": self.counts["left_out"]}
        return {"rows": self.counts.total(), **receipts, **out}


def register(app: App) -> None:
    app.command(import_files, name="import")


def import_files(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True, help="In this order.")],
    rows: RowOptions = NO_OPTIONS,
    file_format: Annotated[
        Literal["csv", "tsv", "ndjson"] | None,
        Parameter(name="--format", help="Told by the file's name if not given."),
    ] = None,
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Count the usage in files: CSV, TSV or NDJSON, also as .gz or .zip; `-` is standard input.

    Importing a file again counts nothing twice: each row has a key. After a crash, import again.
    A row that cannot be counted becomes a dead letter and does not stop the others.

    An NDJSON line is a report in any shape that Tallystick reads (CloudEvents, Lago's, …), unless
    options say how to map it.
    """
    if not files:
        raise InvalidSetting("name at least one file to import, or - for standard input")
    unknown = [file for file in files if file.startswith("-") and file != "-"]
    if unknown:
        raise InvalidSetting(
            f"unknown option {unknown[0]!r}; `tallystick import --help` lists them"
        )
    tally = ImportTally()
    with open_app(store, at) as app:
        for file in files:
            with open_source(file, file_format) as source, _progress(source) as on_progress:
                _import_source(source, rows, app, tally, on_progress)
    _show_summary(tally, as_json=as_json)
    return tally.code


def _import_source(
    source: Source,
    options: RowOptions,
    app: Opened,
    tally: ImportTally,
    on_progress: Callable[[int], None],
) -> None:
    into = intake(app)
    reports = reports_in(source, options, tally.counts)
    while batch := list(islice(reports, BATCH)):
        tally.note(ingest(batch, into, app.clock.now()))
        on_progress(source.stream.tell() if source.stream.seekable() else 0)


# ── From a file to reports ────────────────────────────────────────────────────────────────────────


def reports_in(source: Source, options: RowOptions, counts: Counter[str]) -> Iterator[Report]:
    """The source's reports; rows that --where leaves out are only counted."""
    if source.kind == "ndjson":
        return _ndjson_reports(source, options, counts)
    return _csv_reports(source, options, counts)


def _ndjson_reports(source: Source, options: RowOptions, counts: Counter[str]) -> Iterator[Report]:
    mapping = options.mapping() if options.is_given else None
    for line in lines(source.stream):
        origin = f"{source.name}:{line.number}"
        if not line.body:
            continue
        if mapping is None or line.refused is not None:
            yield Report(origin=origin, body=line.body, refused=line.refused)
            continue
        try:
            row = _row_of(line)
            whole = mapping_for_header(mapping, row)
        except InvalidReport as error:
            yield Report(origin=origin, body=line.body, refused=error)
            continue
        except InvalidSetting as error:
            refused = unreadable("missing_column", str(error))
            yield Report(origin=origin, body=line.body, refused=refused)
            continue
        yield from _mapped(row, whole, origin, counts)


def _row_of(line: Line) -> Row:
    row = decode(line.body)
    if not isinstance(row, dict):
        raise unreadable("not_an_object", "the line must be a JSON object")
    return row


def _csv_reports(source: Source, options: RowOptions, counts: Counter[str]) -> Iterator[Report]:
    found = records(source.stream, "\t" if source.kind == "tsv" else ",")
    header = next(found, None)
    if header is None:
        return
    if header.refused is not None:
        raise InvalidSetting(f"{source.name}: the header cannot be read: {header.refused}")
    names = tuple(name.strip() for name in header.cells)
    if len(set(names)) < len(names):
        raise InvalidSetting(f"{source.name}: two columns of the header have the same name")
    mapping = mapping_for_header(options.mapping(), names)
    for record in found:
        origin = f"{source.name}:{record.number}"
        if record.refused is not None:
            yield Report(origin=origin, body=record.raw, refused=record.refused)
        elif len(record.cells) != len(names):
            detail = f"the row has {len(record.cells)} cells and the header {len(names)}"
            yield Report(origin=origin, body=record.raw, refused=unreadable("cells", detail))
        else:
            yield from _mapped(dict(zip(names, record.cells, strict=True)), mapping, origin, counts)


def _mapped(row: Row, mapping: RowMapping, origin: str, counts: Counter[str]) -> Iterator[Report]:
    """The row's report, unless it is left out."""
    if not mapping.keeps(row):
        counts["left_out"] += 1
        return
    try:
        yield Report(origin=origin, body=report_of(row, mapping))
    except InvalidReport as error:
        # Wrapped, so that a replay never takes the raw row for a report that it looks like.
        yield Report(origin=origin, body={"row": dict(row)}, refused=error)


# ── What the person sees ──────────────────────────────────────────────────────────────────────────


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import, and a pipe needs none)
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(source.name, total=source.size)
        yield lambda position: bar.update(task, completed=position)


def _show_summary(tally: ImportTally, *, as_json: bool) -> None:
    summary = tally.row()
    if as_json:
        summary |= {"reasons": {str(reason): n for reason, n in tally.reasons.items()}}
    show([summary], as_json=as_json)
    for letter in tally.letters:
        say(f"dead letter {letter.origin}: {letter.reason}: {letter.errors[0].detail}")
    hidden = tally.counts["dead"] - len(tally.letters)
    if hidden > 0:
        say(f"… and {hidden} more; `tallystick dead-letters list` shows them all")
    if tally.counts["conflict"]:
        say("a key was used again with other content: `tallystick dead-letters list` shows it")
