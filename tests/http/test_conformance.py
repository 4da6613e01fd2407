"""The OpenAPI document held to a running server by requests that nobody thought of: no server
error, and no answer that is not written down. The seed is fixed, so that each run asks the same."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tallystick.entrypoints.cli import main
from tests.http.served import Served, serving
from tests.http.test_openapi import DOCUMENT

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
    unsupported_method,
    ignored_auth,
]
NOWHERE = "http://127.0.0.1:9"
SET_UP = {
    "TALLYSTICK_STRIPE_WEBHOOK_SECRET": "whsec_conformance",
    "TALLYSTICK_STRIPE_API_KEY": "sk_test_conformance",
    "TALLYSTICK_STRIPE_API_BASE": NOWHERE,
}
AMBIGUOUS = "/api/v1/events/batch"
"""To GET it is to find an event of this id, so its methods are more than stand at its path."""

FEW, MANY = 10, 150
DESCRIBED = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer("application/x-ndjson")
def lines_of(_: Any, value: Any) -> bytes:
    """One JSON text a line, of whatever was drawn."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in (value, value))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that knows the names in the document's examples."""
    folder = tmp_path_factory.mktemp("conformance")
    url = f"sqlite:///{folder / 'tally.db'}"
    assert main(["tenants", "add", "acme", "--store", url]) == 0
    assert main(["meters", "add", "requests", "--store", url]) == 0
    with serving(folder, environment=SET_UP) as running:
        yield running
        assert running.end() == 0


def tried(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


def check_answer(case: Any, served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.key}"}
    url = f"http://127.0.0.1:{served.port}"
    checks = [c for c in CHECKS if case.path != AMBIGUOUS or c is not allow_header_conformance]
    case.call_and_validate(base_url=url, headers=headers, checks=checks)


@DESCRIBED.parametrize()
@tried(FEW)
def test_every_answer_is_written_down(case, served):
    check_answer(case, served)


@pytest.mark.slow
@DESCRIBED.parametrize()
@tried(MANY)
def test_every_answer_of_many_is_written_down(case, served):
    check_answer(case, served)
