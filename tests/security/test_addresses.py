"""No address that somebody sets sends a key, or us, where it should not go."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tallystick.bootstrap import open_store
from tallystick.client.limits import Limits
from tallystick.client.transport import HttpTransport, checked_url
from tallystick.clock import SystemClock
from tallystick.config import read_settings
from tallystick.domain.errors import InvalidSetting, PublisherUnavailable
from tallystick.publishers.stripe import StripePublisher
from tallystick.publishers.stripe.connection import checked_base
from tallystick.sandbox import webhooks

HOSTILE = (
    "http://api.stripe.com",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1.example.org",
    "http://localhost.example.org",
    "http://127.0.0.1@example.org",
    "http://0.0.0.0:80",
    "http://2130706433",
    "http://[::ffff:10.0.0.1]",
    "https://user:word@api.stripe.com",
    "https://:word@api.stripe.com",
    "https://api.stripe.com?x=1",
    "https://api.stripe.com#x",
    "ftp://api.stripe.com",
    "file:///etc/passwd",
    "//api.stripe.com",
    "api.stripe.com",
    "https://",
    "http://[::1",
    "javascript:alert(1)",
    "https://api.stri\npe.com",
    "https://api\t.stripe.com",
    "http://127.0.0.1\r\nHost:example.org",
)


@pytest.mark.parametrize("url", HOSTILE)
def test_a_stripe_key_goes_to_no_such_address(url):
    with pytest.raises(InvalidSetting):
        checked_base(read_settings({"TALLYSTICK_STRIPE_API_BASE": url}).stripe_api_base)


@pytest.mark.parametrize("url", HOSTILE)
def test_an_api_key_goes_to_no_such_address(url):
    with pytest.raises(ValueError, match="URL"):
        checked_url(url, allow_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://",
        "dynamodb://[",
        "dynamodb://user:word@table?region=eu-central-1",
        "dynamodb://ta\nble?region=eu-central-1",
        "dynamodb://table:8000?region=eu-central-1",
        "dynamodb://table/../other?region=eu-central-1",
        "dynamodb://table?region=eu-central-1&endpoint_url=http://169.254.169.254",
        "http://127.0.0.1/tally.db",
        "sqlite:///tally.db?mode=memory",
        "memory",
    ],
)
def test_a_store_is_opened_at_no_such_address(url):
    with pytest.raises(InvalidSetting):
        open_store(url)


class Seen(http.server.BaseHTTPRequestHandler):
    """Answers everything by a redirect to itself, and keeps the paths it was asked for."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(307)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  (http.server names it)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is the test's."""


@contextmanager
def redirecting() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Seen) as server:
        server.paths = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_the_publisher_follows_no_redirect_with_its_key():
    with redirecting() as server:
        base = f"http://127.0.0.1:{server.server_port}"
        publisher = StripePublisher("sk_test_1", clock=SystemClock(), api_base=base)
        with pytest.raises(PublisherUnavailable):
            publisher.rejections(0)

        assert server.paths
        assert "/elsewhere" not in server.paths


def test_the_client_follows_no_redirect_with_its_key():
    with redirecting() as server:
        base = f"http://127.0.0.1:{server.server_port}"
        transport = HttpTransport(base, "tally_key", limits=Limits(), ca_file=None)
        transport(b"[]", {})

        assert len(server.paths) == 1


def test_the_sandbox_follows_no_redirect_of_a_webhook():
    with redirecting() as server:
        status = webhooks.post(f"http://127.0.0.1:{server.server_port}/hook", {}, b"{}")

        assert (status, server.paths) == (307, ["/hook"])
