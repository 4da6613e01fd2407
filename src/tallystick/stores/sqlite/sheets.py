"""A sheet in SQLite: its columns folded into the accounts, and packed into a segment as they are.

What is found here is found before anything is changed, so that a sheet which cannot be taken as a
whole can still go the way of single recordings.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, repeat
from typing import NamedTuple

from tallystick.domain.aggregate import raised
from tallystick.domain.quantity import ONE, SMALLEST
from tallystick.domain.sheet import Cell, Sheet, added_at, counts_events, sums_of
from tallystick.stores.sqlite.accounts import Account, Accounts, Draft, Kept, Reached, reached
from tallystick.stores.sqlite.finding import matching
from tallystick.stores.sqlite.key_index import Known
from tallystick.stores.sqlite.packing import Column, column, column_of_one
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.rows import differences, key_row, text_of
from tallystick.stores.sqlite.segment_columns import Body, Columns, Series, Texts
from tallystick.stores.sqlite.segments import Packed, packed
from tallystick.stores.sqlite.stored import Stored

Reaching = dict[Cell, Reached]


def repeats(
    sheet: Sheet, tenant_ids: dict[str, int], hashes: list[int], known: Known, stored: Stored
) -> dict[int, bool]:
    """The places of a sheet whose keys were there before, in the file or earlier in the sheet, and
    whether what is there says the same. `known` are the candidates of the keys' hashes."""
    found: dict[int, bool] = {}
    first: dict[tuple[int, str], int] = {}
    for place in _doubtful(hashes, known):
        named = (tenant_ids[sheet.cell(place).tenant], sheet.keys[place])
        event_id = matching(stored, known.get(hashes[place], ()), *named)
        if event_id is not None:
            found[place] = _says(stored, event_id, sheet, place)
        elif named in first:
            found[place] = sheet.fingerprint(first[named]) == sheet.fingerprint(place)
        else:
            first[named] = place
    return found


def _says(stored: Stored, event_id: int, sheet: Sheet, place: int) -> bool:
    """Whether the event says what stands at a place of the sheet. Where both are all that was
    sent, nothing is hashed to compare them."""
    content = stored.content(event_id)
    if content is None:
        return stored.fingerprint(event_id) == sheet.fingerprint(place)
    smallest = sheet.amounts[place] * sheet.unit
    told = (sheet.cell(place).code, smallest, sheet.occurred[place], sheet.properties[place])
    return content == told


def pieces(sheet: Sheet, size: int) -> Iterator[Sheet]:
    """The sheet as far as one segment goes, and again."""
    if 0 < len(sheet) <= size:
        yield sheet
        return
    for start in range(0, len(sheet), size):
        yield sheet.only(range(len(sheet))[start : start + size])


def _doubtful(hashes: list[int], known: Known) -> list[int]:
    """The places whose hash may be that of a known key, or stands there several times."""
    again = set(known)
    if len(set(hashes)) < len(hashes):
        again.update(one for one, times in Counter(hashes).items() if times > 1)
    return [place for place, one in enumerate(hashes) if one in again] if again else []


# ── Folding ───────────────────────────────────────────────────────────────────────────────────────


class Added(NamedTuple):
    """What events add to each account: how many, and how much in smallest quantities."""

    events: dict[Account, int]
    smallest: dict[Account, int]


def reached_by(sheet: Sheet, kept: Kept, accounts: Accounts) -> Reaching | None:
    """What its events reach, new accounts among it; None where one of them was begun by another
    version of its meter, so that each change has to say what differs."""
    found: Reaching = {}
    opened: dict[Row, Account] = {}
    for place in dict.fromkeys(sheet.cell_of):
        cell = sheet.cells[place]
        known = kept.cells.get(cell) or _opened(sheet, place, opened, accounts)
        if known is None:
            return None
        found[cell] = known
    return found


def _opened(
    sheet: Sheet, place: int, opened: dict[Row, Account], accounts: Accounts
) -> Reached | None:
    found: list[Account] = []
    for offered in sheet[sheet.cell_of.index(place)].contributions:
        row = key_row(offered.key)
        account = opened.get(row)
        if account is None:
            account = opened[row] = accounts.opened(Draft(), offered)
        if differences(offered, account.aggregate) is not None:
            return None
        found.append(account)
    return reached(sheet.cells[place].places, tuple(found))


def added_by(sheet: Sheet, reaching: Reaching) -> Added:
    """What the events add to each account that one of them reaches."""
    events: dict[Account, int] = {}
    smallest: dict[Account, int] = {}
    counts, amounts = sums_of(sheet)
    for nth, count in counts.items():
        cell, amount = sheet.cells[nth], amounts[nth]
        one = reaching[cell]
        added = repeat(amount) if one.is_own else [added_at(p, count, amount) for p in cell.places]
        for account, more in zip(one.accounts, added, strict=False):
            events[account] = events.get(account, 0) + count
            smallest[account] = smallest.get(account, 0) + more
    return Added(events, smallest)


def totals_with(added: Added) -> dict[Account, int] | None:
    """Each account's total with what is added to it; None where one may overflow on the way."""
    found: dict[Account, int] = {}
    for account, smallest in added.smallest.items():
        total = raised(account.summed(), smallest)
        if total is None:
            return None
        found[account] = total
    return found


# ── Packing ───────────────────────────────────────────────────────────────────────────────────────


def sheet_series(added: Added) -> dict[Account, Series]:
    """The positions that are taken in each account: nothing else changes it between."""
    return {
        account: Series(account.id, account.position + 1, events, account.segment_id)
        for account, events in added.events.items()
    }


def packed_sheet(
    first_id: int,
    sheet: Sheet,
    tenant_ids: list[int],
    reaching: Reaching,
    series: dict[Account, Series],
) -> Packed:
    """The sheet as a segment."""
    codes = [cell.code for cell in sheet.cells]
    columns = Columns(
        tenant_ids,
        sheet.keys,
        None,
        list(map(codes.__getitem__, sheet.cell_of)),
        sheet.unit,
        sheet.amounts,
        sheet.properties,
        sheet.occurred,
    )
    return packed(first_id, columns, _body(sheet, reaching, series))


def _body(sheet: Sheet, reaching: Reaching, series: dict[Account, Series]) -> Body:
    texts = Texts()
    place_of = {account: place for place, account in enumerate(series)}
    # A piece of a sheet has all of its cells, and not all of their accounts.
    each = [reaching[cell].accounts if cell in reaching else () for cell in sheet.cells]
    places = [[place_of.get(account, 0) for account in one] for one in each]
    changes, change_series = _changes(sheet, places)
    return Body(
        received=column([sheet.received_at]),
        voids={},
        series=list(series.values()),
        changes=changes,
        change_series=change_series,
        change_value=_values(sheet, reaching, len(change_series), texts),
        change_member=column_of_one(texts[""], len(change_series)),
        differs={},
        texts=list(texts),
    )


def _changes(sheet: Sheet, places: list[list[int]]) -> tuple[Column, Column]:
    """How many changes each event makes, and which series each of them is in."""
    if all(len(one) == 1 for one in places):
        single = [one for (one,) in places]
        changed = column(map(single.__getitem__, sheet.cell_of))
        return column_of_one(1, len(sheet)), changed
    changes = [len(places[cell]) for cell in sheet.cell_of]
    return column(changes), column(chain.from_iterable(map(places.__getitem__, sheet.cell_of)))


def _values(sheet: Sheet, reaching: Reaching, changes: int, texts: Texts) -> Column:
    """Nearly always the event's own quantity; a count adds one."""
    if all(one.is_own for one in reaching.values()):
        return column_of_one(0, changes)
    one, is_one = texts[text_of(ONE)] + 1, SMALLEST // sheet.unit
    return column(
        one if counts_events(place) and amount != is_one else 0
        for cell, amount in zip(sheet.cell_of, sheet.amounts, strict=True)
        for place in sheet.cells[cell].places
    )
