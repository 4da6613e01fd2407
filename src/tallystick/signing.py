"""Signatures of checkpoints: Ed25519 (RFC 8032), with keys in PEM files as OpenSSL writes them.

The private key signs and is read from a file; whoever verifies needs the public one only.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tallystick.domain.checkpoint import Checkpoint, Verdict
from tallystick.domain.errors import InvalidSetting

KEY_ID_DIGITS: Final = 16
HOW_TO_MAKE_ONE: Final = "`tallystick checkpoints new-key FILE` makes one"


class CheckpointSigner:
    """A private key that signs checkpoints. Its text shows in no repr."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id_of(key.public_key())

    def sign(self, message: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self._key.sign(message)).decode()

    @property
    def public_pem(self) -> str:
        return _public_pem(self._key.public_key())


class CheckpointVerifier:
    """The public keys that a checkpoint may be signed by."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys: Mapping[str, Ed25519PublicKey] = {key_id_of(key): key for key in keys}

    def verdict(self, checkpoint: Checkpoint) -> Verdict:
        if not checkpoint.signature:
            return Verdict.UNSIGNED
        key = self._keys.get(checkpoint.key_id)
        if key is None:
            return Verdict.FOREIGN
        try:
            key.verify(base64.b64decode(checkpoint.signature, validate=True), checkpoint.message)
        except (InvalidSignature, binascii.Error):
            return Verdict.FALSE
        return Verdict.TRUE


def signer_of(pem: str) -> CheckpointSigner:
    """The signer with this private key. Raises InvalidSetting, which never shows it."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # `from None`: the library's own words may quote what it was given.
        raise InvalidSetting(
            f"the checkpoint key is no private key in PEM; {HOW_TO_MAKE_ONE}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidSetting(f"the checkpoint key is no Ed25519 key; {HOW_TO_MAKE_ONE}")
    return CheckpointSigner(key)


def verifier_of(pems: Iterable[str]) -> CheckpointVerifier:
    """What verifies by these public keys. Raises InvalidSetting."""
    return CheckpointVerifier(_public_key(pem) for pem in pems)


def _public_key(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidSetting("a public key must be Ed25519 in PEM, as new-key shows it") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidSetting("a public key must be an Ed25519 one, as new-key shows it")
    return key


def new_key_pair() -> tuple[str, str]:
    """(private, public) of a new key, both as PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), _public_pem(key.public_key())


def key_id_of(key: Ed25519PublicKey) -> str:
    """The first digits of the SHA-256 of the key's 32 bytes."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:KEY_ID_DIGITS]


def _public_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
