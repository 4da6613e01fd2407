"""Target: the cursors of every listing, as a caller may have forged them."""

import atexit
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request

from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.http.parameters import cursor as cursor_of
from tallystick.entrypoints.http.problems import Problem
from tallystick.ports import Page, Store
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.contract.steps import sealed
from tallystick.testing.factories import place
from tests.fuzz.refusals import check_problem, check_sentence

LISTINGS: Final[tuple[Callable[[Store, str], Page[object]], ...]] = (
    lambda store, cursor: store.events.events(cursor=cursor),
    lambda store, cursor: store.events.events("acme", cursor=cursor),
    lambda store, cursor: store.events.aggregates(cursor=cursor),
    lambda store, cursor: store.ledger.aggregates_due(2**60, cursor=cursor),
    lambda store, cursor: store.ledger.entries(cursor=cursor),
    lambda store, cursor: store.ledger.entries(slot=place().slot, cursor=cursor),
    lambda store, cursor: store.outbox.slots_due(cursor=cursor),
    lambda store, cursor: store.outbox.slots(cursor=cursor),
    lambda store, cursor: store.outbox.publications(cursor=cursor),
    lambda store, cursor: store.catalog.accounts(cursor=cursor),
    lambda store, cursor: store.catalog.overrides(cursor=cursor),
    lambda store, cursor: store.dead_letters.list(cursor=cursor),
    lambda store, cursor: store.checkpoints.ends(cursor=cursor),
)


@cache
def stores() -> tuple[Store, ...]:
    """One of each, with something in it."""
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    atexit.register(folder.cleanup)
    made = (
        MemoryStore("here"),
        SqliteStore.open(Path(folder.name) / "tally.db", incarnation="here"),
    )
    for store in made:
        sealed(store, 5)
    return made


def cursor(raw: bytes) -> None:
    """A forged cursor is refused, or lists what may be listed anyway; it breaks nothing."""
    scope = {"type": "http", "query_string": b"cursor=" + raw}
    try:
        text = cursor_of(Request(scope))
    except Problem as problem:
        check_problem(problem, 400)
        return
    for store in stores():
        for listing in LISTINGS:
            try:
                page = listing(store, text)
            except InvalidSetting as error:
                check_sentence(error, "cursor")
                continue
            assert len(page.elements) <= 1
