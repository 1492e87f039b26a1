"""A recording: one run of a job as a single JSON document, with everything that a simulation of the run needs.

What happened is read from the job's ledger, what the nodes and the ways between them are like is what the node that
writes the document believes. `docs/recordings.md` describes the document field by field; readers go by its `version`,
which changes only when they have to.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pnode.protocol.controller import controllers_of
from pnode.protocol.ids import NodeId, job_text, node_text
from pnode.protocol.job import Job
from pnode.protocol.jobstate import Attempt, UnitKey
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.routing import RoutingError, outputs_for
from pnode.protocol.values import dataclass
from pnode.protocol.view import Link, Profile

from .api import RefusedError
from .plain import Instant, to_plain

FORMAT = "pnode-recording"
VERSION = 1

ATTEMPTS_MAX = 100_000
"""Some 30 MB of JSON, and a second in which the node that writes it does nothing else."""

NODES_MAX = 256
"""65,000 links between them; those that had a part in the job come first."""


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """One vertex of the graph."""

    name: str
    controller: str | None
    """The parent whose holder chooses this task's node; null for an entry task."""
    cores: int
    memory_bytes: int
    expected_s: float
    """As the job states it, on a core of speed 1; 0 when it does not."""
    final: bool


@dataclass(frozen=True, slots=True)
class RecordedEdge:
    """What a task sends to one of its children."""

    parent: str
    child: str
    size_bytes: float
    """Mean over the items that were observed; as the job states it when there are none."""
    items_observed: int


@dataclass(frozen=True, slots=True)
class RecordedInput:
    """One item of the job."""

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RecordedPlan:
    """Where and when the origin planned a task to run; seconds since the submission."""

    task: str
    node: str
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One attempt at one task for one item. Instants are seconds since the submission, null when it never came to
    that; the assigner's clock tells `assigned_s`, the node's own all others."""

    task: str
    item: int
    attempt: int
    node: str
    assigner: str | None
    """The node that chose."""
    phase: str
    """As far as it came: assigned, accepted, started; or how it ended: finished, failed, declined, dropped."""
    assigned_s: float | None
    accepted_s: float | None
    ready_s: float | None
    """When all its inputs were there; told with the start."""
    started_s: float | None
    ended_s: float | None
    seconds: float | None
    """Run time of all its calls."""
    expected_s: float
    """How long its assigner expected it to run there; 0 when nothing was known."""
    reason: str


@dataclass(frozen=True, slots=True)
class RecordedNode:
    """A node that had a part in the job, or could have had one."""

    id: str
    name: str
    cores: int
    """0 when nothing is known of the node any more."""
    speed: float
    """Of one core, relative to the reference machine."""
    memory_bytes: int
    software: str


@dataclass(frozen=True, slots=True)
class RecordedLink:
    """What is believed of one direction between two nodes."""

    source: str
    target: str
    latency_s: float
    bandwidth_bytes_per_s: float
    confidence: float
    """0 (a guess) to 1 (measured, recent)."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The document. Nodes are named by their short ids, tasks by their names."""

    format: str
    version: int
    job: str
    key: str
    name: str
    mapper: str
    state: str
    origin: str
    submitted_at: Instant
    ended_s: float | None
    """Since the submission; null while it runs."""
    recorded_at: Instant
    recorded_by: str
    """Whose beliefs `links` are."""
    tasks: tuple[RecordedTask, ...]
    edges: tuple[RecordedEdge, ...]
    inputs: tuple[RecordedInput, ...]
    plan: tuple[RecordedPlan, ...]
    attempts: tuple[RecordedAttempt, ...]
    nodes: tuple[RecordedNode, ...]
    links: tuple[RecordedLink, ...]


def recording(job: Job, neighbours: Neighbours, profile: Profile, now: float) -> Recording:
    """The job as it is known now. Raises RefusedError if there is too much of it."""
    count = sum(len(unit.attempts) for unit in job.state.units.values())
    if count > ATTEMPTS_MAX:
        raise RefusedError(
            f"job {job_text(job.id)} has {count} attempts at its tasks, at most {ATTEMPTS_MAX} can be recorded"
        )
    nodes = _nodes_of(job, neighbours)[:NODES_MAX]
    submitted_s, ended_s = job.spec.created_s, job.state.ended_s
    return Recording(
        format=FORMAT,
        version=VERSION,
        job=job_text(job.id),
        key=job.id.hex(),
        name=job.spec.name,
        mapper=job.spec.mapper,
        state=job.state.phase.value,
        origin=node_text(job.origin),
        submitted_at=Instant(submitted_s),
        ended_s=None if ended_s is None else ended_s - submitted_s,
        recorded_at=Instant(now),
        recorded_by=node_text(neighbours.me),
        tasks=_tasks(job),
        edges=tuple(_edges(job)),
        inputs=tuple(RecordedInput(item.key, sum(file.size_bytes for file in item.files)) for item in job.spec.items),
        plan=tuple(
            RecordedPlan(name, node_text(part.node), part.start_s, part.finish_s) for name, part in job.plan.items()
        ),
        attempts=tuple(_attempts(job)),
        nodes=tuple(_node(node, neighbours) for node in nodes),
        links=tuple(_links(nodes, profile, now)),
    )


def write_recording(document: Recording, path: Path) -> None:
    """Write it in one step, over an earlier one. Raises OSError."""
    text = json.dumps(to_plain(Recording, document), indent=1, allow_nan=False)
    incoming = path.with_name(f".{path.name}.pnode")
    incoming.write_text(text + "\n", encoding="utf-8")
    incoming.replace(path)


def _nodes_of(job: Job, neighbours: Neighbours) -> list[NodeId]:
    """The origin, then who had a part in it, then everybody else who computes."""
    return list(dict.fromkeys((job.origin, *sorted(job.state.places), *neighbours.peers())))


def _node(node: NodeId, neighbours: Neighbours) -> RecordedNode:
    record = neighbours.membership.record_of(node)
    if record is None:
        return RecordedNode(node_text(node), node_text(node), 0, 1.0, 0, "")
    return RecordedNode(
        node_text(node), record.name, record.cores, record.speed, record.memory_bytes, record.software
    )


def _tasks(job: Job) -> tuple[RecordedTask, ...]:
    controllers = controllers_of(job.spec.dag)
    return tuple(
        RecordedTask(
            task.name, controllers.get(task.name), task.cores, task.memory_bytes, task.expected_s, task.final
        )
        for task in job.spec.dag.tasks
    )


def _edges(job: Job) -> Iterator[RecordedEdge]:
    """By parent and child in the order of the DAG file."""
    seen: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for (number, _), unit in job.state.units.items():
        if unit.result is not None and unit.result.outcome is not None:
            task = job.spec.dag.tasks[number]
            for child in dict.fromkeys(task.children):
                try:
                    files = outputs_for(task, unit.result.outcome.outputs, child)
                except RoutingError:
                    continue  # the job fails over it
                seen[number, child].append(sum(file.size_bytes for file in files))
    for number, task in enumerate(job.spec.dag.tasks):
        for child in dict.fromkeys(task.children):
            sizes = seen[number, child]
            stated = job.spec.dag.edge_bytes(task.name, child)
            yield RecordedEdge(task.name, child, sum(sizes) / len(sizes) if sizes else stated, len(sizes))


def _attempts(job: Job) -> Iterator[RecordedAttempt]:
    """By item, task, and number."""
    by_item = sorted(job.state.units.items(), key=lambda pair: (pair[0][1], pair[0][0]))
    for key, unit in by_item:
        for _, attempt in sorted(unit.attempts.items()):
            yield _attempt(job, key, attempt)


def _attempt(job: Job, key: UnitKey, attempt: Attempt) -> RecordedAttempt:
    def since(instant: float | None) -> float | None:
        return None if instant is None else instant - job.spec.created_s

    return RecordedAttempt(
        task=job.task(key).name,
        item=key[1],
        attempt=attempt.number,
        node=node_text(attempt.node),
        assigner=None if attempt.assigner is None else node_text(attempt.assigner),
        phase=attempt.phase,
        assigned_s=since(attempt.assigned_s),
        accepted_s=since(attempt.accepted_s),
        ready_s=since(attempt.ready_s),
        started_s=since(attempt.started_s),
        ended_s=since(attempt.ended_s),
        seconds=None if attempt.outcome is None else attempt.outcome.seconds,
        expected_s=attempt.told_s,
        reason=attempt.reason or attempt.why,
    )


def _links(nodes: Iterable[NodeId], profile: Profile, now: float) -> Iterator[RecordedLink]:
    ends = list(nodes)
    for source in ends:
        for target in ends:
            if source != target:
                yield _link(source, target, profile.link(source, target, now))


def _link(source: NodeId, target: NodeId, link: Link) -> RecordedLink:
    return RecordedLink(
        node_text(source), node_text(target), link.latency_s, link.bandwidth_bytes_per_s, link.confidence
    )
