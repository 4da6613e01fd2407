"""A service of AWS that speaks its JSON protocol on this machine and answers as a test orders."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Asked = dict[str, Any]
Answering = Callable[[str, Asked], tuple[int, Asked]]
"""From an operation and its arguments to a status and what is answered."""


def refusal(code: str) -> tuple[int, Asked]:
    """An error by its name."""
    return 400, {"__type": code, "message": f"{code}, as ordered"}


@contextmanager
def serving(answering: Answering) -> Iterator[str]:
    """Serves; the URL."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            status, body = answering(operation, asked)
            told = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *told: object) -> None:
            """Nothing: its lines are no part of what is tested."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
