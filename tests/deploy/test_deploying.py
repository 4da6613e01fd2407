"""The unit and the Dockerfile: what must hold in them whoever changes them."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tallystick.config import read_settings
from tallystick.entrypoints.cli.serve import PORT

ROOT: Final = Path(__file__).parents[2]
UNIT: Final = ROOT / "deploy" / "tallystick.service"
DROP_IN: Final = ROOT / "deploy" / "tallystick.service.d" / "stripe.conf"
DOCKERFILE: Final = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
PAGE: Final = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
WORST_EXPOSURE: Final = 25
"""Of 100, by systemd's own table."""


class Repeated(dict[str, str]):
    """A key that stands several times keeps all its values, one a line."""

    def __setitem__(self, key: str, value: object) -> None:
        if key in self and isinstance(value, list):
            value = [*self[key], *value]
        super().__setitem__(key, value)  # type: ignore[assignment]


def section(path: Path, name: str) -> dict[str, list[str]]:
    parser = configparser.RawConfigParser(dict_type=Repeated, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(path.read_text(encoding="utf-8"))
    return {key: text.splitlines() for key, text in parser.items(name)}


def environment(lines: list[str]) -> dict[str, str]:
    pairs = [line.split("=", 1) for text in lines for line in shlex.split(text)]
    return dict(pairs)


SERVICE: Final = section(UNIT, "Service")


def test_the_service_has_no_user_of_its_own_and_writes_in_one_place():
    wanted = {
        "DynamicUser": "yes",
        "ProtectSystem": "strict",
        "StateDirectory": "tallystick",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
    }

    assert {key: SERVICE[key][0] if SERVICE[key] else "" for key in wanted} == wanted
    assert not {"User", "ReadWritePaths", "AmbientCapabilities"} & set(SERVICE)


def test_it_is_started_again_when_it_fails_however_often():
    assert SERVICE["Restart"] == ["on-failure"]
    assert section(UNIT, "Unit")["StartLimitIntervalSec"] == ["0"]
    assert int(SERVICE["TimeoutStopSec"][0]) > 45, "it drains, and lets a pass end"
    assert "ExecStop" not in SERVICE


def test_its_settings_are_settings_and_no_secret_is_among_them():
    plain = environment(SERVICE["Environment"])
    secrets = environment(section(DROP_IN, "Service")["Environment"])

    assert read_settings(plain).store == "sqlite:///%S/tallystick/tallystick.db"
    assert plain["TALLYSTICK_FIRST_KEY_FILE"].startswith("%S/tallystick/")
    assert all(name.endswith("_FILE") for name in secrets)
    assert all(value.startswith("%d/") for value in secrets.values())
    loaded = [text.split(":")[0] for text in section(DROP_IN, "Service")["LoadCredential"]]
    assert loaded == [value.removeprefix("%d/") for value in secrets.values()]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path):
    text = UNIT.read_text(encoding="utf-8")
    assert SERVICE["ExecStart"][0].split()[1:] == ["serve"]
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    shutil.copytree(DROP_IN.parent, tmp_path / DROP_IN.parent.name)

    verified = analyzed("verify", "--man=no", str(unit))
    exposed = analyzed("security", "--offline=true", f"--threshold={WORST_EXPOSURE}", str(unit))

    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    assert exposed.returncode == 0, exposed.stdout[-300:] + exposed.stderr


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


# ── The image ─────────────────────────────────────────────────────────────────────────────────────

INSTRUCTIONS: Final = [
    " ".join(line.split())
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).split(
        "\n"
    )
    if line.strip()
]
STAGES: Final = [place for place, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")]
LAST: Final = INSTRUCTIONS[STAGES[-1] :]


def test_the_image_is_built_in_one_stage_and_run_in_another():
    assert len(STAGES) == 2
    assert all(re.match(r"FROM [a-z0-9.:-]+( AS build)?$", INSTRUCTIONS[place]) for place in STAGES)
    assert not any("pip" in line or line.startswith("ADD") for line in LAST)
    assert [line for line in LAST if line.startswith("COPY")] == [
        "COPY --from=build /opt/tallystick /opt/tallystick"
    ]


def test_what_is_installed_is_checked_by_hash_and_nothing_is_fetched_unlocked():
    installs = [line for line in INSTRUCTIONS if "pip install" in line]

    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


def test_it_runs_as_nobody_in_particular_on_a_volume_and_says_whether_it_lives():
    user = LAST.index("USER 10001:10001")
    assert not any(line.startswith(("RUN", "USER")) for line in LAST[user + 1 :])
    assert "VOLUME /var/lib/tallystick" in LAST
    assert f"EXPOSE {PORT}" in LAST
    (check,) = (line for line in LAST if line.startswith("HEALTHCHECK"))
    assert f"127.0.0.1:{PORT}/healthz" in check
    assert 'CMD ["serve", "--host", "0.0.0.0"]' in LAST


def test_nothing_of_the_folder_but_the_program_comes_in():
    kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
    copied = [line.split()[1:-1] for line in INSTRUCTIONS if re.match(r"COPY (?!--)", line)]
    tops = {name.split("/")[0] for names in copied for name in names}

    assert {line[1:] for line in kept} == tops
    assert all((ROOT / top).exists() for top in tops)


# ── make serve ────────────────────────────────────────────────────────────────────────────────────


def test_the_page_says_how_to_install_each_and_that_the_image_was_not_built():
    for text in ("make serve", "deploy/tallystick.service", "deploy/Dockerfile", "not built"):
        assert text in PAGE
