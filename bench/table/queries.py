"""Usage queries: one tenant's 24 hours on five meters, hour by hour, on one HTTP connection."""

import time
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from bench.table.ingest import Books, milliseconds
from bench.table.load import Refused, Request, send_again
from bench.table.usage import CODES, HOURS_FILLED, TENANTS, tenant_name
from tallystick.domain.instant import HOUR, floor_hour, format_instant

QUERIES: Final = 500
WARM: Final = 20


def measure_queries(books: Books) -> dict[str, object]:
    """What a query takes, the tenants in turn; each answer holds every hour that has events."""
    server = books.server
    upto = floor_hour(books.usage.at)
    span = f"from={_quoted(upto - HOURS_FILLED * HOUR)}&to={_quoted(upto)}"
    took: list[float] = []

    def check(_: Request, answer: bytes) -> None:
        took.append(time.perf_counter())
        rows = answer.count(b'"quantity"')
        if not answer.startswith(b"HTTP/1.1 200") or not 0 < rows <= HOURS_FILLED * len(CODES):
            raise Refused(f"a usage query found {rows} totals: {answer[:400]!r}")

    requests = []
    for number in range(WARM + QUERIES):
        path = f"/api/v1/usage?tenant={tenant_name(number % TENANTS)}&by=window&{span}"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n\r\n"
        requests.append(Request(head.encode()))
    send_again(server.port, requests, check)
    each = [after - before for before, after in pairwise(took)][WARM:]
    return {"queries": len(each), "rows": HOURS_FILLED * len(CODES), **milliseconds(each)}


def _quoted(instant: int) -> str:
    return quote(format_instant(instant))
