"""`POST /api/v1/publications/{identifier}/settle`: what a person decides where no evidence can."""

from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.publication import Publication, settled_by_person
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.books import check_unbound, publication_body
from tallystick.entrypoints.http.editing import audit, check_why
from tallystick.entrypoints.http.parameters import read_json
from tallystick.entrypoints.http.problems import Problem, not_found
from tallystick.entrypoints.http.service import Service, service_of

ARRIVED: Final = "arrived"


class Verdict(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it counts there, or never will; and the evidence, for the audit trail."""

    verdict: Literal["arrived", "absent"]
    why: str


_DECODER: Final = msgspec.json.Decoder(Verdict)


async def settle(request: Request) -> Response:
    """Decide an unsettled publication by hand; what is absent becomes due again."""
    service = service_of(request)
    key = await service.granted(request, Scope.PUBLISH)
    check_unbound(key)
    decided = await read_json(request, _DECODER)
    identifier = request.path_params["identifier"]
    after = await service.in_thread(lambda: settle_by_person(service, key, identifier, decided))
    return json_response(publication_body(after))


def settle_by_person(
    service: Service, key: ApiKey, identifier: str, decided: Verdict
) -> Publication:
    """The publication as it is then, on record; the problem where that cannot be decided."""
    check_why(decided.why)
    store, now = service.app.store, service.app.clock.now()
    found = store.outbox.publications(identifier=identifier).elements
    if not found:
        raise not_found("no publication has this identifier")
    current = found[0]
    if current.state.is_settled:
        detail = f"it is {current.state} already"
        raise Problem(status=409, kind="already-there", detail=detail)
    is_arrived = decided.verdict == ARRIVED
    after = settled_by_person(current, arrived=is_arrived, why=decided.why, now=now)
    line = audit(key, now, decided.why, "settle", identifier)
    store.catalog.switch(f"settled:{identifier}", decided.verdict, line)
    (done,) = store.outbox.advance([(current, after)])
    if not done:
        detail = "it changed meanwhile; look again before you decide"
        raise Problem(status=412, kind="changed-meanwhile", detail=detail)
    return after
