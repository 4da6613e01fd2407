"""A row is worth something only if its proof can fail: here it must, for each way to cheat."""

import pytest

from bench.table.ingest import CONNECTIONS_OPEN, Books, Row, latency, proven
from bench.table.load import Refused
from bench.table.usage import FILLED, LIVE, Usage
from tallystick.domain.instant import HOUR, parse_instant
from tests.bench.forgetful import Forgetful

AT = parse_instant("2026-11-22T10:30:00Z")
USAGE = Usage(at=AT, live_at=AT)
ROW = Row(batch=10, connections=2)
SECONDS = 0.5


@pytest.fixture
def books(tmp_path):
    server = Forgetful(tmp_path, 0)
    server.start()
    yield Books(server, USAGE)
    server.kill()


def test_what_is_sent_live_moves_on_with_the_hour_and_is_proven_across(books):
    proven(books, ROW, SECONDS)
    books.move_on(AT + HOUR)

    _, proof = proven(books, ROW, SECONDS)

    assert proof["counted_once"] == books.next_of[LIVE] - LIVE
    assert b"T11:" in books.make(ROW).raw


def test_a_server_that_keeps_what_it_acknowledged_passes(books):
    _, proof = proven(books, ROW, SECONDS)

    assert proof["counted_once"] == books.next_of[LIVE] - LIVE
    assert proof["sum"] == books.server.held().total


def test_what_had_no_answer_at_the_kill_is_sent_again(books):
    books.server.ignored = 3

    _, proof = proven(books, ROW, 4 * SECONDS)

    assert proof["unanswered_at_the_kill"] > 0
    assert proof["counted_once"] == books.next_of[LIVE] - LIVE


def test_what_was_acknowledged_last_and_is_gone_is_noticed(books):
    # Of the last 40 events at most 20 were on connections that had no answer yet.
    books.server.survive = lambda keys: keys[:-40]

    with pytest.raises(Refused, match="forgot it"):
        proven(books, ROW, SECONDS)


def test_a_first_event_that_is_gone_is_noticed_by_the_totals(books):
    books.server.survive = lambda keys: keys[1:]

    with pytest.raises(Refused, match=r"forgot it|but was sent"):
        proven(books, Row(batch=10, connections=1), SECONDS)


def test_an_event_that_counts_twice_is_noticed(books):
    books.server.counted_twice = 1

    with pytest.raises(Refused, match="but was sent"):
        proven(books, ROW, SECONDS)


def test_a_known_event_that_is_taken_for_new_is_noticed(books):
    books.next_of[FILLED] = 5

    with pytest.raises(Refused, match="was sent 0 new events"):
        proven(books, Row(batch=10, connections=1, duplicates=100), SECONDS)


def test_duplicates_of_nothing_are_refused(books):
    with pytest.raises(Refused, match="a store that holds something"):
        proven(books, Row(batch=10, connections=1, duplicates=10), SECONDS)


def test_an_open_loop_counts_the_time_in_which_a_server_stalls(books):
    books.server.first_after = 0.5

    found = latency(books, Row(batch=1, connections=1), 0.4, 1_000)

    assert found["requests"] > 3 * CONNECTIONS_OPEN, "most were due while all connections waited"
    assert found["p50_ms"] > 100, "requests that were due during the stall waited for its end"
