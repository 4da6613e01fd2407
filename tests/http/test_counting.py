"""Between requests and the store: groups, strict ones apart, and nothing left behind."""

import asyncio
import json
import threading
from collections.abc import Sequence

import pytest
from starlette.requests import Request

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.meter import Meter
from tallystick.domain.sheet import Sheet
from tallystick.entrypoints.http.bodies import Memory, read_whole
from tallystick.entrypoints.http.counting import Counting, Uncountable
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.reading import CLOUD_EVENT, JSON, Sender, read_events
from tallystick.stages.ingesting import Report, kind_of
from tallystick.testing import factories
from tests.http.conftest import Api, cloud_event, native

SENDER = Sender(origin="a test")


def reports(*ids: str, tenant: str = "acme") -> list[Report]:
    return [Report(origin="a test", body={**native(id_, 1), "TenantID": tenant}) for id_ in ids]


def at_once(counting: Counting, *asked: tuple[Sequence[Report], bool]) -> list[object]:
    """All asked for before the first is counted; what each was answered."""

    async def gathered() -> list[object]:
        calls = (counting.count(found, strict=strict) for found, strict in asked)
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 120)

    return asyncio.run(gathered())


@pytest.fixture
def groups(api: Api, monkeypatch) -> list[int]:
    """How many events each call of the store recorded."""
    sizes: list[int] = []
    record = api.store.events.record

    def counted(batch, now):
        sizes.append(len(batch))
        return record(batch, now)

    monkeypatch.setattr(api.store.events, "record", counted)
    return sizes


def test_requests_that_wait_share_a_call_of_the_store(api: Api, groups: list[int]):
    asked = [(reports(f"a{n}", f"b{n}"), False) for n in range(50)]

    answers = at_once(api.service.counting, *asked)

    assert groups == [100]
    assert [len(answer) for answer in answers] == [2] * 50
    assert api.service.counting._reports_waiting == 0


def test_a_call_of_the_store_has_its_limit(api: Api, groups: list[int]):
    asked = [(reports(*(f"{n}.{m}" for m in range(400))), False) for n in range(4)]

    at_once(api.service.counting, *asked)

    assert groups == [800, 800]


def test_batches_in_columns_share_a_call_among_themselves(api: Api, groups: list[int]):
    in_columns = [
        read_events(
            json.dumps([cloud_event(f"{n}.{m}") for m in range(900)]).encode(), JSON, SENDER
        )
        for n in range(4)
    ]
    asked = [(found.reports, False) for found in in_columns]

    answers = at_once(api.service.counting, *asked, (reports("a", "b"), False))

    assert groups == [3_600, 2]
    assert [len(answer) for answer in answers] == [900, 900, 900, 900, 2]
    assert api.value() == 5 * 3_600 + 2


def lone(id_: str, **more: object) -> Sequence[Report]:
    return read_events(json.dumps(cloud_event(id_, **more)).encode(), CLOUD_EVENT, SENDER).reports


def test_events_that_come_alone_are_counted_in_columns_whoever_comes_between(api: Api, groups):
    each = [(lone(f"a{n}") if n % 2 else reports(f"b{n}"), False) for n in range(40)]

    answers = at_once(api.service.counting, *each)

    assert groups == [20, 20]
    assert [len(answer) for answer in answers] == [1] * 40
    assert api.value() == 20 * 5 + 20


def test_an_event_that_must_be_counted_by_itself_takes_the_columns_from_no_neighbour(
    api: Api, monkeypatch
):
    in_columns: list[tuple[bool, int]] = []
    record = api.store.events.record

    def counted(batch, now):
        in_columns.append((isinstance(batch, Sheet), len(batch)))
        return record(batch, now)

    monkeypatch.setattr(api.store.events, "record", counted)
    odd = Meter(id="odd", code="odd", dimensions=("region",))
    api.store.catalog.save(odd, factories.override())

    first, by_itself, unknown, last = at_once(
        api.service.counting,
        (lone("a"), False),
        (lone("b", type="odd"), False),
        (lone("c", subject="nobody"), False),
        (lone("d"), False),
    )

    assert in_columns == [(True, 2), (False, 1)]
    assert [kind_of(one) for one in (*first, *by_itself, *unknown, *last)] == [
        "recorded",
        "recorded",
        "dead_letter",
        "recorded",
    ]


def held_up(api: Api, monkeypatch) -> tuple[threading.Event, threading.Event]:
    """(the store has begun to record, it may go on)."""
    begun, go_on = threading.Event(), threading.Event()
    record = api.store.events.record

    def slow(batch, now):
        begun.set()
        assert go_on.wait(60)
        return record(batch, now)

    monkeypatch.setattr(api.store.events, "record", slow)
    return begun, go_on


def test_those_who_come_again_at_once_are_counted_with_those_who_wait(
    api: Api, groups: list[int], monkeypatch
):
    begun, go_on = held_up(api, monkeypatch)
    monkeypatch.setattr("tallystick.entrypoints.http.counting.GATHER_SECONDS", 600)

    async def asking(name: str, times: int) -> None:
        for n in range(times):
            await api.service.counting.count(reports(f"{name}.{n}"))

    async def crowd() -> None:
        first = [asyncio.create_task(asking(f"a{n}", 2)) for n in range(4)]
        await asyncio.to_thread(begun.wait, 60)
        others = [asyncio.create_task(asking(f"b{n}", 1)) for n in range(4)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*first, *others)

    asyncio.run(crowd())

    assert groups == [4, 8]


def test_a_store_that_is_away_before_a_group_is_counted_answers_all_of_it(api: Api, monkeypatch):
    def away(*_):
        raise StoreUnavailable("gone")

    monkeypatch.setattr(api.store.catalog, "account", away)

    answers = at_once(api.service.counting, (lone("a"), False), (reports("b"), False))

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert api.service.counting.reports_waiting == 0


def test_a_strict_request_shares_with_nobody(api: Api, groups: list[int]):
    first, bad, last = at_once(
        api.service.counting,
        (reports("a"), False),
        (reports("b") + reports("c", tenant="nobody"), True),
        (reports("d"), False),
    )

    assert isinstance(bad, Uncountable)
    assert (len(first), len(last)) == (1, 1)
    assert (api.value(), api.letters()) == (2, [])


def test_what_one_request_brings_on_hits_no_other(api: Api, monkeypatch):
    record = api.store.events.record

    def broken(batch, now):
        if any(recording.event.key == "poison" for recording in batch):
            raise ZeroDivisionError
        return record(batch, now)

    monkeypatch.setattr(api.store.events, "record", broken)

    before, poison, after = at_once(
        api.service.counting,
        (reports("a"), False),
        (reports("poison"), False),
        (reports("b"), False),
    )

    assert isinstance(poison, ZeroDivisionError)
    assert (len(before), len(after), api.value()) == (1, 1, 2)


def test_a_store_that_is_away_answers_all_of_a_group(api: Api, monkeypatch):
    calls = []

    def away(batch, now):
        calls.append(batch)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(api.store.events, "record", away)

    answers = at_once(api.service.counting, (reports("a"), False), (reports("b"), False))

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert len(calls) == 1


def test_who_stops_waiting_takes_nobody_along(api: Api, monkeypatch):
    begun, go_on = held_up(api, monkeypatch)

    async def cancelled_and_other() -> int:
        first = asyncio.create_task(api.service.counting.count(reports("a")))
        await asyncio.to_thread(begun.wait, 60)
        first.cancel()
        second = asyncio.create_task(api.service.counting.count(reports("b")))
        go_on.set()
        return len(await second)

    assert asyncio.run(cancelled_and_other()) == 1
    assert api.value() == 2


def test_whoever_asks_after_a_loop_was_closed_is_counted(api: Api, monkeypatch):
    """A group may outlive the loop that asked for it; the next loop must not wait for that."""
    begun, go_on = threading.Event(), threading.Event()
    record = api.store.events.record

    def slow(batch, now):
        begun.set()
        assert go_on.wait(60)
        return record(batch, now)

    async def asked_and_left() -> None:
        task = asyncio.create_task(api.service.counting.count(reports("a")))
        await asyncio.to_thread(begun.wait, 60)
        task.cancel()

    monkeypatch.setattr(api.store.events, "record", slow)
    asyncio.run(asked_and_left())
    go_on.set()
    api.service.counting._thread.submit(lambda: None).result(60)

    ((outcome,),) = at_once(api.service.counting, (reports("b"), False))

    assert outcome.receipt == "recorded"
    assert api.value() == 2


def test_a_thread_that_cannot_be_begun_is_an_outage_and_no_end(api: Api, monkeypatch):
    def refused(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(api.service.counting._thread, "submit", refused)
        answers = at_once(api.service.counting, (reports("a"), True), (reports("b"), False))
    ((outcome,),) = at_once(api.service.counting, (reports("c"), False))

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert (outcome.receipt, api.value()) == ("recorded", 1)
    assert api.service.counting.reports_waiting == 0


@pytest.mark.parametrize("last", [b"x" * 9_000_000, None])
def test_memory_is_given_back_however_a_body_ends(last: bytes | None):
    pieces = [b"x" * 1_000, b"x" * 1_000, last]

    async def receive():
        piece = pieces.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": True}

    memory = Memory()
    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(Problem):
        asyncio.run(read_whole(request, memory))

    assert memory.held == 0
