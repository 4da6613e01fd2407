"""API keys: who has one, a form that makes one and shows it once, and one that ends it."""

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.tenant import check_name
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.entrypoints.http.editing import audit
from tallystick.entrypoints.http.problems import Problem, not_found
from tallystick.entrypoints.http.tenants import known_tenant
from tallystick.entrypoints.issuing import expiry, issued

FIELDS: Final = ("name", "tenant", "expires", "why")
USUAL: Final = {**dict.fromkeys(FIELDS, ""), "scopes": (Scope.INGEST,)}


def list_keys(visit: Visit) -> Response:
    return _shown(visit, dict(USUAL))


def make_key(visit: Visit) -> Response:
    """The only page that ever shows this text."""
    given = {name: visit.posted(name) for name in FIELDS}
    named = visit.form.get("scope", ())
    scopes = tuple(scope for scope in Scope if scope in named)
    try:
        key, text = _made(visit, given, scopes)
    except InvalidSetting as error:
        return _shown(visit, {**given, "scopes": scopes}, fault=str(error), status=400)
    except Problem as problem:
        fault, status = problem.detail, problem.status
        return _shown(visit, {**given, "scopes": scopes}, fault=fault, status=status)
    return _shown(visit, dict(USUAL), made=key, text=text)


def revoke_key(visit: Visit) -> Response:
    key_id, why = visit.posted("id"), visit.posted("why")
    if not why:
        raise InvalidSetting("say why the key is revoked, for the audit trail")
    line = audit(visit.key, visit.now, why, "keys revoke", key_id)
    if not visit.service.app.store.keys.revoke(key_id, visit.now, line):
        raise not_found("there is no live key of this id")
    return visit.back_to("/dashboard/keys", f"Key {key_id} opens nothing any more.")


def _made(visit: Visit, given: dict[str, str], scopes: tuple[Scope, ...]) -> tuple[ApiKey, str]:
    store, now = visit.service.app.store, visit.now
    if given["tenant"]:
        known_tenant(store.catalog, given["tenant"])
    fresh, text = issued(scopes, now)
    key = replace(
        fresh,
        name=check_name("name", given["name"]) if given["name"] else "",
        tenant=given["tenant"],
        expires_at=expiry(given["expires"], now, named="expires in") if given["expires"] else None,
    )
    why = given["why"] or "made on the page of keys"
    if not store.keys.add(key, audit(visit.key, now, why, "keys create", key.id)):
        raise InvalidSetting("two keys have the same random bits; try again")
    return key, text


def _shown(
    visit: Visit,
    given: dict[str, object],
    *,
    made: ApiKey | None = None,
    text: str = "",
    fault: str = "",
    status: int = 200,
) -> Response:
    return visit.render(
        "keys.html",
        {
            "keys": list(reversed(visit.service.app.store.keys.list())),
            "scopes": list(Scope),
            "given": given,
            "made": made,
            "text": text,
            "fault": fault,
            "now": visit.now,
        },
        status=status,
    )
