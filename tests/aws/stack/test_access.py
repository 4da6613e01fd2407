"""Each function may do its own work and nothing else, asked with its own role's credentials; and a
stack as it is deployed, before anybody has put Stripe's key into its secret.
"""

import json

import pytest
from botocore.exceptions import ClientError

from tallystick.config import Settings
from tallystick.domain.instant import DAY, MINUTE
from tallystick.entrypoints.worker import EARLY
from tallystick.stores.dynamodb.layout import joined
from tests.aws.stack.company import Company, shop_at
from tests.aws.stack.deployed import until
from tests.aws.stack.embedded import KEY

pytestmark = pytest.mark.aws

HAS_KEY = False

SECRET = {"SecretId": "StripeSecretKeyArn"}
KEY_OF_ONE = {"data_type": {"S": "nobody"}, "sub_type": {"S": "nothing"}}
ITEM = {"TableName": "TableName", "Item": KEY_OF_ONE}
TAKEN = {"TableName": "TableName", "Key": KEY_OF_ONE}
FORBIDDEN = (
    ("Ingest", "secretsmanager", "get_secret_value", SECRET),
    ("Ingest", "dynamodb", "delete_item", TAKEN),
    ("Onboard", "sqs", "receive_message", {"QueueUrl": "BillingQueueUrl"}),
    ("Stray", "sqs", "receive_message", {"QueueUrl": "OnboardQueueUrl"}),
    ("Stray", "dynamodb", "delete_item", TAKEN),
    ("Seal", "secretsmanager", "get_secret_value", SECRET),
    ("Publish", "dynamodb", "scan", {"TableName": "TableName"}),
    ("Publish", "dynamodb", "delete_item", TAKEN),
    ("Poll", "dynamodb", "delete_table", {"TableName": "TableName"}),
    ("Poll", "dynamodb", "delete_item", TAKEN),
    ("Summary", "secretsmanager", "get_secret_value", SECRET),
    ("Summary", "dynamodb", "put_item", ITEM),
    ("Summary", "dynamodb", "delete_item", TAKEN),
    ("Reconcile", "stepfunctions", "start_execution", {"stateMachineArn": "StateMachineArn"}),
    ("Reconcile", "dynamodb", "delete_item", TAKEN),
)
READERS = ("Publish", "Poll", "Reconcile")
"""These talk to Stripe."""


@pytest.fixture(scope="module")
def client_of(deployed):
    """A client with the credentials of a function's role."""

    def made(function, service):
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        iam, name = deployed.emulator.client("iam"), deployed.physical[f"{function}Role"]
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        answer = deployed.emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
        given = answer["Credentials"]
        return deployed.emulator.client(
            service,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    return made


def calls(client, operation, outputs, asked):
    """The call, with the stack's outputs where one of their names is given."""
    given = {
        name: outputs[value] if isinstance(value, str) else value for name, value in asked.items()
    }
    return getattr(client, operation)(**given)


@pytest.mark.parametrize("forbidden", FORBIDDEN, ids=lambda one: f"{one[0]}-{one[2]}")
def test_a_function_is_denied_what_is_not_its_work(deployed, client_of, forbidden):
    function, service, operation, asked = forbidden

    with pytest.raises(ClientError) as refused:
        calls(client_of(function, service), operation, deployed.outputs, asked)

    assert refused.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}


@pytest.mark.parametrize("function", sorted({one[0] for one in FORBIDDEN}))
def test_a_function_may_read_the_table(deployed, client_of, function):
    key = {"data_type": {"S": joined("store")}, "sub_type": {"S": "incarnation"}}

    answer = client_of(function, "dynamodb").get_item(
        TableName=deployed.outputs["TableName"], Key=key
    )

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("function", READERS)
def test_who_talks_to_stripe_may_read_its_key(deployed, client_of, function):
    answer = calls(
        client_of(function, "secretsmanager"), "get_secret_value", deployed.outputs, SECRET
    )

    assert answer["SecretString"] in {"not set", KEY}


@pytest.fixture(scope="module")
def company(deployed, stripe):
    found = Company(deployed=deployed, shop=shop_at(*stripe))
    found.open()
    return found


def test_without_stripes_key_a_pass_says_which_secret_lacks_it_and_the_next_catches_up(company):
    tenant, hour = company.add("keyless"), company.next_hour()
    company.report(tenant, hour, 14)

    execution = company.failed()

    assert execution.error == "PublisherMisconfigured"
    assert company.deployed.outputs["StripeSecretKeyArn"] in execution.cause
    assert company.deployed.store.ledger.entries(tenant=tenant).elements != ()
    company.deployed.set_key(KEY)
    company.passed()
    assert company.billed(tenant, hour) == 14
    assert company.differences() == 0


def test_passes_are_started_when_the_hourly_loop_of_one_machine_would(deployed):
    client = deployed.emulator.client("scheduler")
    early = ",".join(str(at // MINUTE) for at in EARLY)
    minutes = {"HourlySchedule": str(Settings().grace // MINUTE), "EarlySchedule": early}

    for schedule, expected in minutes.items():
        found = client.get_schedule(Name=deployed.physical[schedule])
        assert found["ScheduleExpression"] == f"cron({expected} * * * ? *)"
        assert found["Target"]["Arn"] == deployed.outputs["StateMachineArn"]


def test_a_schedule_starts_a_pass_that_knows_its_instant_by_its_clock(deployed, company):
    deployed.set_key(KEY)
    tenant = company.add("scheduled")
    company.report(tenant, company.next_hour(), 3)
    known = set(executions(deployed))

    with deployed.firing("HourlySchedule"):
        until(lambda: set(executions(deployed)) - known, "the schedule has started a pass")
    arn, *_ = set(executions(deployed)) - known

    assert deployed.ended(arn).status == "SUCCEEDED"
    (entry,) = deployed.store.ledger.entries(tenant=tenant).elements
    assert entry.total == 3
    assert entry.sealed_at > company.now + DAY, "sealed as of now, and not of a test's instant"


def executions(deployed):
    listed = deployed.emulator.client("stepfunctions").list_executions(
        stateMachineArn=deployed.outputs["StateMachineArn"]
    )
    return [one["executionArn"] for one in listed["executions"]]
