"""Job messages: what nodes say to each other about jobs.

Everything about a job travels as segments of its ledger (`Deliver`), confirmed by `Delivered`. There is no separate
message for an assignment, an acceptance or a result: these are statements, and a hand-off is the delivery of the
segment that contains it. The remaining messages let a node that has no part in a job find it and follow it, and a
replica ask for what it has missed.

What is left of segments that say nothing any more (`hollows`) travels with the segment that follows it, which proves
that there were as many.
"""

from typing import Annotated

from .codec import U8, U16, U32, Bytes8, Bytes16, Bytes32, Length, Name, Seconds
from .ledger import FEEDS_MAX
from .record import CREDENTIAL_BYTES_MAX
from .signed import Signed
from .values import dataclass

SUMMARIES_MAX = 1000
"""Jobs in one answer: the newest."""

SEGMENTS_PER_MESSAGE_MAX = 4096
"""More than delivery ever puts into one message."""

NEWS_MAX = 1024
"""More than a replica ever adds to one message."""

VECTOR_MAX = 2 * FEEDS_MAX
"""A ledger may be full, and its owner has feeds of its own."""

CREDENTIALS_MAX = 64
"""In one message; who needs more of them gets the segments again, and others with them."""

ShownCredential = tuple[Bytes32, Annotated[bytes, Length(0, CREDENTIAL_BYTES_MAX)]]
"""(node, its certificate chain and admission)"""

COMPARED_MAX = 4096
"""As many jobs as a node remembers."""

SegmentName = tuple[Bytes32, U32, U32]
"""(author, boot, sequence)"""

WireVector = Annotated[tuple[tuple[Bytes32, U32, U32], ...], Length(0, VECTOR_MAX)]
"""See `ledger.Vector`."""


@dataclass(frozen=True, slots=True)
class News:
    """How far a unit is, by hearsay (see `hearsay`)."""

    task: U16
    item: U32
    node: Bytes32
    phase: U8
    """Of `hearsay.PHASES`."""
    at_s: Seconds
    """Since when, by the clock of whoever did it."""


@dataclass(frozen=True, slots=True)
class WireRun:
    """Consecutive segments of a feed that are not kept any more (`hollows.Run`)."""

    author: Bytes32
    boot: U32
    first: U32
    count: U32
    fingerprint: Bytes8
    previous: Bytes32
    last: Bytes32


@dataclass(frozen=True, slots=True)
class Deliver:
    """Segments of a job's ledger for somebody whom they concern."""

    job: Bytes16
    segments: Annotated[tuple[Signed, ...], Length(0, SEGMENTS_PER_MESSAGE_MAX)]
    spec: Signed | None
    """The specification, the first time."""
    news: Annotated[tuple[News, ...], Length(0, NEWS_MAX)] = ()
    """From a replica: what has become of other units."""
    credentials: Annotated[tuple[ShownCredential, ...], Length(0, CREDENTIALS_MAX)] = ()
    """Of authors that are gone: who has never met them could not judge their words."""
    runs: Annotated[tuple[WireRun, ...], Length(0, SEGMENTS_PER_MESSAGE_MAX)] = ()
    """Hollow segments before some of these."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The sender has these segments."""

    job: Bytes16
    segments: Annotated[tuple[SegmentName, ...], Length(0, SEGMENTS_PER_MESSAGE_MAX)]


@dataclass(frozen=True, slots=True)
class SpecWanted:
    """The sender was told of a job whose specification it does not have."""

    job: Bytes16


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """Which jobs were submitted to you?"""

    question: U32


@dataclass(frozen=True, slots=True)
class Summary:
    """A job in a listing."""

    job: Bytes16
    origin: Bytes32
    name: Name
    phase: Annotated[str, Length(1, 16)]
    done: U32
    size: U32
    created_s: Seconds
    ended_s: Seconds
    """0 while it runs."""


@dataclass(frozen=True, slots=True)
class JobsAnswer:
    """The answer to JobsWanted."""

    question: U32
    jobs: Annotated[tuple[Summary, ...], Length(0, SUMMARIES_MAX)]


@dataclass(frozen=True, slots=True)
class LedgerWanted:
    """Send me all segments of this job that I lack."""

    job: Bytes16
    vector: WireVector
    """What the sender has."""
    follow: bool = False
    """And those to come."""
    mutual: bool = False
    """And ask for those that you lack."""
    refused: WireVector = ()
    """Of forked feeds, how far your history has been refused: that need not be sent again."""


@dataclass(frozen=True, slots=True)
class LedgerShown:
    """Here is the job that you want to follow; its segments are on their way, one by one confirmed."""

    job: Bytes16
    spec: Signed | None
    """The specification, for who has nothing of the ledger."""
    vector: WireVector
    """What the sender has."""


@dataclass(frozen=True, slots=True)
class Hollow:
    """A row of the journal: hollow segments of a job's ledger."""

    job: Bytes16
    runs: Annotated[tuple[WireRun, ...], Length(1, 1)]
    """One, that is: a row for each."""


@dataclass(frozen=True, slots=True)
class Compare:
    """Do you have the same of these jobs? Of those that differ, the receiver asks for what it lacks (`comparing`)."""

    jobs: Annotated[tuple[tuple[Bytes16, Bytes8], ...], Length(0, COMPARED_MAX)]
    """(job, fingerprint of the segments that the sender has, see `ledger`)"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a submitter is told."""

    job: Bytes16
    guarded: U8
    """Guardians that have the job and its inputs on their disks."""
    wanted: U8
    """Guardians that should: as many as were asked for, or as there are other members."""


FRAMES: dict[int, type] = {
    60: Deliver,
    61: Delivered,
    62: SpecWanted,
    63: JobsWanted,
    64: JobsAnswer,
    65: LedgerWanted,
    66: LedgerShown,
    67: Compare,
}
