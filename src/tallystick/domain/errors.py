"""Every error that crosses a border of Tallystick, grouped by what the catcher does next.

    TallystickError
    ├── InvalidReport         the caller can fix it: names each field and what to do
    ├── InvalidSetting        a tenant, meter, mapping or option that cannot be meant
    ├── NotFound              no such tenant, meter, publication …
    ├── StoreUnavailable      the write's outcome is unknown or nothing was done: try again
    │   └── StoreLost         and it takes no more work here: end the process, start another
    ├── PublisherMisconfigured the provider refuses our credentials: a person must act
    ├── PublisherUnavailable  the provider cannot be read now: try again
    └── InvariantViolated     our bug: stop and say so; never caught below an entry point

Status and exit codes belong to the entry points. An outcome that is expected (a duplicate, a lost
race, a refusal) is a value, not an error.
"""

from dataclasses import dataclass


class TallystickError(Exception):
    """Something in Tallystick went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing that is wrong with one field of a report.

    `pointer` is a JSON pointer into what was sent, `code` a word for programs, `detail` a sentence
    for people that says what to do.
    """

    pointer: str
    code: str
    detail: str


class InvalidReport(TallystickError):
    """The report cannot be counted as it was sent."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{e.pointer or '/'}: {e.detail}" for e in errors))
        self.errors = errors


class InvalidSetting(TallystickError):
    """The setting cannot be meant as it was given."""


class NotFound(TallystickError):
    """There is no such thing."""


class StoreUnavailable(TallystickError):
    """The store did not answer; what was asked may or may not have been done. Try again."""


class StoreLost(StoreUnavailable):
    """Whether the last write happened is not known, and this process must take no more work: the
    next one opens the store anew and sees what is there."""


class PublisherMisconfigured(TallystickError):
    """The provider does not accept our credentials or permissions."""


class PublisherUnavailable(TallystickError):
    """The provider could not be read. Try again."""


class InvariantViolated(TallystickError):
    """A promise of this program does not hold: a bug. Nothing is written after this."""
