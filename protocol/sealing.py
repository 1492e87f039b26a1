"""Sealing: what makes the frames of one direction of a session unreadable, and shows what was done to them.

There are two ways, which are as safe as each other:

    secretstream   libsodium's own construction on XChaCha20-Poly1305, fast without any help from the processor
    AES-256-GCM    OpenSSL's, with a counter as nonce. Where the processor has instructions for it, it takes a tenth
                   of the time; one without them cannot do it in constant time, or only slowly

Control messages are short and always go by secretstream. Content goes by AES-256-GCM if both ends have told in the
handshake that their processors do it; since all that is said there is signed, nobody else can decide that for them.

A frame has a tag that says what it is (see `session`), and both ways authenticate it, as well as the channel, what
the session is for. Each costs OVERHEAD_BYTES: for secretstream the tag goes with what is encrypted, for AES-256-GCM
it stands before that in the clear, where its length says as much. REKEY makes both ends forget the key: all that
comes behind it is under another one, from which the old one does not follow.
"""

import functools
from typing import Protocol

from nacl import bindings, exceptions

TAG_MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
TAG_PUSH = bindings.crypto_secretstream_xchacha20poly1305_TAG_PUSH
TAG_REKEY = bindings.crypto_secretstream_xchacha20poly1305_TAG_REKEY
TAG_FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL

OVERHEAD_BYTES = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
"""17 for either way: a tag of one byte, and what authenticates it."""

NONCE_BYTES = bindings.crypto_aead_aes256gcm_NPUBBYTES

assert 1 + bindings.crypto_aead_aes256gcm_ABYTES == OVERHEAD_BYTES


class UnsealedError(Exception):
    """A frame does not open: it was changed, lost or repeated, or its key is another one."""


class Sealer(Protocol):
    """Our direction."""

    head: bytes
    """To be sent before the first frame."""

    def seal(self, piece: bytes, tag: int) -> tuple[bytes, ...]:
        """A frame, in parts that are to be sent one behind the other."""


class Opener(Protocol):
    """The other side's direction."""

    head_bytes: int
    """How long its head is."""

    def begin(self, head: bytes) -> None:
        """Take the head, before the first frame."""

    def open(self, data: bytes, begin: int, end: int) -> tuple[bytes, int]:
        """Piece and tag of the frame that these bytes of `data` are. Raises UnsealedError."""


class StreamSealer:
    """By secretstream."""

    def __init__(self, key: bytes, channel: bytes) -> None:
        """A key of 32 bytes."""
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._channel = channel
        self.head = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)

    def seal(self, piece: bytes, tag: int) -> tuple[bytes, ...]:
        return (bindings.crypto_secretstream_xchacha20poly1305_push(self._state, piece, self._channel, tag),)


class StreamOpener:
    """By secretstream."""

    def __init__(self, key: bytes, channel: bytes) -> None:
        """A key of 32 bytes."""
        self.head_bytes = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._key = key
        self._channel = channel

    def begin(self, head: bytes) -> None:
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, head, self._key)

    def open(self, data: bytes, begin: int, end: int) -> tuple[bytes, int]:
        try:
            opened: tuple[bytes, int] = bindings.crypto_secretstream_xchacha20poly1305_pull(
                self._state, data[begin:end], self._channel
            )
        except exceptions.CryptoError:
            raise UnsealedError from None
        return opened


@functools.cache
def has_aes() -> bool:
    """Whether this processor has what AES-256-GCM takes."""
    try:
        bindings.crypto_aead_aes256gcm_encrypt(
            b"", None, bytes(NONCE_BYTES), bytes(bindings.crypto_aead_aes256gcm_KEYBYTES)
        )
    except exceptions.UnavailableError:
        return False
    return True
