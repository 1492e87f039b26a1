"""Signed objects: statements that outlive the session they came by.

The signature covers the kind, the cluster and the body bytes exactly as received. A body is never re-encoded before
it is verified, since many msgpack spellings decode to the same value.
"""

from enum import Enum
from typing import Annotated

from .codec import Bytes32, Bytes64, Length, encode
from .crypto import Crypto
from .errors import RemoteProtocolError
from .ids import ClusterId
from .values import dataclass

BODY_BYTES_MAX = 4 * 1024 * 1024
"""The largest is the specification of a job with tens of thousands of tasks."""


class Kind(Enum):
    """What a signature is about; the value is part of what is signed, so one kind can never pass for another."""

    CERTIFICATE = b"certificate"
    RECORD = b"record"
    LEAVE = b"leave"
    SUSPICION = b"suspicion"
    ADMISSION = b"admission"
    REVOCATION = b"revocation"
    JOB = b"job"
    SEGMENT = b"segment"


class BadSignatureError(RemoteProtocolError):
    """The body was not signed by the author it names."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A body with its author's signature; check it with `verify` before believing a byte of it."""

    author: Bytes32
    """Public key of whoever signed."""
    signature: Bytes64
    body: Annotated[bytes, Length(0, BODY_BYTES_MAX)]


def signing_bytes(kind: Kind, cluster: ClusterId, body: bytes) -> bytes:
    return b"pnode/" + kind.value + b"/v1\0" + cluster + body


def sign(crypto: Crypto, seed: bytes, kind: Kind, cluster: ClusterId, value: object) -> Signed:
    """Encode a wire class (or take bytes as they are) and sign it with the key of `seed`."""
    body = value if isinstance(value, bytes) else encode(value)
    signature = crypto.sign(seed, signing_bytes(kind, cluster, body))
    return Signed(crypto.public_key(seed), signature, body)


def verify(crypto: Crypto, signed: Signed, kind: Kind, cluster: ClusterId) -> None:
    """Raise BadSignatureError unless the author signed this body for this kind and cluster."""
    message = signing_bytes(kind, cluster, signed.body)
    if not crypto.verify(signed.author, message, signed.signature):
        raise BadSignatureError(f"a {kind.name.lower()} is not signed by the author it names")
