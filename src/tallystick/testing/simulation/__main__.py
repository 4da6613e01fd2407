"""python -m tallystick.testing.simulation --seeds N [--first K] | --seed N [--verbose]."""

import sys, time
from tallystick.testing.simulation.plan import drawn_plan
from tallystick.testing.simulation.world import run_plan
import traceback


def main():
    first = int(sys.argv[1])
    n = int(sys.argv[2])
    t = time.perf_counter()
    sim = 0
    ev = 0
    bad = 0
    from collections import Counter

    met = Counter()
    notes = Counter()
    for s in range(first, first + n):
        t1 = time.perf_counter()
        try:
            r = run_plan(drawn_plan(s))
        except Exception as e:
            bad += 1
            tb = traceback.extract_tb(e.__traceback__)
            print(
                s,
                type(e).__name__,
                str(e)[:300],
                [f"{f.filename.split('/')[-1]}:{f.lineno}" for f in tb][-4:],
            )
            if n == 1:
                traceback.print_exc()
            continue
        sim += r.simulated
        ev += r.events
        met += r.met
        notes += r.notes
        d = time.perf_counter() - t1
        if d > 3:
            print(s, "slow", d, r)
    t = time.perf_counter() - t
    print(bad, "bad", t, "s", sim / 3.6e9, "sim hours", ev, "events", met, notes)


main()
