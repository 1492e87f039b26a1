"""The key exchange of one handshake: what both sides have said, and the secrets that follow from it.

Ephemeral X25519 keys give one secret per direction (`crypto_kx`). Every key that is used is derived from such a
secret and from the hash of all that was said before, so a key fits only if both sides saw the same bytes.
"""

import hashlib

from nacl import bindings, exceptions

from .crypto import keyed_hash
from .refusals import BadHandshakeError
from .session import SessionKeys

KEY_BYTES = bindings.crypto_kx_PUBLIC_KEY_BYTES
TAG_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES

ZERO_NONCE = bytes(bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
"""A derived key seals one frame and no other, so its nonce may be fixed."""


class Exchange:
    """One side of an exchange. `say` both sides' frames in the order in which they were sent."""

    def __init__(self, ephemeral_seed: bytes, *, initiator: bool) -> None:
        self.public, self._secret = bindings.crypto_kx_seed_keypair(ephemeral_seed)
        self._initiator = initiator
        self._said: list[bytes] = []
        self._sending = self._receiving = b""

    def say(self, frame: bytes) -> bytes:
        """Note a frame of either side; returns it."""
        self._said.append(frame)
        return frame

    def digest(self, *more: bytes) -> bytes:
        """Hash of everything said so far and of `more`, each part with its length before it."""
        digest = hashlib.blake2b(digest_size=32, person=b"pnode-hs-v1")
        for part in (*self._said, *more):
            digest.update(len(part).to_bytes(4, "big"))
            digest.update(part)
        return digest.digest()

    def agree(self, public: bytes) -> None:
        """Take the other side's ephemeral key. Raises BadHandshakeError for one that makes the secret guessable."""
        keys = bindings.crypto_kx_client_session_keys if self._initiator else bindings.crypto_kx_server_session_keys
        try:
            self._receiving, self._sending = keys(self.public, self._secret, public)
        except exceptions.CryptoError:
            raise BadHandshakeError("sent a key with which no secret can be agreed") from None

    def seal(self, label: bytes, head: bytes, plain: bytes) -> bytes:
        """Encrypt our part of a frame that begins with `head`; a label seals once."""
        key = keyed_hash(self._sending, label, self.digest(head))
        return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, head, ZERO_NONCE, key)

    def open(self, label: bytes, head: bytes, sealed: bytes) -> bytes:
        """Decrypt the other side's part of a frame. Raises BadHandshakeError."""
        key = keyed_hash(self._receiving, label, self.digest(head))
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, head, ZERO_NONCE, key)
        except exceptions.CryptoError:
            raise BadHandshakeError("sent a handshake frame that was changed on its way") from None

    def session_keys(self, *, aes: bool) -> SessionKeys:
        """The keys of the session that follows, once everything has been said; for AES-256-GCM or not."""
        digest = self.digest()
        return SessionKeys(
            send=keyed_hash(self._sending, b"pnode-session", digest),
            receive=keyed_hash(self._receiving, b"pnode-session", digest),
            aes=aes,
        )
