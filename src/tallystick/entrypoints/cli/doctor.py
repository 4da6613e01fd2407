"""`tallystick doctor`: whether all is in order, and what to do about what is not."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Final

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import App, faults_in_file, file_of, key_memory_of, signer_for
from tallystick.config import unknown_variables
from tallystick.domain.errors import (
    InvalidSetting,
    PublisherMisconfigured,
    PublisherUnavailable,
)
from tallystick.domain.instant import DAY, HOUR, SECOND, format_instant
from tallystick.domain.publication import State
from tallystick.domain.slot import Route
from tallystick.entrypoints.cli.checkpoints import UNSIGNED
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    open_app,
)
from tallystick.entrypoints.cli.listening import server_trouble
from tallystick.entrypoints.cli.tables import Row, show
from tallystick.ports import Account
from tallystick.publishers.dry_run import NO_KEY
from tallystick.stages.publishing import ADOPTING, HOLD, PAUSE
from tallystick.stages.recounting import pages

CHECKPOINT_AGE_MAX: Final = 2 * HOUR
"""One is taken in every hour in which anything runs."""

SEAL_LAG_MAX: Final = 2 * HOUR
DOUBT_MAX: Final = 23 * HOUR
AHEAD_MAX: Final = 30 * SECOND
ENDING_SOON: Final = 7 * DAY
PAGES_READ_MAX: Final = 512 * 1024 * 1024
"""A larger file is read through only when asked for: it may take hours."""

FREE_MIN: Final = 1024 * 1024 * 1024
WAL_MAX: Final = 256 * 1024 * 1024
READABLE_BY_OTHERS: Final = 0o004


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not in order. A hint is no reason to wake anybody."""

    subject: str
    finding: str
    what_to_do: str
    is_hint: bool = False

    def row(self) -> Row:
        level = "hint" if self.is_hint else "wrong"
        return {
            "level": level,
            "subject": self.subject,
            "finding": self.finding,
            "what_to_do": self.what_to_do,
        }


def register(app: Cli) -> None:
    app.command(doctor)


def doctor(
    *,
    thorough: Annotated[
        bool, Parameter(negative="", help="Read a large store's file through, which takes long.")
    ] = False,
    port: Annotated[
        int | None, Parameter(help="Ask the server at this port of this machine, too.")
    ] = None,
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check settings, store, keys, provider and server; say what is wrong and what to do about it.

    Exit code 1 if anything is wrong; hints alone leave it 0. Exit code 3: the store cannot be
    opened.
    """
    with open_app(store, at) as app:
        found = [
            *_store_findings(app, thorough=thorough),
            *(finding for look in LOOKS for finding in look(app)),
            *([] if port is None else _server_findings(port)),
        ]
    show((f.row() for f in found), as_json=as_json, empty="Everything is in order.")
    return CLEAN if all(finding.is_hint for finding in found) else NEEDS_A_PERSON


def _store_findings(app: App, *, thorough: bool) -> Iterator[Finding]:
    path = file_of(app.store)
    if path is None:
        return
    wal = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size
    free = shutil.disk_usage(path.absolute().parent).free
    if free < max(FREE_MIN, size):
        told = f"{free // 2**20:,} MiB of disk are free, and the file has {size // 2**20:,}"
        yield Finding("store", told, "free some: a full disk stops counting, and backups need it")
    if wal.exists() and wal.stat().st_size > WAL_MAX:
        told = f"its write-ahead log has {wal.stat().st_size // 2**20:,} MiB"
        yield Finding("store", told, "end whatever reads the file for hours; it shrinks by itself")
    if os.name == "posix" and path.stat().st_mode & READABLE_BY_OTHERS:
        told = "every user of this machine can read it"
        yield Finding("store", told, f"chmod o-rwx {path}*", is_hint=True)
    yield from _memory_findings(app)
    if thorough or size <= PAGES_READ_MAX:
        for fault in faults_in_file(app.store):
            advice = "stop, keep a copy, and restore a backup: `tallystick restore`"
            yield Finding("store", f"the file is damaged: {fault}", advice)
    else:
        yield Finding("store", "a large file was not read through", "--thorough", is_hint=True)


def _memory_findings(app: App) -> Iterator[Finding]:
    memory = key_memory_of(app.store)
    if memory is not None and memory.needed > memory.allowed:
        needed = -(-memory.needed // 2**20)
        told = (
            f"its keys want {needed:,} MiB of memory, and {memory.allowed // 2**20:,} are allowed"
        )
        advice = f"ingest reads the file more often; `?key_memory_mb={needed}` in the store's URL"
        yield Finding("key memory", told, advice, is_hint=True)


def _setting_findings(app: App) -> Iterator[Finding]:
    for name in unknown_variables():
        yield Finding(name, "no such setting: it has no effect", "see docs/operations.md")
    settings = app.settings
    if settings.otel_asked and find_spec("opentelemetry.sdk") is None:
        told = "OpenTelemetry is asked for and not installed: `serve` will not start"
        yield Finding("traces", told, "install the extra tallystick[otel], or unset OTEL_…")
    if settings.metrics_open:
        told = "/metrics answers without a key"
        advice = "see that nobody but the scraper reaches the port"
        yield Finding("TALLYSTICK_METRICS_OPEN", told, advice, is_hint=True)
    if settings.stripe_api_base.startswith("http:"):
        told = f"usage goes to {settings.stripe_api_base}, which is not Stripe"
        advice = "unset it to bill for real"
        yield Finding("TALLYSTICK_STRIPE_API_BASE", told, advice, is_hint=True)
    if settings.stripe_api_key is not None and not settings.stripe_webhook_secrets:
        told = "Stripe's webhooks are not taken: late refusals are found by the hourly poll alone"
        advice = "set TALLYSTICK_STRIPE_WEBHOOK_SECRET (docs/stripe.md)"
        yield Finding("webhooks", told, advice, is_hint=True)


def _key_findings(app: App) -> Iterator[Finding]:
    now = app.clock.now()
    keys = app.store.keys.list()
    live = [key for key in keys if key.is_live(now)]
    if keys and not live:
        advice = "tallystick keys create --scope admin"
        yield Finding("keys", "none opens anything any more: nobody can use the API", advice)
    for key in live:
        if key.expires_at is not None and key.expires_at <= now + ENDING_SOON:
            told = f"it ends at {format_instant(key.expires_at)}"
            advice = "make its successor: `tallystick keys create`"
            yield Finding(f"key {key.id} {key.name}".strip(), told, advice, is_hint=True)


def _switch_findings(app: App) -> Iterator[Finding]:
    for name, value in app.store.catalog.switches().items():
        kind = name.partition(":")[0]
        if kind == PAUSE:
            yield Finding(name, "publishing is paused", "tallystick resume")
        elif kind == HOLD:
            yield Finding(name, value, "mend the subscription or the terms, then reconcile")
        elif kind == ADOPTING:
            yield Finding(name, "a restore is not finished", "tallystick restore")


def _checkpoint_findings(app: App) -> Iterator[Finding]:
    last, signer = app.store.checkpoints.last(), signer_for(app)
    if last is None:
        return
    if app.clock.now() - last.taken_at > CHECKPOINT_AGE_MAX:
        taken_at = format_instant(last.taken_at)
        yield Finding("checkpoints", f"the last is of {taken_at}", "see that serve, or run, runs")
    if signer is not None and last.key_id != signer.key_id:
        advice = "tallystick checkpoints take"
        yield Finding("checkpoints", "the last is not signed by the key that is set", advice)
    if not last.signature:
        advice = "set TALLYSTICK_CHECKPOINT_KEY (docs/checkpoints.md)"
        yield Finding("checkpoints", f"they are {UNSIGNED}", advice, is_hint=True)


def _provider_findings(app: App) -> Iterator[Finding]:
    if not app.has_provider:
        yield Finding("provider", NO_KEY, "set TALLYSTICK_STRIPE_API_KEY")
        return
    try:
        app.publisher.rejections(app.clock.now() - HOUR)
    except InvalidSetting as error:
        yield Finding("provider", str(error), "nothing is published until the key is usable")
        return
    except PublisherMisconfigured as error:
        yield Finding("provider", str(error), "check the key and its permissions")
    except PublisherUnavailable as error:
        yield Finding("provider", str(error), "try again; check TALLYSTICK_STRIPE_API_BASE")
    ahead = app.publisher.clock_ahead()
    if ahead > AHEAD_MAX:
        told = f"this machine is {ahead // SECOND} seconds behind the provider"
        yield Finding("clock", told, "let NTP set this machine's clock")


def _account_findings(app: App) -> Iterator[Finding]:
    try:
        routes = app.publisher.routes
    except InvalidSetting:
        routes = {}  # the key cannot be used, which is a finding of its own
    for account in pages(lambda cursor: app.store.catalog.accounts(cursor=cursor)):
        yield from _of_account(app, account, routes)


def _of_account(app: App, account: Account, routes: Mapping[str, Route]) -> Iterator[Finding]:
    tenant = account.tenant.id
    if not account.mappings:
        yield Finding(tenant, "no mapping: its usage is held", "tallystick mappings add")
    start = account.tenant.period_at(app.clock.now()).start
    for mapping in account.mappings:
        route = routes.get(mapping.route)
        refuses = mapping.boundary_hour == "refuse"
        if route is not None and route.hourly and refuses and start % HOUR:
            yield Finding(
                f"{tenant}/{mapping.meter}",
                f"its period starts at {format_instant(start)}, inside a UTC hour: an hour meter "
                "cannot hold the two bills apart, so that hour is held",
                "anchor it on a full UTC hour, use a sum meter, or set --boundary-hour",
            )


def _backlog_findings(app: App) -> Iterator[Finding]:
    now = app.clock.now()
    backlog = app.store.backlog(now)
    if backlog.unsealed_since is not None and now - backlog.unsealed_since > SEAL_LAG_MAX:
        since = format_instant(backlog.unsealed_since)
        told = f"what happened before {since} is counted and not in the ledger"
        yield Finding("hourly loop", told, "see that `tallystick serve`, or `run`, runs")
    doubtful = backlog.unsettled_since.get(State.AMBIGUOUS)
    if doubtful is not None and now - doubtful > DOUBT_MAX:
        count = backlog.unsettled[State.AMBIGUOUS]
        told = f"{count} publications in doubt, one since {format_instant(doubtful)}"
        yield Finding("publications", told, "tallystick publications list --unsettled")
    if backlog.undelivered:
        told = f"{backlog.undelivered} slots closed before the provider had their whole total"
        yield Finding("slots", told, "tallystick reconcile")
    count = sum(backlog.dead_letters.values())
    if count:
        yield Finding("dead letters", f"{count} reports wait", "tallystick dead-letters list")


def _server_findings(port: int) -> Iterator[Finding]:
    trouble = server_trouble(port)
    if trouble is not None:
        yield Finding(f"port {port}", *trouble)


LOOKS: Final[tuple[Callable[[App], Iterator[Finding]], ...]] = (
    _setting_findings,
    _key_findings,
    _switch_findings,
    _provider_findings,
    _checkpoint_findings,
    _backlog_findings,
    _account_findings,
)
"""In the order in which they are shown, behind what the store's file says."""
