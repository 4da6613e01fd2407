"""Making an API key, from a command as from a page: fresh random bits, and when it ends."""

import secrets
from collections.abc import Iterable

from tallystick.config import parse_duration
from tallystick.domain.api_key import ID_BYTES, SECRET_BYTES, ApiKey, Scope, digest_of, text_of
from tallystick.domain.errors import InvalidSetting


def issued(scopes: Iterable[Scope], now: int) -> tuple[ApiKey, str]:
    """A new key, not stored yet, and its text."""
    id_, text = text_of(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
    key = ApiKey(
        id=id_, digest=digest_of(text), scopes=tuple(dict.fromkeys(scopes)), created_at=now
    )
    return key, text


def expiry(text: str, created_at: int, *, named: str) -> int:
    """When a key ends that opens something for '90s', '30m' or '720h'.

    InvalidSetting says what is wrong with the option or the field of that name.
    """
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise InvalidSetting(f"{named}: {error}") from error
    if not duration:
        raise InvalidSetting(f"{named}: a key that expires at once opens nothing")
    return created_at + duration
