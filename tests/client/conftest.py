"""A busy machine is no failure: no example has a time limit of its own."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(params=["spool", "memory"])
def spool(request, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None
