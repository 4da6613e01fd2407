import http.client
import json
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.sandbox.shop import Shop

GET = b"GET /_sandbox/healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def connected(shop: Shop) -> socket.socket:
    place = urlsplit(shop.url)
    return socket.create_connection((place.hostname, place.port), timeout=60)


def said(shop: Shop, sent: bytes) -> bytes:
    with connected(shop) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_it_binds_to_the_loopback_unless_told_otherwise(shop: Shop) -> None:
    assert shop.url.startswith("http://127.0.0.1:")


def test_one_connection_answers_many_requests(shop: Shop) -> None:
    place = urlsplit(shop.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    statuses = []

    for _ in range(3):
        connection.request("GET", "/_sandbox/healthz")
        answer = connection.getresponse()
        answer.read()
        statuses.append((answer.status, answer.will_close))
    connection.close()

    assert statuses == [(200, False)] * 3


def test_pipelined_requests_are_answered_in_turn(shop: Shop) -> None:
    assert said(shop, GET * 3).count(b"HTTP/1.1 200 OK") == 3


def test_a_client_that_asks_to_close_is_closed(shop: Shop) -> None:
    request = GET.replace(b"Host: x", b"Connection: close")

    assert said(shop, request + GET).count(b"200 OK") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    shop: Shop, sent: bytes, status: bytes
) -> None:
    assert said(shop, sent).split(b" ")[1] == status


def test_it_runs_in_the_foreground_until_interrupted() -> None:
    # Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tallystick.sandbox import run; run(port=0, announce=lambda u: print(u, flush=True))"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        connection.request("GET", "/_sandbox/clock")
        answer = json.load(connection.getresponse())
        connection.close()
        process.send_signal(signal.SIGINT)
        ended = process.wait(60)

    assert answer["free_running"] is True
    assert ended == 0


def test_a_request_cut_short_has_no_effect(shop: Shop) -> None:
    head = b"POST /v1/customers HTTP/1.1\r\nAuthorization: Bearer sk_test_x\r\n"

    assert said(shop, head + b"Content-Length: 50\r\n\r\nname=Ada") == b""
    assert shop.sandbox.outcomes() == {}


def test_a_dropped_connection_is_reset(shop: Shop) -> None:
    shop.fault("drop_before")
    with connected(shop) as connection:
        request = GET.replace(b"/_sandbox/healthz", b"/v1/account")
        connection.sendall(request.replace(b"Host: x", b"Authorization: Bearer sk_test_x"))

        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize(
    "body",
    [b"a[" + b"b][" * 20 + b"]=1", b"&".join([b"a=1"] * 2_000), b"a=1&a[b]=2"],
)
def test_forms_are_bounded_in_depth_and_length(shop: Shop, body: bytes) -> None:
    head = b"POST /v1/customers HTTP/1.1\r\nAuthorization: Bearer sk_test_x\r\n"

    answer = said(shop, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert answer.startswith(b"HTTP/1.1 400")
