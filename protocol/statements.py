"""Statements: what is said of a job, each thing in a word, with the bounds that every reader checks.

Who says it is the author of the segment that a statement is in (`ledger`), and what it means for the job follows from
all of them together (`jobstate`).
"""

from enum import IntEnum
from typing import Annotated

from .codec import U8, U16, U32, Bytes8, Bytes32, Length, Range, Seconds, Text
from .dag import TASKS_MAX
from .jobspec import FILES_MAX, FileRef
from .values import dataclass, replace

STDERR_TAIL_MAX = 2000
"""Characters of stderr that travel in the ledger; the whole text stays in the store of the node that ran it."""

ANY_QUEUE = -1.0
"""The controller does not care how long the unit has to wait."""

QUEUE_S_MAX = 1e9
"""Thirty years."""

TEXT_BYTES_MAX = 4096
"""Of a reason, and of a stderr tail: what `codec.Text` takes."""


class StatementKind(IntEnum):
    """What happened. The author is who signed; the task, item and attempt are fields of the statement."""

    ASSIGNED = 1
    """The author asks `node` to run the attempt; `text` says why, for attempts after the first."""
    ACCEPTED = 2
    """The author will run it."""
    DECLINED = 3
    """The author will not; `text` says why."""
    STARTED = 4
    FINISHED = 5
    """With an outcome: where the outputs are is with the author."""
    FAILED = 6
    """With an outcome; `text` is the reason."""
    DROPPED = 7
    """The author stopped or never started it, since it was superseded or the job has ended."""
    CANCELLED = 8
    """About the whole job: somebody who may has ended it; `text` says why. If it names an attempt that is for want of
    what this has written, which can neither be had nor made anew."""
    KEPT = 9
    """The author, a replica, has a copy of everything that the attempt given to `node` has written; `text` says so
    again if the job was cancelled for want of it."""
    CONCLUDED = 10
    """About the whole job: the author, a replica, sees that it is over; nobody need do anything more about it."""
    GUARDED = 11
    """About the whole job: the author has its specification, application and inputs on its disk."""
    LOST = 12
    """What the attempt given to `node` has written cannot be had, although that node is alive; `text` says why."""
    ABANDONED = 13
    """The author, who leads the job, places the unit no more: it has used up its retries; `text` says on what. The
    attempt is the last that was made."""
    PULLED = 14
    """About the whole job: somebody has fetched its results at the author."""
    SETTLED = 15
    """The author, who leads the job, states a result of an item all of whose units have theirs, each final one kept
    by all replicas: the outcome of the attempt given to `node` at a final task. Nothing else that is said of the item
    counts any more (`settlement`)."""
    SPENT = 16
    """The author, who leads the job, sees that nobody needs what the attempt given to `node` has written any more:
    whoever has it lets it go (`spending`)."""


class Cause(IntEnum):
    """Why there is an attempt after the first, as far as it matters to others; the graver the higher."""

    ELSEWHERE = 0
    """The one before was not taken, was given back or has failed, or what it wrote is lost; or there was none."""
    COPY = 1
    """The one before is overdue on a node that does not answer: whichever is through first counts."""
    RAN = 2
    """The node of the one before was lost while it ran there."""
    STARVED = 3
    """Several have given it back who could not have the job's own inputs; who cannot either is to say so."""


CONTENT_BYTES_MAX = 4096
"""Of an output that travels in a statement: fetching it would take longer, and a file of its own on every disk."""

CONTENTS_MAX = 4

Content = Annotated[bytes, Length(0, CONTENT_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    seconds: Seconds
    """Wall-clock run time of all calls."""
    exit_status: Annotated[int, "of the failing call; negative for a signal"]
    outputs: Annotated[tuple[FileRef, ...], Length(0, FILES_MAX)]
    stdout: FileRef
    stderr: FileRef
    stderr_tail: Text
    lineage: Bytes32
    """Digest over the names and digests of the inputs it used: results are only consistent with those."""
    used: Annotated[tuple[Bytes8, ...], Length(0, TASKS_MAX)] = ()
    """Per parent, in the order of the DAG file, what its result was when it was used (`attempts.outputs_mark`)."""
    timed_out: bool = False
    """It was ended since it ran longer than its walltime."""
    contents: Annotated[tuple[Content, ...], Length(0, CONTENTS_MAX)] = ()
    """Of the outputs, if there are few and they are short: whoever has this has them. Empty if they are not."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that happened to a job."""

    kind: U8
    """A StatementKind."""
    task: U16
    """Index of the task in the job's DAG; 0 where the statement is about the whole job and names no attempt."""
    item: U32
    attempt: U16
    """Counted from 1; 0 where the statement is about the whole job and names no attempt."""
    at_s: Seconds
    """By the author's clock, seconds since 1970 UTC."""
    node: Annotated[bytes, Length(0, 32)] = b""
    """ASSIGNED: whom. KEPT, LOST, ABANDONED, SETTLED, SPENT, and CANCELLED if it names one: whose attempt."""
    text: Text = ""
    outcome: Outcome | None = None
    queue_s: Annotated[float, Range(-1.0, QUEUE_S_MAX)] = ANY_QUEUE
    """ASSIGNED: how long the author believes the node's queue to be, or ANY_QUEUE. STARTED: how long the unit has
    waited for a core since its inputs were there; ANY_QUEUE by versions that do not say. FINISHED, FAILED: the same,
    where nothing was said when it started, which was so long ago as it took. SETTLED: how long ago the last run of
    the item has ended."""
    run_s: Annotated[float, Range(0.0, QUEUE_S_MAX)] = 0.0
    """ASSIGNED: how long the author expects the run to take on that node, which may never have run the like; 0 when
    it does not say. SETTLED: for how long all accepted attempts of the item together have run."""
    cause: U8 = 0
    """ASSIGNED: a Cause. DROPPED: STARVED for want of the job's own inputs."""
    mark: Annotated[bytes, Length(0, 8)] = b""
    """KEPT: of what there is a copy (`attempts.outputs_mark`); empty by versions that do not say."""


def fitting(statement: Statement) -> Statement:
    """The statement within the bounds that every reader checks: an author that signed more would be unreadable."""
    text = _cut(statement.text)
    tail = "" if statement.outcome is None else _cut(statement.outcome.stderr_tail)
    queue_s = min(max(statement.queue_s, ANY_QUEUE), QUEUE_S_MAX)
    run_s = min(max(statement.run_s, 0.0), QUEUE_S_MAX)
    if statement.outcome is not None and tail != statement.outcome.stderr_tail:
        statement = replace(statement, outcome=replace(statement.outcome, stderr_tail=tail))
    if (text, queue_s, run_s) != (statement.text, statement.queue_s, statement.run_s):
        statement = replace(statement, text=text, queue_s=queue_s, run_s=run_s)
    return statement


def _cut(text: str) -> str:
    """At most TEXT_BYTES_MAX bytes, and no half letter at the end."""
    if len(text) * 4 <= TEXT_BYTES_MAX:
        return text
    return text.encode(errors="replace")[:TEXT_BYTES_MAX].decode(errors="ignore")
