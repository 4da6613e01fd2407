"""What every refusal must be: documented, and with words for whoever sent the input."""

from tallystick.domain.errors import InvalidReport
from tallystick.entrypoints.http.problems import TITLES, Problem


def check_problem(problem: Problem, *statuses: int) -> None:
    """A refusal over HTTP: one of these statuses, or any that blames the request."""
    assert problem.status in statuses if statuses else 400 <= problem.status < 500
    assert problem.kind in TITLES
    assert problem.detail


def check_sentence(error: Exception, part: str) -> None:
    """An error whose sentence names what to look at."""
    assert part in str(error)


def check_hidden(error: Exception, secret: str) -> None:
    """An error that shows nothing of the secret; shorter ones may be words of the sentence."""
    assert len(secret) < 16 or secret not in str(error)


def check_report(refusal: InvalidReport) -> None:
    """A report's refusal points at each field and says what to do."""
    assert refusal.errors
    for error in refusal.errors:
        assert error.detail
        assert error.code.replace("_", "").isalnum()
        assert not error.pointer or error.pointer.startswith("/")
