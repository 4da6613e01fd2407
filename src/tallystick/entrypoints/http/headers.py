"""A request's headers by name: made once, for all who look for one."""

from collections.abc import Mapping
from typing import Final, TypeVar

from starlette.datastructures import Headers
from starlette.types import Scope

D = TypeVar("D")

KNOWN_HEADERS: Final = "tallystick.headers"
"""Where a request's scope has its headers by name, the first of each, as bytes."""


def known_headers(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by name, the first of each; kept for whoever asks next."""
    found: Mapping[bytes, bytes] | None = scope.get(KNOWN_HEADERS)
    if found is None:
        found = scope[KNOWN_HEADERS] = dict(reversed(scope["headers"]))
    return found


class FoundHeaders(Headers):
    """The framework's headers, where a look for one does not walk the list of all."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._found = known_headers(scope)

    def get(self, key: str, default: D | None = None) -> str | D | None:  # type: ignore[override]
        found = self._found.get(key.lower().encode("latin-1"))
        return default if found is None else found.decode("latin-1")

    def __getitem__(self, key: str) -> str:
        return self._found[key.lower().encode("latin-1")].decode("latin-1")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower().encode("latin-1") in self._found
