"""The ratios are those of the run, and none is called met that is not."""

from bench.table.gates import gates
from bench.table.tables import in_the_way, printed


def row(batch, rate, connections=8, **more):
    names = {"duplicates": 0, "is_ordered": False, "server_us_per_event": 10.0}
    shares = {"server_share": 1.0, "generator_share": 0.1, "p50_ms": 1.0, "p99_ms": 2.0}
    told = {"name": f"batch {batch}", "batch": batch, "connections": connections}
    return {**names, **shares, **told, "events_per_second": rate, **more}


def size(keys, rate, **more):
    rows = [
        row(1_000, 10 * rate, is_ordered=True),
        row(1_000, rate // 2, duplicates=100),
        *(row(1, 100, 1), row(1, 1_000, 64), row(100, 10_000, 16), row(1_000, rate)),
    ]
    return {**stored(keys), "rows": rows, **more}


def stored(keys, **more):
    found = {"keys": keys, "keys_asked": keys, "fill_seconds": 1.0, "bytes_per_event": 61.0}
    return {**found, "ready_seconds": 6.0, "memory_mib": {"VmRSS": 50, "VmHWM": 60}, **more}


RESULT = {
    "raw": {
        "appends_per_second": 200,
        "decoded_per_second": {"1": 10**6, "100": 10**5, "1000": 10**6},
        "noop": [row(1, 3_000, 1), row(1, 2_000, 64)],
    },
    "ours": [
        {"keys": 0, "rows": [row(1_000, 200_000)]},
        stored(1_000_000, queries={"p50_ms": 1.0, "p99_ms": 2.0}),
        size(10_000_000, 150_000, queries={"p50_ms": 1.0, "p99_ms": 3.0}),
    ],
    "rival": {"keys": 10_000_000, "rows": [row(1, 100, 64), row(1_000, 10_000)]},
}


def found(result):
    return {gate.name: gate for gate in gates(result)}


def only(result, words):
    (gate,) = [gate for name, gate in found(result).items() if words in name]
    return gate


def test_each_ratio_is_taken_from_its_rows():
    ratios = {name: gate.found for name, gate in found(RESULT).items() if gate.found is not None}

    assert sorted(ratios.values()) == [0.1, 0.15, 0.5, 0.5, 0.5, 0.75, 1.5, 6.0, 10.0, 15.0, 61.0]


def test_a_gate_is_met_at_its_bound_and_not_below():
    words = "keys stored beside an empty store"
    below = {**RESULT, "ours": [RESULT["ours"][0], size(10_000_000, 149_999)]}

    assert only(RESULT, words).verdict == "met"
    assert only(below, words).verdict == "missed"


def test_a_ceiling_is_missed_above_its_bound():
    assert only(RESULT, "usage query").verdict == "missed"
    assert only(RESULT, "on disk").verdict == "missed"
    assert only(RESULT, "restart").verdict == "met"


def test_what_was_not_measured_is_called_so_with_the_reason():
    gate = only({**RESULT, "rival": {"missing": "no PostgreSQL"}}, "batch 1 beside the honest")

    assert (gate.verdict, in_the_way(gate)) == ("not measured", "no PostgreSQL")
    assert only(RESULT, "hourly run").verdict == "not measured"


def test_every_gate_that_is_missed_says_what_was_measured():
    told = printed(RESULT)

    assert [g.name for g in gates(RESULT) if g.verdict == "missed" and not in_the_way(g)] == []
    assert "61 bytes" in told


def test_a_result_of_nothing_can_be_told():
    assert {gate.verdict for gate in gates({})} == {"not measured"}
    assert "not measured" in printed({})
