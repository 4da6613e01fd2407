"""Keys that lie in AWS Secrets Manager. What they are for is said by whoever asks for them."""

from typing import Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable

SENDS_MAX: Final = 5

_PASSING: Final = frozenset({"InternalServiceError", "ThrottlingException", "RequestLimitExceeded"})


def secret_text(arn: str) -> str:
    """The one text that the secret holds, as it is now.

    Raises PublisherMisconfigured, which names the secret and never what it holds, where there is
    none or we may not read it; PublisherUnavailable where it cannot be read now.
    """
    try:
        steady = Config(retries={"mode": "standard", "max_attempts": SENDS_MAX})
        client = boto3.client("secretsmanager", region_name=_region(arn), config=steady)
        text = client.get_secret_value(SecretId=arn).get("SecretString", "")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _PASSING:
            raise PublisherUnavailable(f"the secret {arn} cannot be read now: {code}") from error
        raise PublisherMisconfigured(f"the secret {arn} cannot be read: {error}") from error
    except BotoCoreError as error:
        raise PublisherUnavailable(f"the secret {arn} cannot be read now: {error}") from error
    return str(text).strip()


def _region(arn: str) -> str | None:
    parts = arn.split(":")
    return (parts[3] or None) if len(parts) > 6 else None
