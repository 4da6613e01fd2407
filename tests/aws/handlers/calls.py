"""What Lambda, SQS and EventBridge would hand to a function, and what it answered and told."""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tallystick.entrypoints.logs import AtOnce

TIME = "2026-09-01T09:30:00Z"


@dataclass
class Context:
    """What Lambda says of a call: how much time is left, each time it is asked."""

    milliseconds: list[int] = field(default_factory=lambda: [900_000])
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds.pop(0) if len(self.milliseconds) > 1 else self.milliseconds[0]


@dataclass
class Call:
    """Calls a function's handler; `metrics` and `lines` are what it told during the calls."""

    capsys: Any
    metrics: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self, handler: Callable, event: object, context: Context | None = None
    ) -> dict[str, Any]:
        for lines in logging.getLogger().handlers:
            if isinstance(lines, AtOnce):
                lines.stream = sys.stderr  # a fixture's is another than its test's
        try:
            return handler(event, context or Context())
        finally:
            told = self.capsys.readouterr()
            for line in told.out.splitlines():
                self.metrics |= json.loads(line)
            self.lines += [json.loads(line) for line in told.err.splitlines()]


def envelope(detail: object, detail_type: str = "BILLING", **changed: object) -> dict[str, Any]:
    """As EventBridge makes one."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": "shop",
        "account": "111122223333",
        "time": TIME,
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
        **changed,
    }


def usage(tenant: str = "acme", quantity: object = 5, **more: object) -> dict[str, Any]:
    return envelope({"TenantID": tenant, "ProductCode": "api_calls", "Quantity": quantity, **more})


def onboarding(tenant: str = "acme", destination: str = "si_1", **more: object) -> dict[str, Any]:
    detail = {"TenantID": tenant, "ExternalSubscriptionIdentifier": destination, **more}
    return envelope(detail, "ONBOARD")


def batch(*bodies: object) -> dict[str, Any]:
    """The messages of a queue, named m0, m1, …; a text is a body as it is."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"SentTimestamp": "1788255000000", "ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def failed(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]
