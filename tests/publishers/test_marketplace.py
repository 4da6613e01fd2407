"""AWS Marketplace, by AWS's own SDK against a stand-in on this machine."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tallystick import bootstrap
from tallystick.config import Secret, Settings, read_settings
from tallystick.domain.errors import InvalidSetting, PublisherUnavailable
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.domain.publication import Outcome, State
from tallystick.domain.slot import Mode, Slot
from tallystick.entrypoints.cli.mappings import TargetOptions
from tallystick.publishers import AWS_MARKETPLACE, ROUTES, STRIPE_ROUTES, check_target, may_go_to
from tallystick.publishers.aws_marketplace import (
    QUANTITY_MAX,
    SECONDS_MAX,
    MarketplacePublisher,
    verdict,
)
from tallystick.publishers.several import SeveralPublishers
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.restoring import begin, quiet_from
from tallystick.stages.targeting import SealLimits
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract.steps import report
from tallystick.testing.factories import (
    ELEVEN,
    JANUARY,
    LIMITS,
    NOON,
    TEN,
    event,
    mapping,
    meter,
    override,
    place,
    publication,
    tenant,
)
from tallystick.testing.fakes import FakeClock
from tests.publishers.marketplace import open_marketplace

CUSTOMER = "prod1234/cust5678"
LICENSE = "arn:aws:license-manager::111122223333:license:l-0123abcd"
LICENSED = f"{LICENSE}/444455556666"
PAGE = (Path(__file__).parents[2] / "docs" / "marketplace.md").read_text(encoding="utf-8")


@pytest.fixture
def marketplace(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with open_marketplace() as found:
        yield found


def publisher(marketplace, clock=None) -> MarketplacePublisher:
    clock = clock or FakeClock(NOON)
    return MarketplacePublisher(region="us-east-1", clock=clock, endpoint=marketplace.url)


def record(quantity=7, destination=CUSTOMER):
    where = place(AWS_MARKETPLACE, destination=destination, period=JANUARY)
    slot = Slot(place=where, total=Decimal(quantity), version=1)
    return publication(slot, route=AWS_MARKETPLACE)


def test_a_record_names_product_customer_dimension_hour_and_a_whole_quantity(marketplace):
    answer = publisher(marketplace).send(record())

    assert answer.outcome is Outcome.COUNTED
    assert marketplace.asked == [
        {
            "ProductCode": "prod1234",
            "UsageRecords": [
                {
                    "CustomerIdentifier": "cust5678",
                    "Dimension": "requests",
                    "Timestamp": TEN // SECOND,
                    "Quantity": 7,
                }
            ],
        }
    ]


def test_a_licence_is_named_without_a_product_code_which_would_bill_twice(marketplace):
    publisher(marketplace).send(record(destination=LICENSED))

    (asked,) = marketplace.asked
    assert "ProductCode" not in asked
    (told,) = asked["UsageRecords"]
    assert (told["LicenseArn"], told["CustomerAWSAccountId"]) == (LICENSE, "444455556666")
    assert "CustomerIdentifier" not in told


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("cut", Outcome.UNKNOWN),
        ("cut after it counted", Outcome.UNKNOWN),
        ("unprocessed", Outcome.BUSY),
        ("ThrottlingException", Outcome.BUSY),
        ("InternalServiceErrorException", Outcome.FAILED),
        ("TimestampOutOfBoundsException", Outcome.REFUSED),
        ("InvalidProductCodeException", Outcome.REFUSED),
        ("AccessDeniedException", Outcome.DENIED),
        ("UnrecognizedClientException", Outcome.DENIED),
    ],
)
def test_each_way_to_fail_is_told_for_what_it_is_and_tried_once(marketplace, fault, outcome):
    marketplace.faults = [fault]

    assert publisher(marketplace).send(record()).outcome is outcome
    assert len(marketplace.asked) == 1


def test_the_same_record_again_is_counted_and_another_quantity_is_a_mismatch(marketplace):
    sender = publisher(marketplace)
    sender.send(record(7))

    assert sender.send(record(7)).outcome is Outcome.COUNTED
    assert sender.send(record(8)).outcome is Outcome.MISMATCH
    assert list(marketplace.books.values()) == [7]


def test_a_customer_who_is_not_subscribed_is_refused_inside_a_200(marketplace):
    marketplace.subscribed = False

    assert publisher(marketplace).send(record()).outcome is Outcome.REFUSED


def test_a_status_that_nobody_knows_and_an_answer_without_one_are_no_verdict():
    assert verdict({"Results": [{"Status": "Postponed"}]}).outcome is Outcome.UNKNOWN
    assert verdict({}).outcome is Outcome.UNKNOWN


def test_past_the_deadline_and_beyond_the_largest_quantity_nothing_is_sent(marketplace):
    late = FakeClock(record().deadline + 1)

    assert publisher(marketplace, late).send(record()).outcome is Outcome.BUSY
    assert publisher(marketplace).send(record(QUANTITY_MAX + 1)).outcome is Outcome.REFUSED
    assert marketplace.asked == []


def test_no_connection_is_no_doubt(marketplace):
    closed = replace(marketplace, url="http://127.0.0.1:9")

    assert publisher(closed).send(record()).outcome is Outcome.BUSY


def test_without_credentials_nothing_was_looked_at(marketplace, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert publisher(marketplace).send(record()).outcome is Outcome.DENIED


def test_an_attempt_ends_before_its_senders_deadline():
    assert LIMITS.send_timeout > 2 * SECONDS_MAX * SECOND


# ── A whole pass ──


def shop(marketplace, *closed):
    """A store with usage of the hour from ten, and what publishes it."""
    store, clock = MemoryStore("here"), FakeClock(ELEVEN + 6 * MINUTE)
    store.catalog.save(tenant(), override())
    store.catalog.save(meter(), override())
    to = mapping(route=AWS_MARKETPLACE, destination=CUSTOMER)
    store.catalog.save(to, override())
    report(store, event("a", 5), meters=(meter(),), now=clock.now())
    sender = publisher(marketplace, clock)
    return store, clock, Publishing(store=store, publisher=sender, clock=clock, limits=LIMITS)


def test_a_lost_answer_is_asked_for_again_and_counts_once(marketplace):
    store, clock, publishing = shop(marketplace)
    marketplace.faults = ["cut after it counted"]

    one_pass(publishing, SealLimits())
    clock.sleep(10 * MINUTE)
    one_pass(publishing, SealLimits())

    (told,) = store.outbox.publications().elements
    assert (told.state, told.attempts) == (State.CONFIRMED, 2)
    assert marketplace.asked[0] == marketplace.asked[1]
    assert list(marketplace.books.values()) == [5]


def test_what_comes_late_is_told_in_a_later_hour_and_reconcile_finds_nothing(marketplace):
    store, clock, publishing = shop(marketplace)
    one_pass(publishing, SealLimits())
    report(store, event("late", 2), meters=(meter(),), now=clock.now())

    for _ in range(3):
        one_pass(publishing, SealLimits())
        clock.sleep(HOUR)

    assert list(marketplace.books.values()) == [5, 2]
    reconciling = Reconciling(
        store=store, publisher=publishing.publisher, now=clock.now(), limits=LIMITS
    )
    assert list(reconciling.everything()) == []


# ── Beside Stripe, and set up by settings ──


def test_the_settings_choose_marketplace_stripe_or_both(marketplace):
    def chosen(**settings):
        return bootstrap.publisher_for(Settings(**settings), FakeClock(NOON))

    region, key = {"marketplace_region": "us-east-1"}, {"stripe_api_key": Secret("sk_test_1")}

    assert set(chosen(**region).routes) == {AWS_MARKETPLACE.name}
    assert set(chosen(**key).routes) == set(STRIPE_ROUTES)
    both = chosen(**region, **key)
    assert isinstance(both, SeveralPublishers)
    assert both.routes == dict(ROUTES)
    assert both.subscription(CUSTOMER) is None


def test_the_endpoint_takes_credentials_and_is_https_or_of_this_machine():
    with pytest.raises(InvalidSetting, match="AWS_MARKETPLACE_ENDPOINT must begin with https"):
        read_settings({"TALLYSTICK_AWS_MARKETPLACE_ENDPOINT": "http://example.com"})


@pytest.mark.parametrize("destination", [CUSTOMER, LICENSED])
def test_a_destination_names_a_product_or_a_licence_and_a_customer(destination):
    check_target(AWS_MARKETPLACE.name, destination, "requests")
    assert may_go_to(AWS_MARKETPLACE.name, destination)
    assert not any(may_go_to(route, destination) for route in STRIPE_ROUTES)


@pytest.mark.parametrize("destination", ["cus_1", "prod/", "/cust", "a/b/c", f"{LICENSE}/12"])
def test_what_names_neither_is_refused(destination):
    with pytest.raises(InvalidSetting, match="neither LICENSE_ARN"):
        check_target(AWS_MARKETPLACE.name, destination, "requests")


def test_a_mapping_is_made_by_two_options_that_go_together():
    both = TargetOptions(marketplace_customer=CUSTOMER, marketplace_dimension="requests")
    assert both.target() == (AWS_MARKETPLACE.name, CUSTOMER, "requests")

    for alone in (
        TargetOptions(marketplace_customer=CUSTOMER),
        TargetOptions(marketplace_dimension="requests"),
        replace(both, stripe_customer="cus_1"),
    ):
        with pytest.raises(InvalidSetting, match="go together"):
            alone.target()


def test_usage_of_a_provider_that_is_not_set_up_is_listed_and_stops_a_restore(marketplace):
    store, clock, publishing = shop(marketplace)
    elsewhere = replace(publishing, publisher=_without_routes(publishing.publisher))
    one_pass(publishing, SealLimits())
    report(store, event("late", 2), meters=(meter(),), now=clock.now())
    one_pass(publishing, SealLimits())

    stuck = elsewhere.run().stuck
    reconciling = Reconciling(
        store=store, publisher=elsewhere.publisher, now=clock.now(), limits=LIMITS
    )
    begin(store, "again", override(at=clock.now()))

    assert set(stuck.values()) == {"nobody publishes aws.marketplace"}
    assert [d.ours for d in reconciling.everything()] == [2]
    with pytest.raises(PublisherUnavailable, match="nobody publishes aws"):
        quiet_from(store, elsewhere.publisher, LIMITS)


def _without_routes(sender):
    class Elsewhere(type(sender)):
        @property
        def routes(self):
            return {}

    return Elsewhere(region="us-east-1", clock=FakeClock(NOON), endpoint="http://127.0.0.1:9")


# ── The page ──


def test_the_page_names_the_settings_the_statuses_and_the_route():
    names = ["TALLYSTICK_AWS_MARKETPLACE_REGION", "TALLYSTICK_AWS_MARKETPLACE_ENDPOINT"]
    statuses = ["Success", "CustomerNotSubscribed", "DuplicateRecord", "UnprocessedRecords"]

    assert [n for n in (*names, *statuses, AWS_MARKETPLACE.name) if f"`{n}`" not in PAGE] == []


def test_the_pages_policy_allows_the_one_call_that_is_made():
    start = PAGE.index("```json") + len("```json")
    policy = json.loads(PAGE[start : PAGE.index("```", start)])

    (statement,) = policy["Statement"]
    assert statement["Action"] == "aws-marketplace:BatchMeterUsage"
    assert AWS_MARKETPLACE.mode is Mode.ONCE
