"""What is billed or counted no longer: ended, on record, and taken up again."""

from tests.cli.test_commands import NOW


def test_an_ended_mapping_is_an_end_on_record(ready):
    target = ("--stripe-customer", "cus_1", "--event-name", "e", *NOW)
    ready("mappings", "add", "acme", "requests", *target)

    ended = ready("mappings", "end", "acme", "requests", "--why", "they left", *NOW)
    again = ready("mappings", "end", "acme", "requests", "--why", "they left", *NOW)
    absent = ready("mappings", "end", "acme", "calls", "--why", "they left", *NOW)

    assert (ended.code, "billed until 2026-01-31T13:00:00Z" in ended.err) == (0, True)
    assert (again.code, "ended already" in again.err) == (0, True)
    assert absent.code == 2
    assert [row["route"] for row in ready("mappings", "list", "--json").rows] == [
        "stripe.hour_meter",
        "",
    ]


def test_an_archived_meter_is_taken_up_again_by_its_name(ready):
    why = ("--why", "nobody sells it", *NOW)

    assert ready("meters", "archive", "requests", *why).code == 0
    assert "archived already" in ready("meters", "archive", "requests", *why).err
    assert [row["archived"] for row in ready("meters", "show", "requests", "--json").rows] == [
        False,
        True,
    ]
    target = ("--stripe-customer", "cus_1", "--event-name", "e", *NOW)
    assert ready("mappings", "add", "acme", "requests", *target).code == 2
    ready("meters", "add", "requests", *NOW)
    assert ready("mappings", "add", "acme", "requests", *target).code == 0
    billed = ready("meters", "archive", "requests", *why)
    assert (billed.code, "bills 'acme'" in billed.err) == (2, True)
    assert ready("meters", "archive", "absent", *why).code == 2
