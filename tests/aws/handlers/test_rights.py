"""What the template lets each function do with the table is what its work takes, and no more.

The emulator of the stack knows a role's actions, but not by which keys they are limited: so the
functions also work here, on DynamoDB, under the template's own words, judged as IAM does.
"""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tallystick.domain.errors import StoreUnavailable
from tallystick.entrypoints.aws import ingest, onboard, reconcile, stray
from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.stores.dynamodb import DynamoStore
from tallystick.stores.dynamodb.layout import DUE_INDEX, PARTITION
from tallystick.testing.contract.steps import count, next_of
from tallystick.testing.factories import override
from tests.aws.conftest import client_of
from tests.aws.handlers.calls import Call, batch, envelope, failed, onboarding, usage
from tests.aws.handlers.test_whole_hours import EVENING, pass_at, shopping  # noqa: F401  # fixture
from tests.aws.test_faults import refusal
from tests.cli.billing import BEGIN
from tests.docs.test_aws import RESOURCES

pytestmark = pytest.mark.aws

LEADING = "dynamodb:LeadingKeys"
Deed = tuple[str, str]
"""(an action, the partition it is done to)."""


class Guarded:
    """A client that does what a role of the template may do, and refuses the rest."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.role = ""
        self.deeds: set[tuple[str, Deed]] = set()

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            for deed in deeds_of(name, asked):
                self.deeds.add((self.role, deed))
                if self.role and not is_allowed(self.role, *deed):
                    raise refusal("AccessDeniedException")
            return getattr(self._client, name)(**asked)

        return call


def deeds_of(call: str, asked: dict[str, Any]) -> Iterator[Deed]:
    """What a call does, each thing by the action that IAM judges it by."""
    if call == "transact_write_items":
        for item in asked["TransactItems"]:
            ((kind, told),) = item.items()
            yield f"dynamodb:{kind}Item", told.get("Item", told.get("Key"))[PARTITION]["S"]
        return
    action = f"dynamodb:{''.join(word.capitalize() for word in call.split('_'))}"
    if call == "batch_get_item":
        for wanted in asked["RequestItems"].values():
            yield from ((action, key[PARTITION]["S"]) for key in wanted["Keys"])
    elif call == "query":
        index = asked.get("IndexName", "")
        assert index in ("", DUE_INDEX)
        yield action, asked["ExpressionAttributeValues"][":p"]["S"]
    else:
        yield action, asked.get("Item", asked.get("Key"))[PARTITION]["S"]


def is_allowed(role: str, action: str, partition: str) -> bool:
    policies = RESOURCES[role]["Properties"]["ManagedPolicyArns"]
    documents = [RESOURCES[name]["Properties"]["PolicyDocument"] for name in policies]
    about = [
        statement["Effect"]
        for document in documents
        for statement in document["Statement"]
        if action in listed(statement["Action"]) and holds(statement, partition)
    ]
    return "Allow" in about and "Deny" not in about


def listed(told: str | list[str]) -> list[str]:
    return [told] if isinstance(told, str) else told


def holds(statement: dict[str, Any], partition: str) -> bool:
    """Whether the statement's condition does; there is only one kind of them."""
    condition = statement.get("Condition")
    if condition is None:
        return True
    ((operator, told),) = condition.items()
    assert (operator, set(told)) == ("ForAnyValue:StringLike", {LEADING})
    return any(fnmatchcase(partition, pattern) for pattern in told[LEADING])


def role_of(handler: Callable) -> str:
    return f"{handler.__module__.rpartition('.')[2].capitalize()}Role"


@pytest.fixture
def client(table: str, endpoint: str, shop, call) -> Guarded:
    store = cold_start().store
    assert isinstance(store, DynamoStore)
    store._table._client = guarded = Guarded(client_of(endpoint))
    return guarded


@pytest.fixture
def act(call: Call, client: Guarded) -> Callable:
    """Calls a function, with its role's rights."""

    def acted(handler: Callable, event: object) -> dict[str, Any]:
        client.role = role_of(handler)
        try:
            return call(handler, event)
        finally:
            client.role = ""

    return acted


def test_every_function_does_its_work_with_the_rights_of_its_role(act, client, shopping):  # noqa: F811
    early = usage(EventID="early", Timestamp="2026-09-01T10:00:00Z")
    signed_up = onboarding(destination="cus_acme", ProductCode="api_calls")
    signed_up["time"] = BEGIN
    typo = envelope({"TenantID": "acme"}, "BILLNG")
    events = [
        usage(EventID=f"e{number}", Timestamp=f"2026-09-01T10:{number:02}:00Z")
        for number in range(9)
    ]
    conflict = usage(quantity=6, EventID="e1", Timestamp="2026-09-01T10:01:00Z")

    assert failed(act(ingest.handler, batch(early))) == []
    assert failed(act(onboard.handler, batch(signed_up))) == []
    assert failed(act(stray.handler, batch(typo, "x" * 300_000))) == []
    assert failed(act(ingest.handler, batch(*events, events[0], conflict))) == []
    summed_up = pass_at(act, shopping, "2026-09-01T11:05:00Z")
    pass_at(act, shopping, EVENING)

    assert summed_up["published"]["sent"] == 1
    assert act(reconcile.handler, {"at": EVENING})["discrepancies"] == 0


def test_a_tenant_is_made_by_its_first_event_with_the_rights_of_what_counts(
    act, client, monkeypatch
):
    monkeypatch.setenv("TALLYSTICK_AUTO_ONBOARD", "true")
    cold_start.cache_clear()
    cold_start().store._table._client = client

    assert failed(act(ingest.handler, batch(usage("new", EventID="first")))) == []

    assert cold_start().store.catalog.account("new") is not None


WAYS_IN = ("IngestRole", "OnboardRole", "StrayRole")


@pytest.mark.parametrize("role", [*WAYS_IN, "SummaryRole"])
def test_who_only_counts_may_not_write_what_is_billed_by(client, role):
    store = cold_start().store
    count(store, "e1", 5)
    entries = next_of(store)
    client.role = role

    with pytest.raises(StoreUnavailable, match="AccessDenied"):
        store.ledger.append([entries])
    with pytest.raises(StoreUnavailable, match="AccessDenied"):
        store.catalog.switch("live_key", "yes", override())


def test_who_says_how_things_stand_writes_nothing_even_where_a_mapping_left_an_errand(client):
    store = cold_start().store
    count(store, "e1", 5)
    store._table.write([store.catalog._errands.write("acme", "requests", 1)])
    client.role = "SummaryRole"

    assert store.backlog(0).aggregates_due == 1
    assert {action for role, (action, _) in client.deeds if role == client.role} <= {
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
    }
