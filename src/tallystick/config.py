"""The one place that reads the environment. A secret never shows in a repr, a log or an error."""

import getpass
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR, MINUTE, SECOND

PREFIX: Final = "TALLYSTICK_"
DEFAULT_STORE: Final = "sqlite:///./tallystick.db"
KEY_RATE_MAX: Final = 100_000
GRACE_MAX: Final = 30 * MINUTE
"""Half of the hour that Stripe leaves after a period's end."""

LOG_LEVELS: Final = ("info", "debug", "warning", "error")
LOG_FORMATS: Final = ("json", "text")
OTEL_EXPORTERS: Final = ("otlp", "console", "none")
OTEL_ADDRESSES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_DURATION: Final = re.compile(r"(\d{1,6})\s*(s|m|h)")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
_UNITS: Final = (("s", SECOND), ("m", MINUTE), ("h", HOUR))
_ORIGIN: Final = re.compile(
    r"https://(\*\.)?[a-z0-9.-]+(:(\d+|\*))?|http://(localhost|127\.0\.0\.1)(:(\d+|\*))?"
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that only `reveal` shows."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text

    def __str__(self) -> str:
        return "(secret)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says.

    store                  TALLYSTICK_STORE
    stripe_api_key         TALLYSTICK_STRIPE_API_KEY, or the file …_API_KEY_FILE names; or there
                           the ARN of the secret of AWS Secrets Manager that holds it
    stripe_api_base        TALLYSTICK_STRIPE_API_BASE; empty means Stripe itself
    stripe_webhook_secrets TALLYSTICK_STRIPE_WEBHOOK_SECRET, or the file …_FILE names: one or
                           several, between blanks or commas
    marketplace_region     TALLYSTICK_AWS_MARKETPLACE_REGION: where AWS Marketplace is metered
    marketplace_endpoint   TALLYSTICK_AWS_MARKETPLACE_ENDPOINT; empty means that of the region
    auto_onboard           TALLYSTICK_AUTO_ONBOARD: make a tenant when its first report comes
    key_rate               TALLYSTICK_KEY_RATE: a key's requests per second; 0 is no limit
    lago_refuse_duplicates TALLYSTICK_LAGO_REFUSE_DUPLICATES: 422 for a used transaction_id
    grace                  TALLYSTICK_GRACE: how long after an hour's end it is sealed (5m)
    checkpoint_key         TALLYSTICK_CHECKPOINT_KEY, or the file …_KEY_FILE names: signs them
    checkpoint_copy        TALLYSTICK_CHECKPOINT_COPY: a file that each one's line is added to
    log_level              TALLYSTICK_LOG_LEVEL: debug, info, warning or error
    log_format             TALLYSTICK_LOG_FORMAT: json, or text for people
    metrics_open           TALLYSTICK_METRICS_OPEN: /metrics answers without a key
    first_key_file         TALLYSTICK_FIRST_KEY_FILE: where the first admin key is written
    otel_asked             OpenTelemetry's own variables ask for traces; 'otlp' or 'console'
    embed_origins          TALLYSTICK_EMBED_ORIGINS: whose pages may frame a tenant's usage
    dead_letter_queues     TALLYSTICK_DEAD_LETTER_QUEUES: URLs of the stack's, on AWS
    stack                  TALLYSTICK_STACK: the stack on AWS that metrics are told of
    user                   who ran the command, for the audit trail
    """

    store: str = DEFAULT_STORE
    stripe_api_key: Secret | None = None
    stripe_api_base: str = ""
    stripe_webhook_secrets: tuple[Secret, ...] = ()
    marketplace_region: str = ""
    marketplace_endpoint: str = ""
    auto_onboard: bool = False
    key_rate: int = 0
    lago_refuse_duplicates: bool = False
    grace: int = 5 * MINUTE
    checkpoint_key: Secret | None = None
    checkpoint_copy: str = ""
    log_level: str = "info"
    log_format: str = "json"
    metrics_open: bool = False
    first_key_file: str = ""
    otel_asked: str = ""
    embed_origins: tuple[str, ...] = ()
    dead_letter_queues: tuple[str, ...] = ()
    stack: str = ""
    user: str = "unknown"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; InvalidSetting names the variable that cannot be meant."""
    found = os.environ if environment is None else environment
    return Settings(
        store=found.get(f"{PREFIX}STORE") or DEFAULT_STORE,
        stripe_api_key=_secret(found, f"{PREFIX}STRIPE_API_KEY"),
        stripe_api_base=_api_base(found, f"{PREFIX}STRIPE_API_BASE"),
        stripe_webhook_secrets=_each(_secret(found, f"{PREFIX}STRIPE_WEBHOOK_SECRET")),
        marketplace_region=found.get(f"{PREFIX}AWS_MARKETPLACE_REGION", "").strip(),
        marketplace_endpoint=_api_base(found, f"{PREFIX}AWS_MARKETPLACE_ENDPOINT"),
        auto_onboard=_flag(found, f"{PREFIX}AUTO_ONBOARD"),
        key_rate=_rate(found, f"{PREFIX}KEY_RATE"),
        lago_refuse_duplicates=_flag(found, f"{PREFIX}LAGO_REFUSE_DUPLICATES"),
        grace=_grace(found, f"{PREFIX}GRACE"),
        checkpoint_key=_secret(found, f"{PREFIX}CHECKPOINT_KEY"),
        checkpoint_copy=found.get(f"{PREFIX}CHECKPOINT_COPY", "").strip(),
        log_level=_word(found, f"{PREFIX}LOG_LEVEL", LOG_LEVELS),
        log_format=_word(found, f"{PREFIX}LOG_FORMAT", LOG_FORMATS),
        metrics_open=_flag(found, f"{PREFIX}METRICS_OPEN"),
        first_key_file=found.get(f"{PREFIX}FIRST_KEY_FILE", "").strip(),
        otel_asked=_otel_asked(found),
        embed_origins=_origins(found, f"{PREFIX}EMBED_ORIGINS"),
        dead_letter_queues=_queues(found, f"{PREFIX}DEAD_LETTER_QUEUES"),
        stack=found.get(f"{PREFIX}STACK", "").strip(),
        user=_user(),
    )


class _Asked(Mapping[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self._found = found
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def unknown_variables(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The variables that look like a setting of ours and are none: a misspelt one has no effect."""
    asked = _Asked(os.environ if environment is None else environment)
    read_settings(asked)
    ours = {name for name in asked if name.startswith(PREFIX)}
    return tuple(sorted(ours - asked.names))


def parse_duration(text: str) -> int:
    """Microseconds in '90s', '5m' or '2h'. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("a duration is a number and s, m or h, such as 5m")
    return int(match[1]) * dict(_UNITS)[match[2]]


def _secret(found: Mapping[str, str], name: str) -> Secret | None:
    """The secret itself, or what the file named by NAME_FILE holds."""
    path = found.get(f"{name}_FILE", "")
    if not path:
        text = found.get(name, "").strip()
        return Secret(text) if text else None
    if found.get(name):
        raise InvalidSetting(f"set {name} or {name}_FILE, not both")
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{name}_FILE: {path!r} cannot be read") from error
    if not text:
        raise InvalidSetting(f"{name}_FILE: {path!r} is empty")
    return Secret(text)


def _each(found: Secret | None) -> tuple[Secret, ...]:
    """Stripe gives every endpoint a secret of its own, and two while one is being replaced."""
    texts = re.split(r"[\s,]+", found.reveal()) if found is not None else []
    if not all(_WEBHOOK_SECRET.fullmatch(text) for text in texts):
        name = f"{PREFIX}STRIPE_WEBHOOK_SECRET"
        raise InvalidSetting(f"{name}: each must begin with whsec_, as Stripe shows it")
    return tuple(map(Secret, texts))


def _api_base(found: Mapping[str, str], name: str) -> str:
    """An https URL, or plain http to this very machine (the sandbox); keys travel over it."""
    base = found.get(name, "").strip().rstrip("/")
    if not base:
        return ""
    try:
        url = urlsplit(base)
        host = url.hostname
    except ValueError:
        raise InvalidSetting(f"{name} is not a URL") from None
    if host and (url.scheme == "https" or (url.scheme == "http" and host in _LOOPBACK)):
        return base
    raise InvalidSetting(f"{name} must begin with https://, or with http:// and a loopback host")


def _origins(found: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Origins between blanks or commas, as a Content-Security-Policy names them."""
    origins = tuple(filter(None, re.split(r"[\s,]+", found.get(name, ""))))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise InvalidSetting(f"{name}: {origin!r} is no origin such as https://app.example.com")
    return origins


def _queues(found: Mapping[str, str], name: str) -> tuple[str, ...]:
    """URLs of SQS between blanks or commas."""
    urls = tuple(filter(None, re.split(r"[\s,]+", found.get(name, ""))))
    for url in urls:
        if not url.startswith(("https://", "http://")):
            raise InvalidSetting(f"{name}: {url!r} is no URL of a queue")
    return urls


def _flag(found: Mapping[str, str], name: str) -> bool:
    text = found.get(name, "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise InvalidSetting(f"{name} must be true or false")
    return text in _TRUE


def _word(found: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of the words; the first where nothing is set."""
    text = found.get(name, "").strip().lower() or words[0]
    if text not in words:
        raise InvalidSetting(f"{name} must be one of {', '.join(words)}")
    return text


def _otel_asked(found: Mapping[str, str]) -> str:
    """Which exporter of traces OpenTelemetry's own variables ask for; nothing without them."""
    if found.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    exporter = found.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    has_address = any(found.get(name, "").strip() for name in OTEL_ADDRESSES)
    exporter = exporter or ("otlp" if has_address else "none")
    if exporter not in OTEL_EXPORTERS:
        raise InvalidSetting(f"OTEL_TRACES_EXPORTER must be one of {', '.join(OTEL_EXPORTERS)}")
    return "" if exporter == "none" else exporter


def _rate(found: Mapping[str, str], name: str) -> int:
    text = found.get(name, "").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= KEY_RATE_MAX):
        raise InvalidSetting(f"{name} must be a whole number up to {KEY_RATE_MAX}; 0 is no limit")
    return int(text)


def _grace(found: Mapping[str, str], name: str) -> int:
    text = found.get(name, "").strip()
    try:
        grace = parse_duration(text) if text else 5 * MINUTE
    except ValueError as error:
        raise InvalidSetting(f"{name}: {error}") from error
    if grace > GRACE_MAX:
        raise InvalidSetting(f"{name} may be at most 30m, or bills close before usage is sent")
    return grace


def _user() -> str:
    """The name of the OS user; a container may have none for its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
