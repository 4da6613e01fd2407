"""A publisher without a provider: everything can be seen, and nothing happens."""

import pytest

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.publication import Limits, Outcome, State, answered
from tallystick.publishers import HOUR_METER, ROUTES, SUM_METER
from tallystick.publishers.dry_run import DryRunPublisher
from tests.publishers.world import NOW, place, publication, slot


def test_it_offers_the_same_routes():
    assert DryRunPublisher().routes == dict(ROUTES)


def test_what_it_is_given_is_kept_and_said():
    publisher = DryRunPublisher()
    sent = publication(place(HOUR_METER, "cus_1"), "7.50")

    answer = publisher.send(sent)

    assert publisher.unsent == (sent,)
    assert answer.outcome is Outcome.DENIED
    assert answer.detail.startswith("a dry run: 7.5 would go to stripe.hour_meter/default/cus_1/")


def test_nothing_it_answers_settles_a_publication():
    sent = publication(place(SUM_METER, "cus_1"))

    after = answered(sent, DryRunPublisher().send(sent), Limits(), NOW)

    assert after.state is State.PENDING


def test_it_keeps_no_more_than_a_page():
    publisher = DryRunPublisher()
    for n in range(1_005):
        publisher.send(publication(place(HOUR_METER, "cus_1"), revision=n))

    assert len(publisher.unsent) == 1_000
    assert publisher.unsent[-1].slot_revision == 1_004


def test_every_reading_says_that_there_is_no_key():
    publisher = DryRunPublisher()
    one = slot(place(HOUR_METER, "cus_1"))

    for read in (
        lambda: publisher.totals([one]),
        lambda: publisher.invoice_lines([one]),
        lambda: publisher.rejections(0),
        lambda: publisher.subscription("cus_1"),
    ):
        with pytest.raises(PublisherUnavailable, match="TALLYSTICK_STRIPE_API_KEY"):
            read()
