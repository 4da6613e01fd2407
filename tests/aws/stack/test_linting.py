"""The template and the state machines are what their linters take."""

import shutil
from pathlib import Path

import pytest

from tests.aws.stack.building import SAM, NotBuilt, run
from tests.aws.stack.emulator import environment_of

pytestmark = pytest.mark.aws

CFN_LINT = SAM.with_name("cfn-lint")
ASL = Path("build/asl/node_modules/.bin/asl-validator").absolute()
MACHINES = sorted(Path("statemachine").glob("*.asl.json"))
NOWHERE = environment_of("http://127.0.0.1:9")


def lint_machine(path):
    node = str(Path(shutil.which("node") or "node").parent)
    return run([ASL, "--json-path", path], NOWHERE | {"PATH": f"{node}:{NOWHERE['PATH']}"})


def test_cfn_lint_finds_nothing_in_the_template():
    run([CFN_LINT, "--non-zero-exit-code", "informational", "template.yaml"], NOWHERE)


def test_sam_finds_nothing_in_the_template():
    run([SAM, "validate", "--lint"], NOWHERE)


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_a_state_machine_is_valid(path):
    assert "is valid" in lint_machine(path)


def test_a_state_machine_that_leads_nowhere_is_found(tmp_path):
    wrong = tmp_path / "wrong.asl.json"
    wrong.write_text(MACHINES[0].read_text("utf-8").replace('"Next": "Poll"', '"Next": "Pole"'))

    with pytest.raises(NotBuilt, match="MISSING_TRANSITION_TARGET"):
        lint_machine(wrong)


def test_a_template_with_a_dangling_reference_is_found(tmp_path):
    wrong = tmp_path / "template.yaml"
    text = Path("template.yaml").read_text("utf-8")
    wrong.write_text(text.replace("!GetAtt BillingQueue.Arn", "!GetAtt BillingQueu.Arn"))

    with pytest.raises(NotBuilt, match="BillingQueu"):
        run([CFN_LINT, wrong], NOWHERE)
