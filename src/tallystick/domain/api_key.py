"""An API key: who may do what over HTTP. Only the hash of its text is ever kept.

The text is `tally_ID_SECRET`: a fixed prefix that leak scanners find, the public id that listings
and logs show, and 256 random bits.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import DAY, MINUTE, SECOND

PREFIX: Final = "tally"
ID_BYTES: Final = 5
SECRET_BYTES: Final = 32
KEY_LENGTH_MAX: Final = 200

TOKEN_LASTS: Final = 15 * MINUTE
"""Long enough for somebody to look at a page; the page can ask for another."""

TOKEN_LASTS_MAX: Final = DAY
TOKEN_KEPT: Final = DAY
"""So long an expired token is still told from one that never was."""


class Scope(StrEnum):
    """What a key may do; a closed set."""

    INGEST = "ingest"
    """Report events."""
    READ = "read"
    """See events, usage, the ledger and the settings."""
    PUBLISH = "publish"
    """Pause, resume and settle publications."""
    ADMIN = "admin"
    """Everything, settings and keys included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`tenant` binds it to one tenant, and every other one is then not there for it.

    `used_at` is when it was last seen, to about an hour. A revoked key stays listed. `maker` is
    the key that made it, where that was not a person: it is then a token, which reads one tenant
    until it expires, and no more.
    """

    id: str
    digest: str
    name: str = ""
    scopes: tuple[Scope, ...]
    tenant: str = ""
    maker: str = ""
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    used_at: int | None = None

    def __post_init__(self) -> None:
        if not self.scopes:
            raise InvalidSetting("a key needs at least one scope")
        if self.tenant and Scope.ADMIN in self.scopes:
            raise InvalidSetting("an admin key sees all tenants; give a bound key other scopes")
        if self.is_token and not (self.tenant and self.expires_at and self.scopes == (Scope.READ,)):
            raise InvalidSetting("a token reads one tenant, until it expires, and no more")

    @property
    def is_token(self) -> bool:
        return bool(self.maker)

    def is_live(self, now: int) -> bool:
        """Whether it opens anything at this instant."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not is_over

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, tenant: str) -> bool:
        return self.tenant in ("", tenant)


def lent(fresh: ApiKey, maker: ApiKey, tenant: str, lasts: int) -> ApiKey:
    """A fresh key made a token: it reads one tenant that its maker sees, for `lasts`, and never
    longer than its maker.

    Raises InvalidSetting where no token can be made so.
    """
    if maker.is_token or not maker.allows(Scope.READ) or not maker.sees(tenant):
        raise InvalidSetting("this key cannot make a token for that tenant")
    if not SECOND <= lasts <= TOKEN_LASTS_MAX:
        raise InvalidSetting("a token lasts from 1 to 86400 seconds")
    ends = fresh.created_at + lasts
    if maker.expires_at is not None:
        ends = min(ends, maker.expires_at)
    return replace(fresh, scopes=(Scope.READ,), tenant=tenant, maker=maker.id, expires_at=ends)


def text_of(random_bytes: bytes) -> tuple[str, str]:
    """(id, text) of a new key: from ID_BYTES + SECRET_BYTES fresh random bytes."""
    if len(random_bytes) != ID_BYTES + SECRET_BYTES:
        raise ValueError(f"a key is made of {ID_BYTES + SECRET_BYTES} random bytes")
    id_ = base64.b32encode(random_bytes[:ID_BYTES]).decode().lower()
    secret = base64.urlsafe_b64encode(random_bytes[ID_BYTES:]).decode().rstrip("=")
    return id_, f"{PREFIX}_{id_}_{secret}"


def digest_of(text: str) -> str:
    """What is kept of a key's text, and what it is found by: SHA-256.

    A plain hash is enough, since the text holds 256 random bits: there is nothing to guess.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
