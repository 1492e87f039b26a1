"""Greetings: the frames of a handshake as bytes, and the two that are sent in the clear, HELLO and REFUSAL.

Every frame is "PN", its kind, the length of its body (u16, big-endian) and the body. The form of the two never
changes, so that any two versions can tell each other that they differ.

HELLO ends with a MAC under a key that follows from the cluster's authority key, which members know and holders of a
token. It is a filter and proves nothing: it drops strangers for half a microsecond, where the curve arithmetic that
it saves takes 170 (reference: membership.md 4.4).
"""

import hashlib
import struct
from collections.abc import Container
from enum import IntEnum, IntFlag
from hmac import compare_digest
from typing import NoReturn

from .crypto import SIGNATURE_BYTES, keyed_hash
from .exchange import KEY_BYTES, TAG_BYTES
from .ids import ClusterId, cluster_id
from .record import CREDENTIAL_BYTES_MAX
from .refusals import BadHandshakeError, NotPnodeError, OtherClusterError, VersionError
from .session import REASON_CHARACTERS_MAX
from .values import dataclass

MAGIC = b"PN"
HEADER = struct.Struct(">2sBH")
HELLO = struct.Struct(">BB16s4s32s")
MAC_BYTES = 16
REFUSAL = struct.Struct(">BBB")
PROOF = struct.Struct(">BBQ32s")
"""The fields of a proof before the credential: a choice, what its sender can do (`Ability`), the clock in
milliseconds since 1970, the node's id."""


class Kind(IntEnum):
    """Frames; the number goes over the wire."""

    HELLO = 1
    ANSWER = 2
    PROOF = 3
    VERDICT = 4
    REFUSAL = 5


class Ability(IntFlag):
    """What a node can do and need not; the number goes over the wire, and what is not known is not used."""

    NONE = 0
    AES = 1
    """Its processor has instructions for AES-256-GCM (see `sealing`)."""


_PROOF_BYTES = SIGNATURE_BYTES + PROOF.size + TAG_BYTES

BODY_BYTES: dict[Kind, tuple[int, int]] = {
    Kind.HELLO: (HELLO.size + MAC_BYTES, HELLO.size + MAC_BYTES),
    Kind.ANSWER: (KEY_BYTES + _PROOF_BYTES, KEY_BYTES + _PROOF_BYTES + CREDENTIAL_BYTES_MAX),
    Kind.PROOF: (_PROOF_BYTES, _PROOF_BYTES + CREDENTIAL_BYTES_MAX),
    Kind.VERDICT: (1 + TAG_BYTES, 1 + TAG_BYTES + 4 * REASON_CHARACTERS_MAX),
    Kind.REFUSAL: (REFUSAL.size, REFUSAL.size),
}
"""Least and greatest size of each frame's body; the greatest of all is an ANSWER with about 1,050 bytes."""


class Refusal(IntEnum):
    """Why no ANSWER comes; the number goes over the wire."""

    OTHER_CLUSTER = 1
    VERSION = 2


@dataclass(frozen=True, slots=True)
class Versions:
    """The protocol versions that a node speaks, both ends included."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        if self.lowest == self.highest:
            return f"protocol version {self.highest}"
        return f"protocol versions {self.lowest} to {self.highest}"

    def highest_common(self, theirs: "Versions") -> int:
        """Raises VersionError when there is none."""
        common = min(self.highest, theirs.highest)
        if common < max(self.lowest, theirs.lowest):
            older = "that node" if theirs.highest < self.lowest else "this node"
            raise VersionError(f"speaks {theirs}, we speak {self}: update pnode on {older}")
        return common


@dataclass(frozen=True, slots=True)
class Hello:
    """What the first frame says."""

    versions: Versions
    cluster: ClusterId
    public: bytes
    """The initiator's ephemeral key."""


def take_frame(buffer: bytearray, allowed: Container[int]) -> bytes | None:
    """Take one whole frame of an allowed kind from the beginning of the buffer; None when it is not all there yet.

    Raises NotPnodeError or BadHandshakeError as soon as the first bytes cannot begin such a frame.
    """
    if buffer[: len(MAGIC)] != MAGIC[: len(buffer)]:
        raise NotPnodeError("answered, but is not a pnode node")
    if len(buffer) < HEADER.size:
        return None
    _, number, size = HEADER.unpack_from(buffer)
    if number not in allowed:
        raise BadHandshakeError(f"sent a frame of kind {number} out of turn")
    least, greatest = BODY_BYTES[Kind(number)]
    if not least <= size <= greatest:
        raise BadHandshakeError(f"announced a handshake frame of {size} bytes, which cannot be")
    if len(buffer) < HEADER.size + size:
        return None
    frame = bytes(buffer[: HEADER.size + size])
    del buffer[: HEADER.size + size]
    return frame


def frame_head(kind: Kind, body_bytes: int) -> bytes:
    """The first five bytes of a frame."""
    return HEADER.pack(MAGIC, kind, body_bytes)


def hello_frame(versions: Versions, public: bytes, authority_key: bytes) -> bytes:
    key = filter_key(authority_key)
    fields = HELLO.pack(versions.lowest, versions.highest, cluster_id(authority_key), _key_name(key), public)
    frame = frame_head(Kind.HELLO, HELLO.size + MAC_BYTES) + fields
    return frame + _mac(key, frame)


def read_hello(frame: bytes, authority_key: bytes) -> Hello:
    """What a HELLO says. Raises OtherClusterError, or NotPnodeError where it does not pass the filter."""
    lowest, highest, cluster, key_name, public = HELLO.unpack_from(frame, HEADER.size)
    if cluster != cluster_id(authority_key):
        raise OtherClusterError(f"is a node of another cluster ({cluster.hex()[:8]})")
    key = filter_key(authority_key)
    if key_name != _key_name(key) or not compare_digest(frame[-MAC_BYTES:], _mac(key, frame[:-MAC_BYTES])):
        raise NotPnodeError("names our cluster without knowing its authority key")
    return Hello(Versions(lowest, highest), ClusterId(cluster), public)


def refusal_frame(refusal: Refusal, versions: Versions) -> bytes:
    return frame_head(Kind.REFUSAL, REFUSAL.size) + REFUSAL.pack(refusal, versions.lowest, versions.highest)


def raise_refusal(frame: bytes, ours: Versions) -> NoReturn:
    """Raise what a REFUSAL says: OtherClusterError, VersionError, or BadHandshakeError if it makes no sense."""
    code, lowest, highest = REFUSAL.unpack_from(frame, HEADER.size)
    if code == Refusal.OTHER_CLUSTER:
        raise OtherClusterError("is a node of another cluster: is this the right address, and the right token?")
    if code == Refusal.VERSION:
        ours.highest_common(Versions(lowest, highest))
    raise BadHandshakeError("refused us and gave no reason that this version understands")


def filter_key(authority_key: bytes) -> bytes:
    return hashlib.blake2b(authority_key, digest_size=32, person=b"pnode-mac1").digest()


def _key_name(key: bytes) -> bytes:
    """Four bytes that tell filter keys apart, so that there may be a second one some day."""
    return keyed_hash(key, b"pnode-kid", b"", 4)


def _mac(key: bytes, frame: bytes) -> bytes:
    return keyed_hash(key, b"pnode-mac1", frame, MAC_BYTES)
