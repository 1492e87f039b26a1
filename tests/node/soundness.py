"""Soundness: whether a store has what it says it has."""

from pnode.node.store import Store
from pnode.node.trouble import MissingContentError
from pnode.protocol.ids import CHUNK_BYTES, chunk_digest, content_digest


def is_sound(store: Store, digest: bytes) -> bool:
    """Whether the content is there and is what its name says."""
    try:
        content = store.read(digest)
    except MissingContentError:
        return False
    chunks = [chunk_digest(content[at : at + CHUNK_BYTES]) for at in range(0, len(content), CHUNK_BYTES)]
    return store.size_bytes(digest) == len(content) and content_digest(len(content), b"".join(chunks)) == digest
