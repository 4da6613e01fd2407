"""`sam build`, then what the emulator needs otherwise; `sam deploy` into it.

What is deployed differs from what a user deploys in three things only. The functions run in AWS's
runtime client as a custom runtime (the emulator's own Python runtime loses the class of an
exception, which the state machine catches by); they are built and packed once, having the same
source; and one number that the emulator would read as a text stands there as a number.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.aws.stack.emulator import Emulator, environment_of

SAM = Path("build/aws-tools/bin/sam").absolute()
RUNTIME_CLIENT = Path("build/aws-runtime/bin/python").absolute()
BUILT_FUNCTION = "IngestFunction"
BUCKET, CODE = "code", "functions.zip"
STORED = f"s3://{BUCKET}/{CODE}"
INGEST_CONCURRENCY = "MaximumConcurrency:\n                Ref: IngestConcurrency"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine().lower() in {"aarch64", "arm64"} else "x86_64"
COMPUTER = (f"Runtime={PYTHON}", f"Architecture={ARCHITECTURE}")
QUIET = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_CHECK_AWSCDK": "0"}


class NotBuilt(Exception):
    """A tool of AWS's failed; what it said."""


def build(folder: Path) -> Path:
    """Package the functions as a user would, for this machine's Python, into a folder of the run's
    own; the template to deploy."""
    pip_lives = Path(sys.executable).resolve().parent
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = f"{pip_lives}{os.pathsep}{environment.get('PATH', '')}"
    dummies = environment_of("http://127.0.0.1:9") | {"PATH": path, "HOME": str(Path.home())}
    asked = ["--build-dir", folder, "--parameter-overrides", *COMPUTER]
    run([SAM, "build", BUILT_FUNCTION, *asked], environment | dummies)
    return localized(folder)


def localized(built: Path) -> Path:
    """A template beside the built one, for the emulator."""
    text = (built / "template.yaml").read_text("utf-8")
    text = once(text, "Runtime:\n      Ref: Runtime", "Runtime: provided.al2023")
    text = once(text, INGEST_CONCURRENCY, "MaximumConcurrency: 2")
    text = once(text, f"CodeUri: {BUILT_FUNCTION}\n", f"CodeUri: {STORED}\n")
    text = once(text, "CodeUri: src/\n", f"CodeUri: {STORED}\n")
    bootstrap = built / BUILT_FUNCTION / "bootstrap"
    bootstrap.write_text(
        f'#!/bin/sh\nexec "{RUNTIME_CLIENT}" -m awslambdaric "$_HANDLER"\n', "utf-8"
    )
    bootstrap.chmod(0o755)
    shutil.make_archive(str(built / "functions"), "zip", built / BUILT_FUNCTION)
    path = built / "emulated.yaml"
    path.write_text(text, "utf-8")
    return path


def once(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise NotBuilt(f"the built template has {old!r} {text.count(old)} times")
    return text.replace(old, new)


def deploy(template: Path, emulator: Emulator, stack: str, **parameters: str) -> None:
    """A real `sam deploy` of the template, with these parameters."""
    bucket = emulator.client("s3")
    if BUCKET not in {one["Name"] for one in bucket.list_buckets()["Buckets"]}:
        bucket.create_bucket(Bucket=BUCKET)
        bucket.upload_file(str(template.with_name(CODE)), BUCKET, CODE)
    told = [*COMPUTER, *(f"{name}={value}" for name, value in parameters.items())]
    asked = ["--template-file", template, "--stack-name", stack, "--resolve-s3"]
    asked += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
    run([SAM, "deploy", *asked, "--parameter-overrides", *told], emulator.environment)


def run(command: list[str | Path], environment: dict[str, str]) -> str:
    """What it said. Raises NotBuilt with that where it failed."""
    done = subprocess.run(
        command,
        env=environment | QUIET,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotBuilt(
            f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
        )
    return done.stdout
