"""With a spool and without."""

from pathlib import Path

import pytest


@pytest.fixture(params=["spool", "memory"])
def spool(request, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None
