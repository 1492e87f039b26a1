"""Sealing by AES-256-GCM (see `sealing`): OpenSSL's, three times as fast as libsodium's where the processor is new.

A module of its own, since the library takes 8 MB: only a node that moves content loads it.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .crypto import keyed_hash
from .sealing import NONCE_BYTES, TAG_REKEY, UnsealedError


class CounterSealer:
    """By AES-256-GCM."""

    def __init__(self, key: bytes, channel: bytes) -> None:
        """A key of 32 bytes that nothing else is sealed with: its nonces are counted from 0."""
        self.head = b""
        self._key = key
        self._cipher = AESGCM(key)
        self._channel = channel
        self._frames = 0

    def seal(self, piece: bytes, tag: int) -> tuple[bytes, ...]:
        told = bytes((tag,))
        sealed = self._cipher.encrypt(_nonce(self._frames), piece, self._channel + told)
        self._frames += 1
        if tag == TAG_REKEY:
            self._key = _next_key(self._key)
            self._cipher = AESGCM(self._key)
        return told, sealed


class CounterOpener:
    """By AES-256-GCM."""

    def __init__(self, key: bytes, channel: bytes) -> None:
        """A key of 32 bytes."""
        self.head_bytes = 0
        self._key = key
        self._cipher = AESGCM(key)
        self._channel = channel
        self._frames = 0

    def begin(self, head: bytes) -> None:
        assert not head, "there is none"

    def open(self, data: bytes, begin: int, end: int) -> tuple[bytes, int]:
        tag, sealed = data[begin], memoryview(data)[begin + 1 : end]
        try:
            piece = self._cipher.decrypt(_nonce(self._frames), sealed, self._channel + bytes((tag,)))
        except InvalidTag:
            raise UnsealedError from None
        self._frames += 1
        if tag == TAG_REKEY:
            self._key = _next_key(self._key)
            self._cipher = AESGCM(self._key)
        return piece, tag


def _nonce(frame: int) -> bytes:
    return frame.to_bytes(NONCE_BYTES, "big")


def _next_key(key: bytes) -> bytes:
    return keyed_hash(key, b"pnode-rekey", b"")
