"""CloudWatch's embedded metric format: a log line that becomes numbers, without a call.

All are of the namespace Tallystick and carry the stack's name, by which template.yaml's alarms
find them. docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Mapping
from typing import Final

from tallystick.domain.instant import SECOND

NAMESPACE: Final = "Tallystick"
DIMENSION: Final = "Stack"
MILLISECOND: Final = SECOND // 1_000
SECONDS: Final = "Seconds"
"""How the name of a metric ends that is a span of time; the others are counts."""


def metric_line(stack: str, now: int, counts: Mapping[str, int]) -> str:
    """The line, without its end."""
    metrics = [{"Name": name, "Unit": _unit(name)} for name in counts]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics}
    line = {
        "_aws": {"Timestamp": now // MILLISECOND, "CloudWatchMetrics": [directive]},
        DIMENSION: stack,
        **counts,
    }
    return json.dumps(line)


def _unit(name: str) -> str:
    return "Seconds" if name.endswith(SECONDS) else "Count"
