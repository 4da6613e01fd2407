"""`dead-letters` on the dead-letter queues: a look changes nothing, a replay loses nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

import pytest

from tallystick.domain.errors import StoreUnavailable
from tallystick.entrypoints.aws.queues import AT_ONCE
from tests.aws.handlers.calls import envelope, onboarding, usage
from tests.aws.handlers.endpoint import refusal, serving


@dataclass
class Queue:
    """What SQS would answer: messages in the order in which they came, hidden while taken."""

    bodies: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    refuses: str = ""

    def put(self, name: str, body: object) -> None:
        self.bodies[name] = body if isinstance(body, str) else json.dumps(body)

    def __call__(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refuses:
            return refusal(self.refuses)
        if operation == "ReceiveMessage":
            return 200, {"Messages": self._taken(asked["MaxNumberOfMessages"])}
        name = asked["ReceiptHandle"].removeprefix("receipt of ")
        self.hidden.discard(name)
        if operation == "DeleteMessage":
            del self.bodies[name]
        return 200, {}

    def _taken(self, limit: int) -> list[dict[str, Any]]:
        taken = [name for name in self.bodies if name not in self.hidden][:limit]
        self.hidden.update(taken)
        return [
            {
                "MessageId": name,
                "Body": self.bodies[name],
                "MD5OfBody": md5(self.bodies[name].encode()).hexdigest(),  # noqa: S324
                "ReceiptHandle": f"receipt of {name}",
                "Attributes": {"SentTimestamp": "1788255000000", "ApproximateReceiveCount": "11"},
            }
            for name in taken
        ]


@pytest.fixture
def queue(monkeypatch) -> Iterator[Queue]:
    found = Queue()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tallystick.entrypoints.aws.queues.SENDS_MAX", 1)
    with serving(found) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", url)
        monkeypatch.setenv("TALLYSTICK_DEAD_LETTER_QUEUES", f"{url}/111122223333/BillingDlq")
        yield found


@pytest.fixture
def ready(run, queue):
    """A store with the tenant acme and the meter api_calls; the commands."""
    assert run("tenants", "add", "acme").code == 0
    assert run("meters", "add", "api_calls").code == 0
    return run


def replayed(ready, *arguments: str) -> dict[str, int]:
    (row,) = ready("dead-letters", "replay", *arguments, "--json").rows
    return {name: count for name, count in row.items() if count}


def test_the_list_shows_what_lies_in_a_queue_and_leaves_it_there(ready, queue):
    for number in range(AT_ONCE + 5):
        queue.put(f"m{number}", usage(EventID=f"k{number}"))

    shown = ready("dead-letters", "list", "--json")

    assert shown.code == 1
    assert [row["id"] for row in shown.rows] == [f"m{number}" for number in range(AT_ONCE + 5)]
    assert {row["reason"] for row in shown.rows} == {"undelivered"}
    assert {row["origin"] for row in shown.rows} == {"BillingDlq"}
    assert {row["received_at"] for row in shown.rows} == {"2026-09-01T09:30:00Z"}
    assert (len(queue.bodies), queue.hidden) == (AT_ONCE + 5, set())


def test_the_list_for_people_has_them_beside_the_dead_letters(ready, queue):
    queue.put("m0", usage(tenant="nobody"))
    replayed(ready)
    queue.put("m1", usage())

    shown = ready("dead-letters", "list")

    assert "unknown_tenant" in shown.out
    assert "undelivered" in shown.out


def test_a_replay_counts_what_can_be_counted_and_keeps_the_rest_with_its_reason(ready, queue):
    bodies = (usage(), usage(tenant="new"), onboarding("new", ProductCode="api_calls"), "not JSON")
    for number, body in enumerate(bodies):
        queue.put(f"m{number}", body)

    assert replayed(ready) == {"recorded": 1, "onboarded": 1, "still_dead": 2}

    assert queue.bodies == {}
    assert ready("usage", "--tenant", "new", "--json").rows[0]["quantity"] == "5"
    (letter,) = ready("dead-letters", "list", "--json").rows
    assert (letter["reason"], letter["body"]) == ("unreadable", "not JSON")


def test_a_replay_of_one_message_leaves_the_others(ready, queue):
    for number in range(AT_ONCE + 5):
        queue.put(f"m{number}", usage(EventID=f"k{number}"))

    assert replayed(ready, "m12") == {"recorded": 1}

    assert set(queue.bodies) == {f"m{number}" for number in range(AT_ONCE + 5)} - {"m12"}
    assert queue.hidden == set()


def test_what_was_counted_before_its_message_was_deleted_counts_once(ready, queue):
    queue.put("m0", event := usage())
    replayed(ready)
    queue.put("m0", event)

    assert replayed(ready) == {"duplicate": 1}


def test_nothing_is_deleted_while_the_store_is_away(ready, queue, monkeypatch):
    for number in range(3):
        queue.put(f"m{number}", usage())

    def away(*_: object) -> None:
        raise StoreUnavailable("as ordered")

    monkeypatch.setattr("tallystick.entrypoints.cli.undelivered.take_in", away)

    assert ready("dead-letters", "replay").code == 3
    assert (len(queue.bodies), queue.hidden - {"m1", "m2"}) == (3, set())


@pytest.mark.parametrize(
    ("refuses", "code"), [("AWS.SimpleQueueService.NonExistentQueue", 2), ("InternalError", 3)]
)
def test_a_queue_that_is_not_there_is_told_apart_from_one_that_is_away(ready, queue, refuses, code):
    queue.refuses = refuses

    ran = ready("dead-letters", "list")

    assert (ran.code, "BillingDlq" in ran.err) == (code, True)


def test_a_queue_is_not_asked_where_a_tenant_is(ready, queue):
    queue.refuses = "InternalError"

    assert ready("dead-letters", "list", "--tenant", "acme").code == 0
    assert replayed(ready, "--tenant", "acme") == {}


def test_the_option_names_queues_instead_of_the_setting(ready, queue, monkeypatch):
    monkeypatch.setenv("TALLYSTICK_DEAD_LETTER_QUEUES", "https://sqs.example.org/1/absent")
    queue.put("m0", envelope({}))
    url = "http://127.0.0.1/111122223333/StrayDlq"

    (row,) = ready("dead-letters", "list", "--queue", url, "--json").rows

    assert row["origin"] == "StrayDlq"


def test_a_setting_that_is_no_url_is_refused(ready, monkeypatch):
    monkeypatch.setenv("TALLYSTICK_DEAD_LETTER_QUEUES", "BillingDlq")

    ran = ready("dead-letters", "list")

    assert (ran.code, "TALLYSTICK_DEAD_LETTER_QUEUES" in ran.err) == (2, True)


def test_usage_without_a_code_is_counted_once_its_tenant_is_mapped(ready, queue):
    ready("meters", "add", "others")
    queue.put("m0", envelope({"TenantID": "acme", "Quantity": 5}))
    assert replayed(ready) == {"still_dead": 1}

    target = ("--stripe-customer", "cus_1", "--event-name", "api_calls")
    mapped = ready("mappings", "add", "acme", "api_calls", *target)

    assert "1 of 1 dead letters that waited for it are counted now" in mapped.err
    assert ready("dead-letters", "list").code == 0
