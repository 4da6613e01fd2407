"""Nothing in the tree depends on one machine or on one package index."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKED = sorted((ROOT / "requirements").glob("*.txt"))
DOWNLOAD = re.compile(
    r"(?:https?|file)://[^\s\"'<>)]*(?:\.whl|\.tar\.gz|\.tgz|/simple/?(?![\w.-]))"
)
INDEX_OPTION = re.compile(r"--(?:index-url|extra-index-url|find-links|trusted-host)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$})\]-])/(?:root|work|home/\w+|Users/\w+|tmp/venv)\b/?")
PINNED = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*)==\S+(?: ; [^\\]+)? \\"
    r"(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+"
)


def texts() -> list[tuple[str, str]]:
    """Every text file that git would keep, this one left out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    kept = [path for path in paths if path.is_file() and path != Path(__file__)]
    contents = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in kept]
    return [(name, raw.decode("utf-8")) for name, raw in contents if b"\0" not in raw]


def found(pattern: re.Pattern[str], named_texts: list[tuple[str, str]]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in named_texts
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_download():
    assert found(DOWNLOAD, texts()) == []


def test_no_file_names_an_index():
    assert found(INDEX_OPTION, texts()) == []


def test_no_file_names_a_path_of_a_machine():
    assert found(MACHINE_PATH, texts()) == []


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_every_requirement_is_locked_by_version_and_hash_and_nothing_else(path: Path):
    rest = PINNED.sub("", path.read_text("utf-8"))

    assert rest.strip() == ""


def test_the_tests_use_the_versions_that_are_shipped():
    pins = {
        path.name: set(re.findall(r"^\S+==\S+", path.read_text("utf-8"), re.MULTILINE))
        for path in LOCKED
    }

    assert pins["runtime.txt"] <= pins["dev.txt"]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (DOWNLOAD, "https://files.example.org/packages/ab/cd/apsw-3.0-cp311.whl"),
        (DOWNLOAD, "file:///mirror/simple"),
        (INDEX_OPTION, "--extra-index-url https://index.example.org"),
        (MACHINE_PATH, "#!/root/.venv/bin/python"),
        (MACHINE_PATH, "open('/home/ada/ledger.db')"),
    ],
)
def test_an_offending_line_is_caught(pattern: re.Pattern[str], line: str):
    assert found(pattern, [("file", line)]) != []


@pytest.mark.parametrize(
    "line", ["https://docs.example.org/simple-start", "$(BIN)/work", "./home/page", "a/root/b"]
)
def test_an_innocent_line_passes(line: str):
    assert found(DOWNLOAD, [("file", line)]) + found(MACHINE_PATH, [("file", line)]) == []
