"""A sandbox that survives its process: what came in is written down and replayed at the start.

Answers are a pure function of what came in and when, so nothing else needs to be stored. API
keys are written as fingerprints only.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from .answers import Request
from .authority import fingerprinted
from .clock import wall_clock
from .control import PREFIX, control
from .settings import Settings
from .stripe_sandbox import StripeSandbox

_KEPT_HEADERS = ("authorization", "idempotency-key", "stripe-version")


class _Wall:
    """Real time, except while the past is replayed."""

    def __init__(self) -> None:
        self.replayed: int | None = None

    def __call__(self) -> float:
        return wall_clock() if self.replayed is None else self.replayed

    def pause(self, seconds: float) -> None:
        if self.replayed is None:
            time.sleep(seconds)


def open_sandbox(
    path: Path, now: int | None, seed: int, settings: Settings | None = None
) -> StripeSandbox:
    """Continue the sandbox in the file, or begin one there.

    The file's own start and seed win; a later `now` moves the clock on to it.
    """
    _drop_torn_line(path)
    lines = list(_lines(path))
    wall = _Wall()
    fresh: dict[str, object] = {"at": int(wall()), "now": now, "seed": seed}
    began = lines[0] if lines else fresh
    wall.replayed = int(str(began["at"]))
    sandbox = StripeSandbox(
        _whole_or_none(began["now"]),
        seed=int(str(began["seed"])),
        settings=settings,
        wall=wall,
        pause=wall.pause,
    )
    _replay(sandbox, wall, lines[1:])
    if not lines:
        _append(path, began)
    sandbox.witness = lambda request, at: _append(path, _written(request, at))
    if lines and now is not None and now > sandbox.now():
        order = json.dumps({"now": now}).encode()
        control(sandbox, Request("POST", f"{PREFIX}clock", {}, order))
    return sandbox


def _replay(sandbox: StripeSandbox, wall: _Wall, lines: list[dict[str, object]]) -> None:
    for line in lines:
        wall.replayed = int(str(line["at"]))
        request = _read(line)
        if request.target.startswith(PREFIX):
            control(sandbox, request)
        else:
            sandbox.respond(request)
    wall.replayed = None


def _written(request: Request, at: int) -> dict[str, object]:
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    body = request.body
    if request.target == f"{PREFIX}keys":
        body = _without_key(body)
    return {
        "at": at,
        "method": request.method,
        "target": request.target,
        "headers": fingerprinted(headers),
        "body": body.decode("latin-1"),
    }


def _without_key(body: bytes) -> bytes:
    try:
        order = json.loads(body)
        bearer = fingerprinted({"authorization": f"Bearer {order['key']}"})["authorization"]
        return json.dumps({**order, "key": bearer.removeprefix("Bearer ")}).encode()
    except (ValueError, TypeError, KeyError):
        return b""


def _read(line: dict[str, object]) -> Request:
    headers = line["headers"]
    return Request(
        str(line["method"]),
        str(line["target"]),
        headers if isinstance(headers, dict) else {},
        str(line["body"]).encode("latin-1"),
    )


def _whole_or_none(value: object) -> int | None:
    return None if value is None else int(str(value))


def _lines(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        written = path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            path.write_bytes(whole)


def _append(path: Path, line: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
