"""The command `tallystick`: one module a group of commands, each with a `register(app)`."""

from tallystick.entrypoints.cli.main import main

__all__ = ["main"]
