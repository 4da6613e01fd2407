"""Each sample is given to one layer, and all of the time is given away."""

import pytest

from bench.table.profile import OUTSIDE, READING, RULES, layer_of, told

FRAMES = {
    "flush (/x/src/tallystick/stores/sqlite/recording.py:80)": "store: SQLite, its statements "
    "and rows",
    "parse_report (/x/src/tallystick/domain/report.py:9)": READING,
    "contributions_to (/x/src/tallystick/domain/aggregate.py:9)": RULES,
    "data_received (/x/src/tallystick/entrypoints/http/server.py:44)": OUTSIDE,
    "run (/usr/lib/python3/asyncio/runners.py:4)": OUTSIDE,
}


@pytest.mark.parametrize(("frame", "layer"), FRAMES.items())
def test_a_frame_belongs_to_the_layer_of_its_file(frame, layer):
    assert layer_of(frame) == layer


def test_a_sample_counts_for_the_innermost_function_of_ours():
    ours = "ingest (/x/src/tallystick/stages/ingesting.py:1)"
    inner = "flush (/x/src/tallystick/stores/sqlite/recording.py:80)"

    found = told([f"main (a.py:1);{ours};{inner};fold (/usr/lib/b.py:2) 3", f"{ours} 1"], 8.0)

    assert [(part["share"], part["us_per_event"]) for part in found["layers"]] == [
        (0.75, 6.0),
        (0.25, 2.0),
    ]
    assert found["functions"][0]["name"] == "flush (stores/sqlite/recording.py)"


def test_a_thread_that_waits_for_work_takes_no_time():
    ours = "ingest (/x/src/tallystick/stages/ingesting.py:1)"
    worker = (
        "run (/usr/lib/python3/threading.py:9);_worker (/usr/lib/concurrent/futures/thread.py:81)"
    )

    found = told([f"{worker} 5", f"{worker};{ours} 1"], 8.0)

    assert [(part["name"], part["us_per_event"]) for part in found["functions"]] == [
        ("ingest (stages/ingesting.py)", 8.0)
    ]
