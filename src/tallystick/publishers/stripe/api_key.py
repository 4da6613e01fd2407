"""API keys: which ones are taken, and how they are kept out of every text."""

import re
from typing import Final

from tallystick.domain.errors import InvalidSetting

SETTING: Final = "TALLYSTICK_STRIPE_API_KEY"
SWITCH: Final = "live_key"

_KEY: Final = re.compile(r"[sr]k_(test|live)_[A-Za-z0-9_]+")
_IN_TEXT: Final = re.compile(r"\b([sr]k|pk|whsec)(_test|_live)?_[A-Za-z0-9_]+")


def checked_key(api_key: str, *, allow_live: bool) -> str:
    """The key, if it is a secret or restricted one that may be used.

    Raises InvalidSetting, which never shows the key: for anything else (a stray newline in it
    would end up in an HTTP library's error), and for a live key that is not allowed.
    """
    if _KEY.fullmatch(api_key) is None:
        raise InvalidSetting(
            f"{SETTING} is no secret or restricted key: it must begin with sk_test_, rk_test_, "
            "sk_live_ or rk_live_ and hold letters, digits and underscores only"
        )
    if is_live(api_key) and not allow_live:
        raise InvalidSetting(
            f"{SETTING} is a live key, which bills real customers, and the switch '{SWITCH}' is "
            "off: `tallystick stripe allow-live --why …` turns it on, or use a test key"
        )
    return api_key


def is_live(api_key: str) -> bool:
    return not api_key.startswith(("sk_test_", "rk_test_"))


def redacted(text: str, api_key: str = "") -> str:
    """The text without this key, and without anything that looks like one."""
    if api_key:
        text = text.replace(api_key, "***")
    return _IN_TEXT.sub(lambda found: f"{found[1]}{found[2] or ''}_***", text)
