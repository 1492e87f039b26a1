"""The node as its commands see it: what can be asked of it, what it answers and how it refuses.

`NodeApi` is the contract between the control socket (see `control`) and the node (see `office`), and `client` offers
the same to commands. The answers are also exactly what `--json` prints (see `plain` for how values become JSON), so
their fields are documented here and only ever added to.

Ids come in two forms: `id`, short, for people to read and type, and `key`, the whole in hexadecimal digits.
"""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from .plain import Instant

NodeState = Literal["starting", "joining", "ready", "failed"]
PeerState = Literal["alive", "suspect", "dead", "left"]
JobState = Literal["running", "done", "failed", "cancelled"]
UnitState = Literal["waiting", "assigned", "fetching", "queued", "running", "done", "failed", "cancelled"]
Stream = Literal["stdout", "stderr"]


class ApiError(Exception):
    """A node could not do what was asked. The message is one line for the person who asked."""


class RefusedError(ApiError):
    """What was asked cannot be done as it was asked: the message says what was found and what to try next."""


class NotReadyError(ApiError):
    """The node is still joining its cluster: the same may go well in a moment."""


class NoSuchJobError(ApiError):
    """No job has an id that begins so."""


class AmbiguousJobError(ApiError):
    """Several jobs have an id that begins so: more letters are needed."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How this node is."""

    state: NodeState
    reason: str
    """What it is doing while it starts or joins, why it failed; empty when it is ready."""
    name: str
    id: str
    key: str
    cluster: str
    """The cluster's id in hexadecimal digits; empty before there is one."""
    founded: bool
    """Whether this node founded the cluster."""
    addresses: tuple[str, ...]
    """Where it listens, `host:port`, the best first."""
    roles: tuple[str, ...]
    """Of `compute`, `submit`, `admin`."""
    peers: int
    """How many others are alive as far as it knows."""
    version: str
    pid: int
    started_at: Instant
    uptime_s: float
    home: Path
    emulated_speed: float = 1.0
    """For experiments: the share of its machine's speed at which it lets tasks run (see `emulation`)."""


@dataclass(frozen=True, slots=True)
class LoadStatus:
    """What a node last said it was doing."""

    cpu_percent: float
    memory_percent: float
    running: int
    """Units that run."""
    queued: int
    """Units that wait for a core or for their inputs."""
    free_in_s: float
    """Seconds until a core is free."""
    age_s: float
    """How long ago it said so."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A node of the cluster as this node knows it, this node included."""

    name: str
    id: str
    key: str
    state: PeerState
    this: bool
    """Whether it is the node that was asked."""
    roles: tuple[str, ...]
    addresses: tuple[str, ...]
    cores: int
    speed: float
    """Of one core, relative to the reference machine."""
    record_age_s: float
    """How long ago its present record (roles, addresses, cores, speed) came here; its own: since it started."""
    delay_s: float | None
    """Round trip; None when never measured."""
    delay_age_s: float | None
    load: LoadStatus | None
    """None when never heard."""
    software: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job was taken in."""

    id: str
    key: str
    notices: tuple[str, ...]
    """What the submitter should know, one line each, such as "no --input: sample_input/ is used"."""
    guarded: int
    """Other nodes that have the job and its inputs on their disks, from where they take it up if this one is lost."""
    wanted: int
    """Other nodes that should: as many as were asked for, or all there are if they are fewer."""
    replicas: int
    """Other nodes that were asked for."""
    settled: bool
    """Whether the numbers are final: all that should have it do, or have had their time. Until then they are 0."""


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """One candidate for a task with the numbers behind its place in the ranking; seconds from now."""

    node: str
    total_s: float
    inputs_s: float
    """When the last input could be there."""
    queue_s: float
    """When a core could be free."""
    run_s: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a task would go."""

    task: str
    node: str
    """The node's name."""
    id: str
    scores: tuple[CandidateScore, ...]
    """The best first; may be cut after the first ten."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The mapping that would be made now, in the order in which it would be made."""

    mapper: str
    placements: tuple[Placement, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job in a listing."""

    id: str
    key: str
    name: str
    state: JobState
    reason: str
    """Why it failed or was cancelled; empty otherwise."""
    origin: str
    """Name of the node it was submitted to; its id when the name is not known."""
    units_done: int
    """Tasks that have a result, counted once for every item."""
    units_total: int
    submitted_at: Instant
    elapsed_s: float
    """From submission to its end, or to now while it runs."""


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """One task for one item: its current attempt."""

    task: str
    item: int
    attempt: int
    """From 1; 0 when nobody was asked yet."""
    state: UnitState
    node: str | None
    """Name of the node it was given to; its id when the name is not known; None when nobody was asked yet."""
    queued_at: Instant | None
    """When it was given to that node."""
    started_at: Instant | None
    finished_at: Instant | None
    seconds: float | None
    """How long it ran; None before it ended."""
    reason: str
    """Why it failed, or waits, or was given to another node than before; empty otherwise."""
    stderr_tail: str
    """The last lines, if it failed."""


@dataclass(frozen=True, slots=True)
class JobDetail(JobStatus):
    """A job with all that is known of its parts."""

    mapper: str
    items: int
    """How many inputs flow through the graph; 1 unless it is a stream."""
    units: tuple[UnitStatus, ...]
    """In the order of the DAG file, item by item."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A node that was not among the candidates for a task."""

    node: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a unit was given to a node, or why it has not been given to any yet."""

    job: str
    task: str
    item: int
    attempt: int
    """From 1; 0 for the explanation of why nobody has been chosen."""
    state: UnitState
    node: str | None
    decider: str | None
    """Name of the node that chose; None when nobody has, or when it is not known here."""
    decided_at: Instant | None
    mapper: str
    why: str
    """Why there was another attempt than the first."""
    note: str
    """Why there are no numbers, or why it waits; empty otherwise."""
    scores: tuple[CandidateScore, ...]
    """As the decider saw them when it chose, the best first; cut after the tenth."""
    passed: tuple[Passed, ...]


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of what a unit wrote."""

    task: str
    item: int
    attempt: int
    node: str
    stream: Stream
    text: str
    """Not more than a few hundred thousand characters."""


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A result, written to disk."""

    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """The final outputs of a job."""

    directory: Path
    files: tuple[PulledFile, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording of a job, written to disk."""

    path: Path
    job: str
    state: JobState
    attempts: int
    """How many it tells of."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What another host needs to join."""

    token: str
    cluster: str
    expires_at: Instant


class NodeApi(Protocol):
    """What a node offers to its user through the control socket.

    Every method may raise an ApiError, or an OSError where it touches the caller's files; anything else is a bug and
    ends the node. A `job` argument is any unique prefix of a job's short id (see `match_job`). Paths are absolute:
    node and command share a file system, not a working directory. A caller that goes away cancels the call.
    """

    async def status(self) -> NodeStatus:
        """Answers in every state, also before the cluster is joined; all others may raise NotReadyError then."""

    async def peers(self) -> tuple[PeerStatus, ...]:
        """This node first, then the others by name."""

    def submit(
        self, dag: Path, inputs: tuple[Path, ...], mapper: str, name: str | None, replicas: int | None
    ) -> AsyncGenerator[Submitted, None]:
        """Take in a job. `inputs` are files and directories, none for the application's own sample; a `name` of None
        is the application's; `replicas` other nodes are to keep it, None for the usual number.

        What comes first says that the job is on this node's disk and runs, whoever goes away now; what comes last is
        settled. If that takes a while the first is said again in between.
        """

    async def map(self, dag: Path, inputs: tuple[Path, ...], mapper: str) -> Mapped:
        """Where the tasks would go now, without running them."""

    async def jobs(self) -> tuple[JobStatus, ...]:
        """All jobs of the cluster that can be found, the latest submission last."""

    async def job(self, job: str) -> JobDetail:
        """One job as it is now."""

    def follow(self, job: str) -> AsyncGenerator[JobDetail, None]:
        """The job as it is now, again whenever it has changed, and last when it has ended.

        Waiting for a change and yielding a snapshot will do: the control socket asks for the next one at most five
        times a second, so changes in between are skipped by themselves.
        """

    def logs(self, job: str, task: str | None) -> AsyncGenerator[LogChunk, None]:
        """What the units of a task (None: of all tasks) have written so far; the chunks of one stream in order."""

    async def explain(self, job: str, task: str) -> tuple[Explanation, ...]:
        """Why the units of a task are where they are: one for each attempt at each of them."""

    async def pull(self, job: str, directory: Path) -> Pulled:
        """Write the final outputs of a job into a directory, which is made if need be. Raises RefusedError unless the
        job is done."""

    async def record(self, job: str, path: Path) -> Recorded:
        """Write all that is known of how a job ran into a file (see `recording`), in the place of an earlier one."""

    async def cancel(self, job: str) -> JobStatus:
        """End a job; one that has ended is left as it is."""

    async def token(self, hours: float) -> Invitation:
        """An invitation for other hosts that expires after so many hours."""

    async def stop(self) -> None:
        """Begin to stop: leave the cluster in order, then end the process. Returns before that."""


def match_job(prefix: str, ids: Iterable[str]) -> str:
    """The one job id that begins so. Raises NoSuchJobError or AmbiguousJobError."""
    wanted = prefix.strip().lower()
    found = sorted(id_ for id_ in ids if id_.startswith(wanted))
    if wanted in found or len(found) == 1:
        return wanted if wanted in found else found[0]
    if not found:
        raise NoSuchJobError(f"no job has the id {prefix!r}: 'pnode jobs' lists them")
    several = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
    raise AmbiguousJobError(f"{prefix!r} could be any of {len(found)} jobs ({several}): give more letters")
