"""Kill the server and cut the power, again and again, and say what was lost and doubled.

    make crashes ROUNDS=200            so many kill rounds, and so many power cuts
    make crashes ROUNDS=10 SEED=7      the moments that this seed draws

What comes between two moments is the machine's to decide, so that a seed repeats the plan of a run
and not each of its steps. Exit 1 if anything was found.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.crash.checking import Found
from tests.crash.kills import kill_rounds
from tests.crash.power import power_cuts

Progress = tuple[int, int, Found]
"""Rounds, acked events, and what was found, of one world."""


@dataclass
class Row:
    """One line of the table."""

    name: str
    rounds: int = 0
    acked: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0

    def __str__(self) -> str:
        return (
            f"| {self.name} | {self.rounds:,} | {self.acked:,} | {self.lost:,} | "
            f"{self.doubled:,} | {self.seconds:.0f} |"
        )


def killed(seed: str, rounds: int) -> Iterator[Progress]:
    for world in kill_rounds(seed, rounds):
        yield world.kills, world.acked, world.found


def cut_off(seed: str, rounds: int) -> Iterator[Progress]:
    for world in power_cuts(seed, rounds):
        yield world.cuts, world.acked, world.found


def carried_out(name: str, seed: str, worlds: Iterator[Progress]) -> tuple[Row, bool]:
    """The row, and whether all was well; it stops at the first world where it was not."""
    row, started = Row(name), time.monotonic()
    for rounds, acked, found in worlds:
        row.rounds += rounds
        row.acked += acked
        row.lost += found.lost
        row.doubled += found.doubled
        row.seconds = time.monotonic() - started
        print(row, flush=True)
        if not found.is_clean:
            print(f"FOUND with seed {seed}: {found}")
            return row, False
    return row, True


KINDS: dict[str, Callable[[str, int], Iterator[Progress]]] = {
    "kill -9 under load": killed,
    "power cuts": cut_off,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make crashes")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", default="")
    options = parser.parse_args(arguments)
    seed = options.seed or str(secrets.randbelow(2**32))
    print(f"seed {seed}", flush=True)
    done = [
        carried_out(name, seed, worlds(f"{seed}.{name}", options.rounds))
        for name, worlds in KINDS.items()
    ]
    print("| | times | acked events | lost | doubled | seconds |")
    print(*(row for row, _ in done), sep="\n")
    return 0 if all(is_well for _, is_well in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
