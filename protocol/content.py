"""Content between nodes: what is said on a bulk stream.

A conversation on one stream is a sequence of exchanges, one file after the other:

    asker   Want(digest, first_chunk)
    giver   Refusal(reason)                               and that is all, or
            Listing(size, digests, more) ...              the digests of all chunks, until `more` is false, then
            chunk, chunk, ...                             from `first_chunk` to the last, each one message of its own

Chunks travel as they are, without an envelope, so that one of CHUNK_BYTES fits a bulk frame. The asker checks the
list against the digest that it wants before it believes a chunk, and every chunk against the list.
"""

from collections.abc import Iterator
from typing import Annotated

from .codec import U32, U63, Bytes32, Length, Text
from .values import dataclass

LISTING_BYTES_MAX = 512 * 1024
"""Digests in one message; half a bulk frame names 16 GiB of content."""


@dataclass(frozen=True, slots=True)
class Want:
    """Send me this content, from this chunk on."""

    digest: Bytes32
    first_chunk: U32 = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The content will not come; the stream can be used for something else."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Listing:
    """A piece of the list of chunk digests."""

    size_bytes: U63
    """Of the content."""
    digests: Annotated[bytes, Length(0, LISTING_BYTES_MAX)]
    """32 bytes per chunk."""
    more: bool
    """Another piece follows. Then this one is full, of LISTING_BYTES_MAX: nobody takes a list in crumbs."""


FRAMES: dict[int, type] = {80: Want, 81: Refusal, 82: Listing}


def listings(size_bytes: int, chunks: bytes) -> Iterator[Listing]:
    """The messages that tell the whole list; at least one."""
    for at in range(0, max(len(chunks), 1), LISTING_BYTES_MAX):
        end = at + LISTING_BYTES_MAX
        yield Listing(size_bytes, chunks[at:end], end < len(chunks))
