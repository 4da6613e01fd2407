"""What the environment may say, and that a secret stays one."""

import pytest

from tallystick.clock import FixedClock, SystemClock
from tallystick.config import Secret, read_settings
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import MINUTE, parse_instant


def test_without_an_environment_everything_has_its_default():
    settings = read_settings({})

    assert settings.store == "sqlite:///./tallystick.db"
    assert (settings.stripe_api_key, settings.auto_onboard, settings.grace) == (
        None,
        False,
        5 * MINUTE,
    )
    assert settings.user


def test_a_secret_shows_only_when_it_is_revealed():
    settings = read_settings({"TALLYSTICK_STRIPE_API_KEY": "sk_test_1"})

    assert "sk_test_1" not in f"{settings!r} {settings} {settings.stripe_api_key}"
    assert settings.stripe_api_key is not None
    assert settings.stripe_api_key.reveal() == "sk_test_1"
    assert settings.stripe_api_key == Secret("sk_test_1")


def test_a_secret_can_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("sk_test_1\n")

    settings = read_settings({"TALLYSTICK_STRIPE_API_KEY_FILE": str(tmp_path / "key")})

    assert settings.stripe_api_key == Secret("sk_test_1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_API_BASE", "http://example.org"),
        ("STRIPE_API_BASE", "ftp://localhost"),
        ("STRIPE_API_BASE", "http://[::1"),
        ("STRIPE_API_KEY_FILE", "absent"),
        ("AUTO_ONBOARD", "maybe"),
        ("GRACE", "5"),
        ("GRACE", "31m"),
        ("GRACE", "-5m"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(name, value):
    with pytest.raises(InvalidSetting, match=f"TALLYSTICK_{name}"):
        read_settings({f"TALLYSTICK_{name}": value})


def test_a_secret_is_given_in_one_way(tmp_path):
    (tmp_path / "key").write_text("")
    both = {"TALLYSTICK_STRIPE_API_KEY": "a", "TALLYSTICK_STRIPE_API_KEY_FILE": "b"}

    with pytest.raises(InvalidSetting, match="not both"):
        read_settings(both)
    with pytest.raises(InvalidSetting, match="is empty"):
        read_settings({"TALLYSTICK_STRIPE_API_KEY_FILE": str(tmp_path / "key")})


@pytest.mark.parametrize(
    "base",
    ["https://api.example.org", "http://127.0.0.1:12111", "http://localhost", "http://[::1]:1"],
)
def test_a_key_travels_over_https_or_to_this_machine(base):
    assert read_settings({"TALLYSTICK_STRIPE_API_BASE": f"{base}/"}).stripe_api_base == base


@pytest.mark.parametrize("text", ["whsec_1 whsec_2", "whsec_1,whsec_2", " whsec_1 ,\nwhsec_2\n"])
def test_every_endpoint_and_every_change_of_it_has_a_webhook_secret(text, tmp_path):
    (tmp_path / "secrets").write_text(text)
    name = "TALLYSTICK_STRIPE_WEBHOOK_SECRET"

    for found in ({name: text}, {f"{name}_FILE": str(tmp_path / "secrets")}):
        settings = read_settings(found)
        assert settings.stripe_webhook_secrets == (Secret("whsec_1"), Secret("whsec_2"))
        assert "whsec_" not in repr(settings)


@pytest.mark.parametrize("text", ["sk_test_1", "whsec_!", "whsec_1 sk_test_1", "whsec_1,,!"])
def test_what_is_no_webhook_secret_is_refused_unseen(text):
    with pytest.raises(InvalidSetting, match="TALLYSTICK_STRIPE_WEBHOOK_SECRET") as refused:
        read_settings({"TALLYSTICK_STRIPE_WEBHOOK_SECRET": text})

    assert text not in str(refused.value)


def test_flags_and_durations_are_read():
    settings = read_settings({"TALLYSTICK_AUTO_ONBOARD": "Yes", "TALLYSTICK_GRACE": "90s"})

    assert (settings.auto_onboard, settings.grace) == (True, 90_000_000)


def test_a_fixed_clock_moves_only_while_somebody_sleeps():
    clock = FixedClock(1_000)

    assert (clock.now(), clock.now()) == (1_000, 1_000)
    clock.sleep(5)
    clock.sleep(-5)
    assert clock.now() == 1_005


def test_the_systems_clock_is_in_microseconds_since_1970():
    assert SystemClock().now() > parse_instant("2026-01-01T00:00:00Z")
