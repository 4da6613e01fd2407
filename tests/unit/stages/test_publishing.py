"""Publishing: what leaves, when, and what an answer or a reading is taken to prove."""

from decimal import Decimal
from functools import partial

import pytest

from tallystick.domain.errors import PublisherUnavailable, StoreUnavailable
from tallystick.domain.instant import HOUR, SECOND
from tallystick.domain.publication import Answer, Outcome, State, landed_by
from tallystick.domain.slot import PARTITIONS, slot_partition
from tallystick.domain.statement import Rejection
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import CHUNK, OUTAGE_MIN, PAUSE
from tallystick.stages.targeting import SealLimits
from tallystick.testing.contract.steps import report, seal, slot_of
from tallystick.testing.factories import (
    ABSOLUTE,
    LIMITS,
    aggregate_key,
    event,
    mapping,
    override,
    place,
    tenant,
)
from tallystick.testing.faulty import Crash, FaultyStore
from tests.unit.stages.far_side import ANSWER_LOST, COUNTED, DELTA, LOST, SPRING, Desk

each_route = pytest.mark.parametrize("route", [ABSOLUTE, DELTA], ids=lambda route: route.name)


def desk(route=ABSOLUTE, *fates, quantity: int | str = 5) -> Desk:
    """A desk whose slot is due with a quantity."""
    made = Desk(route)
    made.far.fates = list(fates)
    made.grow("e1", quantity)
    return made


def states(desk: Desk) -> list[State]:
    return [publication.state for publication in desk.publications]


# ── What leaves ─────────────────────────────────────────────────────────────────────────────────


def test_what_is_sent_stands_in_the_store_before_it_leaves():
    told = desk()
    found: list[bool] = []
    told.far.on_send = lambda sent: found.append(sent in told.publications)

    told.run()

    assert found == [True]


@each_route
def test_a_sender_that_died_is_taken_over_with_exactly_what_it_had_frozen(route):
    def dies(_: object) -> None:
        raise Crash

    told = desk(route)
    told.far.on_send = dies
    with pytest.raises(Crash):
        told.run()
    told.far.on_send = lambda _: None
    told.grow("e2", 7)

    told.run()
    assert told.values == [5], "its deadline has not passed"
    told.clock.sleep(LIMITS.send_timeout)
    told.run()

    first, second = (sent for _, sent in told.far.sent)
    frozen = ("identifier", "value", "total", "before", "place", "slot_version")
    assert [getattr(first, name) for name in frozen] == [getattr(second, name) for name in frozen]


@each_route
def test_resends_end_23_hours_after_the_first_attempt(route):
    told = desk(route, *[LOST] * 200)
    told.far.shown = Decimal(0)

    told.hours(30)

    attempts = [at for at, sent in told.far.sent if sent.slot_revision == 1]
    assert len(attempts) > 2
    assert attempts[-1] + LIMITS.send_timeout < attempts[0] + LIMITS.resend_for


def test_every_revision_has_an_identifier_of_its_own():
    told = desk()
    told.run()
    told.hours(12)
    told.grow("e2", 2)
    told.run()

    first, second = told.publications
    assert (first.state, first.identifier) != (second.state, second.identifier)
    assert first.identifier != second.identifier


def test_a_newer_total_is_not_set_while_an_older_request_may_land():
    told = desk(ABSOLUTE, COUNTED)
    told.far.shown = Decimal(0)
    told.run()
    told.grow("e2", 2)
    quiet = landed_by(told.publications[0], LIMITS)

    told.clock.jump_to(quiet - SECOND)
    told.run()
    assert told.values == [5]
    told.clock.sleep(LIMITS.heal_after)
    told.run()

    assert told.values == [5, 7]
    assert states(told) == [State.SUPERSEDED, State.ACCEPTED]


def test_a_delta_is_what_the_ledger_has_and_the_provider_lacks():
    told = desk(DELTA)
    told.hours(12)
    told.grow("e2", 2)
    told.hours(12)

    assert told.values == [5, 2]
    assert states(told) == [State.CONFIRMED, State.CONFIRMED]


@each_route
def test_nothing_is_sent_that_could_arrive_when_the_slot_is_closed(route):
    told = desk(route)
    closes_at = slot_of(told.store, place(route, period=SPRING).slot).place.closes_at
    told.clock.jump_to(closes_at - LIMITS.send_timeout)

    summary = told.run()

    assert told.far.sent == []
    assert [slot.total for slot in summary.closed.values()] == [5]
    assert list(summary.stuck.values()) == ["holds 0 of 5: the slot is closed"]


def test_one_pass_publishes_every_page_of_slots():
    told = Desk()
    for n in range(5):
        report(told.store, event("e1", tenant=f"t{n}"))
        into = place(destination=f"cus_{n}", period=SPRING)
        seal(told.store, aggregate_key(f"t{n}"), into=into)
    told.store.outbox.slots_due = partial(told.store.outbox.slots_due, limit=2)

    told.run()

    assert sorted(sent.slot.destination for _, sent in told.far.sent) == [
        f"cus_{n}" for n in range(5)
    ]


def test_a_pass_over_one_partition_sends_that_partition_and_no_more():
    told = Desk()
    for n in range(12):
        report(told.store, event("e1", tenant=f"t{n}"))
        into = place(destination=f"cus_{n}", period=SPRING)
        seal(told.store, aggregate_key(f"t{n}"), into=into)
    every = {due.slot.key for due in told.store.outbox.slots_due().elements}

    for partition in range(PARTITIONS):
        before = len(told.far.sent)
        told.publishing.run(partition=partition)
        sent = {publication.slot for _, publication in told.far.sent[before:]}
        assert sent == {key for key in every if slot_partition(key) == partition}

    assert {publication.slot for _, publication in told.far.sent} == every


# ── Who may stop it ─────────────────────────────────────────────────────────────────────────────


def two_tenants() -> Desk:
    told = Desk()
    for name in ("acme", "beta"):
        told.store.catalog.save(tenant(name), override())
        told.store.catalog.save(mapping(name, destination=f"cus_{name}"), override())
        report(told.store, event("e1", tenant=name))
        into = place(destination=f"cus_{name}", period=SPRING)
        seal(told.store, aggregate_key(name), into=into)
    return told


def test_a_paused_tenant_gets_nothing_and_stops_no_other():
    told = two_tenants()
    told.store.catalog.switch(f"{PAUSE}:acme", "on", override())

    told.run()

    assert [sent.slot.destination for _, sent in told.far.sent] == ["cus_beta"]
    told.store.catalog.switch(f"{PAUSE}:acme", None, override())
    told.run()
    assert told.far.sent[-1][1].slot.destination == "cus_acme"


def test_a_pause_for_all_stops_all():
    told = two_tenants()
    told.store.catalog.switch(PAUSE, "on", override())

    assert told.run().paused
    assert told.far.sent == []


# ── What an answer proves ───────────────────────────────────────────────────────────────────────


@each_route
def test_an_identifier_that_was_seen_before_is_accepted_and_not_confirmed(route):
    told = desk(route, LOST, (False, Answer(Outcome.KNOWN, "an event already exists")))

    told.run()
    told.clock.sleep(LIMITS.send_timeout)
    told.run()

    assert states(told) == [State.ACCEPTED]
    assert slot_of(told.store, place(route, period=SPRING).slot).confirmed == 0


def test_a_refusal_of_the_only_request_is_a_verdict():
    told = desk(DELTA, (False, Answer(Outcome.REFUSED, "no such customer")))

    summary = told.run()

    assert states(told)[0] is State.REJECTED
    assert "no such customer" in summary.stuck.values()


def test_a_refusal_of_a_resend_says_nothing_of_the_first_request():
    told = desk(DELTA, ANSWER_LOST, (False, Answer(Outcome.REFUSED, "archived")))

    told.run()
    told.clock.sleep(LIMITS.send_timeout)
    told.run()
    told.hours(72, each=6)

    assert told.values == [5, 5], "one value, sent twice under one identifier"
    assert states(told) == [State.CONFIRMED]


# ── What a reading proves ───────────────────────────────────────────────────────────────────────


def test_a_summary_that_lags_is_no_proof_of_absence():
    told = desk(DELTA)
    told.run()
    told.far.shown = Decimal(0)

    told.hours(47)
    assert (told.values, states(told)) == ([5], [State.ACCEPTED])
    told.far.shown = None
    told.hours(2)

    assert (told.values, states(told)) == ([5], [State.CONFIRMED])


def test_what_is_absent_in_two_readings_after_48_hours_is_sent_again():
    told = desk(DELTA, (False, Answer(Outcome.ACCEPTED)))

    told.hours(120)

    assert told.values == [5, 5]
    assert states(told) == [State.REJECTED, State.CONFIRMED]
    first, second = told.publications
    assert second.intended_at >= first.accepted_at + LIMITS.summary_lag


def test_one_reading_after_48_hours_is_no_proof_of_absence():
    told = desk(DELTA, (False, Answer(Outcome.ACCEPTED)))
    told.run()

    told.clock.sleep(60 * HOUR)
    told.run()

    assert (told.values, states(told)) == ([5], [State.ACCEPTED])


def test_an_error_report_has_the_total_read_and_proves_nothing():
    told = desk(DELTA)
    told.run()
    told.clock.sleep(HOUR)
    told.run()
    identifier = told.publications[0].identifier
    told.far.reported = (Rejection(identifier, "invalid", "one copy was wrong", told.clock.at),)

    assert told.publishing.poll_rejections() == 1
    assert states(told) == [State.ACCEPTED]
    told.run()

    assert (told.values, states(told)) == ([5], [State.CONFIRMED])


def test_a_total_that_comes_back_is_not_confirmed_by_its_old_self():
    told = desk(DELTA, COUNTED, LOST, quantity=4)
    told.hours(7)
    assert states(told) == [State.CONFIRMED]
    report(told.store, event("v1", voids="e1"))
    told.follow()
    told.far.fates = [LOST] * 100
    told.far.shown = Decimal(0)

    told.hours(40)

    assert slot_of(told.store, place(DELTA, period=SPRING).slot).total == 0
    assert State.CONFIRMED not in states(told)[1:], "the zero shown is that from before the four"


# ── What is said of failures ────────────────────────────────────────────────────────────────────


def test_a_provider_that_cannot_be_read_is_said_and_the_pass_is_not_clean():
    told = desk()
    told.run()
    told.clock.sleep(7 * HOUR)
    told.far.refusal = "503"

    summary = told.run()

    assert (summary.unread, summary.is_clean) == ("503", False)


def test_a_pass_says_when_the_provider_could_not_be_asked_for_refusals():
    told = Desk()
    told.far.refusal = "503"

    assert one_pass(told.publishing, SealLimits()).published.unread == "503"
    with pytest.raises(PublisherUnavailable):
        told.publishing.poll_rejections()


def test_an_answer_that_cannot_be_stored_is_no_success():
    class Refusing:
        def before(self, call: str) -> None:
            if call == "outbox.advance" and told.far.sent:
                raise StoreUnavailable("the disk is full")

        def after(self, call: str) -> None: ...

    told = desk()
    healthy, told.store = told.store, FaultyStore(told.store, Refusing())

    with pytest.raises(StoreUnavailable):
        told.run()

    (left,) = healthy.outbox.publications().elements
    assert left.state is State.PENDING


def test_a_resend_stops_by_the_providers_clock_where_that_is_ahead_of_ours():
    told = desk(DELTA, LOST)
    told.run()
    told.clock.at += 22 * HOUR
    told.far.ahead = 2 * HOUR

    told.run()

    assert len(told.far.sent) == 1


def test_a_key_that_is_not_accepted_ends_the_pass_and_is_told():
    told = desk(ABSOLUTE, (False, Answer(Outcome.DENIED, "no permission")))

    summary = told.run()

    assert (summary.denied, summary.is_clean, len(told.far.sent)) == ("no permission", False, 1)


def test_a_provider_that_is_away_is_not_asked_for_every_slot():
    told = Desk()
    for n in range(OUTAGE_MIN + CHUNK):
        report(told.store, event("e1", tenant=f"t{n}"))
        into = place(destination=f"cus_{n}", period=SPRING)
        seal(told.store, aggregate_key(f"t{n}"), into=into)
    told.far.fates = [LOST] * 1_000

    summary = told.run()

    assert (len(told.far.sent), summary.is_clean) == (CHUNK, False)


def test_a_total_of_more_digits_than_the_provider_keeps_is_not_sent_and_told():
    told = desk(ABSOLUTE, quantity="1234567890.1234567")

    summary = told.run()

    assert told.far.sent == []
    (why,) = summary.stuck.values()
    assert why.endswith("has more digits than the provider takes")
