"""What Stripe accepted and reported as wrong later."""

from collections.abc import Callable

import pytest

from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.domain.statement import Rejection
from tallystick.publishers import HOUR_METER
from tests.publishers.scripted import reply, scripted
from tests.publishers.world import KEY, NOW, World, place, publication

Opener = Callable[..., World]


def test_an_event_found_wrong_later_is_known_by_its_identifier(world: World):
    world.hour_meter()
    sent = publication(place(HOUR_METER, "cus_nobody"))
    assert world.publisher.send(sent).outcome == "accepted"

    assert world.publisher.rejections(NOW - HOUR) == (
        Rejection(
            sent.identifier,
            "meter_event_customer_not_found",
            "The customer provided in the event payload was not found.",
            NOW,
        ),
    )


def test_an_event_without_a_meter_is_reported_too(open_world: Opener):
    world = open_world(unknown_meter="report")
    sent = publication(place(HOUR_METER, world.shop.customer(), "nobody"))
    world.publisher.send(sent)

    (rejection,) = world.publisher.rejections(NOW - HOUR)

    assert (rejection.identifier, rejection.code) == (sent.identifier, "no_meter")


def test_what_was_reported_before_is_not_told_again(world: World):
    world.hour_meter()
    world.publisher.send(publication(place(HOUR_METER, "cus_nobody")))

    assert world.publisher.rejections(NOW + SECOND) == ()


def test_every_page_of_reports_is_read(world: World):
    world.hour_meter()
    for n in range(205):
        world.send(place(HOUR_METER, "cus_nobody"), identifier=f"tly_{n}")

    found = world.publisher.rejections(NOW - HOUR)

    assert {rejection.identifier for rejection in found} == {f"tly_{n}" for n in range(205)}
    assert world.shop.sandbox.outcomes()["GET /v2/core/events"] == {"200": 3}


def test_only_samples_are_told_and_that_is_all_there_is(open_world: Opener):
    world = open_world(report_window_seconds=10, report_samples_max=3)
    world.hour_meter()
    for n in range(5):
        world.send(place(HOUR_METER, "cus_nobody"), identifier=f"tly_{n}")
    world.advance(MINUTE)

    assert len(world.publisher.rejections(NOW - HOUR)) == 3


def report(request: str, content: str | None = None) -> str:
    reason = (
        '{"reason": {"error_types": [{"code": "no_meter", "sample_errors": '
        f'[{{"error_message": "none", "request": {request}}}]}}]}}}}'
    )
    held = reason if content is None else content
    return f'{{"id": "evt_1", "created": "2026-09-21T12:00:00.000Z", "data": {held}}}'


@pytest.mark.parametrize(
    ("request_shown", "identifiers"),
    [
        ('{"identifier": "tly_1"}', ["tly_1"]),
        ('{"idempotency_key": "tly_1"}', ["tly_1"]),
        ('{"id": "", "identifier": null, "idempotency_key": "tly_1"}', ["tly_1"]),
        ('{"id": "req_1"}', []),
    ],
)
def test_either_name_of_the_identifier_joins_back(
    publisher_at, request_shown: str, identifiers: list[str]
):
    with scripted(reply(f'{{"data": [{report(request_shown)}]}}')) as server:
        found = publisher_at(server.url).rejections(0)

    assert [rejection.identifier for rejection in found] == identifiers


def test_a_report_listed_without_its_content_is_fetched(publisher_at):
    bare = report("{}", "null")
    full = report('{"identifier": "tly_1"}')
    with scripted(reply(f'{{"data": [{bare}]}}'), reply(full)) as server:
        found = publisher_at(server.url).rejections(0)

    assert [rejection.identifier for rejection in found] == ["tly_1"]
    assert server.heads[1].startswith("GET /v2/core/events/evt_1 ")


@pytest.mark.parametrize("address", ["https://evil.example/v2/core/events?page=2", "/v1/charges?x"])
def test_the_next_page_can_be_nowhere_else(publisher_at, address: str):
    page = reply(f'{{"data": [], "next_page_url": "{address}"}}')
    with scripted(page) as server, pytest.raises(PublisherUnavailable, match="address"):
        publisher_at(server.url).rejections(0)

    assert len(server.requests) == 1


def test_a_list_without_end_is_given_up(publisher_at):
    page = reply('{"data": [], "next_page_url": "/v2/core/events?page=2"}')
    with scripted(page) as server, pytest.raises(PublisherUnavailable, match="does not end"):
        publisher_at(server.url).rejections(0)


def test_a_key_that_may_not_read_events_names_the_permission(world: World):
    world.shop.sandbox.grant(KEY, ["rak_billing_meter_read"])

    with pytest.raises(PublisherMisconfigured, match="rak_event_read"):
        world.publisher.rejections(0)
