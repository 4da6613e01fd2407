"""How long a checkpoint takes, and how large its line is: CHAINS chains in one SQLite file.

    python bench/checkpoints.py [CHAINS]

The first names every chain; then one in a hundred has moved, then none.
"""

import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import apsw

from tallystick.domain.checkpoint import Taken, line_of
from tallystick.signing import new_key_pair, signer_of
from tallystick.stages.checkpointing import take
from tallystick.stores.sqlite import SqliteStore

INSERT = "INSERT INTO chain (tenant, meter, line, hash) VALUES (?, ?, 100, ?)"
MOVE = "UPDATE chain SET line = line + 1, hash = substr(hash, 2) || '0' WHERE id % 100 = 0"


def fill(path: Path, chains: int) -> None:
    with apsw.Connection(str(path)) as db:
        db.executemany(
            INSERT,
            (
                (f"tenant-{n // 4:06}", f"meter-{n % 4}", hashlib.sha256(b"%d" % n).hexdigest())
                for n in range(chains)
            ),
        )


def size_of(one: Taken) -> int:
    return len(json.dumps(line_of(one), separators=(",", ":")))


def main(chains: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        store = SqliteStore.open(path, incarnation="bench")
        signer = signer_of(new_key_pair()[0])
        fill(path, chains)
        for wanted in ("all", "one in a hundred", "none"):
            if wanted == "one in a hundred":
                with apsw.Connection(str(path)) as db:
                    db.execute(MOVE)
            began = time.perf_counter()
            one = take(store, 0, grace=0, signer=signer)
            seconds = time.perf_counter() - began
            if one is None:
                raise SystemExit("no checkpoint was taken")
            sizes = f"{size_of(one):,} bytes, brief {size_of(Taken(one.checkpoint)):,}"
            print(f"{chains:,} chains, {wanted} moved: {seconds:.2f} s, a line of {sizes}")
        store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"at most {peak} MiB of memory")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
