"""`publications list` and `publications settle`: what the provider was told, and what a person
decides where no evidence can."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.domain.errors import InvalidSetting, NotFound
from tallystick.domain.instant import format_instant
from tallystick.domain.publication import Publication, settled_by_person
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    audit,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.stages.recounting import pages


def register(app: Cli) -> None:
    group = Cli(name="publications", help="What the provider was told.")
    group.command(list_publications, name="list")
    group.command(settle)
    app.command(group)


def list_publications(
    *,
    unsettled: Annotated[
        bool, Parameter(negative="", help="Only those whose end is not known yet.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List publications, oldest revision first within a slot."""
    with open_app(store) as app:
        outbox = app.store.outbox
        found = pages(lambda cursor: outbox.publications(unsettled=unsettled, cursor=cursor))
        show(map(_row, found), as_json=as_json, empty="No publication.")
    return CLEAN


def settle(
    identifier: Annotated[str, Parameter(help="As `publications list` shows it.")],
    /,
    *,
    verdict: Annotated[
        str, Parameter(name="--as", help="arrived: it counts there. absent: it never will.")
    ],
    why: Annotated[str, Parameter(help="For the audit trail: the evidence.")],
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Decide an unsettled publication by hand; what is absent becomes due again."""
    if verdict not in ("arrived", "absent"):
        raise InvalidSetting(f"--as {verdict!r}: it is 'arrived' or 'absent'")
    with open_app(store, at) as app:
        current = next(
            iter(_unsettled(app.store.outbox.publications(identifier=identifier).elements))
        )
        now = app.clock.now()
        after = settled_by_person(current, arrived=verdict == "arrived", why=why, now=now)
        line = audit(app, "settle", identifier, who=who, why=why)
        app.store.catalog.switch(f"settled:{identifier}", verdict, line)
        (done,) = app.store.outbox.advance([(current, after)])
        if not done:
            raise InvalidSetting(f"{identifier} changed meanwhile; look again before you decide")
        say(f"Settled: {identifier} is {after.state}.")
    return CLEAN


def _unsettled(found: tuple[Publication, ...]) -> Iterator[Publication]:
    for publication in found:
        if publication.state.is_settled:
            raise InvalidSetting(f"{publication.identifier} is {publication.state} already")
        yield publication
    if not found:
        raise NotFound("no publication has this identifier; `publications list` shows them")


def _row(publication: Publication) -> Row:
    return {
        "identifier": publication.identifier,
        "slot": str(publication.slot),
        "revision": publication.slot_revision,
        "state": str(publication.state),
        "value": publication.value,
        "total": publication.total,
        "intended_at": format_instant(publication.intended_at),
        "attempts": publication.attempts,
        "answer": publication.answer,
    }
