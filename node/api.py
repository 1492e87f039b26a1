"""The node's answers as values, and how it refuses; what can be asked of it stands in `contract`.

The answers are also exactly what `--json` prints (see `plain` for how values become JSON), so their fields are
documented here and only ever added to.

Ids come in two forms: `id`, short, for people to read and type, and `key`, the whole in hexadecimal digits.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pnode.protocol.values import dataclass

from .plain import Instant

NodeState = Literal["starting", "joining", "ready", "failed"]
PeerState = Literal["alive", "suspect", "dead", "left"]
JobState = Literal["running", "done", "failed", "cancelled"]
UnitState = Literal["waiting", "assigned", "fetching", "queued", "running", "done", "failed", "cancelled"]
AttemptState = Literal["assigned", "queued", "running", "finished", "failed", "declined", "dropped", "lost"]
ExplainedState = Literal[UnitState, "lost"]
Stream = Literal["stdout", "stderr"]
ReachState = Literal["unknown", "open", "hidden"]


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
    resumed: int = 0
    """Jobs of an earlier run of this node that were not over when it was started."""
    reach: ReachState = "unknown"
    """Whether others can dial this node; `hidden` if it can only dial out."""
    reached_by: tuple[str, ...] = ()
    """Who has tried last and got in, by name."""
    missed_by: tuple[str, ...] = ()
    """Who has tried last in vain."""
    relays: tuple[str, ...] = ()
    """Through whom others reach this node if it is hidden."""
    relayed: int = 0
    """Connections of others that go through this node now."""
    sent_datagrams: int = 0
    """Since the start, as what follows."""
    sent_bytes: int = 0
    """Datagrams with their seals and messages of control sessions, without what carries them; no content."""


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
    clock_offset_s: float | None = None
    """Its wall clock minus this node's, when their session began; None when they have none."""
    relays: tuple[str, ...] = ()
    """Through whom it is reached, by name, since nobody can dial it; empty where it can be dialled."""
    via: str = ""
    """The relay through which this node's session with it goes; empty if it goes through none."""
    content_via: str = ""
    """The relay through which content of it came here last, since neither node can dial the other."""


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
    origin_gone: bool
    """Whether that node is dead, has left or was not seen lately; the job goes on without it."""
    units_done: int
    """Tasks that have a result, counted once for every item."""
    units_total: int
    submitted_at: Instant
    elapsed_s: float
    """From submission to its end, or to now while it runs."""


@dataclass(frozen=True, slots=True)
class AttemptStatus:
    """One attempt at one task for one item. Instants are by the clock of the node that ran it."""

    attempt: int
    """From 1; two attempts on different nodes may have the same number if their controllers were out of touch."""
    node: str
    node_gone: bool
    state: AttemptState
    """`lost`: its node is gone, or what it wrote cannot be had there; `dropped`: its node had no need to end it."""
    counts: bool
    """Whether its result is that of the task."""
    why: str
    """Why it was made; empty for a first attempt."""
    end: str
    """Why it came to nothing, or why its result does not count; empty while it is under way and when it does."""
    assigned_at: Instant | None
    started_at: Instant | None
    finished_at: Instant | None
    seconds: float | None
    """How long it ran; None when that is not known."""


@dataclass(frozen=True, slots=True)
class KeeperStatus:
    """A node that keeps a job."""

    node: str
    origin: bool
    """Whether the job was submitted there."""
    guards: bool
    """Whether it has the job and its inputs on its disk; else it is getting them."""
    results: int
    """Tasks whose final outputs it has a copy of, counted once for every item."""
    shortage: str = ""
    """Why it could not take in something of the job when it last tried; known of the node that was asked alone."""


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """One task for one item: its current attempt."""

    task: str
    item: int
    attempt: int
    """From 1; 0 when nobody was asked yet."""
    state: UnitState
    node: str | None
    """Name of the node it was given to; its id when the name is not known; None when nobody was asked yet, or when
    it is done and no more is known: of a long stream only the results are kept."""
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
    attempts: tuple[AttemptStatus, ...]
    """All of them, the first first."""


@dataclass(frozen=True, slots=True)
class JobDetail(JobStatus):
    """A job with all that is known of its parts."""

    mapper: str
    items: int
    """How many inputs flow through the graph; 1 unless it is a stream."""
    replicas: int
    """How many nodes beside its origin are to keep it."""
    keepers: tuple[KeeperStatus, ...]
    """Who does, the origin first if it is there."""
    results_total: int
    """Tasks whose outputs are results of the job, counted once for every item."""
    units: tuple[UnitStatus, ...]
    """In the order of the DAG file, item by item."""
    items_settled: int = 0
    """Of a long stream: items of which nothing but the results is known any more."""
    relayed: tuple[str, ...] = ()
    """Content of the job that came to this node through somebody else: `source through relay`."""


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
    state: ExplainedState
    """`lost` where its node was lost before it ended."""
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
    missing: str
    """Why what it wrote cannot be had; empty when it can. There is no text then."""


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


def match_job(prefix: str, ids: Iterable[str]) -> str:
    """The one job id that begins so. Raises NoSuchJobError or AmbiguousJobError."""
    wanted = prefix.strip().lower()
    found = sorted(id_ for id_ in ids if id_.startswith(wanted))
    if wanted in found or len(found) == 1:
        return wanted if wanted in found else found[0]
    if not found:
        raise NoSuchJobError(f"no job has an id that begins with {prefix!r}: 'pnode jobs' lists them")
    several = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
    raise AmbiguousJobError(f"{prefix!r} could be any of {len(found)} jobs ({several}): give more letters")
