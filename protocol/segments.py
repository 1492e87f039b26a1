"""Segments: what an author has said of a job at one time, under one signature, and as a link of its feed (`feed`)."""

import hashlib
from collections.abc import Iterator
from typing import Annotated

from .codec import U32, Bytes16, Bytes32, Length, decode
from .crypto import Crypto
from .ids import ClusterId, NodeId
from .signed import Kind, Signed, verify
from .statements import Statement
from .values import dataclass

STATEMENTS_MAX = 1024
"""In one segment: a batch that still verifies and decodes within a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A batch of statements in one author's feed."""

    job: Bytes16
    boot: U32
    """Which run of the author's process; each has a feed of its own."""
    sequence: U32
    """Counted from 0 within the feed."""
    previous: Bytes32
    """Digest of the segment before; zeros for the first."""
    statements: Annotated[tuple[Statement, ...], Length(1, STATEMENTS_MAX)]


FeedId = tuple[NodeId, int]
"""(author, boot)"""

SegmentId = tuple[NodeId, int, int]
"""(author, boot, sequence)"""

When = tuple[int, int, int]
"""When an author has said something, by its own count: (boot, place of the segment, place in that). What one author
says is in this order, whatever its clock has shown; clocks order only what different authors say."""

FIRST = bytes(32)


def segment_digest(signed: Signed) -> bytes:
    return hashlib.blake2b(signed.signature + signed.body, digest_size=32, person=b"pnode-segment").digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment with its signature, as it is kept and passed on."""

    signed: Signed
    segment: Segment
    digest: bytes

    @property
    def author(self) -> NodeId:
        return NodeId(self.signed.author)

    @property
    def id(self) -> SegmentId:
        return (self.author, self.segment.boot, self.segment.sequence)

    @property
    def said(self) -> Iterator[tuple[When, Statement]]:
        """Its statements, and when each was said."""
        boot, place = self.segment.boot, self.segment.sequence
        return (((boot, place, at), statement) for at, statement in enumerate(self.segment.statements))

    @property
    def fingerprint(self) -> int:
        """What it adds to its ledger's."""
        return int.from_bytes(self.digest[:8], "big")


def open_segment(crypto: Crypto, cluster: ClusterId, signed: Signed) -> Entry:
    """Verify and decode a segment. Raises RemoteProtocolError if it is forged or malformed."""
    verify(crypto, signed, Kind.SEGMENT, cluster)
    return Entry(signed, decode(Segment, signed.body), segment_digest(signed))
