"""What each shape of report means, and what is said of one that cannot be meant."""

from decimal import Decimal

import pytest

from tallystick.domain.errors import InvalidReport
from tallystick.domain.instant import parse_instant
from tallystick.domain.quantity import ONE
from tallystick.domain.report import parse_report

NOW = parse_instant("2026-01-31T12:00:00Z")
TEN = parse_instant("2026-01-31T10:00:00Z")

NATIVE = {
    "TenantID": "acme",
    "ProductCode": "api_calls",
    "Quantity": 5,
    "Timestamp": TEN // 1000,
    "EventID": "e-1",
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/gateway",
    "type": "api_calls",
    "subject": "acme",
    "time": "2026-01-31T10:00:00Z",
    "data": {"quantity": 5, "region": "eu"},
}
LAGO = {
    "event": {
        "transaction_id": "t-1",
        "external_subscription_id": "acme",
        "code": "api_calls",
        "timestamp": "1769853600.25",
        "precise_total_amount_cents": None,
        "properties": {"quantity": "5", "region": "eu"},
    }
}
PLAIN = {
    "tenant": "acme",
    "code": "api_calls",
    "key": "k-1",
    "quantity": "5.0",
    "occurred_at": "2026-01-31T11:00:00+01:00",
    "properties": {"region": "eu"},
}


def errors_of(body: object) -> dict[str, str]:
    """Pointer to code of everything that is wrong with it."""
    with pytest.raises(InvalidReport) as caught:
        parse_report(body, NOW)
    return {error.pointer: error.code for error in caught.value.errors}


@pytest.mark.parametrize(
    ("body", "key", "occurred_at", "properties"),
    [
        (NATIVE, "e-1", TEN, "{}"),
        (CLOUD_EVENT, "8:/gateway1:1", TEN, '{"region":"eu"}'),
        (LAGO, "t-1", TEN + 250_000, '{"region":"eu"}'),
        (PLAIN, "k-1", TEN, '{"region":"eu"}'),
    ],
    ids=["native", "cloud-event", "lago", "plain"],
)
def test_each_shape_names_tenant_code_key_quantity_and_time(body, key, occurred_at, properties):
    event = parse_report(body, NOW)

    assert (event.tenant, event.code, event.key) == ("acme", "api_calls", key)
    assert (event.quantity, event.occurred_at) == (Decimal(5), occurred_at)
    assert (event.properties, event.received_at) == (properties, NOW)


def test_a_missing_quantity_is_one_and_a_missing_time_the_time_of_receipt():
    event = parse_report({"tenant": "acme", "code": "api_calls", "key": "k"}, NOW)

    assert (event.quantity, event.occurred_at) == (ONE, NOW)


def test_the_time_of_recording_stands_in_for_a_missing_time_and_is_no_part_of_identity():
    timeless = {name: value for name, value in PLAIN.items() if name != "occurred_at"}
    spooled = parse_report({**timeless, "recorded_at": "2026-01-31T10:00:00Z"}, NOW)
    again = parse_report({**timeless, "recorded_at": "2026-01-31T10:00:01Z"}, NOW)
    told = parse_report({**PLAIN, "recorded_at": "2026-01-01T00:00:00Z"}, NOW)

    assert (spooled.occurred_at, told.occurred_at) == (TEN, TEN)
    assert spooled.fingerprint == again.fingerprint == parse_report(timeless, NOW).fingerprint
    assert told.fingerprint == parse_report(PLAIN, NOW).fingerprint
    assert errors_of({**timeless, "recorded_at": "yesterday"}) == {"/recorded_at": "invalid_time"}


def test_defaults_stay_out_of_the_fingerprint():
    body = {"tenant": "acme", "code": "api_calls", "key": "k"}

    first, retry = parse_report(body, NOW), parse_report(body, NOW + 1)

    assert first.fingerprint == retry.fingerprint


def test_the_same_content_in_other_words_has_the_same_fingerprint():
    other = {
        "properties": {"region": "eu"},
        "occurred_at": "2026-01-31T10:00:00.000Z",
        "quantity": Decimal("5e0"),
        "key": "k-1",
        "code": "api_calls",
        "tenant": "acme",
    }

    assert parse_report(PLAIN, NOW).fingerprint == parse_report(other, NOW).fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        {"quantity": 6},
        {"code": "api_call"},
        {"occurred_at": "2026-01-31T10:00:00.000001Z"},
        {"properties": {"region": "us"}},
        {"properties": {"region": "eu", "zone": None}},
        {"voids": "other", "quantity": None},
    ],
)
def test_other_content_has_another_fingerprint(changed):
    fingerprint = parse_report(PLAIN, NOW).fingerprint

    assert parse_report({**PLAIN, **changed}, NOW).fingerprint != fingerprint


RICH = {
    **PLAIN,
    "quantity": Decimal("-0.000000100000"),
    "properties": {"ü": [1, Decimal("2.50"), None, True, {"b": 10**70, "a": '"\\\n'}]},
}


@pytest.mark.parametrize(
    ("body", "fingerprint"),
    [
        (NATIVE, "495b635c45e644cf46006fd93496851a"),
        (CLOUD_EVENT, "67e5cbe6ad0f3f145e6210d0239cb262"),
        (LAGO, "1f99b3ba092a5490a686c1504c09f6f2"),
        (PLAIN, "67e5cbe6ad0f3f145e6210d0239cb262"),
        (RICH, "a0860f3bec2d472e6b9c1a86e7e6cad1"),
        ({"tenant": "acme", "key": "v", "voids": "k-1"}, "97e9b28035583bb8106b2b9946db0855"),
        ({"tenant": "acme", "code": "api_calls", "key": "k"}, "35ad52e99d68532f81bca03118dc641c"),
    ],
)
def test_fingerprints_stay_what_they_are_since_they_are_stored_for_ever(body, fingerprint):
    assert parse_report(body, NOW).fingerprint == fingerprint


def test_what_a_tracing_layer_adds_to_a_cloud_event_changes_nothing():
    traced = {**CLOUD_EVENT, "traceparent": "00-1-2-01", "datacontenttype": "application/json"}

    assert parse_report(traced, NOW).fingerprint == parse_report(CLOUD_EVENT, NOW).fingerprint


def test_source_and_id_cannot_be_split_differently_into_the_same_key():
    left = parse_report({**CLOUD_EVENT, "source": "a", "id": "b1:c"}, NOW)
    right = parse_report({**CLOUD_EVENT, "source": "a1:b", "id": "c"}, NOW)

    assert left.key != right.key


def test_a_void_needs_no_code_and_counts_nothing():
    void = parse_report({"tenant": "acme", "key": "v", "voids": "k-1"}, NOW)

    assert (void.voids, void.code, void.quantity) == ("k-1", "", Decimal(0))


def test_a_native_body_takes_its_key_from_the_caller_only_where_it_has_none():
    anonymous = {name: value for name, value in NATIVE.items() if name != "EventID"}

    assert errors_of(anonymous) == {"/EventID": "missing"}
    assert parse_report(anonymous, NOW, fallback_key="header-0").key == "header-0"
    assert parse_report(NATIVE, NOW, fallback_key="header-0").key == "e-1"


def test_all_errors_are_named_at_once():
    body = {
        "tenant": "",
        "code": 7,
        "quantity": "NaN",
        "occurred_at": "2026-01-31T10:00:00",
        "properties": [],
        "qantity": 5,
    }

    assert errors_of(body) == {
        "/tenant": "empty",
        "/code": "invalid_type",
        "/key": "missing",
        "/quantity": "invalid_quantity",
        "/occurred_at": "invalid_time",
        "/properties": "invalid_type",
        "/qantity": "unknown_field",
    }


def test_an_error_says_what_was_found_and_what_to_send():
    with pytest.raises(InvalidReport) as caught:
        parse_report({**PLAIN, "quantity": "twelve"}, NOW)

    assert str(caught.value) == (
        "/quantity: /quantity must be a decimal number of at most 64 characters, such as 12.5; "
        "found 'twelve'"
    )


@pytest.mark.parametrize(
    "quantity",
    [
        "NaN",
        "Infinity",
        "1e999999999",
        Decimal("1e999999999"),
        Decimal("1e-999999999"),
        Decimal("NaN"),
        "1" * 40,
        10**40,
        10**15,
        "0.0000000000001",
        True,
        0.5,
        [1],
        "",
        " 5",
    ],
)
def test_a_quantity_that_cannot_be_counted_exactly_is_refused(quantity):
    assert errors_of({**PLAIN, "quantity": quantity}) == {"/quantity": "invalid_quantity"}


@pytest.mark.parametrize(
    "occurred_at",
    [
        "2026-02-30T10:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T10:00:00",
        "2026-01-31",
        "0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "yesterday",
        "",
        "2026-01-31T10:00:00+99:00",
    ],
)
def test_a_naive_or_impossible_time_is_refused(occurred_at):
    assert errors_of({**PLAIN, "occurred_at": occurred_at}) == {"/occurred_at": "invalid_time"}


def test_a_number_is_no_rfc_3339_time():
    assert errors_of({**PLAIN, "occurred_at": 1769853600}) == {"/occurred_at": "invalid_type"}


@pytest.mark.parametrize(
    "timestamp", [1769853600, "soon", 10**14, 10**15, 0, True, Decimal("1e400"), -1]
)
def test_a_native_timestamp_that_is_no_instant_in_milliseconds_is_refused(timestamp):
    pointer_and_code = {"/Timestamp": "invalid_time"}

    if timestamp == 10**14:  # the year 5138: an instant, if an unlikely one
        assert parse_report({**NATIVE, "Timestamp": timestamp}, NOW).occurred_at == 10**17
    else:
        assert errors_of({**NATIVE, "Timestamp": timestamp}) == pointer_and_code


def test_a_native_timestamp_may_be_rfc_3339_or_a_decimal_string():
    as_text = parse_report({**NATIVE, "Timestamp": "2026-01-31T10:00:00Z"}, NOW)
    as_digits = parse_report({**NATIVE, "Timestamp": str(TEN // 1000)}, NOW)

    assert as_text.occurred_at == as_digits.occurred_at == TEN


@pytest.mark.parametrize(
    ("field", "code"),
    [("tenant", "invalid"), ("code", "invalid"), ("key", "invalid")],
)
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_cannot_be_stored_everywhere_is_refused(field, code, text):
    assert errors_of({**PLAIN, field: text}) == {f"/{field}": code}


def test_texts_have_limits_and_reach_them():
    longest = {**PLAIN, "tenant": "t" * 255, "code": "c" * 255, "key": "k" * 512}
    too_long = {**PLAIN, "tenant": "t" * 256, "code": "c" * 256, "key": "k" * 513}

    assert len(parse_report(longest, NOW).key) == 512
    assert set(errors_of(too_long).items()) == {
        ("/tenant", "too_long"),
        ("/code", "too_long"),
        ("/key", "too_long"),
    }


def nested(levels: int) -> dict[str, object]:
    body: dict[str, object] = {}
    for _ in range(levels - 1):
        body = {"in": body}
    return body


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"text": "x" * 65_536}, "too_large"),
        (nested(33), "too_deep"),
        (nested(50_000), "too_deep"),
        ({"half": "\ud800"}, "invalid"),
        ({"nul": ["a\0"]}, "invalid"),
        ({"\0": 1}, "invalid"),
        ({"share": 0.5}, "invalid"),
        ({"share": Decimal("NaN")}, "invalid"),
    ],
)
def test_properties_that_cannot_be_kept_are_refused(properties, code):
    assert errors_of({**PLAIN, "properties": properties}) == {"/properties": code}


def test_properties_reach_their_limits():
    deep = parse_report({**PLAIN, "properties": nested(32)}, NOW)
    escaped = parse_report({**PLAIN, "properties": {"regex": "\\u0000"}}, NOW)

    assert deep.properties.count("{") == 32
    assert escaped.attributes() == {"regex": "\\u0000"}


def test_numbers_in_properties_stay_exact():
    event = parse_report({**PLAIN, "properties": {"gb": Decimal("0.10"), "big": 10**30}}, NOW)

    assert event.attributes() == {"gb": Decimal("0.1"), "big": 10**30}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"specversion": "0.3"}, {"/specversion": "unsupported"}),
        ({"subject": None}, {"/subject": "missing"}),
        ({"data": "text"}, {"/data": "invalid_type"}),
        ({"data": {"quantity": "many"}}, {"/data/quantity": "invalid_quantity"}),
        ({"data_base64": "AA=="}, {"/data_base64": "unsupported"}),
        ({"source": "s" * 400, "id": "i" * 400}, {"/id": "too_long"}),
    ],
)
def test_a_wrong_cloud_event_is_refused_at_its_field(changed, wrong):
    assert errors_of({**CLOUD_EVENT, **changed}) == wrong


def test_a_null_attribute_of_a_cloud_event_is_an_absent_one():
    event = parse_report({**CLOUD_EVENT, "time": None, "data": None}, NOW)

    assert (event.quantity, event.occurred_at, event.properties) == (ONE, NOW, "{}")


def test_an_error_inside_lagos_envelope_points_inside_it():
    body = {"event": {"transaction_id": "t", "code": "c", "properties": {"quantity": []}}}

    assert errors_of(body) == {
        "/event/external_subscription_id": "missing",
        "/event/properties/quantity": "invalid_quantity",
    }


def test_a_void_with_a_quantity_or_of_itself_is_refused():
    body = {"tenant": "acme", "key": "v", "voids": "v", "quantity": 1}

    assert errors_of(body) == {"/quantity": "unexpected", "/voids": "voids_itself"}


@pytest.mark.parametrize("body", [None, [], "text", 5])
def test_what_is_no_object_is_no_report(body):
    assert errors_of(body) == {"": "not_an_object"}


def test_an_empty_object_says_what_is_missing():
    assert errors_of({}) == {"/tenant": "missing", "/code": "missing", "/key": "missing"}
