"""All tenants by a page and a search; and the form that pauses and resumes what is sent."""

from typing import Final

from starlette.responses import Response

from tallystick.entrypoints.dashboard.links import linked, tenant_link
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.entrypoints.http.books import Reason, switch_sending
from tallystick.stages.publishing import PAUSE

ROWS: Final = 50


def list_tenants(visit: Visit) -> Response:
    """In order of id, those that begin with what was searched for. Nothing is counted."""
    search, cursor = visit.asked.get("q", "").strip(), visit.asked.get("cursor", "")
    catalog = visit.service.app.store.catalog
    if visit.key.tenant:
        own = catalog.account(visit.key.tenant)
        accounts, onward = ([] if own is None else [own]), ""
    else:
        page = catalog.accounts(prefix=search, cursor=cursor, limit=ROWS)
        accounts, onward = list(page.elements), page.cursor
    return visit.render(
        "tenants.html",
        {
            "accounts": accounts,
            "search": search,
            "is_first": not cursor,
            "first": linked("/dashboard/tenants", q=search),
            "onward": linked("/dashboard/tenants", q=search, cursor=onward) if onward else "",
            "switches": catalog.switches(),
            "pause": PAUSE,
            "now": visit.now,
        },
    )


def change_sending(visit: Visit) -> Response:
    """Pause or resume, for one tenant or for all, on record."""
    tenant, is_pause = visit.posted("tenant"), visit.posted("action") == "pause"
    asked = Reason(why=visit.posted("why"), tenant=tenant)
    switch_sending(visit.service, visit.key, asked, "pause" if is_pause else "resume")
    whose = tenant or "all tenants"
    notice = f"Publishing is {'paused' if is_pause else 'resumed'} for {whose}."
    return visit.back_to(tenant_link(tenant) if tenant else "/dashboard/publications", notice)
