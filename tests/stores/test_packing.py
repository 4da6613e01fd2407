"""What DynamoDB's rows hold reads back equal, and is what other versions have written."""

import json
from dataclasses import replace

import msgspec
import pytest

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.errors import FieldError
from tallystick.domain.instant import EARLIEST
from tallystick.domain.meter import Filter, Operator
from tallystick.domain.slot import Slot
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.testing import factories

LETTER = DeadLetter(
    id="l",
    reason=Reason.INVALID,
    errors=(
        FieldError(pointer="/a", code="b", detail="Ünï"),
        FieldError(pointer="", code="", detail=""),
    ),
    origin="here",
    body='{"a": "\ud800"}',
    received_at=EARLIEST,
)
KEY = ApiKey(id="k", digest="d", scopes=(Scope.READ, Scope.ADMIN), name="n", created_at=1)
VALUES = (
    factories.tenant(zone="Asia/Kathmandu"),
    replace(factories.meter(), filters=(Filter("a.b", Operator.IN, ("x", "y")),)),
    factories.mapping(),
    factories.override(),
    factories.event(quantity="0.000000000001", properties={"a": [1, "ü"]}),
    Slot(place=factories.place(), earlier=(factories.parse_quantity("1.5"),), confirmed=None),
    LETTER,
    KEY,
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_reads_back_equal_and_stands_there_as_ever(value):
    text = packed(value)

    assert unpacked(text, type(value)) == value
    assert json.loads(text) == json.loads(json.dumps(msgspec.to_builtins(value)))


def test_a_field_that_an_older_row_lacks_takes_its_default():
    older = json.loads(packed(LETTER))
    del older["replayed_as"], older["waits_for"]

    assert unpacked(json.dumps(older), DeadLetter) == LETTER
