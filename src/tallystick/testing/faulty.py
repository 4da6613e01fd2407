"""Wrappers around the ports that let each call fail, before it was carried out or after.

What happens at a call is decided by a `Gate`: it may raise StoreUnavailable (the store's outcome
is then unknown to the caller), raise `Crash` (the process dies at that very point), or keep the
caller waiting while the world goes on.
"""

from collections.abc import Callable
from typing import Protocol, cast

from tallystick.domain.backlog import Backlog
from tallystick.domain.publication import Answer, Publication
from tallystick.domain.slot import Route
from tallystick.ports import (
    Catalog,
    Checkpoints,
    DeadLetters,
    EventLog,
    Keys,
    Ledger,
    Outbox,
    Publisher,
    Store,
)


class Crash(BaseException):  # not an Exception: nothing may survive the process it stands for
    """The process dies here: whatever it held in memory is gone."""


class Gate(Protocol):
    """Is asked right before and right after each call of a port."""

    def before(self, call: str) -> None: ...

    def after(self, call: str) -> None: ...


class _Gated:
    """One port, each of whose methods passes the gate."""

    def __init__(self, port: object, name: str, gate: Gate) -> None:
        self._port = port
        self._name = name
        self._gate = gate

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        method: Callable[..., object] = getattr(self._port, name)
        gate, call = self._gate, f"{self._name}.{name}"

        def gated(*args: object, **kwargs: object) -> object:
            # A batch of nothing changes nothing: its own name keeps it from being aimed at.
            named = f"{call} of nothing" if args and args[0] in ([], ()) else call
            gate.before(named)
            result = method(*args, **kwargs)
            gate.after(named)
            return result

        setattr(self, name, gated)
        return gated


class FaultyStore:
    """A store each of whose calls passes a gate."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self.events = cast(EventLog, _Gated(store.events, "events", gate))
        self.ledger = cast(Ledger, _Gated(store.ledger, "ledger", gate))
        self.outbox = cast(Outbox, _Gated(store.outbox, "outbox", gate))
        self.catalog = cast(Catalog, _Gated(store.catalog, "catalog", gate))
        self.dead_letters = cast(DeadLetters, _Gated(store.dead_letters, "dead_letters", gate))
        self.keys = cast(Keys, _Gated(store.keys, "keys", gate))
        self.checkpoints = cast(Checkpoints, _Gated(store.checkpoints, "checkpoints", gate))

    @property
    def incarnation(self) -> str:
        return self._store.incarnation

    def renew_incarnation(self, incarnation: str) -> None:
        self._store.renew_incarnation(incarnation)

    def backlog(self, now: int) -> Backlog:
        return self._store.backlog(now)

    def close(self) -> None:
        self._store.close()


class FaultyPublisher(_Gated):
    """A publisher each of whose calls passes a gate. `on_send` sees each attempt that is made."""

    def __init__(
        self,
        publisher: Publisher,
        gate: Gate,
        on_send: Callable[[Publication], None] = lambda _: None,
    ) -> None:
        super().__init__(publisher, "publisher", gate)
        self._publisher = publisher
        self._on_send = on_send

    @property
    def routes(self) -> dict[str, Route]:
        return self._publisher.routes

    def send(self, publication: Publication) -> Answer:
        self._gate.before("publisher.send")
        self._on_send(publication)
        answer = self._publisher.send(publication)
        self._gate.after("publisher.send")
        return answer


def faulty_publisher(
    publisher: Publisher, gate: Gate, on_send: Callable[[Publication], None] = lambda _: None
) -> Publisher:
    return cast(Publisher, FaultyPublisher(publisher, gate, on_send))
