"""Ports for programs that are told theirs: free now, and given to nobody else meanwhile."""

import socket
from secrets import randbelow

LOWEST, COUNT = 20_000, 10_000
"""Below all that systems hand out by themselves (from 32768 on, or 49152): between this and the
program's start, nobody who asks for any port gets this one."""


def free_port() -> int:
    """Drawn at random, so that tests that run at the same time have others."""
    while True:
        port = LOWEST + randbelow(COUNT)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
