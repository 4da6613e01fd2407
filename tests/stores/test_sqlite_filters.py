"""A filter before a run of keys says yes too often, and never no too often."""

import numpy as np

from tallystick.stores.sqlite.key_runs import Filter


def test_a_filter_that_was_halved_holds_what_it_held():
    hashes = np.sort(np.random.default_rng(1).integers(0, 2**48, 10_000))
    others = np.random.default_rng(2).integers(0, 2**48, 10_000)
    found = Filter(10_000)
    found.add(hashes)

    assert len(found.possible(others)) < 400
    for _ in range(4):
        assert len(found.possible(hashes)) == 10_000
        assert found.halve()
