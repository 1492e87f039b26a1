"""The cryptography port: what the protocol needs, so that a simulator may put something cheaper in its place.

Everything random comes in as an argument (seeds), with one exception that libsodium forces on us: a secretstream
draws its 24-byte header inside C (reference: membership.md 4.3), so ciphertext is never reproducible from a seed.
"""

import functools
import hashlib
from typing import Protocol

from nacl import bindings, exceptions

SIGNATURE_BYTES = 64
SEED_BYTES = 32


class Crypto(Protocol):
    """Signatures over statements. Shapes: seeds and keys 32 bytes, signatures 64."""

    def public_key(self, seed: bytes) -> bytes:
        """The Ed25519 public key of a secret seed."""

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """A detached signature."""

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is that key's over that message. Never raises for bad input."""


class Sodium:
    """The real port: Ed25519 from libsodium."""

    def public_key(self, seed: bytes) -> bytes:
        return _keypair(seed)[0]

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return bindings.crypto_sign(message, _keypair(seed)[1])[:SIGNATURE_BYTES]

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        if len(public_key) != 32 or len(signature) != SIGNATURE_BYTES:
            return False
        try:
            bindings.crypto_sign_open(signature + message, public_key)
        except exceptions.BadSignatureError:
            return False
        return True


@functools.lru_cache(maxsize=64)  # a process signs with one or two keys; a test with a few dozen
def _keypair(seed: bytes) -> tuple[bytes, bytes]:
    pair: tuple[bytes, bytes] = bindings.crypto_sign_seed_keypair(seed)
    return pair


def keyed_hash(key: bytes, label: bytes, data: bytes, size: int = 32) -> bytes:
    """Keyed BLAKE2b with a label of at most 16 bytes: our MAC and our key derivation.

    PyNaCl exposes neither HKDF nor HMAC; keyed BLAKE2b with personalisation serves as both.
    """
    return hashlib.blake2b(data, digest_size=size, key=key, person=label).digest()
