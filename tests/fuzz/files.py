"""Targets: files that `tallystick import` reads, and the words that say what their columns are."""

import io

from tallystick.domain.errors import InvalidReport, InvalidSetting
from tallystick.domain.report import parse_report
from tallystick.entrypoints.cli.columns import mapping_for_header, parse_mapping, report_of
from tallystick.entrypoints.cli.sources import lines, records
from tests.fuzz.reports import NOW


def csv_file(raw: bytes) -> None:
    """Every line of a CSV file ends in a record or in a refusal, and none is read twice."""
    total = sum(1 for line in lines(io.BytesIO(raw)) if line.body)
    header: tuple[str, ...] | None = None
    last = 0
    for record in records(io.BytesIO(raw), ","):
        assert record.number > last
        last = record.number
        assert (record.refused is None) == bool(record.cells)
        if record.refused is not None:
            continue
        if header is None:
            header = record.cells
        else:
            _report(dict(zip(header, record.cells, strict=False)))
    assert last <= raw.count(b"\n") + raw.count(b"\r") + 1
    assert bool(total) == bool(last)


def _report(row: dict[str, object]) -> None:
    try:
        mapping = mapping_for_header(parse_mapping(), row)
        parse_report(report_of(row, mapping), NOW)
    except (InvalidSetting, InvalidReport):
        return


def column_mapping(raw: bytes) -> None:
    """The options of an import: assignments, time, condition, properties and a row, by line."""
    text = raw.decode("utf-8", "replace")
    parts = (text.split("\n", 4) + [""] * 5)[:5]
    assignment, time, condition, properties, cells = parts
    row: dict[str, object] = dict.fromkeys(("tenant", "key", "n", "at"), cells)
    try:
        mapping = parse_mapping(
            assignments=[assignment] if assignment else [],
            code="calls" if "code" not in assignment else None,
            time=time or None,
            where=[condition] if condition else [],
            properties=properties or None,
        )
        whole = mapping_for_header(mapping, row)
        if whole.keeps(row):
            parse_report(report_of(row, whole), NOW)
    except (InvalidSetting, InvalidReport):
        return
