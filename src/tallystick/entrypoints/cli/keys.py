"""`tallystick keys`: who may use the HTTP API, and what for."""

from dataclasses import replace
from typing import Annotated

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.errors import InvariantViolated, NotFound
from tallystick.domain.instant import format_instant
from tallystick.domain.tenant import check_name
from tallystick.entrypoints import issuing
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    WhyOption,
    audit,
    known_tenant,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show


def register(app: Cli) -> None:
    group = Cli(name="keys", help="Who may use the HTTP API, and what for.")
    group.command(create)
    group.command(list_keys, name="list")
    group.command(revoke)
    app.command(group)


def create(
    *,
    scopes: Annotated[
        tuple[Scope, ...],
        Parameter(name="--scope", negative="", help="What it may do. Repeatable."),
    ],
    name: Annotated[str, Parameter(help="Whose it is, for the list.")] = "",
    tenant: Annotated[str, Parameter(help="The only tenant it sees; all if not given.")] = "",
    expires_in: Annotated[
        str | None, Parameter(help="How long it opens anything, such as 90s, 30m or 720h.")
    ] = None,
    why: WhyOption = "created",
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make an API key and show its text: once, since only a hash of it is kept.

    To rotate one: create another, move its users over, then revoke the old one.
    """
    with open_app(store, at, create=True) as app:
        if tenant:
            known_tenant(app.store, tenant)
        key, text = issuing.issued(scopes, app.clock.now())
        wanted = replace(
            key,
            name=check_name("key", name) if name else "",
            tenant=tenant,
            expires_at=None
            if expires_in is None
            else issuing.expiry(expires_in, key.created_at, named="--expires-in"),
        )
        line = audit(app, "keys create", key.id, who=who, why=why)
        if not app.store.keys.add(wanted, line):
            raise InvariantViolated("two keys have the same random bits")
    if as_json:
        show([{"key": text, **_row(wanted)}], as_json=True)
        return CLEAN
    say(f"Key {key.id} is made. This is the only time that its text is shown:")
    print(text)
    return CLEAN


def list_keys(*, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """List all keys, the revoked ones too; never their texts."""
    with open_app(store) as app:
        found = app.store.keys.list()
    show(
        map(_row, found),
        as_json=as_json,
        empty="No keys yet; `tallystick keys create --scope ingest` makes one.",
    )
    return CLEAN


def revoke(
    key_id: str,
    /,
    *,
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Make a key open nothing any more; a running server follows within two seconds."""
    with open_app(store, at) as app:
        line = audit(app, "keys revoke", key_id, who=who, why=why)
        if not app.store.keys.revoke(key_id, line.at, line):
            raise NotFound(f"there is no live key {key_id!r}; `tallystick keys list` shows them")
    say(f"key {key_id} is revoked")
    return CLEAN


def _row(key: ApiKey) -> Row:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "tenant": key.tenant,
        "created": format_instant(key.created_at),
        "expires": _instant(key.expires_at),
        "revoked": _instant(key.revoked_at),
        "last_used": _instant(key.used_at),
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
