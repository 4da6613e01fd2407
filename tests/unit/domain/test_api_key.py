"""What a key may lend, and what a token is."""

from dataclasses import replace

import pytest

from tallystick.domain.api_key import TOKEN_LASTS_MAX, ApiKey, Scope, lent
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR, MINUTE, SECOND

NOW = 1_000 * HOUR
READER = ApiKey(id="reader", digest="r", scopes=(Scope.READ,), created_at=0)
FRESH = ApiKey(id="fresh", digest="f", scopes=(Scope.ADMIN,), created_at=NOW)


def test_a_token_reads_one_tenant_and_no_more():
    token = lent(FRESH, READER, "acme", 15 * MINUTE)

    assert (token.scopes, token.tenant, token.maker) == ((Scope.READ,), "acme", "reader")
    assert token.is_live(NOW + 15 * MINUTE - 1)
    assert not token.is_live(NOW + 15 * MINUTE)
    assert (token.sees("acme"), token.sees("globex")) == (True, False)
    assert [scope for scope in Scope if token.allows(scope)] == [Scope.READ]


@pytest.mark.parametrize(
    "maker",
    [
        replace(READER, scopes=(Scope.INGEST, Scope.PUBLISH)),
        replace(READER, tenant="globex"),
        lent(FRESH, READER, "acme", HOUR),
    ],
)
def test_a_key_lends_only_what_it_has_and_a_token_nothing(maker: ApiKey):
    with pytest.raises(InvalidSetting):
        lent(FRESH, maker, "acme", HOUR)


@pytest.mark.parametrize(
    "maker",
    [
        replace(READER, tenant="acme"),
        replace(READER, scopes=(Scope.ADMIN,)),
        replace(READER, scopes=(Scope.INGEST, Scope.READ)),
    ],
)
def test_every_key_that_reads_the_tenant_can_lend_that(maker: ApiKey):
    assert lent(FRESH, maker, "acme", HOUR).sees("acme")


@pytest.mark.parametrize("lasts", [-SECOND, 0, TOKEN_LASTS_MAX + 1])
def test_a_token_lasts_a_day_at_most(lasts: int):
    with pytest.raises(InvalidSetting, match="86400"):
        lent(FRESH, READER, "acme", lasts)


def test_a_token_never_outlives_its_maker():
    maker = replace(READER, expires_at=NOW + MINUTE)

    assert lent(FRESH, maker, "acme", HOUR).expires_at == NOW + MINUTE


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": (Scope.INGEST,)},
        {"scopes": (Scope.READ, Scope.INGEST)},
        {"tenant": ""},
        {"expires_at": None},
    ],
)
def test_nothing_else_can_be_a_token(changes: dict):
    with pytest.raises(InvalidSetting, match="one tenant"):
        replace(lent(FRESH, READER, "acme", HOUR), **changes)
