"""`tallystick keys`: the text is shown once, the hash is kept, and who did what is on record."""

from pathlib import Path

import pytest

from tallystick.bootstrap import open_store
from tallystick.domain.api_key import digest_of
from tests.cli.conftest import Run


def made(run: Run, *options: object) -> str:
    ran = run("keys", "create", *options)
    assert ran.code == 0, ran.err
    return ran.out.strip()


def test_a_key_is_shown_once_and_only_its_hash_is_kept(run: Run, tmp_path: Path):
    text = made(run, "--scope", "ingest", "--name", "the gateway")

    listed = run("keys", "list", "--json")
    (row,) = listed.rows

    prefix, key_id, secret = text.split("_", 2)
    assert (prefix, row["id"], row["name"]) == ("tally", key_id, "the gateway")
    assert len(secret) == 43
    assert secret not in listed.out
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    store = open_store(f"sqlite:///{tmp_path / 'usage.db'}")
    assert store.keys.find(digest_of(text)) is not None
    store.close()


def test_no_two_keys_are_alike(run: Run):
    assert made(run, "--scope", "read") != made(run, "--scope", "read")


def test_a_key_has_its_scopes_its_tenant_and_its_end(ready: Run):
    options = ("--scope", "read", "--scope", "ingest", "--scope", "read", "--tenant", "acme")
    made(ready, *options, "--expires-in", "2h", "--at", "2026-01-31T12:00:00Z")

    (row,) = ready("keys", "list", "--json").rows

    assert row["scopes"] == ["read", "ingest"]
    assert row["tenant"] == "acme"
    assert (row["created"], row["expires"]) == ("2026-01-31T12:00:00Z", "2026-01-31T14:00:00Z")


def test_a_key_is_given_to_a_program_as_json(run: Run):
    (row,) = run("keys", "create", "--scope", "publish", "--json").rows

    assert str(row["key"]).startswith(f"tally_{row['id']}_")


def test_a_revoked_key_stays_listed_with_its_end(run: Run):
    made(run, "--scope", "ingest")
    (row,) = run("keys", "list", "--json").rows

    ran = run("keys", "revoke", row["id"], "--why", "leaked", "--at", "2026-02-01T00:00:00Z")

    assert ran.code == 0
    assert run("keys", "list", "--json").rows[0]["revoked"] == "2026-02-01T00:00:00Z"


def test_making_and_revoking_are_audited(run: Run, tmp_path: Path):
    made(run, "--scope", "ingest", "--who", "ada", "--why", "for the gateway")
    (row,) = run("keys", "list", "--json").rows
    run("keys", "revoke", row["id"], "--who", "bob", "--why", "leaked")

    store = open_store(f"sqlite:///{tmp_path / 'usage.db'}")
    lines = store.catalog.overrides().elements
    store.close()

    assert [(line.who, line.why, line.action, line.subject) for line in lines] == [
        ("ada", "for the gateway", "keys create", row["id"]),
        ("bob", "leaked", "keys revoke", row["id"]),
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "scope"),
        (("--scope", "root"), "root"),
        (("--scope", "read", "--tenant", "nobody"), "no tenant 'nobody'"),
        (("--scope", "admin", "--tenant", "acme"), "admin key sees all tenants"),
        (("--scope", "read", "--expires-in", "soon"), "--expires-in"),
        (("--scope", "read", "--expires-in", "0s"), "opens nothing"),
        (("--scope", "read", "--name", " padded"), "printable"),
    ],
)
def test_a_key_that_cannot_be_meant_is_not_made(ready: Run, options, sentence):
    ran = ready("keys", "create", *options)

    assert ran.code == 2
    assert sentence in ran.err
    assert ready("keys", "list", "--json").rows == []


def test_a_key_that_is_not_there_is_not_revoked(ready: Run):
    ran = ready("keys", "revoke", "nobody", "--why", "leaked")

    assert ran.code == 2
    assert "no live key 'nobody'" in ran.err


def test_an_empty_list_says_how_to_make_a_key(ready: Run):
    assert "keys create --scope ingest" in ready("keys", "list").err
