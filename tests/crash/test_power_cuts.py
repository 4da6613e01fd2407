"""The power cut in the middle of everything, a few times. `make crashes` does it 200 times."""

from random import Random

import pytest

from tests.crash.disk import Disk, Grow, Inode, Resize, Write
from tests.crash.power import live_a_world

CUTS_TO_NOTICE = 40
"""A disk that lies was found out within three cuts of every seed that was tried."""


def test_what_was_acked_before_a_power_cut_is_counted_once_and_told_once():
    world = live_a_world("the test's own", 4)

    assert world.found.is_clean, str(world.found)
    assert world.acked > 1_000
    assert world.sealed


@pytest.mark.parametrize("lies", [("wal",), ("main",), ("wal", "main")], ids="+".join)
def test_a_disk_that_only_says_that_it_synced_is_found_out(lies: tuple[str, ...]):
    world = live_a_world("a disk that lies", CUTS_TO_NOTICE, lies)

    assert not world.found.is_clean
    assert world.found.lost or world.found.wrong


# ── The disk itself ───────────────────────────────────────────────────────────────────────────────


def images(inode: Inode, count: int = 3_000) -> set[bytes]:
    return {inode.after_power_cut(Random(seed)) for seed in range(count)}


def test_what_was_synced_is_on_the_disk_whatever_happens():
    inode = Inode()
    inode.pending += [Write(0, b"a" * 1_024), Resize(512), Grow(600)]
    inode.settle()

    assert images(inode) == {b"a" * 512 + bytes(88)}


def test_what_was_not_synced_may_be_there_in_part_in_any_order_or_not_at_all():
    inode = Inode(bytearray(b"a" * 1_024))
    inode.pending += [Write(0, b"b" * 1_024), Write(512, b"c" * 512)]
    found = images(inode)

    assert b"a" * 1_024 in found
    assert b"b" * 512 + b"c" * 512 in found
    assert b"b" * 1_024 in found
    assert b"a" * 512 + b"c" * 512 in found
    assert b"b" * 512 + b"a" * 512 in found


def test_a_file_that_was_made_and_not_synced_may_be_gone(tmp_path):
    kept = set()
    for seed in range(20):
        disk = Disk(f"folder-{seed}", tmp_path, cut_at=10, draws=Random(seed))
        disk._move("tally.db", Inode())
        disk.cut()
        disk.unregister()
        kept.add("tally.db" in disk.image)

    assert kept == {True, False}
