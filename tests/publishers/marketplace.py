"""A stand-in for AWS Marketplace's metering on this machine, which the real SDK talks to.

It keeps what the API is documented to keep: a record for each product, customer, dimension and
hour, the first of which stays. `faults` say of each call in turn what goes wrong with it.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOUR_SECONDS = 3_600

Record = dict[str, object]


@dataclass
class Marketplace:
    """`books` are the quantities; `asked` each request's body; `url` where it answers."""

    url: str = ""
    books: dict[tuple[object, ...], int] = field(default_factory=dict)
    asked: list[dict[str, object]] = field(default_factory=list)
    subscribed: bool = True
    faults: list[str] = field(default_factory=list)

    def metered(self, body: dict[str, object]) -> dict[str, object]:
        records = body["UsageRecords"]
        assert isinstance(records, list)
        results = [self._record(body.get("ProductCode"), record) for record in records]
        return {"Results": results, "UnprocessedRecords": []}

    def _record(self, product: object, record: Record) -> Record:
        timestamp, quantity = record["Timestamp"], record["Quantity"]
        assert isinstance(timestamp, (int, float))
        assert isinstance(quantity, int)
        hour = int(timestamp) // HOUR_SECONDS
        who = record.get("CustomerIdentifier") or record.get("CustomerAWSAccountId")
        key = (product or record.get("LicenseArn"), who, record["Dimension"], hour)
        if not self.subscribed:
            status = "CustomerNotSubscribed"
        else:
            status = "Success" if self.books.setdefault(key, quantity) == quantity else DUPLICATE
        return {"UsageRecord": record, "MeteringRecordId": f"id-{hour}", "Status": status}


DUPLICATE = "DuplicateRecord"


@contextmanager
def open_marketplace() -> Iterator[Marketplace]:
    """The stand-in, at a port of its own, until the block ends."""
    marketplace = Marketplace()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["content-length"])))
            marketplace.asked.append(told)
            fault = marketplace.faults.pop(0) if marketplace.faults else ""
            if fault in ("", "cut after it counted"):
                answer = marketplace.metered(told)
            if fault.startswith("cut"):
                self.close_connection = True
            elif fault == "unprocessed":
                self._answer(200, {"Results": [], "UnprocessedRecords": told["UsageRecords"]})
            elif fault:
                self._answer(500 if fault.startswith("Internal") else 400, {"__type": fault})
            else:
                self._answer(200, answer)

        def _answer(self, status: int, body: dict[str, object]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    marketplace.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield marketplace
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
