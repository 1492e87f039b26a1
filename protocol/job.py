"""One job as one node sees it: its specification, its ledger, and what this node has promised to do about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .controller import controllers_of
from .dag import Task
from .effects import Unit
from .ids import Digest, JobId, NodeId
from .jobspec import FileRef, JobSpec
from .jobstate import AttemptKey, JobState, UnitKey
from .ledger import Ledger, SegmentId, Statement
from .signed import Signed
from .view import Choice


@dataclass(slots=True)
class HandOff:
    """An assignment of ours that has not been answered yet."""

    attempt: int
    node: NodeId


@dataclass(slots=True)
class Held:
    """A unit that this node has accepted: which of its inputs are known, and which are here."""

    unit: Unit
    assigner: NodeId
    files: dict[str, tuple[FileRef, ...]] = field(default_factory=dict)
    """Per parent that has a result ("" for the job's own input): what it sends to this unit."""
    used: dict[str, AttemptKey] = field(default_factory=dict)
    """Which attempt of the parent the files are from."""
    missing: dict[Digest, NodeId] = field(default_factory=dict)
    """Content that is not here yet, and who has it."""
    tries: dict[Digest, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """A statement of ours that is not yet in a segment."""

    statement: Statement
    recipients: tuple[NodeId, ...]


@dataclass(slots=True)
class Job:
    """A job at this node."""

    id: JobId
    signed: Signed
    """The specification as the origin signed it."""
    spec: JobSpec
    ledger: Ledger
    state: JobState
    ranks: Mapping[str, float]
    """Upward rank of each task in seconds, by this node's estimates when it first heard of the job."""
    controllers: Mapping[str, str] = field(init=False)
    """The appointed parent of each task that has one."""
    held: dict[UnitKey, Held] = field(default_factory=dict)
    handoffs: dict[UnitKey, HandOff] = field(default_factory=dict)
    excluded: dict[UnitKey, dict[NodeId, str]] = field(default_factory=dict)
    """Who is not asked again for a unit, and why."""
    unplaced: dict[UnitKey, None] = field(default_factory=dict)
    """Units for which nobody was eligible; they are looked at again."""
    choices: dict[UnitKey, Choice] = field(default_factory=dict)
    """The numbers behind our latest decisions."""
    watchers: dict[NodeId, None] = field(default_factory=dict)
    """Nodes beyond the replicas that asked to see everything."""
    informed: dict[NodeId, None] = field(default_factory=dict)
    """Nodes that have the specification: they sent it, or got it from us."""
    pending: list[Pending] = field(default_factory=list)
    offers: dict[tuple[NodeId, UnitKey, AttemptKey], None] = field(default_factory=dict)
    """What is known of an attempt is to be shown to a node with the next flush."""
    to_pass_on: dict[tuple[NodeId, SegmentId], None] = field(default_factory=dict)
    """Segments that watchers are to get with the next flush."""
    proofs: dict[tuple[UnitKey, AttemptKey], dict[SegmentId, None]] = field(default_factory=dict)
    """Segments that speak of an attempt's start and end."""
    endings: dict[SegmentId, None] = field(default_factory=dict)
    """Segments that cancel the job."""
    to_tell: dict[NodeId, None] = field(default_factory=dict)
    """Nodes that are to hear of the endings with the next flush."""
    begun: dict[UnitKey, None] = field(default_factory=dict)
    """Units that are known to have started at some time."""
    unstarted: dict[UnitKey, int] = field(default_factory=dict)
    """How many parents of a unit have never started; only units of which one has are listed."""
    suffered: bool = False
    """Whether a node that had a part in it is gone."""
    lost: dict[UnitKey, None] = field(default_factory=dict)
    """Units whose results went with a node and are needed again."""
    concluded: bool = False
    """The origin has told everybody that it is over."""

    def __post_init__(self) -> None:
        self.controllers = controllers_of(self.spec.dag)

    @property
    def origin(self) -> NodeId:
        return self.state.origin

    def task(self, key: UnitKey) -> Task:
        return self.spec.dag.tasks[key[0]]

    def key(self, task: str, item: int) -> UnitKey:
        return (self.state.index[task], item)

    def parents(self, key: UnitKey) -> Iterator[UnitKey]:
        return (self.key(parent, key[1]) for parent in self.spec.dag.parents[self.task(key).name])

    def children(self, key: UnitKey) -> Iterator[UnitKey]:
        return (self.key(child, key[1]) for child in dict.fromkeys(self.task(key).children))

    def participants(self) -> dict[NodeId, None]:
        """Every node that was ever given a unit, in a fixed order."""
        return dict.fromkeys(
            node for key in sorted(self.state.units) for _, node in sorted(self.state.units[key].attempts)
        )


def program_name(application: str, task: str) -> str:
    """What a task is called across jobs, for estimates of its run time."""
    return f"{application}/{task}"
