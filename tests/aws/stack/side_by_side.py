"""The deployed stack and one machine through the same time: what is reported, and which passes."""

from collections.abc import Iterable, Sequence

from tallystick.domain.instant import SECOND
from tallystick.sandbox import StripeSandbox
from tests.aws.stack.deployed import Deployed
from tests.aws.stack.embedded import Embedded
from tests.aws.stack.flying import Report

Schedule = Iterable[tuple[Sequence[Report], int]]
"""What is reported before the pass of an instant, pass by pass."""


def live_through(
    schedule: Schedule, deployed: Deployed, stripe: StripeSandbox, embedded: Embedded
) -> None:
    """Have both count the same reports before the same passes, each with a Stripe of its own."""
    for reports, at in schedule:
        details = [report.detail for report in reports]
        for sandbox in (stripe, embedded.sandbox):
            sandbox.set_time(at // SECOND)
        embedded.take(details, at)
        embedded.passed(at)
        deployed.put("BILLING", details)
        deployed.settle("Billing")
        deployed.passed(at)
