"""The composition root: the one place that chooses a store, a publisher and a clock.

Drivers are imported where they are chosen, so that a command loads only what it uses.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from tallystick.clock import FixedClock, SystemClock
from tallystick.config import Secret, Settings
from tallystick.domain.checkpoint import Checkpoint, Signer, Verdict
from tallystick.domain.errors import InvalidSetting, PublisherMisconfigured
from tallystick.domain.slot import Route
from tallystick.ports import Clock, Publisher, Store

if TYPE_CHECKING:
    from tallystick.publishers.stripe import StripePublisher
    from tallystick.stores.sqlite.sizes import KeyMemory, Sizes

STORE_URLS: Final = (
    "use sqlite:///./file.db, sqlite:////absolute/file.db, dynamodb://table?region=… or memory:"
)

_KEY_MEMORY: Final = re.compile(r"key_memory_mb=([1-9][0-9]{0,4})", re.ASCII)
"""MiB of memory for the filters over all keys in a file."""

MEBIBYTE: Final = 1024 * 1024

_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""What DynamoDB takes for a name: no user, password or port can be meant by it."""

ARN: Final = "arn:"
"""How the setting for Stripe's key begins where it names a secret of AWS Secrets Manager."""

LIVE_KEY: Final = "live_key"
"""The switch that lets a key be used which bills real customers."""


@dataclass(frozen=True, kw_only=True)
class App:
    """What an entry point works with. The publisher is made when it is first asked for."""

    store: Store
    clock: Clock
    settings: Settings

    @cached_property
    def publisher(self) -> Publisher:
        allow_live = LIVE_KEY in self.store.catalog.switches()
        return publisher_for(self.settings, self.clock, allow_live=allow_live)

    @property
    def routes(self) -> Mapping[str, Route]:
        """Every way to tell a provider a quantity; to know them takes no key."""
        from tallystick.publishers import ROUTES  # noqa: PLC0415

        return ROUTES

    @property
    def has_provider(self) -> bool:
        """Whether anything can be sent and read; else there is only a dry run."""
        return bool(self.settings.stripe_api_key or self.settings.marketplace_region)


def open_store(url: str, *, create: bool = True) -> Store:
    """The store that the URL names, made where it does not exist (unless `create` is False).

    Raises InvalidSetting for a URL that names none, StoreUnavailable where it cannot be opened.
    """
    scheme, _, rest = url.partition(":")
    if url == "memory:":
        from tallystick.stores.memory import MemoryStore  # noqa: PLC0415

        return MemoryStore(incarnation=new_incarnation())
    if scheme == "sqlite":
        return _open_sqlite(url, rest, create=create)
    if scheme == "dynamodb":
        return _open_dynamodb(url)
    raise InvalidSetting(f"store {url!r} is none that we know; {STORE_URLS}")


def _open_sqlite(url: str, rest: str, *, create: bool) -> Store:
    from tallystick.stores.sqlite import SqliteStore  # noqa: PLC0415
    from tallystick.stores.sqlite.sizes import STANDARD  # noqa: PLC0415

    name, _, option = rest.removeprefix("///").partition("?")
    if not name or not rest.startswith("///"):
        raise InvalidSetting(f"store {url!r} names no file; {STORE_URLS}")
    path, sizes = Path(name), _sizes(url, option) if option else STANDARD
    if not create and not path.exists():
        raise InvalidSetting(f"there is no store at {path}; `tallystick tenants add` makes one")
    return SqliteStore.open(path, create=create, incarnation=new_incarnation(), sizes=sizes)


def _sizes(url: str, option: str) -> "Sizes":
    from tallystick.stores.sqlite.sizes import Sizes  # noqa: PLC0415

    asked = _KEY_MEMORY.fullmatch(option)
    if asked is None:
        told = "a file's one option is key_memory_mb, a whole number from 1 to 99999"
        raise InvalidSetting(f"store {url!r}: {told}; {STORE_URLS}")
    return Sizes(filters_max=int(asked[1]) * MEBIBYTE)


def _open_dynamodb(url: str) -> Store:
    """The store in a table that a deployment has made. The region may come from the environment."""
    table, asked = _table_and_options(url)
    if not _TABLE.fullmatch(table) or not {"region"}.issuperset(asked):
        raise InvalidSetting(f"store {url!r} names no table; {STORE_URLS}")
    try:
        from tallystick.stores.dynamodb import DynamoStore  # noqa: PLC0415
    except ImportError:
        raise InvalidSetting("a DynamoDB store needs boto3: install tallystick[aws]") from None

    return DynamoStore.connect(
        table,
        region=asked.get("region", [""])[0],
        incarnation=new_incarnation(),
        writer=secrets.token_hex(8),
        chance=secrets.SystemRandom().random,
    )


def _table_and_options(url: str) -> tuple[str, dict[str, list[str]]]:
    """('', …) for a URL that is more than a table and its options, or none at all."""
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        return "", {}
    # A URL is read without the tabs and line ends in it: what is left is not what was written.
    is_more = parts.path or parts.fragment or not url.isprintable()
    return ("" if is_more else parts.netloc), options


def new_incarnation() -> str:
    """A name no other storage has: 16 random hex digits."""
    return secrets.token_hex(8)


def publisher_for(settings: Settings, clock: Clock, *, allow_live: bool = False) -> Publisher:
    """Stripe where its key is set, AWS Marketplace where its region is, both where both are; else
    one that shows what would be sent, and sends nothing.

    Raises InvalidSetting for a key that cannot be one, and for a live one that is not allowed;
    where a secret on AWS holds the key, PublisherMisconfigured, which names that secret.
    """
    if settings.stripe_api_key is None and not settings.marketplace_region:
        from tallystick.publishers.dry_run import DryRunPublisher  # noqa: PLC0415

        return DryRunPublisher()
    if not settings.marketplace_region:
        return _stripe(settings, clock, allow_live=allow_live)
    marketplace = _marketplace(settings, clock)
    if settings.stripe_api_key is None:
        return marketplace
    from tallystick.publishers.several import SeveralPublishers  # noqa: PLC0415

    return SeveralPublishers(_stripe(settings, clock, allow_live=allow_live), marketplace)


def _marketplace(settings: Settings, clock: Clock) -> Publisher:
    """By the credentials that AWS's SDK finds."""
    try:
        from tallystick.publishers.aws_marketplace import MarketplacePublisher  # noqa: PLC0415
    except ImportError:
        raise InvalidSetting("AWS Marketplace needs boto3: install tallystick[aws]") from None

    return MarketplacePublisher(
        region=settings.marketplace_region, clock=clock, endpoint=settings.marketplace_endpoint
    )


def _stripe(settings: Settings, clock: Clock, *, allow_live: bool) -> Publisher:
    if settings.stripe_api_key is None:
        raise InvalidSetting("set TALLYSTICK_STRIPE_API_KEY")
    place = settings.stripe_api_key.reveal()
    if place.startswith(ARN):
        try:
            return _stripe(with_secret(settings), clock, allow_live=allow_live)
        except InvalidSetting as error:
            raise PublisherMisconfigured(f"the secret {place}: {error}") from error
    from tallystick.publishers.stripe import StripePublisher  # noqa: PLC0415

    return StripePublisher(
        settings.stripe_api_key.reveal(),
        clock=clock,
        api_base=settings.stripe_api_base or None,
        allow_live=allow_live,
    )


def with_secret(settings: Settings) -> Settings:
    """The same with the provider's key as it is now, where a secret on AWS holds it.

    Raises PublisherMisconfigured, which names that secret, and PublisherUnavailable.
    """
    key = settings.stripe_api_key
    if key is None or not key.reveal().startswith(ARN):
        return settings
    try:
        from tallystick.aws_secrets import secret_text  # noqa: PLC0415
    except ImportError:
        raise InvalidSetting("a secret on AWS needs boto3: install tallystick[aws]") from None

    return replace(settings, stripe_api_key=Secret(secret_text(key.reveal())))


def stripe_of(app: App) -> "StripePublisher":
    """The Stripe publisher, for what only Stripe has. Raises InvalidSetting without its key."""
    from tallystick.publishers.several import SeveralPublishers  # noqa: PLC0415
    from tallystick.publishers.stripe import StripePublisher  # noqa: PLC0415

    made = app.publisher
    for one in made.publishers if isinstance(made, SeveralPublishers) else (made,):
        if isinstance(one, StripePublisher):
            return one
    raise InvalidSetting("set TALLYSTICK_STRIPE_API_KEY: this command talks to Stripe")


def signer_for(app: App) -> Signer | None:
    """Who signs checkpoints, where the settings have a key. Raises InvalidSetting for a bad one."""
    key = app.settings.checkpoint_key
    if key is None:
        return None
    from tallystick.signing import signer_of  # noqa: PLC0415

    return signer_of(key.reveal())


def verdicts_for(app: App, public_keys: Iterable[str]) -> Callable[[Checkpoint], Verdict] | None:
    """What judges signatures by these public keys (PEM), or else by the one of the settings' own
    key; None where there is neither. Raises InvalidSetting."""
    from tallystick.signing import signer_of, verifier_of  # noqa: PLC0415

    known = tuple(public_keys)
    if not known and app.settings.checkpoint_key is not None:
        known = (signer_of(app.settings.checkpoint_key.reveal()).public_pem,)
    return verifier_of(known).verdict if known else None


def back_up(store: Store, target: Path) -> None:
    """Copy a store into a new file while others write. InvalidSetting where it has no file."""
    from tallystick.stores.sqlite import SqliteStore  # noqa: PLC0415

    if not isinstance(store, SqliteStore):
        raise InvalidSetting("only a sqlite store is copied by this command")
    if target.exists():
        raise InvalidSetting(f"{target} exists; name a new file")
    store.backup_to(target)


def file_of(store: Store) -> Path | None:
    """The file that a store is in; None where it is in none."""
    from tallystick.stores.sqlite import SqliteStore  # noqa: PLC0415

    return store.path if isinstance(store, SqliteStore) else None


def key_memory_of(store: Store) -> "KeyMemory | None":
    """What the filters over a file's keys need and may take; None for a store without a file."""
    from tallystick.stores.sqlite import SqliteStore  # noqa: PLC0415

    return store.key_memory() if isinstance(store, SqliteStore) else None


def faults_in_file(store: Store) -> tuple[str, ...]:
    """What is wrong with a store's file, every page of it read; nothing for one without a file."""
    from tallystick.stores.sqlite import SqliteStore  # noqa: PLC0415

    return store.integrity_check() if isinstance(store, SqliteStore) else ()


def clock_at(at: int | None) -> Clock:
    """The system's clock, or one that stands at the given instant."""
    return SystemClock() if at is None else FixedClock(at)


@contextmanager
def app_of(settings: Settings, *, at: int | None = None, create: bool = True) -> Iterator[App]:
    """Everything wired up as the settings say; the store is closed at the end."""
    clock = clock_at(at)
    store = open_store(settings.store, create=create)
    try:
        yield App(store=store, clock=clock, settings=settings)
    finally:
        store.close()
