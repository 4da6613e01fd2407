"""A tenant is made known by an event, in whatever order and however often that comes."""

import json

import pytest

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.envelope import ONBOARDING_ORIGIN, USAGE_ORIGIN
from tallystick.domain.event import Receipt
from tallystick.domain.instant import HOUR
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant, Terms
from tallystick.ports import Recorded
from tallystick.publishers import HOUR_METER, USAGE_RECORD, target_of
from tallystick.stages.configuring import archive_meter, end_mapping
from tallystick.stages.enrolling import Onboarded
from tallystick.stages.ingesting import Report, ingest, intake_of, replay
from tallystick.stages.onboarding import Desk, onboard, replay_onboardings
from tallystick.stores.memory import MemoryStore
from tallystick.testing import factories
from tallystick.testing.factories import NOON, TEN

ORIGIN = ONBOARDING_ORIGIN


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def desk(store: MemoryStore) -> Desk:
    return Desk(intake=intake_of(store), target=target_of)


def report(detail_type: str, detail: object, id: str, time: str) -> Report:  # noqa: A002
    body = {"id": id, "detail-type": detail_type, "time": time, "detail": detail}
    origin = USAGE_ORIGIN if detail_type == "BILLING" else ORIGIN
    return Report(origin=origin, body=json.dumps(body))


def onboarding(
    destination: str = "si_1",
    code: str | None = "requests",
    *,
    id: str = "one",  # noqa: A002
    time: str = "2026-01-31T10:20:00Z",
) -> Report:
    detail = {"TenantID": "acme", "ExternalSubscriptionIdentifier": destination}
    return report("ONBOARD", detail if code is None else {**detail, "ProductCode": code}, id, time)


def usage(code: str | None = "requests", id: str = "u") -> Report:  # noqa: A002
    detail = {"TenantID": "acme", "Quantity": 5}
    detail = detail if code is None else {**detail, "ProductCode": code}
    return report("BILLING", detail, id, "2026-01-31T10:10:00Z")


def counted(report: Report, desk: Desk) -> Recorded | DeadLetter:
    (outcome,) = ingest([report], desk.intake, NOON)
    return outcome


def routes(store: MemoryStore) -> list[tuple[str, str, str, str]]:
    account = store.catalog.account("acme")
    assert account is not None
    return [(m.meter, m.route, m.destination, m.counter) for m in account.mappings]


def test_an_onboarding_makes_the_tenant_the_meter_and_the_mapping(store, desk):
    assert onboard(onboarding(), desk, NOON) is Onboarded.ONBOARDED

    assert routes(store) == [("requests", USAGE_RECORD.name, "si_1", "")]
    assert store.catalog.meters() == ((Meter(id="requests", code="requests"),),)
    account = store.catalog.account("acme")
    assert account is not None
    assert account.mappings[0].publish_from == TEN, "the whole hour in which it was sent"


def test_a_customer_takes_the_events_of_the_hour_meter_of_the_code(store, desk):
    onboard(onboarding("cus_1"), desk, NOON)

    assert routes(store) == [("requests", HOUR_METER.name, "cus_1", "requests")]


def test_the_same_again_changes_nothing_and_leaves_no_line(store, desk):
    onboard(onboarding(), desk, NOON)
    before = store.catalog.revision(), store.catalog.overrides().elements

    assert onboard(onboarding(), desk, NOON + HOUR) is Onboarded.KNOWN

    assert (store.catalog.revision(), store.catalog.overrides().elements) == before


def test_a_tenant_that_is_known_keeps_its_terms(store, desk):
    tenant = Tenant(id="acme", name="Acme", versions=(Terms(zone="Europe/Berlin"),))
    store.catalog.save(tenant, factories.override())

    onboard(onboarding(), desk, NOON)

    account = store.catalog.account("acme")
    assert account is not None
    assert account.tenant == tenant


def test_usage_that_came_first_waits_and_is_counted_when_the_tenant_appears(store, desk):
    letter = counted(usage(), desk)
    assert isinstance(letter, DeadLetter)
    assert letter.reason is Reason.UNKNOWN_TENANT

    onboard(onboarding(), desk, NOON)

    assert [event.key for event in store.events.events().elements] == ["u"]
    assert store.dead_letters.list().elements == ()
    assert counted(usage(), desk).receipt is Receipt.DUPLICATE


def test_an_onboarding_that_died_before_it_counted_what_waited_does_so_when_it_comes_again(
    store, desk
):
    onboard(onboarding(), desk, NOON)
    store.dead_letters.keep([waiting(desk)])

    assert onboard(onboarding(), desk, NOON) is Onboarded.KNOWN

    assert store.dead_letters.list().elements == ()


def waiting(desk: Desk) -> DeadLetter:
    """What a worker with an older catalog keeps a moment later."""
    elsewhere = intake_of(MemoryStore())
    (letter,) = ingest([usage()], elsewhere, NOON)
    assert isinstance(letter, DeadLetter)
    return letter


def test_usage_without_a_code_goes_to_the_only_meter_that_the_tenant_is_billed_by(store, desk):
    store.catalog.save(Meter(id="others", code="others"), factories.override())
    onboard(onboarding(), desk, NOON)

    assert counted(usage(None), desk).receipt is Receipt.RECORDED

    (event,) = store.events.events().elements
    assert event.code == "requests"


def test_usage_without_a_code_goes_to_the_only_meter_there_is(store, desk):
    store.catalog.save(Meter(id="requests", code="requests"), factories.override())
    store.catalog.save(Tenant(id="acme"), factories.override())

    assert counted(usage(None), desk).receipt is Receipt.RECORDED


def test_usage_without_a_code_waits_for_the_tenants_meter_where_that_is_open(store, desk):
    store.catalog.save(Tenant(id="acme"), factories.override())
    letter = counted(usage(None), desk)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.waits_for) == (Reason.UNKNOWN_CODE, "tenant:acme")

    onboard(onboarding(), desk, NOON)

    assert [event.code for event in store.events.events().elements] == ["requests"]


def test_usage_without_a_code_of_a_tenant_with_two_meters_is_not_guessed(store, desk):
    onboard(onboarding(), desk, NOON)
    onboard(onboarding("si_2", "others", id="two"), desk, NOON)

    letter = counted(usage(None), desk)

    assert isinstance(letter, DeadLetter)
    assert "ProductCode" in letter.errors[0].detail


def test_an_archived_meter_is_not_meant_by_usage_without_a_code(store, desk):
    store.catalog.save(Meter(id="old", code="old"), factories.override())
    archive_meter(store.catalog, "old", factories.override(at=TEN - 40 * 24 * HOUR))
    onboard(onboarding(), desk, NOON)

    assert counted(usage(None), desk).receipt is Receipt.RECORDED


def test_an_onboarding_without_a_code_takes_the_only_meter(store, desk):
    store.catalog.save(Meter(id="requests", code="requests"), factories.override())

    assert onboard(onboarding(code=None), desk, NOON) is Onboarded.ONBOARDED

    assert routes(store) == [("requests", USAGE_RECORD.name, "si_1", "")]


def test_an_onboarding_without_a_code_is_kept_where_it_is_open_which_meter_it_means(store, desk):
    letter = onboard(onboarding(code=None), desk, NOON)

    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.tenant) == (Reason.UNKNOWN_CODE, "acme")
    assert store.dead_letters.list().elements == (letter,)


def test_a_kept_onboarding_is_heeded_by_a_replay_and_never_counted_as_usage(store, desk):
    letter = onboard(onboarding(code=None), desk, NOON)
    assert isinstance(letter, DeadLetter)
    assert replay(desk.intake, NOON) == {}
    assert replay_onboardings(desk, NOON) == {"still_dead": 1}
    assert store.dead_letters.list().elements == (letter,)

    store.catalog.save(Meter(id="requests", code="requests"), factories.override())

    assert replay_onboardings(desk, NOON, letter_id="another") == {}
    assert replay_onboardings(desk, NOON, letter_id=letter.id) == {"onboarded": 1}
    assert routes(store) == [("requests", USAGE_RECORD.name, "si_1", "")]
    assert store.dead_letters.list().elements == ()


@pytest.mark.parametrize(
    ("report", "wrong"),
    [
        (onboarding("sub_1"), "does not begin with cus_"),
        (onboarding(""), "is empty"),
        (Report(origin=ORIGIN, body="{"), "send one JSON object"),
        (usage(), "to make a tenant known"),
    ],
)
def test_what_cannot_be_meant_is_kept_with_what_is_wrong(store, desk, report, wrong):
    letter = onboard(report, desk, NOON)

    assert isinstance(letter, DeadLetter)
    assert wrong in "; ".join(error.detail for error in letter.errors)
    assert store.dead_letters.list().elements == (letter,)


def test_which_of_several_meters_reads_the_code_is_not_guessed(store, desk):
    for name in ("bytes", "calls"):
        store.catalog.save(Meter(id=name, code="requests"), factories.override())

    letter = onboard(onboarding(), desk, NOON)

    assert isinstance(letter, DeadLetter)
    assert "'bytes', 'calls'" in letter.errors[0].detail


def test_an_archived_meter_is_not_made_again_by_an_onboarding(store, desk):
    store.catalog.save(Meter(id="requests", code="requests"), factories.override())
    archive_meter(store.catalog, "requests", factories.override())

    letter = onboard(onboarding(), desk, NOON)

    assert isinstance(letter, DeadLetter)
    assert "archived" in letter.errors[0].detail


def test_a_later_onboarding_moves_the_tenant_and_an_older_one_that_comes_late_does_not(store, desk):
    first, second = onboarding("si_1"), onboarding("si_2", id="two", time="2026-01-31T11:00:00Z")
    onboard(second, desk, NOON)

    assert onboard(first, desk, NOON) is Onboarded.OVERTAKEN
    assert routes(store)[-1][2] == "si_2"


def test_an_onboarding_that_comes_again_does_not_undo_what_was_sent_after_it(store, desk):
    first, second = onboarding("si_1"), onboarding("si_2", id="two", time="2026-01-31T11:00:00Z")
    onboard(first, desk, NOON)
    assert onboard(second, desk, NOON) is Onboarded.ONBOARDED

    assert onboard(first, desk, NOON + HOUR) is Onboarded.OVERTAKEN
    assert routes(store)[-1][2] == "si_2"


def test_an_onboarding_that_comes_again_does_not_undo_what_a_person_ended(store, desk):
    onboard(onboarding(), desk, NOON)
    end_mapping(store.catalog, ("acme", "requests", ""), factories.override())

    assert onboard(onboarding(), desk, NOON + HOUR) is Onboarded.OVERTAKEN
    assert routes(store)[-1][2] == ""


def test_two_onboardings_of_one_second_are_both_heeded(store, desk):
    onboard(onboarding("si_1"), desk, NOON)

    assert onboard(onboarding("si_2", id="two"), desk, NOON) is Onboarded.ONBOARDED
