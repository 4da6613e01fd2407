"""The commands that say who is billed for what, and what they answer to a mistake."""

import os

import pytest

from tallystick.domain.errors import (
    InvalidReport,
    InvalidSetting,
    InvariantViolated,
    NotFound,
    PublisherMisconfigured,
    PublisherUnavailable,
    StoreUnavailable,
    TallystickError,
)
from tallystick.entrypoints.cli.main import COMMANDS, guarded

NOW = ("--at", "2026-01-31T12:00:00Z")
LATER = ("--at", "2026-02-10T12:00:00Z")
VOIDED = ("--tenant", "acme", "--event-key", "k1")
EVENT = '{"tenant":"acme","code":"requests","key":"%s","quantity":%s,"occurred_at":"%s"}\n'


def test_a_tenant_has_a_zone_an_anchor_and_an_interval(run):
    added = ("--zone", "America/New_York", "--anchor", "2026-01-15", "--interval", "3 months")
    run("tenants", "add", "acme", "--name", "Acme", *added, *NOW)

    (row,) = run("tenants", "list", "--json", *NOW).rows

    assert row == {
        "tenant": "acme",
        "name": "Acme",
        "zone": "America/New_York",
        "interval": "3 months",
        "period_start": "2026-01-15T05:00:00Z",
        "period_end": "2026-04-15T05:00:00Z",
        "mappings": 0,
    }


def test_new_terms_hold_from_the_next_period_and_the_same_again_change_nothing(run):
    run("tenants", "add", "acme", *NOW)

    changed = run("tenants", "add", "acme", "--zone", "Asia/Tokyo", *NOW)
    again = run("tenants", "add", "acme", "--zone", "Asia/Tokyo", *NOW)

    assert "hold from 2026-02-01T00:00:00Z" in changed.err
    assert "is so already" in again.err
    rows = run("tenants", "show", "acme", "--json").rows
    assert [row["zone"] for row in rows] == ["UTC", "Asia/Tokyo"]


def test_an_anchor_inside_an_hour_is_pointed_out(run):
    ran = run("tenants", "add", "acme", "--anchor", "2026-01-15T10:20:00Z", *NOW)

    assert ran.code == 0
    assert "anchor on a full hour" in ran.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("tenants", "add", "acme", "--zone", "Mars/Base"), "not an IANA zone"),
        (("tenants", "add", "acme", "--anchor", "soon"), "--anchor: 'soon'"),
        (("tenants", "add", "acme", "--interval", "fortnight"), "--interval"),
        (("tenants", "add", " acme"), "printable characters"),
        (("tenants", "add", "acme", "--at", "now"), "--at: 'now' is not an RFC 3339"),
        (("tenants", "add"), "requires an argument"),
        (("tenants", "ad"), "Did you mean"),
        (("tenants", "show", "nobody"), "tallystick tenants list"),
        (("meters", "add", "m", "--aggregation", "median"), "--aggregation"),
        (("meters", "add", "m", "--filter", "region"), "PATH OPERATOR VALUE"),
        (("meters", "add", "m", "--filter", "region like eu"), "use eq, ne"),
        (("meters", "add", "m", "--filter", "size gt big"), "number"),
        (("meters", "show", "absent"), "tallystick meters list"),
        (("usage", "--tenant", "nobody"), "no tenant 'nobody'"),
        (("usage", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"), "--from"),
        (("void", "--tenant", "x", "--event-key", "k", "--why", "w"), "no tenant 'x'"),
        (("pause", "--tenant", "x", "--why", "w"), "no tenant 'x'"),
        (("pause",), "--why"),
        (("dead-letters", "replay", "absent"), "no open dead letter"),
        (("usage", "--store", "dynamodb://"), "names no table"),
        (("usage", "--store", "postgres://host/db"), "none that we know"),
        (("usage", "--store", "sqlite:file.db"), "names no file"),
        (("usage", "--store", "sqlite:///u.db?key_memory_mb=0"), "1 to 99999"),
        (("usage", "--store", "sqlite:///u.db?cache=shared"), "key_memory_mb"),
        (("usage", "--store", "sqlite:///?key_memory_mb=9"), "names no file"),
        (("usage", "--store", "sqlite:///absent.db"), "there is no store at absent.db"),
        (("mappings", "add", "--tenant", "acme", "--meter", "requests"), "one of them"),
    ],
)
def test_a_mistake_is_one_clear_sentence_and_exit_code_2(ready, arguments, complaint):
    ran = ready(*arguments)

    assert ran.code == 2
    assert complaint in ran.err
    assert ran.err.startswith("tallystick: ")
    assert ran.err.count("\n") == 1


def test_a_meter_says_what_it_reads_and_how(ready):
    ready(
        *("meters", "add", "peak", "--code", "requests", "--aggregation", "max", "--span", "day"),
        *("--path", "size.bytes", "--filter", "region in eu,us", "--filter", "size gt 5"),
        *("--dimension", "region", "--closed", "carry"),
    )

    (row,) = ready("meters", "show", "peak", "--json").rows

    assert row["filters"] == ["region in eu,us", "size gt 5"]
    assert (row["aggregation"], row["span"], row["path"]) == ("max", "day", "size.bytes")
    assert (row["dimensions"], row["closed"], row["version"]) == (["region"], "carry", 1)


def test_a_changed_meter_is_a_new_version_and_the_same_again_is_none(ready):
    ready("meters", "add", "requests", "--aggregation", "count", *NOW)
    ready("meters", "add", "requests", "--aggregation", "count", *LATER)

    rows = ready("meters", "show", "requests", "--json").rows

    assert [(row["version"], row["aggregation"]) for row in rows] == [(1, "sum"), (2, "count")]


@pytest.mark.parametrize(
    ("options", "route", "destination"),
    [
        (("--stripe-customer", "cus_1", "--event-name", "e"), "stripe.hour_meter", "cus_1"),
        (
            ("--stripe-customer", "cus_1", "--event-name", "e", "--sum-meter"),
            "stripe.sum_meter",
            "cus_1",
        ),
        (("--stripe-subscription-item", "si_1"), "stripe.usage_record", "si_1"),
    ],
)
def test_a_mapping_names_a_way_to_stripe(ready, options, route, destination):
    ran = ready("mappings", "add", "--tenant", "acme", "--meter", "requests", *options, *NOW)

    (row,) = ready("mappings", "list", "--json").rows

    assert ran.code == 0
    assert (row["route"], row["destination"]) == (route, destination)
    assert (row["publish_from"], row["from"]) == ("2026-01-31T12:00:00Z", "")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--stripe-customer", "cus_1"), "--event-name"),
        (("--stripe-customer", "acme", "--event-name", "e"), "does not begin with cus_"),
        (("--stripe-subscription-item", "cus_1"), "does not begin with si_"),
        (("--stripe-subscription-item", "si_1", "--sum-meter"), "go with --stripe-customer"),
        (("--stripe-subscription-item", "si_1", "--group", "eu"), "is not DIMENSION=VALUE"),
        (("--stripe-subscription-item", "si_1", "--publish-from", "now"), "--publish-from"),
        (("--stripe-subscription-item", "si_1", "--boundary-hour", "both"), "--boundary-hour"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(ready, options, complaint):
    ran = ready("mappings", "add", "--tenant", "acme", "--meter", "requests", *options)

    assert (ran.code, complaint in ran.err) == (2, True)
    assert ready("mappings", "list", "--json").rows == []


def test_who_shares_a_customer_must_bill_a_cut_hour_in_the_same_period(ready):
    ready("tenants", "add", "beta")
    target = ("--stripe-customer", "cus_1", "--event-name", "e", *NOW)
    assert (
        ready("mappings", "add", "acme", "requests", *target, "--boundary-hour", "next").code == 0
    )

    ran = ready("mappings", "add", "beta", "requests", *target, "--boundary-hour", "previous")

    assert (ran.code, "'requests' of 'acme' goes to the same meter" in ran.err) == (2, True)
    assert (
        ready("mappings", "add", "beta", "requests", *target, "--boundary-hour", "next").code == 0
    )


def test_what_a_command_is_about_may_be_given_by_position_or_by_name(ready):
    target = ("--stripe-customer", "cus_1", "--event-name", "e", *NOW)

    assert ready("mappings", "add", "acme", "requests", *target).code == 0
    named = ready("mappings", "add", "--tenant", "acme", "--meter", "requests", *target)
    assert "so already" in named.err
    assert "is voided when it comes" in ready("void", "acme", "k1", "--why", "a test").err
    assert "voided already" in ready("void", *VOIDED, "--why", "a test").err


def test_a_changed_mapping_holds_from_the_next_hour_and_publishes_from_the_same_time(ready):
    item = ("--tenant", "acme", "--meter", "requests", "--stripe-subscription-item")
    ready("mappings", "add", *item, "si_1", *NOW)

    assert "so already" in ready("mappings", "add", *item, "si_1", *LATER).err
    ready("mappings", "add", *item, "si_2", "--at", "2026-02-10T12:30:00Z")

    first, second = ready("mappings", "list", "--json").rows
    assert (second["destination"], second["from"]) == ("si_2", "2026-02-10T13:00:00Z")
    assert first["publish_from"] == second["publish_from"]


@pytest.fixture
def used(ready, write):
    """Three events in two hours of two days, at 5, 7 and 5."""
    ready("meters", "add", "values", *("--code", "requests", "--aggregation", "unique_count"))
    lines = (
        EVENT % ("k1", 5, "2026-01-30T10:30:00Z")
        + EVENT % ("k2", 7, "2026-01-30T11:30:00Z")
        + EVENT % ("k3", 5, "2026-01-31T10:30:00Z")
    )
    assert ready("import", write("events.ndjson", lines)).code == 0
    return ready


def usage(run, *arguments):
    rows = run("usage", "--json", *arguments).rows
    return [(row["start"][:13], row["meter"], row["quantity"]) for row in rows]


def test_usage_of_longer_spans_adds_sums_and_folds_the_rest_again(used):
    assert usage(used, "--by", "day") == [
        ("2026-01-30T00", "requests", "12"),
        ("2026-01-31T00", "requests", "5"),
        ("2026-01-30T00", "values", "2"),
        ("2026-01-31T00", "values", "1"),
    ]
    assert usage(used) == [("2026-01-01T00", "requests", "17"), ("2026-01-01T00", "values", "2")]
    assert [q for *_, q in usage(used, "--by", "total")] == ["17", "2"]


def test_usage_by_window_can_be_bounded(used):
    bounds = ("--from", "2026-01-30T11:00:00Z", "--to", "2026-01-31T00:00:00Z")

    assert usage(used, "--by", "window", "--meter", "requests", *bounds) == [
        ("2026-01-30T11", "requests", "7")
    ]


def test_usage_is_a_table_for_people(used):
    lines = used("usage", "--meter", "requests").out.splitlines()

    assert lines[0].split() == ["tenant", "meter", "start", "end", "quantity", "events"]
    assert lines[1].split()[-2:] == ["17", "3"]


def test_a_void_takes_an_event_out_once_and_says_who_and_why(used):
    void = ("void", "--tenant", "acme", "--event-key", "k2", "--why", "a test", "--who", "ann")

    assert used(*void).code == 0
    assert "voided already" in used(*void).err

    assert usage(used) == [("2026-01-01T00", "requests", "10"), ("2026-01-01T00", "values", "1")]


def test_a_void_of_an_event_that_has_not_come_waits_for_it(used, write):
    void = ("void", "--tenant", "acme", "--event-key", "k9", "--why", "a test")

    assert "when it comes" in used(*void).err
    used("import", write("late.ndjson", EVENT % ("k9", 100, "2026-01-30T10:30:00Z")))

    assert usage(used, "--meter", "requests") == [("2026-01-01T00", "requests", "17")]


def test_a_void_does_not_take_another_events_key(used):
    ran = used("void", "--tenant", "acme", "--event-key", "k1", "--key", "k2", "--why", "a test")

    assert (ran.code, "is taken" in ran.err) == (1, True)
    assert usage(used, "--meter", "requests") == [("2026-01-01T00", "requests", "17")]


def test_pausing_and_resuming_is_told_and_can_be_repeated(ready):
    assert "paused for acme" in ready("pause", "--tenant", "acme", "--why", "a test").err
    assert ready("pause", "--why", "a test").code == 0
    assert "paused for acme" in ready("pause", "acme", "--why", "a test").err
    assert "goes on for all tenants" in ready("resume", "--why", "a test").err
    assert "is not paused for all" in ready("resume", "--why", "a test").err
    assert "goes on for acme" in ready("resume", "--tenant", "acme", "--why", "a test").err


def test_nothing_to_show_is_said_to_people_and_not_to_programs(run):
    run("tenants", "add", "acme")

    assert "No meters yet" in run("meters", "list").err
    assert run("meters", "list", "--json").out == ""


def test_dead_letters_make_the_exit_code_1_until_they_are_gone(ready, write):
    ready("import", write("events.ndjson", '{"tenant":"new","code":"requests","key":"k"}\n'))

    assert ready("dead-letters", "list", "--waits-for", "tenant:new").code == 1
    assert ready("dead-letters", "replay").code == 1
    ready("tenants", "add", "new")
    assert ready("dead-letters", "list").code == 0
    (letter,) = ready("dead-letters", "list", "--all", "--json").rows
    assert letter["replayed_as"] == "recorded"


def test_a_dead_letter_that_nobody_will_count_can_be_closed_and_is_kept(ready, write):
    ready("import", write("bad.ndjson", "{}\n[]\n"))
    first, second = (row["id"] for row in ready("dead-letters", "list", "--json").rows)

    closed = ready("dead-letters", "dismiss", first, "--why", "a test", "--who", "ann")
    again = ready("dead-letters", "dismiss", first, second, "--why", "a test", "--who", "bob")

    assert (closed.code, "1 dead letters are closed" in closed.err) == (0, True)
    assert (again.code, first in again.err, second in again.err) == (2, True, False)
    assert ready("dead-letters", "list").code == 0
    kept = ready("dead-letters", "list", "--all", "--json").rows
    assert [row["replayed_as"] for row in kept] == [
        "dismissed by ann: a test",
        "dismissed by bob: a test",
    ]


def test_a_secret_never_shows(ready, monkeypatch):
    monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", "Xy7-hidden")

    for arguments in (("usage",), ("run",), ("doctor",)):
        ran = ready(*arguments)
        assert "hidden" not in ran.out + ran.err


def test_a_reader_that_has_seen_enough_is_no_error():
    def into_a_closed_pipe() -> int:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            stream.write("x")
        return 0

    assert guarded(into_a_closed_pipe) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidReport(), 2),
        (InvalidSetting("s"), 2),
        (NotFound("n"), 2),
        (PublisherMisconfigured("p"), 2),
        (StoreUnavailable("s"), 3),
        (PublisherUnavailable("p"), 3),
        (InvariantViolated("i"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_an_exit_code_and_no_traceback(error, code, capsys):
    def failing() -> int:
        raise error

    assert guarded(failing) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_every_error_of_the_domain_is_in_the_list_above():
    # Other modules may have an error of their own below it (the demo has).
    kinds = [k for k in TallystickError.__subclasses__() if k.__module__ == NotFound.__module__]
    assert {kind.__name__ for kind in kinds} == {
        "InvalidReport",
        "InvalidSetting",
        "NotFound",
        "PublisherMisconfigured",
        "StoreUnavailable",
        "PublisherUnavailable",
        "InvariantViolated",
    }


def test_every_module_of_commands_is_registered_once(run):
    assert len(set(COMMANDS)) == len(COMMANDS)
    assert run("--help").code == 0
    assert run("--version").out.strip()
