"""Bugs that others have shipped, each planted by replacing one rule of ours.

`MUTANTS` names what is wrong, and how to make it so with a monkeypatch. The simulator must fail on
each within a bounded number of seeds.
"""

from dataclasses import replace

from tallystick.domain import publication as protocol
from tallystick.domain import reading as evidence
from tallystick.domain import tenant as calendar
from tallystick.domain.instant import DAY
from tallystick.domain.ledger import carried_undelivered
from tallystick.domain.publication import Outcome, State, Step
from tallystick.domain.window import Window
from tallystick.stages import carrying, doubting, publishing, sealing
from tallystick.stages.publishing import Publishing
from tallystick.stores.memory import events, ledger, outbox
from tallystick.testing.fakes import FakePublisher

# ── Events ──


def no_uniqueness(patch):
    recorded = events._recorded

    def counted_again(tables, recording, now):
        tables.events.pop((recording.event.tenant, recording.event.key), None)
        return recorded(tables, recording, now)

    patch.setattr(events, "_recorded", counted_again)


def keys_without_a_tenant(patch):
    recorded = events._recorded

    def confused(tables, recording, now):
        event = recording.event
        owner = next((t for t, key in tables.events if key == event.key), event.tenant)
        if owner != event.tenant:
            return events.Recorded(events.Receipt.DUPLICATE)
        return recorded(tables, recording, now)

    patch.setattr(events, "_recorded", confused)


def a_void_after_its_event_is_ignored(patch):
    patch.setattr(events._Draft, "_take_out", lambda *_, **__: None)


def days_of_24_hours(patch):
    def from_midnight(zone, at):
        start = calendar.day_start(zone, calendar.to_datetime(at).date())
        while start > at:
            start -= DAY
        while start + DAY <= at:
            start += DAY
        return Window(start, start + DAY)

    patch.setattr(calendar, "local_day", from_midnight)


# ── The ledger ──


def a_stale_append_is_accepted(patch):
    patch.setattr(ledger, "_is_next", lambda *_, **__: True)


def an_aggregates_mark_cleared_unseen(patch):
    def clear_due(self, sealed):
        for key, *_ in sealed:
            with self._storage.opened() as tables:
                tables.aggregates[key] = replace(tables.aggregates[key], due=False)

    patch.setattr(ledger.MemoryLedger, "clear_due", clear_due)


def a_mark_cleared_before_the_append(patch):
    flush = sealing._Page.flush

    def cleared_first(self):
        self.ledger.clear_due([(a.key, a.position, a.marks) for a, _ in self.waiting])
        flush(self)

    patch.setattr(sealing._Page, "flush", cleared_first)


def a_carry_leaves_its_origin(patch):
    def arrives_only(*arguments, **named):
        pair = carried_undelivered(*arguments, **named)
        return tuple(replace(e, allocations=()) if e.moved < 0 else e for e in pair)

    patch.setattr(carrying, "carried_undelivered", arrives_only)


# ── Publications ──


def the_intent_after_the_send(patch):
    begin = Publishing._begin

    def unsaved(self, due):
        now, routes = self.clock.now(), self.publisher.routes
        name = self.store.incarnation
        return [
            protocol.intended(d.slot, routes[d.slot.key.route], name, self.limits, now) for d in due
        ]

    def send_and_save(self, publications):
        sent, answers = begin(self, publications)
        answers = list(answers)
        self.store.outbox.intend([p for p in publications if p.step == 0])
        return sent, answers

    patch.setattr(Publishing, "_intend", unsaved)
    patch.setattr(Publishing, "_begin", send_and_save)


def the_slots_version_ignored(patch):
    stored = outbox._intended

    def blind(tables, publication):
        slot = tables.slots[publication.slot]
        return stored(tables, replace(publication, slot_version=slot.version))

    patch.setattr(outbox, "_intended", blind)


def two_unsettled_at_once(patch):
    stored = outbox._intended

    def blind(tables, publication):
        slot = tables.slots[publication.slot]
        tables.slots[slot.key] = replace(slot, unsettled=None)
        return stored(tables, publication)

    def decide(slot, current, *rest, **named):
        newer = current is not None and slot.total != current.total
        return protocol.decide(slot, None if newer else current, *rest, **named)

    patch.setattr(outbox, "_intended", blind)
    patch.setattr(publishing, "decide", decide)


def a_slots_mark_cleared_unseen(patch):
    def clear_due(self, read):
        for slot in read:
            with self._storage.opened() as tables:
                tables.slots[slot.key] = replace(tables.slots[slot.key], due=False)

    patch.setattr(outbox.MemoryOutbox, "clear_due", clear_due)


def no_end_of_resending(patch):
    patch.setattr(protocol, "_may_send", lambda current, *_, **__: current.resendable)


def a_takeover_skips_the_frozen_intent(patch):
    def decide(*arguments, **named):
        step = protocol.decide(*arguments, **named)
        return Step.SUPERSEDE if step is Step.SEND else step

    def forgotten(current, slot):
        if current.state is State.SUPERSEDED:
            return slot.confirmed
        return evidence.confirmed_after(current, slot)

    patch.setattr(publishing, "decide", decide)
    patch.setattr(outbox, "confirmed_after", forgotten)


def _answered_as(outcomes, state):
    answered = protocol.answered

    def mistaken(current, answer, limits, now):
        if answer.outcome in outcomes:
            return replace(current, state=state, settled_at=now, step=current.step + 1)
        return answered(current, answer, limits, now)

    return mistaken


def no_answer_taken_for_a_refusal(patch):
    unknown = _answered_as({Outcome.UNKNOWN, Outcome.FAILED}, State.REJECTED)
    patch.setattr(publishing, "answered", unknown)


def a_2xx_taken_for_counted(patch):
    patch.setattr(publishing, "answered", _answered_as({Outcome.ACCEPTED}, State.CONFIRMED))


def an_error_report_taken_for_a_verdict(patch):
    def rejected(current, detail, now):
        return replace(current, state=State.REJECTED, settled_at=now, step=current.step + 1)

    patch.setattr(doubting, "doubted", rejected)


def absence_believed_at_once(patch):
    def absent(current, seen, at, route, limits):
        return seen == current.before

    patch.setattr(evidence, "_proves_absence", absent)


def any_total_confirms(patch):
    patch.setattr(evidence, "is_fresh", lambda *_, **__: True)


def a_sender_that_does_not_look_at_its_clock(patch):
    patch.setattr(FakePublisher, "send", lambda self, p: self.provider.receive(p))


MUTANTS = (
    no_uniqueness,
    keys_without_a_tenant,
    a_void_after_its_event_is_ignored,
    days_of_24_hours,
    a_stale_append_is_accepted,
    an_aggregates_mark_cleared_unseen,
    a_mark_cleared_before_the_append,
    a_carry_leaves_its_origin,
    the_intent_after_the_send,
    the_slots_version_ignored,
    two_unsettled_at_once,
    a_slots_mark_cleared_unseen,
    no_end_of_resending,
    a_takeover_skips_the_frozen_intent,
    no_answer_taken_for_a_refusal,
    a_2xx_taken_for_counted,
    an_error_report_taken_for_a_verdict,
    absence_believed_at_once,
    any_total_confirms,
    a_sender_that_does_not_look_at_its_clock,
)
