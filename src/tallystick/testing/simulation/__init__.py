"""A deterministic simulation: one seed is one world, with all that goes wrong in it.

`plan` draws the world, `world` runs it on a real store, `model` is the oracle that knows only the
plan, `witness` and `checkers` compare. Run `python -m tallystick.testing.simulation --seeds 100`.
"""
