"""An emulator of AWS on this machine: ministack, with IAM enforced, from a venv of its own.

It runs each function in AWS's own runtime client, and every process is given keys that open nothing
and an endpoint, so that no real account is ever asked.
"""

import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

MINISTACK = Path("build/ministack/bin/ministack").absolute()
REGION = "us-east-1"
SERVICES = (
    "cloudformation cloudwatch dynamodb events iam lambda logs s3 scheduler secretsmanager sns sqs"
    " ssm stepfunctions sts"
)
STARTED_WITHIN_SECONDS = 120
STOPPED_WITHIN_SECONDS = 60
ANSWERS_WITHIN_SECONDS = 900
WAIT_SCALE = "0.02"
"""A pause of the state machine before it tries again: a minute of it is about a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """One that runs."""

    endpoint: str
    running: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's tools, and ours, are given to meet it and nothing else."""
        return environment_of(self.endpoint)

    def client(self, service: str, **keys: str) -> Any:
        """boto3's client, for the account's root, or whoever has the keys."""
        given = keys or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            # A function may take its whole time, and is not to be called twice for that.
            config=Config(read_timeout=ANSWERS_WITHIN_SECONDS, retries={"total_max_attempts": 1}),
            **given,
        )

    def stop(self) -> None:
        self.running.terminate()
        self.running.wait(timeout=STOPPED_WITHIN_SECONDS)


def environment_of(endpoint: str) -> dict[str, str]:
    """Nothing of the caller's own settings comes along."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(Path("build").absolute()),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def start(folder: Path) -> Emulator:
    """Start one on a free port, with its files and its log in the folder."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    (folder / "tmp").mkdir(parents=True)
    with (folder / "ministack.log").open("wb") as log:
        running = subprocess.Popen(
            [MINISTACK],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=environment_of(endpoint)
            | {
                "TMPDIR": str(folder / "tmp"),
                "GATEWAY_PORT": str(port),
                "BIND_HOST": "127.0.0.1",
                "AUTH": "true",
                "SERVICES": ",".join(SERVICES.split()),
                "LAMBDA_EXECUTOR": "local",
                "IOT_MTLS_ENABLED": "0",
                "SFN_WAIT_SCALE": WAIT_SCALE,
            },
        )
    wait_for(port, running)
    return Emulator(endpoint=endpoint, running=running)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    """Until it takes connections."""
    end = time.monotonic() + STARTED_WITHIN_SECONDS
    while running.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    running.kill()
    raise RuntimeError(f"what was to listen on {port} did not start; its log says why")
