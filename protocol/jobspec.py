"""Job specifications: everything about a job that is fixed when it is submitted."""

from typing import Annotated

from .codec import U63, Bytes16, Bytes32, Length, Name, Range, Seconds
from .dag import TASKS_MAX, Dag, is_base_name
from .values import dataclass

ITEMS_MAX = 10_000
FILES_MAX = 65_536

UNITS_MAX = 5_000_000
"""Tasks times items. Every replica keeps a state of each: this is about what a small machine's memory can hold."""

REPLICAS = 3
"""With the origin four copies: three machines may be lost at the same moment."""

REPLICAS_MAX = 16
"""Every replica gets every statement; a job that needs more copies than this needs other machines."""

SPEC_BYTES_MAX = 2 * 2**20
"""Of an encoded specification: whoever signs one or takes one in compares first. Reading one of this size takes about
half a second, twice that at worst, in which a node does nothing else; its neighbours forgive it that much."""


GIVEN_BYTES_MAX = 32 * 1024
"""Of a file whose content travels in the specification, instead of being fetched by each node that needs it."""

GIVEN_CONTENTS_MAX = 16

GivenContent = Annotated[bytes, Length(0, GIVEN_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file by its content: where the bytes are is a separate question."""

    name: Name
    """Base name, as the task sees it; never changed on the way."""
    size_bytes: U63
    digest: Bytes32
    """See `ids.content_digest`."""

    def __post_init__(self) -> None:
        """Raises ValueError for a name by which a path would lead elsewhere than to a file in its directory."""
        name = self.name
        if name in _NO_BASE_NAMES or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} is no base name of a file")


_NO_BASE_NAMES = ("", ".", "..")


@dataclass(frozen=True, slots=True)
class Item:
    """One input of the job: it flows through the DAG by itself."""

    key: Name
    """What its file names have in common."""
    files: Annotated[tuple[FileRef, ...], Length(0, FILES_MAX)]

    def __post_init__(self) -> None:
        """Raises ValueError for a key that cannot be a directory's name: results of the item lie in one."""
        if not is_base_name(self.key):
            raise ValueError(f"{self.key!r} is no key for an item, expected one without '/' and control characters")


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """Where and when a task is to run, as the origin planned it before it signed the job. A hint: who decides where
    the task runs may know better by then. Seconds are counted from the job's `created_s`."""

    node: Bytes32
    start_s: Seconds
    finish_s: Seconds

    def __post_init__(self) -> None:
        """Raises ValueError for a task that ends before it starts."""
        if self.finish_s < self.start_s:
            raise ValueError(f"a task is planned to start at {self.start_s:g} s and to end at {self.finish_s:g} s")


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
    plan: Annotated[tuple[PlannedTask, ...], Length(0, TASKS_MAX)] = ()
    """One entry per task of `dag`, in its order; empty when nobody has planned. A stream is planned as one item of
    everything."""
    replicas: Annotated[int, Range(0, REPLICAS_MAX)] = REPLICAS
    """How many guardians the job has beside its origin (`guardians`)."""
    contents: Annotated[tuple[GivenContent, ...], Length(0, GIVEN_CONTENTS_MAX)] = ()
    """Of some of the files that it is given: whoever has the specification has these."""

    def __post_init__(self) -> None:
        """Raises ValueError for names that would do something to a terminal, for more units than can be kept, and for
        a plan that is not of this graph."""
        for name in (self.name, self.mapper):
            if not name.isprintable():
                raise ValueError(f"{name!r} is no name for a job or a mapper, expected printable characters")
        units = len(self.dag.tasks) * len(self.items)
        if units > UNITS_MAX:
            raise ValueError(
                f"the job has {len(self.dag.tasks)} tasks for {len(self.items)} items, together {units} units; at "
                f"most {UNITS_MAX} fit one job: submit several"
            )
        if len(self.plan) not in (0, len(self.dag.tasks)):
            raise ValueError(f"the plan is for {len(self.plan)} tasks, the graph has {len(self.dag.tasks)}")
