"""The stack as it stands in the emulator, and what a test does with it: put events on the bus, let
the hourly pass run, and look at what came of it.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tallystick.bootstrap import open_store
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.cli import main
from tallystick.ports import Store
from tests.aws.stack.emulator import REGION, Emulator

PUT_AT_ONCE = 10
"""So many entries PutEvents takes."""

SCHEDULES = ("HourlySchedule", "EarlySchedule", "DailySchedule")
PATIENCE_SECONDS = 900
LOOK_EVERY_SECONDS = 0.2


class NotYet(AssertionError):
    """What was waited for did not happen, far beyond what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How an execution of the state machine ended."""

    arn: str
    status: str
    error: str
    cause: str
    output: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One stack in one emulator."""

    emulator: Emulator
    stack: str

    @cached_property
    def outputs(self) -> dict[str, str]:
        answer = self.emulator.client("cloudformation").describe_stacks(StackName=self.stack)
        told = answer["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in told}

    @cached_property
    def physical(self) -> dict[str, str]:
        """What each resource of the template is called."""
        pages = self.emulator.client("cloudformation").get_paginator("list_stack_resources")
        return {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.stack)
            for one in page["StackResourceSummaries"]
        }

    @property
    def store_url(self) -> str:
        return f"dynamodb://{self.outputs['TableName']}?region={REGION}"

    @cached_property
    def store(self) -> Store:
        """The same store that the functions work on. The endpoint is in this process's environment
        (see conftest)."""
        return open_store(self.store_url)

    # ------------------------------------------------------------------------------ events

    def put(self, detail_type: str, details: Iterable[dict[str, object] | str]) -> None:
        """Put each detail on the bus, as a service would; none is refused."""
        told = [
            {
                "EventBusName": self.outputs["EventBusName"],
                "Source": "flights",
                "DetailType": detail_type,
                "Detail": detail if isinstance(detail, str) else json.dumps(detail),
            }
            for detail in details
        ]
        client = self.emulator.client("events")
        for first in range(0, len(told), PUT_AT_ONCE):
            answer = client.put_events(Entries=told[first : first + PUT_AT_ONCE])
            assert answer["FailedEntryCount"] == 0, answer

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue, past the bus."""
        self.emulator.client("sqs").send_message(
            QueueUrl=self.outputs[f"{queue}QueueUrl"], MessageBody=body
        )

    def set_queue(self, queue: str, *, tries: int, **attributes: str) -> None:
        """Have a queue give a message up after so many tries, among other settings."""
        client, url = self.emulator.client("sqs"), self.outputs[f"{queue}QueueUrl"]
        told = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        policy = json.loads(told["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": tries}
        changed = attributes | {"RedrivePolicy": json.dumps(policy)}
        client.set_queue_attributes(QueueUrl=url, Attributes=changed)

    @contextmanager
    def without_table(self, role: str) -> Iterator[None]:
        """As long as this lasts, the role may not touch the table."""
        client, name = self.emulator.client("iam"), self.physical[role]
        attached = client.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        policies = [one["PolicyArn"] for one in attached]
        for policy in policies:
            client.detach_role_policy(RoleName=name, PolicyArn=policy)
        try:
            yield
        finally:
            for policy in policies:
                client.attach_role_policy(RoleName=name, PolicyArn=policy)

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds, those that somebody works on among them."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.emulator.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[f"{queue}QueueUrl"], AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def settle(self, *queues: str) -> None:
        """Wait until the functions have taken all that lies in these queues, or in all."""
        for queue in queues or ("Onboard", "Billing", "Stray"):
            until(lambda queue=queue: self.waiting(queue) == 0, f"{queue}Queue is empty")

    # ------------------------------------------------------------------------- the pass

    def start(self, at: int, name: str = "") -> str:
        """Start a pass as of this instant; its ARN."""
        wanted = {"stateMachineArn": self.outputs["StateMachineArn"]}
        named = {"name": name} if name else {}
        asked = json.dumps({"at": format_instant(at)})
        return str(self._steps.start_execution(**wanted, **named, input=asked)["executionArn"])

    def ended(self, arn: str) -> Execution:
        """Wait for its end."""

        def is_over() -> bool:
            return bool(self._steps.describe_execution(executionArn=arn)["status"] != "RUNNING")

        until(is_over, f"{arn} has ended")
        told = self._steps.describe_execution(executionArn=arn)
        return Execution(
            arn=arn,
            status=told["status"],
            error=told.get("error", ""),
            cause=told.get("cause", ""),
            output=json.loads(told.get("output") or "{}"),
        )

    def passed(self, at: int) -> Execution:
        """A pass as of this instant, to its end, which is a good one."""
        execution = self.ended(self.start(at))
        assert execution.status == "SUCCEEDED", execution
        return execution

    @cached_property
    def _steps(self) -> Any:
        return self.emulator.client("stepfunctions")

    def invoked(self, function: str, *, at: int, **event: object) -> dict[str, Any]:
        """What a function answers as of this instant."""
        answer = self.emulator.client("lambda").invoke(
            FunctionName=self.physical[function],
            Payload=json.dumps({"at": format_instant(at), **event}).encode(),
        )
        told = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, told
        return dict(told)

    def command(self, *words: str) -> int:
        """The status of a command of `tallystick` on the stack's store."""
        return main([*words, "--store", self.store_url])

    # ---------------------------------------------------------------------------- settings

    def hold_schedules(self) -> None:
        """Let nothing start by itself: the emulator's schedules run by this machine's clock, and a
        test's passes by the clock of the test."""
        for schedule in SCHEDULES:
            self._set_schedule(schedule, State="DISABLED")

    @contextmanager
    def firing(self, schedule: str) -> Iterator[None]:
        """As long as this lasts, a schedule does what it is made for, and every minute."""
        found = self._schedules.get_schedule(Name=self.physical[schedule])
        self._set_schedule(schedule, State="ENABLED", ScheduleExpression="rate(1 minute)")
        try:
            yield
        finally:
            self._set_schedule(
                schedule, State="DISABLED", ScheduleExpression=found["ScheduleExpression"]
            )

    def _set_schedule(self, schedule: str, **changed: str) -> None:
        found = self._schedules.get_schedule(Name=self.physical[schedule])
        kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        self._schedules.update_schedule(**{name: found[name] for name in kept} | changed)

    @cached_property
    def _schedules(self) -> Any:
        return self.emulator.client("scheduler")

    def set_key(self, text: str) -> None:
        """Put Stripe's key where the stack looks for it."""
        self.emulator.client("secretsmanager").put_secret_value(
            SecretId=self.outputs["StripeSecretKeyArn"], SecretString=text
        )


def until(is_so: Callable[[], bool], what: str, patience: float = PATIENCE_SECONDS) -> None:
    """Wait; the patience is far beyond what a slow machine takes."""
    end = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > end:
            raise NotYet(f"not after {patience} s: {what}")
        time.sleep(LOOK_EVERY_SECONDS)
