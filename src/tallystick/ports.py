"""Every interface of Tallystick on one page.

Each method of a store port is one whole atomic transition (there is no unit of work, since
DynamoDB has no open transactions): safe to repeat, bounded, with time as an argument, and it
answers with values. The one exception it raises is StoreUnavailable: the outcome is unknown or
nothing was done, and the call may be repeated as it was. Where a method takes several elements,
that is for speed: each is atomic on its own, and one that fails leaves its neighbours alone.

The contract suite (`tallystick.testing.contract`) holds every store to these texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.api_key import ApiKey
from tallystick.domain.backlog import Backlog
from tallystick.domain.checkpoint import ChainEnd, Checkpoint, Taken
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.event import Event
from tallystick.domain.instant import LATEST
from tallystick.domain.ledger import Book, Entry, Head, Holding
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.override import Override as Override
from tallystick.domain.publication import Answer, Publication
from tallystick.domain.reading import Reading
from tallystick.domain.recording import Change as Change
from tallystick.domain.recording import Recorded as Recorded
from tallystick.domain.recording import Recording as Recording
from tallystick.domain.slot import Route, Slot, SlotKey
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.domain.tenant import Tenant
from tallystick.domain.window import Window

T = TypeVar("T")
Setting = Tenant | Meter | Mapping

PAGE = 1_000
"""How many elements a page holds at most, where the caller does not say."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing in a stable order; `cursor` asks for the next, '' after the last."""

    elements: tuple[T, ...]
    cursor: str = ""  # people hand it back: one that cannot be of the listing is an InvalidSetting


class EventLog(Protocol):
    """The events and the Aggregates that follow them."""

    def record(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        """Store each event and its effect on its Aggregates, in one durable atomic write each.

        What becomes true: an event whose (tenant, key) is new is stored with its contributions;
        each touched Aggregate is folded, its position raised, and marked due; RECORDED, or LATE
        where one of those windows has ended and was sealed before. An event that voids another
        takes the other's stored contributions out again (once, however many voids there are);
        when the other is not there yet it waits, and the other then counts nowhere.
        A dimension set beyond GROUPS_MAX in its window counts under OTHER instead.
        On repeat: the same fingerprint is a DUPLICATE and changes nothing.
        On conflict: another fingerprint is a CONFLICT: a dead letter is kept in the same write,
        nothing is counted. A total that would overflow stores nothing: refused=OVERFLOW.
        Duplicates within one batch behave as if they came one after the other.
        """

    def event(self, tenant: str, key: str) -> Event | None:
        """The stored event, or None."""

    def events(
        self, tenant: str = "", *, window: Window | None = None, cursor: str = "", limit: int = PAGE
    ) -> Page[Event]:
        """Stored events in the order they were recorded; of one tenant, and of those that occurred
        in the window, where given."""

    def is_voided(self, tenant: str, key: str) -> bool:
        """Whether a void names this key (the event itself may not have come yet)."""

    def aggregates(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        window: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Aggregate]:
        """Aggregates ordered by key; those whose window overlaps `window`, where given."""

    def changes(
        self, key: AggregateKey, *, after: int = 0, upto: int | None = None, limit: int = PAGE
    ) -> tuple[Change, ...]:
        """The changes of an Aggregate with after < position <= upto, by position, the first
        `limit`: lineage, and the means to recount."""


class Appended(StrEnum):
    """What became of Entries that were to be appended."""

    APPENDED = "appended"
    ALREADY = "already"
    """These very Entries stand there already."""
    STALE = "stale"
    """Somebody else wrote first: read again."""


class Ledger(Protocol):
    """The append-only ledger, and the marks that say which Aggregates it may be behind."""

    def aggregates_due(
        self, before: int, *, cursor: str = "", limit: int = PAGE
    ) -> Page[Aggregate]:
        """Aggregates of any group marked due whose `first_sealed_at` is at or before `before`."""

    def book(self, key: AggregateKey, periods: Sequence[Window]) -> Book:
        """The chain's head, the key's last Entry, and the series' balance in each period."""

    def holdings(self, key: AggregateKey, period: Window) -> tuple[Holding, ...]:
        """What the key's series (tenant, meter, group) has in each slot by its Entries of the
        period, and of that what through this key; newest slot first, zeros left out."""

    def append(self, batch: Sequence[tuple[Entry, ...]]) -> tuple[Appended, ...]:
        """Append each element's Entries (one, or a linked pair) to their chain.

        What becomes true: the Entries stand; each slot they allocate to exists, its total and
        version are raised, it is due now; the Aggregate is sealed, due, its `marks` one more: a
        writer that slept may append an old total after another saw the new one, and takes the mark.
        On repeat: ALREADY, when Entries with these hashes stand there.
        On conflict: STALE, and nothing is written, unless the first Entry's line is the head's
        line + 1, its previous_hash the head's hash, its revision the key's last + 1, and its
        position not before the key's last Entry's (and after it, where delta is not zero).
        """

    def clear_due(self, sealed: Sequence[tuple[AggregateKey, int, int]]) -> None:
        """Take the due mark from each Aggregate whose position and marks are still those given."""

    def entries(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        slot: SlotKey | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Entry]:
        """Entries by (tenant, meter, line); of one slot: those that allocate to it, in the order
        in which they were appended (the n-th made it the slot's version n)."""

    def head(self, tenant: str, meter: str) -> Head:
        """The end of the chain as it was stored with the last append (not recomputed)."""


@dataclass(frozen=True, slots=True)
class Due:
    """A slot with its unsettled publication, if it has one."""

    slot: Slot
    current: Publication | None = None


class Outbox(Protocol):
    """The slots and their publications. Each write is conditioned on what was read."""

    def slots_due(
        self,
        now: int = LATEST,
        *,
        partition: int | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        """What is marked due by `now`, in order of `due_at` and key; of one `slot_partition`, where
        given."""

    def slots(
        self,
        *,
        route: str = "",
        destination: str = "",
        starting: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        """All slots in order of key; of one route and destination, and of those that start in the
        window, where given."""

    def intend(self, batch: Sequence[Publication]) -> tuple[bool, ...]:
        """Store each publication as its slot's unsettled one, durably.

        True, and the slot's revision is the publication's, only if the slot's revision is one
        less, its version is the publication's slot_version, and nothing of it is unsettled. The
        slot's `due_at` is then what `next_look` says.
        On repeat (the same identifier stands there): False. On conflict: False, nothing changed.
        """

    def advance(self, batch: Sequence[tuple[Publication, Publication]]) -> tuple[bool, ...]:
        """Replace each publication (before, after) if its stored `step` is before's.

        Its slot's `due_at` becomes `next_look(after, slot)` in the same write; where `after` is
        settled, the slot loses it, `confirmed` becomes `confirmed_after(after, slot)` and
        `after.total` joins `earlier`. The slot stays due.
        False, and nothing changed, where the step is another.
        """

    def clear_due(self, read: Sequence[Slot]) -> None:
        """Take the due mark from each slot whose version and revision are still those read, whose
        total is its confirmed one and which has nothing unsettled."""

    def adjust(self, before: Slot, after: Slot) -> bool:
        """Replace a slot's `confirmed`, `earlier` and `due` if its version, revision and confirmed
        total are still `before`'s and nothing of it is unsettled; its `due_at` is then now."""

    def publications(
        self,
        *,
        slot: SlotKey | None = None,
        identifier: str = "",
        unsettled: bool = False,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Publication]:
        """Publications in order of (slot, revision)."""


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant with its mappings (all versions, in order of effective_from)."""

    tenant: Tenant
    mappings: tuple[Mapping, ...] = ()


class Catalog(Protocol):
    """Tenants, meters and mappings with all their versions, switches, and the audit trail.

    `revision` rises with every change, so that a reader may keep what it read until then.
    """

    def revision(self) -> int: ...

    def save(self, changed: Setting, audit: Override, *, at_revision: int | None = None) -> bool:
        """Store a tenant, add a meter's or a mapping's version, and the audit line, in one write.

        A tenant replaces the stored one whole, a meter or a mapping the version that has its
        effective_from. A mapping marks all Aggregates of its tenant and meter due, so that what
        was held is released. On repeat: nothing changes but the audit.
        On conflict: False, and nothing is written, where `revision` is no longer `at_revision`.
        """

    def account(self, tenant: str) -> Account | None:
        """The tenant with its mappings, or None."""

    def accounts(self, *, prefix: str = "", cursor: str = "", limit: int = PAGE) -> Page[Account]:
        """All tenants whose id begins with `prefix`, with their mappings, in order of tenant."""

    def meters(self) -> tuple[tuple[Meter, ...], ...]:
        """All meters, each with its versions in order of effective_from."""

    def switch(self, name: str, value: str | None, audit: Override) -> None:
        """Set (or with None remove) a named switch: such as 'pause' or 'pause:TENANT'."""

    def switches(self) -> dict[str, str]: ...

    def overrides(self, *, cursor: str = "", limit: int = PAGE) -> Page[Override]:
        """The audit trail, oldest first."""


class DeadLetters(Protocol):
    """Reports that could not be counted."""

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Store each letter whose id is new; a known id changes nothing."""

    def list(
        self,
        *,
        tenant: str = "",
        waits_for: str = "",
        open_only: bool = True,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[DeadLetter]:
        """Letters in the order they were kept."""

    def take(self, letter_id: str, replayed_as: str, now: int) -> bool:
        """Mark a letter replayed, with what became of it; False where it is not open."""


class Keys(Protocol):
    """API keys, found by the digest of their text. `touch` notes a use, never back in time."""

    def add(self, key: ApiKey, audit: Override | None, *, only_first: bool = False) -> bool:
        """Store a key and the audit line (a token has none), in one write. False, and nothing is
        written, where its id or digest is taken; where its maker is no live key of people's when
        it is made; with `only_first`, where any key is there already."""

    def find(self, digest: str) -> ApiKey | None: ...

    def list(self, *, maker: str = "") -> tuple[ApiKey, ...]:
        """The keys that people made, or this key's tokens, in the order in which they were added;
        the revoked ones too."""

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        """Mark a key and its tokens revoked and write the audit line, in one write; False where
        none that is not revoked has this id."""

    def purge(self, before: int, limit: int = PAGE) -> int:
        """Take out the oldest `limit` tokens that expired at or before `before`; how many."""

    def touch(self, key_id: str, now: int) -> None: ...


class Checkpoints(Protocol):
    """What the ends of the ledger's chains were, hour by hour: the means to find tampering."""

    def ends(self, *, cursor: str = "", limit: int = PAGE) -> Page[tuple[ChainEnd, str]]:
        """The end of every chain, in order of (tenant, meter), and with each the hash that the
        last checkpoint has for its chain ('' where it has none)."""

    def keep(self, taken: Taken) -> bool:
        """Store a checkpoint with the ends that moved, durably, as the last one.

        True only if its number is the last one's + 1 and its previous_hash the last one's hash.
        On repeat (the last one has its hash): True, nothing changed. On conflict: False.
        """

    def last(self) -> Checkpoint | None: ...

    def list(self, *, after: int = 0, limit: int = PAGE) -> tuple[Checkpoint, ...]:
        """Those numbered beyond `after`, in order, the first `limit`."""

    def moved(self, number: int) -> tuple[ChainEnd, ...]:
        """The ends that moved by this checkpoint, in order of (tenant, meter)."""


class Store(Protocol):
    """The seven ports on one storage. A copy that is opened (restore) gets a new `incarnation`."""

    events: EventLog
    ledger: Ledger
    outbox: Outbox
    catalog: Catalog
    dead_letters: DeadLetters
    keys: Keys
    checkpoints: Checkpoints

    @property
    def incarnation(self) -> str: ...

    def renew_incarnation(self, incarnation: str) -> None:
        """Become a new incarnation: publications get identifiers no other copy can make."""

    def backlog(self, now: int) -> Backlog:
        """What is not done yet, counted in bounded time: to be watched."""

    def close(self) -> None: ...


class Publisher(Protocol):
    """A provider. It says what it can do (`routes`); the domain decides. Only its reading methods
    raise, and only PublisherMisconfigured and PublisherUnavailable."""

    @property
    def routes(self) -> dict[str, Route]: ...

    def send(self, publication: Publication) -> Answer:
        """One attempt, byte-identical for the same publication; every outcome is an Answer.

        May be called from several threads; waits its turn where the provider limits rate or
        concurrency. Looks at its clock right before the first byte: past the publication's
        deadline nothing is sent, and the answer is BUSY.
        """

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        """What the provider shows for each reading group of these slots (zero where it shows
        nothing), in as few calls as it can. Groups that cannot be read are left out."""

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        """The bills' lines for the destinations, counters and periods of these slots."""

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        """What the provider reported as not counted since then."""

    def subscription(self, destination: str) -> Subscription | None:
        """What the provider bills this destination by; None where it does not say."""

    def clock_ahead(self) -> int:
        """By how many microseconds its clock was ahead of ours when it last answered; else zero."""


class Clock(Protocol):
    """Now, in microseconds since 1970 UTC; and a pause."""

    def now(self) -> int: ...

    def sleep(self, microseconds: int) -> None: ...
