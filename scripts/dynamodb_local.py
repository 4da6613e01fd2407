"""Fetch AWS's DynamoDB Local, to test against: `python scripts/dynamodb_local.py FOLDER`.

AWS gives it away as a Java program under its own licence; the npm package named here carries it.
The package is fetched by npm, checked by its SHA-256, and only the emulator is unpacked. It is used
by tests alone and is no part of Tallystick.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

PACKAGE: Final = "amplify-dynamodb-simulator@2.9.30"
SHA256: Final = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"
INSIDE: Final = "package/emulator/"


def fetch(folder: Path) -> None:
    """Unpack the emulator into the folder, whole or not at all."""
    with tempfile.TemporaryDirectory() as parent:
        npm = shutil.which("npm")
        if npm is None or shutil.which("java") is None:
            sys.exit("DynamoDB Local needs npm (to fetch it) and java (to run it): install both")
        subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=parent, check=True)  # noqa: S603
        (package,) = Path(parent).glob("*.tgz")
        found = hashlib.sha256(package.read_bytes()).hexdigest()
        if found != SHA256:
            sys.exit(f"{PACKAGE} has the SHA-256 {found}, and not the one it was checked with")
        with tarfile.open(package) as archive:
            if hasattr(tarfile, "data_filter"):  # since Python 3.11.4
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(parent)  # noqa: S202  # what it holds is pinned by its hash
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(parent) / INSIDE, folder)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
