"""The files that pages are made of: ours and others', whole, unchanged, and shipped."""

import hashlib
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tallystick.entrypoints.dashboard.rendering import asset_path, assets
from tests.http.conftest import Api

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "src" / "tallystick" / "entrypoints" / "dashboard"
VENDORS = (DASHBOARD / "static" / "vendor", ROOT / "tests" / "browser" / "vendor")
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", VENDORS, ids=lambda f: str(f.relative_to(ROOT)))
def test_what_others_wrote_is_what_they_released(folder: Path):
    told = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {path.name for path in folder.iterdir() if path.suffix in (".js", ".css")}

    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    assert found == told
    for name in files:
        project, version = re.match(r"(\w+)-([\d.]+\d)", name).groups()
        assert list(folder.glob(f"{project}-LICENSE*")), f"{project} has no licence beside it"
        assert re.search(rf"{project}(-core)? {version}\b", NOTICE, re.IGNORECASE), name


def test_every_file_of_the_pages_is_in_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["tallystick.entrypoints.dashboard"]
    files = [path for path in DASHBOARD.rglob("*") if path.is_file() and path.suffix != ".pyc"]

    names = [str(path.relative_to(DASHBOARD)) for path in files if path.suffix != ".py"]
    assert len(names) > 20
    assert [n for n in names if not any(fnmatch(n, pattern) for pattern in patterns)] == []


def test_a_static_file_is_kept_by_the_browser_until_it_changes(api: Api):
    path = asset_path("style.css")

    answer = api.client.get(path)

    assert answer.content == assets()["style.css"]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert hashlib.sha256(answer.content).hexdigest().startswith(path.partition("?v=")[2])


@pytest.mark.parametrize(
    "name", ["nothing.js", "../site.py", "..%2Fsite.py", "vendor/htmx-LICENSE.txt", ""]
)
def test_nothing_else_is_a_static_file(api: Api, name):
    assert api.client.get(f"/dashboard/static/{name}").status_code == 404
