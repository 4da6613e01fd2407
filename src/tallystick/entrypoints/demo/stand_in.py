"""Stripe as the demo runs it: the sandbox in a process of its own, until its input ends."""

import sys

from tallystick.sandbox import StripeSandbox, serve


def main() -> None:
    """Say the URL, then answer."""
    at, seed = sys.argv[1:]
    with serve(StripeSandbox(int(at), seed=int(seed))) as running:
        sys.stdout.write(running.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
