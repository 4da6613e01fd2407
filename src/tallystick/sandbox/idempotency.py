"""The Idempotency-Key store of API v1: a key's first result is replayed for a day, 500s too."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .answers import Answer, error_answer

Parameters = tuple[str, str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class SavedResult:
    """What a key was first used for; no answer yet means that its request is still running."""

    at: int
    parameters: Parameters
    answer: Answer | None


class IdempotencyKeys:
    """Only requests that began to execute are saved: refused ones may be sent again."""

    def __init__(self, forget_after: int) -> None:
        self._forget_after = forget_after
        self._saved: dict[str, SavedResult] = {}

    def __len__(self) -> int:
        return len(self._saved)

    def earlier_answer(self, key: str, parameters: Parameters, now: int) -> Answer | None:
        """The replay, conflict or mismatch that answers this key, or None: execute it."""
        saved = self._saved.get(key)
        if saved is None or now - saved.at >= self._forget_after:
            self._saved.pop(key, None)
            return None
        if saved.parameters != parameters:
            return _mismatch(key)
        if saved.answer is None:
            return in_flight()
        headers = {**saved.answer.headers, "Idempotent-Replayed": "true"}
        return replace(saved.answer, headers=headers)

    def begin(self, key: str, parameters: Parameters, now: int) -> None:
        """The request under this key starts to execute."""
        self._forget_oldest(now)
        self._saved[key] = SavedResult(now, parameters, None)

    def _forget_oldest(self, now: int) -> None:
        """Keys are kept in the order in which they finished, which is near enough that of age."""
        while self._saved:
            oldest = next(iter(self._saved))
            if now - self._saved[oldest].at < self._forget_after:
                return
            del self._saved[oldest]

    def finish(self, key: str, answer: Answer | None) -> None:
        """Save the result; None forgets the key, as after a refused parameter."""
        begun = self._saved.pop(key, None)
        if begun is not None and answer is not None:
            self._saved[key] = replace(begun, answer=answer)


def in_flight() -> Answer:
    """409: the same key is being executed right now."""
    message = (
        "There is currently another in-progress request using this Idempotency Key (that "
        "probably means you submitted twice, and the other request is still going through). "
        "Please try again later."
    )
    return error_answer(409, "idempotency_error", message, code="idempotency_key_in_use")


def _mismatch(key: str) -> Answer:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first "
        f"used with. Try using a key other than '{key}' if you meant to execute a different "
        "request."
    )
    return error_answer(400, "idempotency_error", message)
