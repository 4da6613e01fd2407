"""The small language that says which columns of a row are what of a report.

    --map tenant=carrier,key=year+month+day+carrier+flight+origin,quantity=seats
    --code flight
    --time "time_hour + minute min"      RFC 3339 text, plus minutes from another column
    --time "created ms"                  milliseconds since 1970
    --where "air_time != NA"             rows for which this does not hold are left out
    --properties "air_time:number,tailnum,origin"
    --empty NA                           cells with this text are empty

Names with other characters than letters, digits, `_`, `.` and `-` stand in double quotes. A key
of several columns is made so that no two rows collide: each part is preceded by its length.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from tallystick.domain.errors import FieldError, InvalidReport, InvalidSetting
from tallystick.domain.event import key_of
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from tallystick.domain.quantity import QuantityError, parse_quantity

Row = Mapping[str, object]

TARGETS: Final[tuple[str, ...]] = ("tenant", "code", "key", "quantity", "occurred_at", "voids")
UNITS: Final = (
    ("us", 1),
    ("ms", 1_000),
    ("s", SECOND),
    ("min", MINUTE),
    ("h", HOUR),
    ("d", DAY),
)
TYPES: Final = ("text", "number", "boolean")

_NAME: Final = r'(?:"[^"]+"|[\w.\-]+)'
_ASSIGNMENT: Final = re.compile(rf"\s*(\w+)\s*=\s*({_NAME}(?:\s*\+\s*{_NAME})*)\s*")
_MAP: Final = re.compile(rf"{_ASSIGNMENT.pattern}(?:,{_ASSIGNMENT.pattern})*")
_TIME_TERM: Final = re.compile(rf"\s*({_NAME})(?:\s+(us|ms|s|min|h|d))?\s*")
_CONDITION: Final = re.compile(rf"\s*({_NAME})\s*(==|=|!=|<=|>=|<|>)\s*(.*?)\s*")
_PROPERTY: Final = re.compile(rf"\s*({_NAME})(?::(\w+))?\s*")
_TRUTHS: Final = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class TimeColumns:
    """An instant from a column (RFC 3339, or a number of `unit`) plus offsets from others."""

    base: str
    unit: int | None
    offsets: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A row filter: the column's text compared with an operand, by value where it is < or >."""

    column: str
    operator: str
    operand: str

    def holds(self, row: Row) -> bool:
        found = cell_text(row.get(self.column))
        if self.operator in ("=", "=="):
            return found == self.operand
        if self.operator == "!=":
            return found != self.operand
        try:
            left, right = parse_quantity(found), parse_quantity(self.operand)
        except QuantityError:
            return False
        if self.operator.startswith("<"):
            return left < right or (self.operator == "<=" and left == right)
        return left > right or (self.operator == ">=" and left == right)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMapping:
    """What of a row is what of a report. `properties` None means every column not used else."""

    columns: Mapping[str, tuple[str, ...]]
    code: str | None = None
    time: TimeColumns | None = None
    where: tuple[Condition, ...] = ()
    properties: tuple[tuple[str, str], ...] | None = None
    empty: frozenset[str] = frozenset({""})

    def keeps(self, row: Row) -> bool:
        """Whether the row is to be imported at all."""
        return all(condition.holds(row) for condition in self.where)

    def names(self) -> tuple[str, ...]:
        """Every column that is asked for by name."""
        asked = [name for names in self.columns.values() for name in names]
        asked += [condition.column for condition in self.where]
        asked += [name for name, _ in self.properties or ()]
        if self.time is not None:
            asked += [self.time.base, *(name for name, _ in self.time.offsets)]
        return tuple(asked)


def parse_mapping(
    *,
    assignments: Iterable[str] = (),
    code: str | None = None,
    time: str | None = None,
    where: Iterable[str] = (),
    properties: str | None = None,
    empty: Iterable[str] = (),
) -> RowMapping:
    """The mapping that the options spell; InvalidSetting quotes the part that cannot be meant."""
    columns: dict[str, tuple[str, ...]] = {}
    for text in assignments:
        columns |= _parse_assignments(text)
    if code is not None and "code" in columns:
        raise InvalidSetting("give the code by --code or by --map code=COLUMN, not by both")
    return RowMapping(
        columns=columns,
        code=code,
        time=None if time is None else _parse_time(time),
        where=tuple(_parse_condition(text) for text in where),
        properties=None if properties is None else _parse_properties(properties),
        empty=frozenset({"", *empty}),
    )


def mapping_for_header(mapping: RowMapping, header: Iterable[str]) -> RowMapping:
    """The mapping made whole for a file: columns named like a report's fields are those fields,
    and where no properties were chosen all other columns are. InvalidSetting names what is absent.
    """
    names = tuple(header)
    absent = [name for name in mapping.names() if name not in names]
    if absent:
        raise InvalidSetting(
            f"there is no column {absent[0]!r}; the columns are {', '.join(names)[:500]}"
        )
    own = {t: (t,) for t in TARGETS if t in names and not _is_given(mapping, t)}
    columns: dict[str, tuple[str, ...]] = {**own, **mapping.columns}
    missing = [t for t in ("tenant", "key") if t not in columns]
    if missing:
        raise InvalidSetting(f"say with --map {missing[0]}=COLUMN what a row's {missing[0]} is")
    if "code" not in columns and mapping.code is None:
        raise InvalidSetting("say with --code CODE, or with --map code=COLUMN, what happened")
    used = {name for used in columns.values() for name in used} | set(mapping.names())
    rest = tuple((name, "text") for name in names if name not in used)
    properties = rest if mapping.properties is None else mapping.properties
    return RowMapping(
        columns=columns,
        code=mapping.code,
        time=mapping.time,
        where=mapping.where,
        properties=properties,
        empty=mapping.empty,
    )


def _is_given(mapping: RowMapping, target: str) -> bool:
    constant = target == "code" and mapping.code is not None
    return constant or (target == "occurred_at" and mapping.time is not None)


def report_of(row: Row, mapping: RowMapping) -> dict[str, object]:
    """The row as a report in our plain form. InvalidReport names the columns that are wrong."""
    errors: list[FieldError] = []
    report: dict[str, object] = {}
    for target, names in mapping.columns.items():
        texts = [cell_text(row.get(name)) for name in names]
        if target in ("key", "tenant") or texts[0] not in mapping.empty:
            report[target] = key_of(*texts) if len(texts) > 1 else texts[0]
        elif target in ("quantity", "occurred_at", "code"):
            # Left out it would count as 1, or as now: nobody means that by an empty cell.
            errors.append(_wrong(names[0], "empty", "is empty; fill it in, or use --where"))
    if mapping.code is not None:
        report["code"] = mapping.code
    if mapping.time is not None:
        _add_time(report, row, mapping.time, errors)
    properties = _properties(row, mapping, errors)
    if properties:
        report["properties"] = properties
    if errors:
        raise InvalidReport(*errors)
    return report


def _add_time(
    report: dict[str, object], row: Row, time: TimeColumns, errors: list[FieldError]
) -> None:
    text = cell_text(row.get(time.base))
    try:
        at = _base_instant(text, time.unit)
    except (ValueError, OverflowError) as error:
        errors.append(_wrong(time.base, "invalid_time", f"holds {text[:40]!r}: {error}"))
        return
    for name, unit in time.offsets:
        text = cell_text(row.get(name))
        try:
            at += int(parse_quantity(text) * unit)
        except QuantityError as error:
            errors.append(_wrong(name, "invalid_time", f"holds {text[:40]!r}: {error}"))
            return
    try:
        report["occurred_at"] = format_instant(at)
    except OverflowError:
        errors.append(_wrong(time.base, "invalid_time", "lies beyond the year 9999"))


@lru_cache(maxsize=4096)
def _base_instant(text: str, unit: int | None) -> int:
    if unit is None:
        return parse_instant(text)
    return int(parse_quantity(text) * unit)


def _properties(row: Row, mapping: RowMapping, errors: list[FieldError]) -> dict[str, object]:
    """The chosen columns as typed values; an empty cell is no property at all."""
    found: dict[str, object] = {}
    for name, kind in mapping.properties or ():
        value = row.get(name)
        if value is None or (isinstance(value, str) and value in mapping.empty):
            continue
        if kind == "text" or not isinstance(value, str):
            found[name] = value
            continue
        typed = _TYPED[kind](value)
        if typed is None:
            errors.append(_wrong(name, "invalid_type", f"must be a {kind}; found {value[:40]!r}"))
        else:
            found[name] = typed
    return found


def _number(text: str) -> Decimal | int | None:
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        return parse_quantity(text)
    except QuantityError:
        return None


def _boolean(text: str) -> bool | None:
    return _TRUTHS.get(text.lower())


_TYPED: Final[Mapping[str, Callable[[str], object]]] = {"number": _number, "boolean": _boolean}


def cell_text(value: object) -> str:
    """A cell as text; NDJSON rows have other values too."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _wrong(column: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=f"/{column}", code=code, detail=f"column {column!r} {detail}")


# ── Parsing the options ───────────────────────────────────────────────────────────────────────────


def _parse_assignments(text: str) -> dict[str, tuple[str, ...]]:
    if _MAP.fullmatch(text) is None:
        raise InvalidSetting(
            f"--map {text!r} is not FIELD=COLUMN[+COLUMN…][,…], such as tenant=account,key=day+id"
        )
    found: dict[str, tuple[str, ...]] = {}
    for target, names in _ASSIGNMENT.findall(text):
        if target not in TARGETS:
            raise InvalidSetting(f"--map {target}=…: the fields are {', '.join(TARGETS)}")
        columns = tuple(_unquoted(name) for name in re.findall(_NAME, names))
        if len(columns) > 1 and target != "key":
            raise InvalidSetting(f"--map {target}=…: only a key is made of several columns")
        found[target] = columns
    return found


def _parse_time(text: str) -> TimeColumns:
    terms = [_TIME_TERM.fullmatch(part) for part in text.split("+")]
    units = dict(UNITS)
    parsed = [(_unquoted(term[1]), units.get(term[2] or "")) for term in terms if term]
    offsets = [(name, unit) for name, unit in parsed[1:] if unit is not None]
    if len(parsed) != len(terms) or len(offsets) != len(terms) - 1:
        raise InvalidSetting(
            f"--time {text!r} is not COLUMN [UNIT] [+ COLUMN UNIT…], such as 'day + minute min'; "
            f"units are {', '.join(name for name, _ in UNITS)}"
        )
    return TimeColumns(parsed[0][0], parsed[0][1], tuple(offsets))


def _parse_condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InvalidSetting(f"--where {text!r} is not COLUMN OPERATOR VALUE, such as 'n != NA'")
    return Condition(_unquoted(match[1]), match[2], _unquoted(match[3]))


def _parse_properties(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for part in text.split(",") if text.strip() else ():
        match = _PROPERTY.fullmatch(part)
        if match is None or (match[2] or "text") not in TYPES:
            raise InvalidSetting(
                f"--properties {part.strip()!r} is not COLUMN or COLUMN:TYPE; "
                f"types are {', '.join(TYPES)}"
            )
        found.append((_unquoted(match[1]), match[2] or "text"))
    return tuple(found)


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name
