"""A package, so that no other distribution's top-level `tests` is found in its place."""
