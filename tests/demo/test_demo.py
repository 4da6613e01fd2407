"""The whole demo on a small sample: real processes, real kills, a few days instead of a month."""

import io
import signal
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from tallystick.domain.instant import DAY
from tallystick.domain.period import Interval, Unit
from tallystick.domain.window import Window
from tallystick.entrypoints.cli import main
from tallystick.entrypoints.demo import links, running
from tallystick.entrypoints.demo.catalog import period
from tallystick.entrypoints.demo.comparing import Compared
from tallystick.entrypoints.demo.flights import read_flights
from tallystick.entrypoints.demo.progress import Progress
from tallystick.entrypoints.demo.running import STORE_NAME, run_demo
from tallystick.entrypoints.demo.showing import show
from tests.demo.sample import small_sample

DAYS = 4
PERIODS = (1, 2)
SHORT = Interval(Unit.DAY, DAYS)


def quiet():
    return Progress(Console(file=io.StringIO(), width=200))


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """One run, looked at by several tests, since it takes some seconds."""
    folder = tmp_path_factory.mktemp("demo")
    sample = small_sample(folder / "flights.zip", DAYS * len(PERIODS))
    outcome = run_demo(
        PERIODS, seed=5, keep=folder, progress=quiet(), interval=SHORT, sample=sample
    )
    return folder, sample, outcome


def shown(outcome):
    console = Console(file=io.StringIO(), width=200)
    show(outcome, console)
    return console.file.getvalue()


def test_every_number_agrees_although_the_service_was_killed_and_stripe_failed(lived):
    _, sample, outcome = lived

    assert outcome.discrepancies == ()
    assert outcome.lost == {}
    assert outcome.difference == 0
    assert outcome.is_clean
    flights = [line.billed for (_, meter, _), line in outcome.lines.items() if meter == "flights"]
    whole = Window(period(1, SHORT).start, period(2, SHORT).end)
    assert sum(flights) == len(read_flights(whole, sample))
    assert outcome.kills_inside >= 6
    assert outcome.faults["outage"] > 0
    assert sum(outcome.received.values()) > sum(outcome.acknowledged.values())
    assert "Every difference is 0, on 32 bills" in shown(outcome)


def test_a_value_below_zero_is_counted_as_it_is_and_billed_as_zero(lived):
    _, _, outcome = lived

    line = outcome.lines["HA", "longest-delay", period(1, SHORT)]

    assert line.sample == line.ours < 0
    assert line.theirs == line.billed == 0


@pytest.mark.parametrize("side", ["sample", "ours", "theirs", "billed"])
def test_one_unit_off_on_any_side_is_a_difference(lived, side):
    _, _, outcome = lived
    key = ("UA", "flight-miles", period(1, SHORT))
    line = outcome.lines[key]
    off = replace(line, **{side: getattr(line, side) + 1})

    changed = replace(outcome, lines={**outcome.lines, key: off})

    assert changed.difference >= 1
    assert not changed.is_clean
    assert "NOT CLEAN" in shown(changed)


def test_differences_do_not_cancel_out(lived):
    _, _, outcome = lived
    one, other = (("UA", "flights", period(n, SHORT)) for n in (1, 2))
    line = Compared(sample=Decimal(4), ours=Decimal(4), theirs=Decimal(4), billed=Decimal(4))
    lines = {one: replace(line, billed=Decimal(5)), other: replace(line, billed=Decimal(3))}

    assert replace(outcome, lines=lines).difference == 2


@pytest.mark.parametrize(
    "change",
    [
        {"planned_dead": 0},
        {"acknowledged": {"UA": 1}},
        {"lines": {}},
    ],
)
def test_a_lost_report_or_an_unplanned_dead_letter_is_not_clean(lived, change):
    _, _, outcome = lived

    assert not replace(outcome, **change).is_clean


def test_the_kept_store_can_be_looked_at(lived, capsys):
    folder, _, _ = lived

    code = main(["tenants", "list", "--store", f"sqlite:///{folder / STORE_NAME}", "--json"])

    assert code == 0
    assert '"UA"' in capsys.readouterr().out


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("strike", "ending"),
    [(interrupt, KeyboardInterrupt), (lambda: signal.raise_signal(signal.SIGTERM), SystemExit)],
    ids=["ctrl-c", "sigterm"],
)
def test_an_end_from_outside_ends_both_programs_and_leaves_no_folder(
    tmp_path, monkeypatch, strike, ending
):
    programs, folders = [], []
    start, folder = links.started, running.TemporaryDirectory

    def started(*arguments):
        programs.append(start(*arguments))
        return programs[-1]

    def temporary(prefix):
        folders.append(folder(prefix=prefix, dir=tmp_path))
        return folders[-1]

    def interrupted(self, at, events):
        if at >= period(1, SHORT).start + DAY:
            strike()

    monkeypatch.setattr(links, "started", started)
    monkeypatch.setattr(running, "TemporaryDirectory", temporary)
    monkeypatch.setattr(Progress, "_line", interrupted)
    sample = small_sample(tmp_path / "flights.zip", 2)

    with pytest.raises(ending):
        run_demo([1], seed=1, keep=None, progress=quiet(), interval=SHORT, sample=sample)

    assert len(programs) >= 2
    assert all(program.returncode is not None for program in programs)
    assert list(tmp_path.iterdir()) == [sample]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--month", "13"], "1 to 12"),
        (["--month", "2", "--year"], "not both"),
    ],
)
def test_a_month_that_cannot_be_meant_is_an_input_error(arguments, complaint, capsys):
    assert main(["demo", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_that_has_a_store_is_not_overwritten(tmp_path, capsys):
    (tmp_path / STORE_NAME).write_bytes(b"")

    assert main(["demo", "--keep", str(tmp_path)]) == 2
    assert "another folder" in capsys.readouterr().err
