"""A subscription that changed at Stripe is compared at once, as reconcile would later."""

from collections.abc import Callable, Iterator

import pytest

from tallystick.domain.discrepancy import Kind
from tallystick.domain.mapping import Mapping
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant
from tallystick.stages.publishing import HOLD
from tallystick.stages.reconciling import Reconciling
from tests.http.conftest import AUDIT, Api
from tests.http.told import MONTH, SNAPSHOT, World, changed, opened


@pytest.fixture
def world(make_api: Callable[..., Api]) -> Iterator[World]:
    with opened(make_api) as made:
        yield made


def test_a_paused_subscription_gets_nothing_new_until_it_goes_on(world: World):
    subscriptions = world.shop.stripe.v1.subscriptions
    subscriptions.update(world.subscription, {"pause_collection": {"behavior": "void"}})
    assert world.deliver() == [200]
    assert world.held == "the subscription is paused"
    world.count()
    world.publish()
    assert world.at_stripe == 0

    subscriptions.update(world.subscription, {"pause_collection": ""})
    assert world.deliver() == [200]
    world.publish()

    assert (world.held, world.at_stripe) == (None, 5)


def test_a_cancelled_subscription_is_held_as_reconcile_would(world: World):
    world.shop.stripe.v1.subscriptions.cancel(world.subscription)
    world.deliver()
    app = world.api.service.app
    reconciling = Reconciling(
        store=app.store, publisher=app.publisher, now=app.clock.now(), limits=Limits()
    )

    (found,) = reconciling.subscriptions()

    assert (found.kind, found.detail) == (Kind.SUBSCRIPTION, world.held)
    assert world.held == "the subscription is canceled"


def test_of_deliveries_in_the_wrong_order_the_present_counts(world: World):
    subscriptions = world.shop.stripe.v1.subscriptions
    subscriptions.update(world.subscription, {"pause_collection": {"behavior": "void"}})
    subscriptions.update(world.subscription, {"pause_collection": ""})
    waiting = world.shop.sandbox._desk.webhooks._waiting
    waiting.reverse()

    assert world.deliver() == [200, 200]
    assert world.held is None


def test_a_change_that_comes_twice_is_on_record_once(world: World):
    world.shop.stripe.v1.subscriptions.cancel(world.subscription)
    (sent,) = world.shop.sandbox.deliver()
    before = world.api.store.catalog.overrides().elements

    world.shop.sandbox.resend(str(sent["event"]))
    again = world.told(changed(world.customer), secret=SNAPSHOT)

    assert world.deliver() == [200]
    assert again.json() == {
        "event": "evt_1",
        "type": "customer.subscription.updated",
        "taken": "known",
    }
    assert world.api.store.catalog.overrides().elements == before


def test_a_bill_that_is_final_has_its_subscription_compared(world: World):
    world.shop.sandbox.set_status(world.subscription, "unpaid")
    noted = world.told(changed(world.customer, "invoice.finalized"), secret=SNAPSHOT)

    assert noted.json()["taken"] == "noted"
    assert world.held == "the subscription is unpaid"


def test_a_customer_that_nobody_here_bills_is_not_asked_for(world: World):
    asked = world.shop.sandbox.outcomes()

    assert world.told(changed("cus_stranger")).json()["taken"] == "known"
    assert world.shop.sandbox.outcomes() == asked


def test_a_mapping_made_a_moment_ago_is_known(world: World):
    world.told(changed("cus_late"))
    other = world.shop.customer(id="cus_late")
    billed = world.api.store.catalog.account("acme").mappings[0]
    world.api.store.catalog.save(Tenant(id="globex"), AUDIT)
    world.api.store.catalog.save(
        Mapping(
            tenant="globex",
            meter="requests",
            route=billed.route,
            destination=other,
            counter="requests",
            publish_from=MONTH,
        ),
        AUDIT,
    )
    price = world.shop.price(world.shop.meter("others"))
    made = world.shop.subscribe(other, price)
    world.shop.stripe.v1.subscriptions.cancel(made.id)

    world.deliver()

    assert f"{HOLD}:{other}" in world.api.store.catalog.switches()


def test_a_subscription_that_cannot_be_asked_for_now_comes_again(world: World):
    world.shop.stripe.v1.subscriptions.cancel(world.subscription)
    world.shop.fault("outage")

    assert world.deliver() == [503]
    assert world.held is None
