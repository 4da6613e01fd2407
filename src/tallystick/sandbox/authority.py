"""Who may call: secret keys may do anything, restricted keys what was granted to them."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import NoReturn

from .answers import Refusal, error_answer
from .routes import Route

_PREFIXES = ("sk_test_", "sk_live_", "rk_test_", "rk_live_")
_FINGERPRINT = "fp."
_NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization "
    "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)


def api_key(headers: Mapping[str, str]) -> str:
    """The key of a request, by Bearer or as the user of Basic; 401 when it is none."""
    kind, _, credential = headers.get("authorization", "").partition(" ")
    key = credential.strip()
    if kind.lower() == "basic":
        try:
            key = b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    elif kind.lower() != "bearer":
        key = ""
    if not key:
        _unauthorized(_NO_KEY)
    if not key.startswith(_PREFIXES):
        _unauthorized(f"Invalid API Key provided: {masked(key)}")
    return key


def check(key: str, route: Route, granted: Mapping[str, frozenset[str]], account: str) -> None:
    """403, naming the permission, when a restricted key was not granted it."""
    permissions = granted.get(fingerprint(key))
    if permissions is None or route.permission in permissions:
        return
    message = (
        f"The provided key '{masked(key)}' does not have the required permissions for this "
        f"endpoint on account '{account}'. Having the '{route.permission}' permission would "
        "allow this request to continue."
    )
    raise Refusal(error_answer(403, "invalid_request_error", message, code="more_permissions"))


def fingerprint(key: str) -> str:
    """What stands for a key wherever it is remembered; a fingerprint is its own fingerprint."""
    secret = key[8:]
    if secret.startswith(_FINGERPRINT):
        return key
    return f"{key[:8]}{_FINGERPRINT}{sha256(secret.encode()).hexdigest()[:32]}"


def fingerprinted(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with a fingerprint in place of the key, if there is a good one."""
    result = dict(headers)
    if "authorization" in result:
        try:
            result["authorization"] = f"Bearer {fingerprint(api_key(headers))}"
        except Refusal:
            result["authorization"] = ""
    return result


def masked(key: str) -> str:
    """Enough of a key to tell which kind it is, and no more."""
    return f"{key[:8]}***" if key.startswith(_PREFIXES) else "***"


def _unauthorized(message: str) -> NoReturn:
    raise Refusal(error_answer(401, "invalid_request_error", message))
