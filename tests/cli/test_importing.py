"""What an import counts, leaves out and refuses, and that it never counts twice."""

import gzip
import io
import sys
import zipfile

import pytest

HEADER = "tenant,code,key,quantity,occurred_at\n"
ROW = "acme,requests,k{n},5,2026-01-31T10:00:00Z\n"
ROWS = HEADER + "".join(ROW.format(n=n) for n in range(3))
FLIGHTS = """\
year,month,carrier,flight,time_hour,minute,air_time,tailnum
2013,1,acme,11,2013-01-01T10:00:00Z,75,227,N1
2013,1,acme,1,2013-01-01T10:00:00Z,59,NA,N2
2013,11,acme,1,2013-01-01T10:00:00Z,0,100,NA
"""
FLIGHT_OPTIONS = (
    *("--map", "tenant=carrier,key=year+month+carrier+flight", "--code", "flight"),
    *("--time", "time_hour + minute min", "--where", "air_time != NA", "--empty", "NA"),
    *("--properties", "air_time:number,tailnum"),
)


def imported(run, *arguments):
    ran = run("import", *arguments, "--json")
    (row,) = ran.rows
    return ran.code, row


def quantities(run):
    return {
        (row["tenant"], row["meter"]): row["quantity"]
        for row in run("usage", "--by", "total", "--json").rows
    }


def test_rows_are_counted_once_however_often_the_file_is_imported(ready, write):
    path = write("rows.csv", ROWS)

    assert imported(ready, path) == (0, imported_row(rows=3, recorded=3))
    assert imported(ready, path) == (0, imported_row(rows=3, duplicate=3))
    assert quantities(ready) == {("acme", "requests"): "15"}


def imported_row(**counts):
    none = ("rows", "recorded", "duplicate", "late", "conflict", "dead", "left_out")
    reasons = counts.pop("reasons", {})
    return {**dict.fromkeys(none, 0), **counts, "reasons": reasons}


def zipped(content: str, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", ROWS.encode()),
        ("rows.csv", b"\xef\xbb\xbf" + ROWS.replace("\n", "\r\n").encode()),
        ("rows.csv", ROWS.replace("acme", '"acme"').encode()),
        ("rows.tsv", ROWS.replace(",", "\t").encode()),
        ("rows.csv.gz", gzip.compress(ROWS.encode(), mtime=0)),
        ("rows.zip", zipped(ROWS, "rows.csv")),
    ],
    ids=["plain", "bom", "quoted", "tsv", "gz", "zip"],
)
def test_a_file_is_told_by_its_name(ready, write, name, content):
    assert imported(ready, write(name, content)) == (0, imported_row(rows=3, recorded=3))


def test_a_member_of_an_archive_is_named(ready, write):
    path = write("rows.zip", zipped(ROWS, "a.csv", "b.csv"))

    assert "a.csv, b.csv" in ready("import", path).err
    assert imported(ready, f"{path}::b.csv")[1]["recorded"] == 3


def test_standard_input_needs_its_format(ready, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ROWS.encode())))

    assert "--format" in ready("import", "-").err
    assert imported(ready, "-", "--format", "csv")[1]["recorded"] == 3


def test_columns_are_mapped_as_the_options_say(run, write):
    run("tenants", "add", "acme")
    run("meters", "add", "minutes", "--code", "flight", "--path", "air_time")
    run("meters", "add", "planes", "--code", "flight", "--aggregation", "count")

    code, row = imported(run, write("flights.csv", FLIGHTS), *FLIGHT_OPTIONS)

    assert (code, row) == (0, imported_row(rows=3, recorded=2, left_out=1))
    assert quantities(run) == {("acme", "minutes"): "327", ("acme", "planes"): "2"}
    windows = run("usage", "--by", "window", "--meter", "minutes", "--json").rows
    assert [(w["start"], w["quantity"]) for w in windows] == [
        ("2013-01-01T10:00:00Z", "100"),
        ("2013-01-01T11:00:00Z", "227"),
    ]


def test_a_key_of_several_columns_never_collides(run, write):
    run("tenants", "add", "acme")
    run("meters", "add", "flight", "--aggregation", "count")

    # Bare, month 1 with flight 11 and month 11 with flight 1 would both be 111.
    options = ("--map", "tenant=carrier,key=month+flight", *FLIGHT_OPTIONS[2:])
    imported(run, write("flights.csv", FLIGHTS), *options)

    assert quantities(run) == {("acme", "flight"): "2"}


def test_an_ndjson_line_is_a_report_in_any_shape(ready, write):
    lines = """\
{"tenant":"acme","code":"requests","key":"k1","quantity":1}

{"specversion":"1.0","id":"1","source":"s","type":"requests","subject":"acme","data":{"quantity":2}}
{"event":{"transaction_id":"t","external_subscription_id":"acme","code":"requests"}}
{"TenantID":"acme","ProductCode":"requests","Quantity":"4","Timestamp":1769853600000,"EventID":"e"}
"""

    assert imported(ready, write("reports.ndjson", lines))[1]["recorded"] == 4
    assert quantities(ready) == {("acme", "requests"): "8"}


def test_ndjson_objects_can_be_mapped_too(ready, write):
    lines = '{"who":"acme","n":1,"amount":0.1}\n{"who":"acme","n":2,"amount":0.2}\n{"who":"acme"}\n'
    options = ("--map", "tenant=who,key=n,quantity=amount", "--code", "requests")

    code, row = imported(ready, write("rows.ndjson", lines), *options)

    assert (code, row["recorded"], row["dead"]) == (1, 2, 1)
    assert quantities(ready) == {("acme", "requests"): "0.3"}


GOOD = ROW.format(n="good")
BAD_ROWS = {
    "empty tenant": (",requests,k,5,2026-01-31T10:00:00Z", "/tenant"),
    "unknown tenant": ("nobody,requests,k,5,2026-01-31T10:00:00Z", "/tenant"),
    "unknown code": ("acme,nothing,k,5,2026-01-31T10:00:00Z", "/code"),
    "empty code": ("acme,,k,5,2026-01-31T10:00:00Z", "/code"),
    "empty key": ("acme,requests,,5,2026-01-31T10:00:00Z", "/key"),
    "negative": ("acme,requests,k,-5,2026-01-31T10:00:00Z", "/quantity"),
    "empty quantity": ("acme,requests,k,,2026-01-31T10:00:00Z", "/quantity"),
    "NaN": ("acme,requests,k,NaN,2026-01-31T10:00:00Z", "/quantity"),
    "exponent bomb": ("acme,requests,k,1e999999999,2026-01-31T10:00:00Z", "/quantity"),
    "40 digits": (f"acme,requests,k,{'9' * 40},2026-01-31T10:00:00Z", "/quantity"),
    "a word": ("acme,requests,k,five,2026-01-31T10:00:00Z", "/quantity"),
    "naive time": ("acme,requests,k,5,2026-01-31T10:00:00", "/occurred_at"),
    "impossible time": ("acme,requests,k,5,2026-02-31T10:00:00Z", "/occurred_at"),
    "future": ("acme,requests,k,5,2999-01-31T10:00:00Z", "/occurred_at"),
    "empty time": ("acme,requests,k,5,", "/occurred_at"),
    "broken UTF-8": (b"acme,requests,k\xff,5,2026-01-31T10:00:00Z", ""),
    "too few cells": ("acme,requests", ""),
    "too many cells": ("acme,requests,k,5,2026-01-31T10:00:00Z,more", ""),
    "open quote": ('acme,requests,"k,5,2026-01-31T10:00:00Z', ""),
    "NUL": ("acme,requests,k\0,5,2026-01-31T10:00:00Z", "/key"),
}


@pytest.mark.parametrize("bad", BAD_ROWS)
def test_a_bad_row_is_a_dead_letter_with_its_line_and_field_and_stops_nothing(ready, write, bad):
    row, pointer = BAD_ROWS[bad]
    raw = row if isinstance(row, bytes) else row.encode()
    content = HEADER.encode() + raw + b"\n" + GOOD.encode()

    code, summary = imported(ready, write("rows.csv", content))

    assert (code, summary["recorded"], summary["dead"]) == (1, 1, 1)
    (letter,) = ready("dead-letters", "list", "--json").rows
    assert letter["origin"] == "rows.csv:2"
    assert letter["errors"][0]["pointer"] == pointer
    assert len(letter["errors"][0]["detail"].split()) > 4
    assert quantities(ready) == {("acme", "requests"): "5"}


def test_a_key_with_other_content_is_a_conflict(ready, write):
    imported(ready, write("rows.csv", ROWS))

    code, row = imported(ready, write("rows.csv", ROWS.replace(",5,", ",6,")))

    assert (code, row["conflict"]) == (1, 3)
    assert quantities(ready) == {("acme", "requests"): "15"}


def test_a_value_path_that_is_not_there_is_named(ready, write):
    ready("meters", "add", "bytes", "--code", "requests", "--path", "size.bytes")

    code, row = imported(ready, write("rows.csv", ROWS))

    assert (code, row["reasons"]) == (1, {"invalid": 3})
    assert "/size/bytes is missing" in ready("dead-letters", "list").out


def test_a_line_of_50_megabytes_is_a_dead_letter_with_its_size(ready, write):
    long = b'{"tenant":"' + b"a" * 50_000_000 + b'"}'
    size = len(long)
    good = b'{"tenant":"acme","code":"requests","key":"k1"}'

    code, row = imported(ready, write("rows.ndjson", long + b"\n" + good + b"\n"))

    assert (code, row["recorded"], row["dead"]) == (1, 1, 1)
    (letter,) = ready("dead-letters", "list", "--json").rows
    assert f"{size} bytes" in letter["errors"][0]["detail"]
    assert len(letter["body"]) == 4096


def test_a_cell_in_quotes_may_span_lines_and_later_lines_keep_their_numbers(ready, write):
    content = HEADER + 'acme,requests,"a\nb",5,2026-01-31T10:00:00Z\n,requests,k,5,\n'

    imported(ready, write("rows.csv", content))

    assert [r["origin"] for r in ready("dead-letters", "list", "--json").rows] == ["rows.csv:4"]


def test_an_unknown_option_is_no_file(ready, write):
    assert "unknown option '--maps'" in ready("import", write("rows.csv", ROWS), "--maps", "x").err


def test_a_blank_line_inside_a_cell_is_kept(ready, write):
    content = 'tenant,code,key,note\nacme,requests,k,"a\n\nb"\n\n'

    imported(ready, write("rows.csv", content), "--properties", "note")
    same = '{"tenant":"acme","code":"requests","key":"k","properties":{"note":"a\\n\\nb"}}'
    assert imported(ready, write("same.ndjson", same))[1]["duplicate"] == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--map", "tenant"), "is not FIELD=COLUMN"),
        (("--map", "who=tenant"), "the fields are tenant"),
        (("--map", "tenant=key+code"), "only a key"),
        (("--map", "tenant=absent"), "there is no column 'absent'"),
        (("--where", "quantity"), "is not COLUMN OPERATOR VALUE"),
        (("--time", "occurred_at + minute"), "units are us, ms, s"),
        (("--time", "occurred_at minutes"), "units are us, ms, s"),
        (("--properties", "quantity:float"), "types are text, number, boolean"),
        (("--code", "requests", "--map", "code=code"), "not by both"),
        (("--format", "xml"), "--format"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_before_anything_is_counted(
    ready, write, options, complaint
):
    ran = ready("import", write("rows.csv", ROWS), *options)

    assert ran.code == 2
    assert complaint in ran.err
    assert quantities(ready) == {}


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("quantity > 5", 0),
        ("quantity >= 5.0", 3),
        ("quantity < 1e1", 3),
        ("quantity <= 4", 0),
        ("key = k1", 1),
        ("key != k1", 2),
        ('key == "k1"', 1),
        ("key > 1", 0),
    ],
)
def test_a_row_filter_compares_text_and_numbers(ready, write, condition, kept):
    _, row = imported(ready, write("rows.csv", ROWS), "--where", condition)

    assert (row["recorded"], row["left_out"]) == (kept, 3 - kept)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv.gz", b"no gzip"),
        ("rows.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-9]),
        ("rows.zip", b"no zip"),
        ("rows.csv", b"\xff\n"),
        ("rows.csv", b"a,a\n1,2\n"),
        ("rows.csv", b"a,b\n1,2\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_sentence(ready, write, name, content):
    ran = ready("import", write(name, content))

    assert ran.code == 2
    assert ran.err.startswith("tallystick: ")
    assert ran.err.count("\n") == 1


def test_a_file_that_is_not_there_is_one_clear_sentence(ready):
    ran = ready("import", "absent.csv")

    assert (ran.code, "absent.csv: cannot be read" in ran.err) == (2, True)


def test_what_came_from_outside_cannot_steer_the_terminal(ready):
    ready("tenants", "add", "acme", "--name", "\x1b[2Jacme")

    assert "\\x1b[2Jacme" in ready("tenants", "list").out


def test_letters_of_an_import_are_counted_when_their_tenant_is_added(run, write):
    run("meters", "add", "requests")
    imported(run, write("rows.csv", ROWS))

    assert "3 of 3 dead letters" in run("tenants", "add", "acme").err
    assert quantities(run) == {("acme", "requests"): "15"}
    assert run("dead-letters", "list").code == 0


def test_letters_of_an_import_are_counted_when_their_meter_is_added(run, write):
    run("tenants", "add", "acme")
    imported(run, write("rows.csv", ROWS))

    assert "3 of 3 dead letters" in run("meters", "add", "requests").err
    assert imported(run, write("rows.csv", ROWS)) == (0, imported_row(rows=3, duplicate=3))
    assert quantities(run) == {("acme", "requests"): "15"}
