"""docs/stripe.md says what the code does."""

import re
from pathlib import Path

from tallystick.domain.publication import Outcome
from tallystick.publishers import STRIPE_ROUTES
from tallystick.publishers.stripe.api_key import SETTING, SWITCH
from tallystick.publishers.stripe.connection import API_VERSION, LEGACY_API_VERSION
from tallystick.publishers.stripe.pacing import TEST_MODE, Rates

PAGE = (Path(__file__).parents[2] / "docs" / "stripe.md").read_text(encoding="utf-8")


def test_its_code_runs():
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/stripe.md", "exec"), {})  # noqa: S102


def test_it_names_every_route_outcome_and_pinned_version():
    wanted = [*STRIPE_ROUTES, *Outcome, API_VERSION, LEGACY_API_VERSION, SETTING, SWITCH]

    assert [word for word in wanted if f"`{word}`" not in PAGE] == []


def test_it_tells_the_rates():
    assert f"{Rates().meter_events:,} a second live; {TEST_MODE.reads} operations" in PAGE
    assert f"| usage records | {Rates().usage_records} a second" in PAGE
