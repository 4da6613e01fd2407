"""Targets: what proves where something comes from: webhook signatures, files of checkpoints."""

import hmac
import json
from hashlib import sha256
from typing import Final

from tallystick.domain.checkpoint import Verdict, checkpoint_of, line_of
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import SECOND
from tallystick.domain.tampering import evidence_of
from tallystick.publishers.stripe.webhooks import NotAnEvent, NotSigned, check_signature, notice_in
from tallystick.signing import new_key_pair, signer_of, verifier_of

SECRET: Final = "whsec_of_the_fuzzer"  # noqa: S105  (of this file only)
NOW: Final = 1_769_853_600
VERIFIER: Final = verifier_of([new_key_pair()[1]])


def webhook(raw: bytes) -> None:
    """A header line, then the body: taken only where our secret signed this very body, now."""
    header, _, body = raw.partition(b"\n")
    text = header.decode("latin-1")
    try:
        check_signature(text, body, [SECRET], NOW * SECOND)
    except NotSigned as refusal:
        _check_silent(refusal)
    else:
        raise AssertionError("the fuzzer cannot know the secret")
    told = hmac.new(SECRET.encode(), b"%d." % NOW + body, sha256).hexdigest()
    check_signature(f"t={NOW},v1={told}", body, [SECRET], NOW * SECOND)
    try:
        notice = notice_in(body)
    except NotAnEvent:
        return
    assert notice.id
    assert all(notice.destinations)


def _check_silent(refusal: NotSigned) -> None:
    assert SECRET not in str(refusal)


def checkpoints(raw: bytes) -> None:
    """Lines of checkpoints: each reads back, and none that nobody signed is taken for signed."""
    found = []
    for line in raw.split(b"\n"):
        try:
            one = checkpoint_of(json.loads(line))
        except (ValueError, RecursionError):
            continue
        assert checkpoint_of(json.loads(json.dumps(line_of(one)))) == one
        found.append(one)
    assert evidence_of(found, VERIFIER.verdict).verdicts[Verdict.TRUE] == 0
    evidence = evidence_of(found)
    assert len(evidence.faults) <= len(found) + 1
    for trail in evidence.trails.values():
        assert all(mark.number in evidence.hashes for mark in trail.marks().values())


def private_key(raw: bytes) -> None:
    """A key file that is none is refused, and nothing of it is shown."""
    try:
        signer = signer_of(raw.decode("utf-8", "replace"))
    except InvalidSetting as error:
        _check_words(error, raw.decode("utf-8", "replace"))
        return
    assert len(signer.key_id) == 16


def _check_words(error: InvalidSetting, text: str) -> None:
    assert len(text) < 40 or text not in str(error)
