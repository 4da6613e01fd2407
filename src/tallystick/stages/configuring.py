"""Configuring: read the catalog, decide, and save only where nothing came between.

So two people who change the same thing at once, through whichever servers and commands, cannot
undo each other: the second decides again on what the first has made of it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from tallystick.domain.errors import InvalidSetting, NotFound, StoreUnavailable
from tallystick.domain.mapping import Mapping, end_of, next_mapping
from tallystick.domain.meter import Meter, next_meter
from tallystick.domain.tenant import Tenant
from tallystick.ports import Account, Catalog, Override
from tallystick.stages.recounting import pages

ROUNDS_MAX: Final = 16
"""So often a change is decided anew before whoever wanted it is told to come back."""

T = TypeVar("T", Tenant, Meter, Mapping)


def configure(catalog: Catalog, decide: Callable[[], T | None], audit: Override) -> T | None:
    """Save what `decide` makes of the catalog as it stands; None where it is so already.

    `decide` is called again where the catalog changed meanwhile, and may raise: nothing is saved
    then. Raises StoreUnavailable where the catalog never stands still.
    """
    for _ in range(ROUNDS_MAX):
        revision = catalog.revision()
        wanted = decide()
        if wanted is None or catalog.save(wanted, audit, at_revision=revision):
            return wanted
    raise StoreUnavailable("the settings are changed all the time: nothing was saved")


def map_meter(
    catalog: Catalog,
    wanted: Mapping,
    audit: Override,
    *,
    keep_start: bool,
    check: Callable[[tuple[Mapping, ...]], None] = lambda _: None,
) -> Mapping | None:
    """Bill a tenant's meter as `wanted` says; the version that was saved, None where it is so.

    `keep_start`: a known series keeps its `publish_from`. `check` sees the series' versions as
    they are, and may raise. Raises NotFound, and InvalidSetting where another mapping of the same
    slots bills a cut hour in the other period.
    """

    def decide() -> Mapping | None:
        account, versions = _known(catalog, wanted.tenant, wanted.meter)
        if versions[-1].archived:
            raise InvalidSetting(f"meter {wanted.meter!r} is archived: make it again first")
        own = versions_of(account, wanted.meter, wanted.group)
        check(own)
        added = next_mapping(wanted, own, audit.at, keep_start=keep_start)
        if added is not None:
            _check_boundary_hour(catalog, added)
        return added

    return configure(catalog, decide, audit)


def end_mapping(
    catalog: Catalog,
    series: tuple[str, str, str],
    audit: Override,
    *,
    check: Callable[[tuple[Mapping, ...]], None] = lambda _: None,
) -> Mapping | None:
    """Bill a (tenant, meter, group) no longer from the next full hour; None where it is so already.

    What was counted until then is billed. Raises NotFound where it was never mapped.
    """
    tenant, meter, group = series

    def decide() -> Mapping | None:
        account, _ = _known(catalog, tenant, meter)
        own = versions_of(account, meter, group)
        check(own)
        if not own:
            raise NotFound(f"{meter!r} of {tenant!r} is not mapped")
        return end_of(own[-1], audit.at)

    return configure(catalog, decide, audit)


def save_meter(
    catalog: Catalog,
    wanted: Meter,
    audit: Override,
    *,
    check: Callable[[Meter], None] = lambda _: None,
) -> Meter | None:
    """Make the meter, or the next version of it; None where it is so already. `check` sees its
    newest version where there is one, and may raise."""

    def decide() -> Meter | None:
        known = versions_of_meter(catalog, wanted.id)
        if known:
            check(known[-1])
        return next_meter(wanted, known, audit.at)

    return configure(catalog, decide, audit)


def archive_meter(
    catalog: Catalog,
    meter: str,
    audit: Override,
    *,
    check: Callable[[Meter], None] = lambda _: None,
) -> Meter | None:
    """Count with the meter no longer, from each tenant's next billing period on; None where it is
    so already. What it counted stays, and is sealed and billed.

    `check` sees its newest version, and may raise. Raises NotFound, and InvalidSetting where it
    bills somebody.
    """

    def decide() -> Meter | None:
        known = known_meter(catalog, meter)
        check(known[-1])
        if known[-1].archived:
            return None
        for account in pages(lambda cursor: catalog.accounts(cursor=cursor)):
            if _bills(account, meter):
                raise InvalidSetting(
                    f"meter {meter!r} bills {account.tenant.id!r}: end its mappings first"
                )
        return next_meter(replace(known[-1], archived=True), known, audit.at)

    return configure(catalog, decide, audit)


def _bills(account: Account, meter: str) -> bool:
    newest = {mapping.group: mapping for mapping in account.mappings if mapping.meter == meter}
    return any(not mapping.is_end for mapping in newest.values())


def versions_of(account: Account, meter: str, group: str) -> tuple[Mapping, ...]:
    """The versions of one series, in order of effective_from."""
    return tuple(m for m in account.mappings if (m.meter, m.group) == (meter, group))


def _known(catalog: Catalog, tenant: str, meter: str) -> tuple[Account, tuple[Meter, ...]]:
    account = catalog.account(tenant)
    if account is None:
        raise NotFound(f"there is no tenant {tenant!r}")
    return account, known_meter(catalog, meter)


def known_meter(catalog: Catalog, meter: str) -> tuple[Meter, ...]:
    """The meter's versions; NotFound where there are none."""
    versions = versions_of_meter(catalog, meter)
    if not versions:
        raise NotFound(f"there is no meter {meter[:80]!r}")
    return versions


def versions_of_meter(catalog: Catalog, meter: str) -> tuple[Meter, ...]:
    """The same; none where there are none."""
    return next((v for v in catalog.meters() if v[0].id == meter), ())


def _check_boundary_hour(catalog: Catalog, wanted: Mapping) -> None:
    if wanted.boundary_hour == "refuse":
        return
    for account in pages(lambda cursor: catalog.accounts(cursor=cursor)):
        for mapping in account.mappings:
            if mapping.opposes(wanted):
                raise InvalidSetting(
                    f"boundary hour: {mapping.meter!r} of {mapping.tenant!r} goes to the same "
                    f"meter of {wanted.destination} with {mapping.boundary_hour!r}; say the same"
                )
