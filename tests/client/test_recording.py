"""What `record` takes, what it refuses, and that it never raises or waits."""

import json
import logging
import threading
from collections import UserDict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.client import Client, Limits
from tallystick.client.encoding import encode_event, key_from
from tallystick.domain.instant import format_instant, parse_instant
from tallystick.domain.report import parse_report
from tests.client.service import PATIENCE, QUICK, FakeService

NOW = 1_769_855_400_123_456_789


def encoded(**given):
    arguments = {"tenant": "acme", "meter": "tokens", "quantity": 1, "at": None, "key": "k"}
    return json.loads(encode_event(**arguments | {"dimensions": None, "now": NOW} | given))


@pytest.mark.parametrize(
    ("quantity", "sent"),
    [(5, "5"), (Decimal("0.10"), "0.1"), ("12.5", "12.5"), (-3, "-3"), (Decimal("1e3"), "1000")],
)
def test_a_quantity_is_sent_as_exact_text(quantity, sent):
    assert encoded(quantity=quantity)["quantity"] == sent


def test_an_event_without_a_time_occurred_when_it_was_recorded():
    sent = encoded()

    assert sent["recorded_at"] == "2026-01-31T10:30:00.123456Z"
    assert parse_report(sent, 0).occurred_at == NOW // 1_000


def test_the_same_key_recorded_again_is_the_same_event_at_another_time():
    first, again = encoded(key="order-7"), encoded(key="order-7", now=NOW + 10**12)

    assert parse_report(first, 0).fingerprint == parse_report(again, 0).fingerprint


def test_a_time_is_sent_as_its_instant_in_any_zone():
    east = timezone(timedelta(hours=5, minutes=30))

    sent = encoded(at=datetime(2026, 1, 31, 16, 0, tzinfo=east))["occurred_at"]

    assert sent == "2026-01-31T10:30:00Z"


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
values = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | words | st.decimals(-9, 9)


@given(
    tenant=words.filter(lambda t: len(t) < 200 and t.isprintable() and t == t.strip()),
    quantity=st.decimals(-(10**14), 10**14, places=6),
    dimensions=st.dictionaries(words, values | st.lists(values), max_size=4),
    at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1980, 1, 1)),  # noqa: DTZ001
)
def test_the_service_reads_exactly_what_was_recorded(tenant, quantity, dimensions, at):
    line = encode_event(
        tenant=tenant,
        meter="tokens",
        quantity=quantity,
        at=at,
        key="k1",
        dimensions=dimensions,
        now=NOW,
    )

    event = parse_report(json.loads(line, parse_float=Decimal), 0)

    assert (event.tenant, event.code, event.key) == (tenant, "tokens", "k1")
    assert event.quantity == quantity
    assert format_instant(event.occurred_at) == format_instant(parse_instant(at.isoformat()))
    assert b"\n" not in line
    for name, value in dimensions.items():
        assert event.attributes()[name] == value


class Unkind:
    def __repr__(self) -> str:
        raise OSError("a repr that fails")


def shared_with_a_thread():
    """A mapping that another thread changes while it is read."""

    class Changing(UserDict):
        def items(self):
            raise RuntimeError("dictionary changed size during iteration")

    return Changing(a=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": 0.5},
        {"quantity": True},
        {"quantity": None},
        {"quantity": Decimal("NaN")},
        {"quantity": 10**15},
        {"quantity": "1e999999999"},
        {"quantity": Unkind()},
        {"tenant": ""},
        {"tenant": None},
        {"tenant": Unkind()},
        {"meter": 7},
        {"meter": "half a \ud800 pair"},
        {"key": ""},
        {"key": "k" * 513},
        {"key": 7},
        {"at": datetime(2026, 1, 31)},  # noqa: DTZ001
        {"at": 1_769_855_400},
        {"dimensions": {"model": 0.5}},
        {"dimensions": {"model": object()}},
        {"dimensions": {7: "seven"}},
        {"dimensions": ["model"]},
        {"dimensions": {"text": "x" * 100_000}},
        {"dimensions": shared_with_a_thread()},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_can_never_be_counted_is_refused_in_the_log_and_never_raised(wrong, caplog):
    service = FakeService()
    arguments = {"tenant": "acme", "meter": "tokens", "quantity": 1} | wrong
    with caplog.at_level(logging.ERROR, "tallystick.client"), service.client() as client:
        assert client.record(**arguments) == ""
        assert client.record("acme", "tokens", 2, key="good") == "good"
        assert client.close(PATIENCE)

    assert (client.stats.refused, client.stats.delivered) == (1, 1)
    assert [r for r in caplog.records if r.getMessage().startswith("record() refused: ")]
    with pytest.raises(ValueError, match=r"."), service.client(strict=True) as strict:
        strict.record(**arguments)


def test_record_answers_with_the_key_and_draws_one_that_nobody_has():
    with FakeService().client() as client:
        drawn = {client.record("acme", "tokens") for _ in range(1_000)}

        assert client.record("acme", "tokens", key="order-7") == "order-7"
    assert len(drawn) == 1_000
    assert {len(key) for key in drawn} == {32}


def test_drawn_keys_lie_in_the_order_of_their_time_and_survive_a_clock_that_jumps():
    early, late = (key_from(NOW + n, b"\xff" * 10 if n == 0 else bytes(10)) for n in (0, 10**6))
    assert early < late
    assert key_from(NOW, b"a" * 10) != key_from(NOW, b"b" * 10)
    assert len(key_from(0, bytes(10))) == len(key_from(2**70, bytes(10))) == 32


def test_a_clock_that_jumps_back_loses_nothing():
    service, clock = FakeService(), [NOW]
    keys = []
    with service.client(now=lambda: clock[0]) as client:
        for jumped in (NOW, NOW - 10**18, 0):
            clock[0] = jumped
            keys.append(client.record("acme", "tokens"))
        assert client.flush(PATIENCE)

    assert sorted(service.counted) == sorted(keys)
    assert service.counted[keys[2]]["recorded_at"] == "1970-01-01T00:00:00.000000Z"


def test_record_does_not_wait_for_a_service_that_hangs_nor_for_its_own_memory(caplog):
    service = FakeService()
    service.gate.clear()
    limits = Limits(linger_seconds=0, interval_seconds=0, memory_bytes=20_000)
    client = service.client(limits=limits)
    client.record("acme", "tokens")
    assert service.entered.wait(PATIENCE)

    for _ in range(1_000):
        assert client.record("acme", "tokens")

    stats = client.stats
    assert stats.recorded + stats.dropped == 1_001
    assert 0 < stats.recorded < 200
    with caplog.at_level(logging.ERROR, "tallystick.client"):
        service.gate.set()
        assert client.close(PATIENCE)
    assert len(service.counted) == client.stats.delivered == stats.recorded
    assert [r for r in caplog.records if f"{stats.dropped} more events are LOST" in r.getMessage()]


def test_record_from_inside_record_does_not_lock_up():
    """As from a signal that interrupts it."""
    service = FakeService()
    client = service.client()
    depth = [0]

    class Interrupting(dict):
        def items(self):
            if depth[0] == 0:
                depth[0] = 1
                with client._live.traffic.buffer._changed:
                    client.record("acme", "inner")
            return super().items()

    client.record("acme", "outer", dimensions=Interrupting(a="b"))

    assert client.close(PATIENCE)
    assert sorted(event["code"] for event in service.counted.values()) == ["inner", "outer"]


def test_many_threads_record_at_once_and_each_event_counts_once():
    service = FakeService()
    with service.client(limits=QUICK) as client:
        threads = [
            threading.Thread(
                target=lambda: [client.record("acme", "tokens") for _ in range(500)],
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(PATIENCE)
        assert client.stats.delivered == 4_000
    assert len(service.counted) == 4_000


@pytest.mark.parametrize(
    "url",
    [
        "http://tally.example.com",
        "ftp://localhost",
        "localhost:8750",
        "",
        "https://u:p@host",
        "https://[x",
    ],
)
def test_a_url_over_which_the_key_would_travel_in_clear_is_refused(url):
    with pytest.raises(ValueError, match="URL"):
        Client(url, "tally_x", spool=None)


def test_plain_http_is_for_this_machine_or_on_demand():
    for url in (
        "http://127.0.0.1:8750/",
        "http://localhost",
        "http://[::1]:1",
        "https://t.example",
    ):
        Client(url, "tally_x", spool=None).close()
    Client("http://tally.internal", "tally_x", spool=None, allow_http=True).close()


def test_the_key_is_in_no_repr_and_no_error(caplog):
    secret = "tally_id_SECRET"  # noqa: S105
    with caplog.at_level(logging.DEBUG):
        client = Client("http://127.0.0.1:1", secret, spool=None, limits=QUICK)
        client.record("acme", "tokens")
        assert not client.close(0.05)
    assert secret not in repr(client) + str(client.stats) + caplog.text
    assert secret not in repr(vars(client))
    for wrong in ("tally SECRET", "tally_SECRET\r\nX: y", "tally_SECRETé"):
        with pytest.raises(ValueError, match="API key") as refused:
            Client("https://t.example", wrong, spool=None)
        assert "SECRET" not in str(refused.value)
