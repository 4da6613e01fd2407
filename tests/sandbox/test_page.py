import gc
import re
import warnings
from dataclasses import fields
from pathlib import Path

from tallystick.sandbox import Settings
from tallystick.sandbox.control import _ORDERS
from tallystick.sandbox.faults import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


def test_every_python_block_of_the_page_runs() -> None:
    scope: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(block, scope)  # noqa: S102 the page is ours
        scope["running"].close()  # type: ignore[attr-defined]
        scope.clear()
        gc.collect()


def test_every_fault_is_on_the_page() -> None:
    assert [kind for kind in sorted(KINDS) if f"| `{kind}` |" not in PAGE] == []


def test_every_order_is_on_the_page() -> None:
    assert [path for _, path in _ORDERS if f"/_sandbox/{path}" not in PAGE] == []


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"\(`([a-z_]+)`[,)]", PAGE))

    assert named <= {field.name for field in fields(Settings)} | {"run"}
    assert len(named) >= 8
