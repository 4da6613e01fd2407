"""A client of a DynamoDB that needs no account: one of the emulators."""

from typing import Any, Final

import boto3

KEYS: Final[dict[str, Any]] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def connected(endpoint: str) -> Any:  # noqa: ANN401  # the driver has no types
    return boto3.client("dynamodb", endpoint_url=endpoint, **KEYS)
