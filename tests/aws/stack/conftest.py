"""One emulator and one deployment for all tests of the stack; a Stripe for each module."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tallystick.domain.instant import SECOND
from tallystick.sandbox import StripeSandbox, serve
from tests.aws.stack import building, emulator
from tests.aws.stack.deployed import Deployed
from tests.aws.stack.embedded import KEY
from tests.aws.stack.flying import MONTH


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """The stack's template as `sam build` made it, made fit for the emulator."""
    if not building.SAM.exists():
        pytest.fail("AWS's tools are not there: run `make test-aws`")
    return building.build(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="session")
def aws(tmp_path_factory) -> Iterator[emulator.Emulator]:
    """An emulator, and this process's own settings pointed at it."""
    running = emulator.start(tmp_path_factory.mktemp("ministack"))
    before = dict(os.environ)
    os.environ.update(running.environment | {"PATH": before["PATH"], "HOME": before["HOME"]})
    try:
        yield running
    finally:
        os.environ.clear()
        os.environ.update(before)
        running.stop()


@pytest.fixture(scope="module")
def stripe() -> Iterator[tuple[StripeSandbox, str]]:
    """Stripe as the deployed stack sees it, at the first of January 2013, and where it answers."""
    with stand_in() as running:
        yield running


@contextmanager
def stand_in() -> Iterator[tuple[StripeSandbox, str]]:
    sandbox = StripeSandbox(now=MONTH // SECOND, seed=1)
    with serve(sandbox) as running:
        yield sandbox, running.url


@pytest.fixture(scope="module")
def deployed(request, template, aws, stripe) -> Deployed:
    """A stack of the module's own, with Stripe's key in its secret, unless the module says not."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    settings = {"EventBusName": f"bus-{name}", "DeletionProtection": "false"}
    building.deploy(template, aws, name, StripeApiBase=stripe[1], **settings)
    found = Deployed(emulator=aws, stack=name)
    found.hold_schedules()
    if getattr(request.module, "HAS_KEY", True):
        found.set_key(KEY)
    return found
