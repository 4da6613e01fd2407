import re
from pathlib import Path

import pytest
import requests
import stripe

from tallystick.sandbox import StripeSandbox, open_sandbox, serve
from tests.sandbox.shop import DAY, EVENTS, NOON, Shop


class Process:
    """One run of a sandbox on a state file."""

    def __init__(self, path: Path, now: int | None = NOON, seed: int = 7) -> None:
        self.sandbox = open_sandbox(path, now, seed)

    def __enter__(self) -> Shop:
        self._running = serve(self.sandbox)
        self._session = requests.Session()
        url = self._running.url
        client = stripe.StripeClient(
            "sk_test_secret",
            base_addresses={"api": url},
            http_client=stripe.RequestsClient(session=self._session),
        )
        return Shop(self.sandbox, client, url)

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._running.close()


def order(shop: Shop, where: str, /, **body: object) -> None:
    requests.post(f"{shop.url}/_sandbox/{where}", json=body, timeout=60).raise_for_status()


def lived(path: Path) -> StripeSandbox:
    with Process(path) as shop:
        customer, meter = shop.customer(), shop.meter()
        shop.subscribe(customer, shop.price(meter), billing_cycle_anchor=NOON - DAY)
        order(shop, "faults", kind="error_after", path=EVENTS, probability=0.4)
        for number in range(10):
            try:
                shop.report(customer, str(number), identifier=f"e{number}", key=f"e{number}")
            except stripe.APIError:
                order(shop, "clock/advance", seconds=600)
        order(shop, "faults", kind="rate_limit", method="GET", count=1)
        with pytest.raises(stripe.RateLimitError):
            shop.stripe.v1.customers.list()
        order(shop, "keys", key="rk_test_secret", permissions=["rak_invoice_read"])
        order(shop, "clock/advance", seconds=40 * DAY)
        return shop.sandbox


def test_a_sandbox_continues_where_its_last_process_ended(tmp_path: Path) -> None:
    before = lived(tmp_path / "sandbox.ndjson")

    after = Process(tmp_path / "sandbox.ndjson", now=None, seed=0)

    assert after.sandbox.books() == before.books()
    assert after.sandbox.faults() == before.faults()
    assert after.sandbox.now() == NOON + 40 * DAY + 600 * before.faults()[0]["applied"]


def test_what_continues_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.ndjson"
    lived(path)
    with Process(path) as shop:
        order(shop, "faults", kind="slow", delay_seconds=0.001, count=1)
        made = shop.customer(name="Second life")

    with Process(path) as shop:
        assert shop.stripe.v1.customers.retrieve(made).name == "Second life"


def test_no_key_is_written_and_restrictions_still_hold(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.ndjson"
    lived(path)

    with Process(path) as shop:
        headers = {"Authorization": "Bearer rk_test_secret"}
        refused = requests.get(f"{shop.url}/v1/customers", headers=headers, timeout=60)
        granted = requests.get(f"{shop.url}/v1/invoices", headers=headers, timeout=60)

    assert "secret" not in path.read_text()
    assert (refused.status_code, granted.status_code) == (403, 200)


def test_a_line_torn_by_a_crash_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.ndjson"
    before = lived(path).books()
    path.write_text(path.read_text() + '{"at": 17')

    assert Process(path).sandbox.books() == before


def test_a_later_start_moves_the_clock_on(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.ndjson"
    Process(path)

    Process(path, now=NOON + DAY)

    assert Process(path, now=None).sandbox.now() == NOON + DAY


def test_real_time_is_replayed_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.ndjson"
    with Process(path, now=None) as shop:
        made = shop.stripe.v1.customers.create({"name": "x"}).created

    began, came = path.read_text().splitlines()
    began = re.sub(r'"at": \d+', f'"at": {made - 2 * DAY}', began)
    came = re.sub(r'"at": \d+', f'"at": {made - DAY}', came)
    path.write_text(f"{began}\n{came}\n")

    with Process(path, now=None) as shop:
        assert shop.stripe.v1.customers.list().data[0].created == made - DAY
        assert shop.sandbox.free_running


@pytest.mark.parametrize("body", ["[]", "{}", "nonsense"])
def test_an_order_that_failed_fails_again(tmp_path: Path, body: str) -> None:
    path = tmp_path / "sandbox.ndjson"
    with Process(path) as shop:
        requests.post(f"{shop.url}/_sandbox/keys", data=body, timeout=60)

    assert Process(path).sandbox.now() == NOON
