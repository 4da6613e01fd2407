"""From the command line to a command, and from what went wrong to one sentence and a number.

0  done, and clean
1  done, and something needs a person: a dead letter, a conflict, a discrepancy
2  the command, a setting or an input cannot be meant
3  the store or the provider is away: try again
"""

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Final

from cyclopts import App, CycloptsError

from tallystick import __version__
from tallystick.domain.errors import (
    InvariantViolated,
    PublisherUnavailable,
    StoreUnavailable,
    TallystickError,
)
from tallystick.entrypoints.cli import (
    checkpoints,
    dead_letters,
    demo,
    doctor,
    importing,
    keys,
    lineage,
    mappings,
    meters,
    passes,
    providers,
    publications,
    recovery,
    serve,
    switches,
    tenants,
    usage,
    voids,
)
from tallystick.entrypoints.cli.context import CLEAN, INPUT_ERROR, NEEDS_A_PERSON, UNAVAILABLE

COMMANDS: Final[tuple[ModuleType, ...]] = (
    serve,
    importing,
    tenants,
    meters,
    mappings,
    usage,
    dead_letters,
    voids,
    passes,
    publications,
    lineage,
    checkpoints,
    recovery,
    doctor,
    switches,
    providers,
    keys,
    demo,
)
"""In the order in which --help shows them."""

INTERRUPTED: Final = 130


def build_app() -> App:
    """The command line with all its commands."""
    app = App(
        name="tallystick",
        help="Count every usage event once, and tell the billing provider once.",
        version=__version__,
        result_action="return_value",
    )
    for module in COMMANDS:
        module.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. No TallystickError ever shows as a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: _run(given))


def _run(arguments: list[str]) -> int:
    code = build_app()(arguments, exit_on_error=False, print_error=False)
    sys.stdout.flush()
    return code if isinstance(code, int) else CLEAN


def guarded(command: Callable[[], int]) -> int:
    """The command's exit code; what went wrong is one sentence on stderr."""
    try:
        return command()
    except CycloptsError as error:
        return _complain(str(error), INPUT_ERROR)
    except (StoreUnavailable, PublisherUnavailable) as error:
        return _complain(f"{error} (try again)", UNAVAILABLE)
    except InvariantViolated as error:
        return _complain(f"a promise of this program is broken: {error}", NEEDS_A_PERSON)
    except TallystickError as error:
        return _complain(str(error), INPUT_ERROR)
    except KeyboardInterrupt:
        return _complain("interrupted; what was acknowledged is stored", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`); nothing can be flushed any more.
        sys.stdout = None
        return CLEAN


def _complain(sentence: str, code: int) -> int:
    print(f"tallystick: {' '.join(sentence.split())}", file=sys.stderr)
    return code
