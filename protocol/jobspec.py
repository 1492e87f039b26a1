"""Job specifications: everything about a job that is fixed when it is submitted."""

from dataclasses import dataclass
from typing import Annotated

from .codec import U63, Bytes16, Bytes32, Length, Name, Seconds
from .dag import Dag

ITEMS_MAX = 10_000
FILES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file by its content: where the bytes are is a separate question."""

    name: Name
    """Base name, as the task sees it; never changed on the way."""
    size_bytes: U63
    digest: Bytes32
    """See `ids.content_digest`."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input of the job: it flows through the DAG by itself."""

    key: Name
    """What its file names have in common."""
    files: Annotated[tuple[FileRef, ...], Length(0, FILES_MAX)]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job: signed by its origin, named by the digest of the signed bytes."""

    name: Name
    """For people; usually the application's directory."""
    dag: Dag
    items: Annotated[tuple[Item, ...], Length(1, ITEMS_MAX)]
    mapper: Name
    created_s: Seconds
    """By the origin's clock, seconds since 1970 UTC."""
    nonce: Bytes16
    """Makes the same application submitted twice two jobs."""
    application: FileRef | None = None
    """The scripts directory as one archive."""
