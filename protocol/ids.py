"""Names of things: what a node, a cluster, a job and a piece of content are called."""

import base64
import hashlib
from typing import NewType

from blake3 import blake3

from .errors import RemoteProtocolError

NodeId = NewType("NodeId", bytes)
"""32 bytes: the node's Ed25519 public key."""

ClusterId = NewType("ClusterId", bytes)
"""16 bytes: BLAKE2b-128 of the cluster's authority key."""

JobId = NewType("JobId", bytes)
"""16 bytes: BLAKE2b-128 of the signed job specification."""

Digest = NewType("Digest", bytes)
"""32 bytes: the name of a piece of content, see `content_digest`."""

DIGEST_BYTES = 32

CHUNK_BYTES = 1024 * 1024
"""Content is cut into pieces of this size; one piece fits one bulk frame."""


class BadIdError(RemoteProtocolError):
    """A text that should name a node or a job does not."""


def cluster_id(authority_key: bytes) -> ClusterId:
    """The cluster's name follows from its authority key, so nobody can claim another's."""
    return ClusterId(hashlib.blake2b(authority_key, digest_size=16, person=b"pnode-cluster").digest())


def job_id(signed_spec: bytes) -> JobId:
    return JobId(hashlib.blake2b(signed_spec, digest_size=16, person=b"pnode-job").digest())


_CHUNK = b"pnode-chunk".ljust(32)
"""No secret: what is hashed for another purpose is hashed without this key."""


def chunk_digest(chunk: bytes) -> bytes:
    """32 bytes that name one chunk of at most CHUNK_BYTES."""
    return blake3(chunk, key=_CHUNK).digest()


def content_digest(size_bytes: int, chunk_digests: bytes) -> Digest:
    """Name content by its size and the concatenated digests of its chunks.

    A receiver can check the list of chunk digests first and then every chunk as it arrives.
    """
    head = size_bytes.to_bytes(8, "big")
    return Digest(hashlib.blake2b(head + chunk_digests, digest_size=32, person=b"pnode-content").digest())


def digest_of(content: bytes) -> Digest:
    """The content digest of bytes held in memory."""
    chunks = range(0, len(content), CHUNK_BYTES)
    return content_digest(len(content), b"".join(chunk_digest(content[at : at + CHUNK_BYTES]) for at in chunks))


def node_text(node: NodeId) -> str:
    """The id as people see it: ten letters, e.g. `k3vq7x2m-4f`: 40 bits of the key and a check over all of it.

    The check letters catch a mistyped id; the key itself is what nodes compare.
    """
    letters = base64.b32encode(node[:5]).decode().lower()
    return f"{letters}-{_check_letters(node)}"


def job_text(job: JobId) -> str:
    """The job's name as people type it: eight letters; any unique prefix is accepted."""
    return base64.b32encode(job[:5]).decode().lower()


def _check_letters(node: NodeId) -> str:
    check = hashlib.blake2b(node, digest_size=5, person=b"pnode-check").digest()
    return base64.b32encode(check).decode().lower()[:2]


def parse_node_text(text: str, known: list[NodeId]) -> NodeId:
    """Find the node a person means among those known.

    Raises BadIdError if the check letters do not fit or nobody has that id.
    """
    wanted = text.strip().lower()
    for node in known:
        if node_text(node) == wanted:
            return node
    if any(node_text(node).startswith(wanted.partition("-")[0]) for node in known):
        raise BadIdError(f"the check letters of {text!r} do not fit: is it mistyped?")
    raise BadIdError(f"no known node has the id {text!r}")
