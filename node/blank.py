"""The blank: a mebibyte of nothing that every node can give, for measuring how fast content comes from it.

It has a digest like any content, so that asking for it needs no word of its own; it is in no store. What travels is
sealed, so no link can make it shorter.
"""

import functools
from io import BytesIO
from typing import BinaryIO

from pnode.protocol.ids import CHUNK_BYTES, chunk_digest, digest_of
from pnode.protocol.jobspec import FileRef

from .download import WrongContentError


@functools.cache
def blank() -> FileRef:
    """What to ask for. Worked out once, in a millisecond."""
    return FileRef("blank", CHUNK_BYTES, digest_of(bytes(CHUNK_BYTES)))


@functools.cache
def _list() -> bytes:
    return chunk_digest(bytes(CHUNK_BYTES))


def open_blank() -> tuple[int, BinaryIO, bytes]:
    """(size, content, list of chunk digests)"""
    return CHUNK_BYTES, BytesIO(bytes(CHUNK_BYTES)), _list()


class Discard:
    """Stands where a `download.Download` of the blank would, and keeps nothing."""

    chunk_count = 1

    def __init__(self) -> None:
        self.verified = 0

    @property
    def complete(self) -> bool:
        return self.verified == self.chunk_count

    def take_list(self, chunks: bytes) -> None:
        """Raises WrongContentError."""
        if chunks != _list():
            raise WrongContentError("a list of chunks that does not belong to the content")

    def take_chunk(self, chunk: bytes) -> None:
        """Raises WrongContentError."""
        if len(chunk) != CHUNK_BYTES:  # of what is in it nothing follows
            raise WrongContentError(f"{len(chunk)} bytes where {CHUNK_BYTES} were asked for")
        self.verified += 1
