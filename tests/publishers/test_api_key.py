"""Which keys and addresses are taken, and that no key is ever shown."""

import pytest

from tallystick.clock import FixedClock
from tallystick.domain.errors import InvalidSetting
from tallystick.publishers.stripe import StripePublisher
from tallystick.publishers.stripe.api_key import redacted


def made(api_key: str = "sk_test_1", **options: object) -> StripePublisher:
    return StripePublisher(api_key, clock=FixedClock(0), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["sk_test_51Ab", "rk_test_51Ab"])
def test_a_test_key_is_taken(key: str):
    assert "test" in repr(made(key))


@pytest.mark.parametrize("key", ["sk_live_51Ab", "rk_live_51Ab"])
def test_a_live_key_needs_the_switch_and_the_error_names_it(key: str):
    with pytest.raises(InvalidSetting) as refused:
        made(key)

    assert "TALLYSTICK_STRIPE_API_KEY" in str(refused.value)
    assert "'live_key'" in str(refused.value)
    assert "tallystick stripe allow-live" in str(refused.value)
    assert key not in str(refused.value)


def test_a_live_key_is_taken_once_it_is_allowed():
    assert "live" in repr(made("rk_live_51Ab", allow_live=True))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "pk_test_51Ab",
        "whsec_51Ab",
        "sk_51Ab",
        "sk_test_",
        "sk_test_51Ab\n",
        " sk_test_51Ab",
        "sk_test_51Ab\r\nX-Evil: 1",
        "sk_prod_51Ab",
        "sk_test_51Äb",
    ],
)
@pytest.mark.parametrize("allow_live", [True, False])
def test_what_is_no_key_is_refused_without_being_shown(key: str, *, allow_live: bool):
    with pytest.raises(InvalidSetting) as refused:
        made(key, allow_live=allow_live)

    assert "51" not in str(refused.value)


@pytest.mark.parametrize(
    "base",
    [
        None,
        "",
        "https://api.stripe.com",
        "https://stripe.example/",
        "http://127.0.0.1:12111",
        "http://localhost:12111",
        "http://[::1]:12111",
        "http://127.9.9.9",
    ],
)
def test_the_key_goes_over_https_or_to_this_machine(base: str | None):
    assert made(api_base=base)


@pytest.mark.parametrize(
    "base",
    [
        "http://stripe.example",
        "http://10.0.0.7:12111",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "https://user:secret@stripe.example",
        "https://stripe.example/v1",
        "https://stripe.example?x=1",
        "ftp://127.0.0.1",
        "https://",
        "api.stripe.com",
    ],
)
def test_the_key_goes_nowhere_else(base: str):
    with pytest.raises(InvalidSetting, match="TALLYSTICK_STRIPE_API_BASE"):
        made(api_base=base)


def test_a_publisher_shows_its_account_and_not_its_key():
    publisher = made("sk_test_51Secret", account="eu")

    assert repr(publisher) == "StripePublisher(account='eu', test, https://api.stripe.com)"
    assert "51Secret" not in str(vars(publisher))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk_live_51AbC_d no", "key sk_live_*** no"),
        ("rk_test_9 and pk_live_8", "rk_test_*** and pk_live_***"),
        ("whsec_abc", "whsec_***"),
        ("task_test_1 is no key", "task_test_1 is no key"),
    ],
)
def test_whatever_looks_like_a_key_is_redacted(text: str, shown: str):
    assert redacted(text) == shown


def test_the_key_itself_is_redacted_in_any_surrounding():
    assert "abc" not in redacted("xsk_test_abcx", "sk_test_abc")
