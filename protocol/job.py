"""One job as one node sees it: its specification, its ledger, and what this node has promised to do about it."""

import math
from collections.abc import Iterable, Iterator, Mapping

from .dag import ProgramKind, Task
from .effects import Unit
from .guardians import Standing
from .ids import Digest, JobId, NodeId
from .jobspec import FileRef, JobSpec
from .jobstate import Attempt, AttemptKey, JobState, UnitKey, UnitState, VersionKey
from .ledger import Cause, FeedId, Ledger, SegmentId, Statement, Vector
from .mentions import Mentions
from .shape import Shape
from .signed import Signed
from .stock import Stock
from .values import dataclass, field
from .view import Planned


@dataclass(slots=True)
class HandOff:
    """An assignment of ours that has not been answered yet."""

    number: int
    """Of the attempt."""
    node: NodeId
    cause: int = Cause.ELSEWHERE


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An assignment that somebody has still to be found for."""

    times: int = 0
    """How often in a row nobody was eligible."""
    why: str = ""
    cause: int = Cause.ELSEWHERE


@dataclass(slots=True)
class Held:
    """A unit that this node has accepted: which of its inputs are known, and which are not here yet.

    Inputs are called after the parent that they come from, "" if they are the job's own, None if the application.
    """

    unit: Unit
    assigner: NodeId
    files: dict[str, tuple[FileRef, ...]] = field(default_factory=dict)
    """Per parent that has a result, or "": what it sends to this unit."""
    used: dict[str, bytes] = field(default_factory=dict)
    """The mark of the parent's result that the files are from."""
    missing: dict[Digest, dict[str | None, None]] = field(default_factory=dict)
    """Content that is not here yet, and for the sake of which inputs."""
    ready_s: float | None = None
    """Since when nothing has been missing."""


@dataclass(slots=True)
class Copying:
    """A result of the job of which this replica makes a copy."""

    version: VersionKey
    missing: dict[Digest, FileRef] = field(default_factory=dict)
    """Content that is not here yet."""


@dataclass(slots=True)
class Collecting:
    """What this node needs before it can say that it guards the job."""

    missing: dict[Digest, None] = field(default_factory=dict)
    """Content that is not here yet."""
    refused: bool = False
    """Some of it could not be had, and will be asked for again."""
    tries: int = 0
    """How often that has happened."""
    lacks_ledger: bool = False
    vector: Vector | None = None
    """How much of the ledger there is elsewhere; None until somebody has said so."""
    sync: int = 0
    """All is here, and that much will be on the disk when this Sync is through; 0 while something is missing."""


@dataclass(slots=True)
class Compared:
    """What this node and a fellow have told each other of their ledgers since they met."""

    asked_s: float = -math.inf
    """When it was last asked for what is lacking here."""
    told: bytes = b""
    """The last fingerprint that it has named."""
    rest: tuple[bytes, bytes] | None = None
    """Our fingerprint and its, when each had asked the other for what it lacks."""
    rest_s: float = -math.inf
    """When that was."""
    refused: dict[FeedId, int] = field(default_factory=dict)
    """How far its histories of feeds go that are forked, and of which there are others here."""


@dataclass(slots=True)
class Echo:
    """Is something here of which an earlier run of this node has said so?"""

    sought: dict[Digest, None] | None = None
    """What is being looked for in the store; None as long as nobody has begun."""
    is_missing: bool = False
    """Some of it is not there."""
    mark: bytes = b""
    """Of which version of what the attempt has written (`attempts.Version`)."""


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
    shape: Shape = field(init=False)
    plan: Mapping[str, Planned] = field(init=False)
    """The origin's plan by name of task; empty when it has made none."""
    final_tasks: tuple[int, ...] = field(init=False)
    due_s: tuple[float, ...] = field(init=False)
    """When each task should start, by its index; an instant, so that tasks of all jobs can be put in one order. By
    plan, where there is one, else so early that the job takes no longer than its longest way."""

    held: dict[UnitKey, Held] = field(default_factory=dict)
    """Holding: what is to be run here."""

    handoffs: dict[UnitKey, HandOff] = field(default_factory=dict)
    """Placing: what waits for an answer."""
    unplaced: dict[UnitKey, Unplaced] = field(default_factory=dict)
    """Placing: units for which nobody was eligible, or is asked just now."""
    excluded: dict[UnitKey, dict[NodeId, str]] = field(default_factory=dict)
    """Placing: who is not asked again for a unit, and why."""
    begun: dict[UnitKey, None] = field(default_factory=dict)
    """Units that are known to have started at some time."""
    unbegun: dict[UnitKey, int] = field(default_factory=dict)
    """How many parents of a unit have never started; only units of which one has are listed."""

    lost: dict[UnitKey, None] = field(default_factory=dict)
    """Recovery: units whose results were needed again while the node that has them was gone."""
    blocked: dict[UnitKey, dict[UnitKey, None]] = field(default_factory=dict)
    """Recovery: units that cannot be placed, under a parent that has to start first."""
    contested: dict[int, None] = field(default_factory=dict)
    """Recovery: contested items (`acceptance`) whose holders have been shown everything."""
    waiting: dict[UnitKey, str] = field(default_factory=dict)
    """Why a unit does not go on at this node, where the ledger does not tell: for people."""

    minds_progress: bool = field(init=False)
    """Hearsay: a mapper has planned the job, or has looked at how far it is."""
    changes: dict[UnitKey, int] = field(default_factory=dict)
    """Hearsay: units in the order of their last change, which is numbered."""
    changes_count: int = 0
    told: dict[NodeId, int] = field(default_factory=dict)
    """Hearsay: up to which change each node has been told."""
    hearsay: dict[UnitKey, Attempt] = field(default_factory=dict)
    """Hearsay: how far units are that this node has not heard of by its ledger."""

    echoes: dict[UnitKey, dict[AttemptKey, Echo]] = field(default_factory=dict)
    """Echoes: what this node has made or copied by its own words, which have come from others."""
    unsaved: dict[SegmentId, None] = field(default_factory=dict)
    """Echoes: the segments with these words."""
    equipped: bool = False
    """Guarding: the job's inputs and application are here, as far as this run of our process and its journal know."""

    guardians: tuple[Standing, ...] = ()
    """Keeping: the guardians by precedence, with their scores."""
    replicas: tuple[NodeId, ...] = ()
    """Keeping: the origin, if it lives, and the guardians."""
    settled: tuple[NodeId, ...] = ()
    """Keeping: the replicas when this node last acted upon a change of them."""
    leading: bool = False
    """Keeping: this node looks after the job."""
    collecting: Collecting | None = None
    """Guarding: it is to become a guardian."""
    compared: dict[NodeId, Compared] = field(default_factory=dict)
    """Comparing: what was exchanged with each fellow since it was met."""
    turns: int | None = None
    """Comparing: how many times more it is compared; None: as long as this node keeps it."""
    turn: int = 0
    """Comparing: how many fellows have had their turn."""
    kept_up_to: int = 0
    """Concluding: how many of the job's results, in order, are known to be with all replicas."""

    copying: dict[UnitKey, Copying] = field(default_factory=dict)
    """Copies: results of the job that are on their way here."""
    refusals: dict[UnitKey, int] = field(default_factory=dict)
    """Copies: how often in a row a result could not be had."""
    sure: dict[UnitKey, VersionKey] = field(default_factory=dict)
    """Copies: the results of which this run of our process knows that there is a copy here. What an earlier run has
    said may have gone with its disk."""
    stock: Stock = field(init=False)
    """Copies: of which settled results there are any here."""
    settlements: dict[int, SegmentId] = field(default_factory=dict)
    """Forgetting: the segment in which an item was settled."""
    mentions: Mentions = field(default_factory=Mentions)
    """Hollowing: which segments speak of which items."""
    ended_here_s: float = -math.inf
    """Replica: when this run of our process saw it end."""
    told_by: NodeId | None = None
    """Enquiries: who tells this node, which does not keep the job, what follows."""
    unanswered: int = 0
    """Enquiries: how often it was asked for that since the job is over, and did not show its ledger."""
    watchers: dict[NodeId, None] = field(default_factory=dict)
    """Nodes beyond the replicas that asked to see everything."""

    large: dict[UnitKey, dict[Digest, None]] = field(default_factory=dict)
    """Spending: units that have written much that is neither spent nor what the job is for, and what it is called;"""
    writers: dict[Digest, dict[UnitKey, None]] = field(default_factory=dict)
    """and the other way round, of all units: who has written the same."""

    closed: bool = False
    """It is over, and nothing of it is left to do here."""
    released: bool = False
    """Retention: its content was let go; the ledger is history."""
    informed_of_end: dict[NodeId, None] = field(default_factory=dict)
    """Nodes that know that it is over."""
    informed: dict[NodeId, None] = field(default_factory=dict)
    """Nodes that have the specification: they sent it, or got it from us."""
    pending: list[Pending] = field(default_factory=list)
    to_show: dict[tuple[NodeId, UnitKey, AttemptKey], bool] = field(default_factory=dict)
    """What is known of an attempt is to be shown to a node with the next flush; also if it said so itself?"""
    to_pass_on: dict[tuple[NodeId, SegmentId], None] = field(default_factory=dict)
    """Segments that nodes are to get with the next flush."""
    to_tell: dict[NodeId, None] = field(default_factory=dict)
    """Nodes that are to hear of the end with the next flush."""
    proofs: dict[tuple[UnitKey, AttemptKey], tuple[int, SegmentId]] = field(default_factory=dict)
    """Per attempt, the segment that says most about it, and how high that is on the ladder."""
    endings: dict[SegmentId, None] = field(default_factory=dict)
    """Segments that say that the job is over."""

    def __post_init__(self) -> None:
        self.shape = self.state.shape
        planned = zip(self.spec.dag.tasks, self.spec.plan, strict=False)  # one for each task, or none at all
        self.plan = {task.name: Planned(NodeId(part.node), part.start_s, part.finish_s) for task, part in planned}
        self.minds_progress = bool(self.plan)
        self.final_tasks = tuple(index for index, task in enumerate(self.spec.dag.tasks) if task.final)
        self.stock = Stock(self.final_tasks)
        self.due_s = tuple(self.spec.created_s + start_s for start_s in _starts_s(self.spec, self.ranks))

    @property
    def origin(self) -> NodeId:
        return self.state.origin

    @property
    def participants(self) -> dict[NodeId, None]:
        """Whoever was given a unit, or has said anything: for a while it may have taken itself for a replica."""
        return dict.fromkeys((*self.state.places, *(author for author, _, _ in self.ledger.vector())))

    def involves(self, node: NodeId) -> bool:
        """Whether a node has, or has had, anything to do with the job."""
        is_named = node == self.origin or node in self.state.places or node in self.watchers
        return is_named or node in self.replicas or self.ledger.has_feed_of(node)

    def has_asked(self, node: NodeId) -> bool:
        """Whether this node wanted to know from that one what is lacking here."""
        return node in self.compared and self.compared[node].asked_s > -math.inf

    def lacks(self, node: NodeId, vector: Vector) -> bool:
        """Whether a node with this vector has something that could be taken in here."""
        refused = self.compared[node].refused if node in self.compared else {}
        return self.ledger.lacks([each for each in vector if each[2] > refused.get(each[:2], 0)])

    def task(self, key: UnitKey) -> Task:
        return self.spec.dag.tasks[key[0]]

    def key(self, task: str, item: int) -> UnitKey:
        return (self.state.index[task], item)

    def all_units(self) -> Iterator[UnitKey]:
        """Every unit."""
        return ((task, item) for item in range(len(self.spec.items)) for task in range(len(self.spec.dag.tasks)))

    def entries(self) -> Iterator[UnitKey]:
        """The units that need nothing but the job's input."""
        return ((task, item) for item in range(len(self.spec.items)) for task in self.shape.entries)

    @property
    def finals(self) -> int:
        """How many units there are whose outputs the job is for."""
        return len(self.final_tasks) * len(self.spec.items)

    def final(self, number: int) -> UnitKey:
        """One of them."""
        item, at = divmod(number, len(self.final_tasks))
        return (self.final_tasks[at], item)

    def parents(self, key: UnitKey) -> Iterator[UnitKey]:
        """In the order of the DAG file."""
        return ((task, key[1]) for task in self.shape.parents[key[0]])

    def children(self, key: UnitKey) -> Iterator[UnitKey]:
        return ((task, key[1]) for task in self.shape.children[key[0]])

    def controlled(self, key: UnitKey) -> Iterator[UnitKey]:
        """The children whose appointed parent the unit is."""
        return ((task, key[1]) for task in self.shape.controlled[key[0]])

    def controller(self, key: UnitKey) -> UnitKey | None:
        """The appointed parent; None for an entry."""
        task = self.shape.controller[key[0]]
        return None if task is None else (task, key[1])

    def begin(self, key: UnitKey) -> list[UnitKey]:
        """The unit has started. Returns the children all of whose parents have begun by that, so that each child is
        looked at once and not once per parent; the most urgent first (scheduling.md 1.5)."""
        if key in self.begun:
            return []
        self.begun[key] = None
        ready = []
        for child in self.children(key):
            left = self.unbegun.get(child, len(self.shape.parents[child[0]])) - 1
            self.unbegun[child] = left
            if not left:
                ready.append(child)
        return sorted(ready, key=self.due)

    def note_large(self, key: UnitKey, digests: Iterable[Digest]) -> None:
        """The unit has written this."""
        for digest in digests:
            self.writers.setdefault(digest, {})[key] = None
            if not self.task(key).final:
                self.large.setdefault(key, {})[digest] = None

    def note_spent(self, key: UnitKey) -> tuple[Digest, ...]:
        """Nobody needs what it has written: what that is, but for what others have written as well."""
        digests = tuple(self.large.pop(key, ()))
        for digest in digests:
            self.writers[digest].pop(key, None)
            if not self.writers[digest]:
                del self.writers[digest]
        return tuple(digest for digest in digests if digest not in self.writers)

    def forget(self, key: UnitKey, unit: UnitState) -> None:
        """The unit is settled: nothing of it is to be remembered any more. `unit` is what was known of it."""
        self.note_spent(key)
        for attempt in unit.attempts:
            self.proofs.pop((key, attempt), None)
        self.contested.pop(key[1], None)
        self.excluded.pop(key, None)
        self.begun.pop(key, None)
        self.unbegun.pop(key, None)
        self.lost.pop(key, None)
        self.blocked.pop(key, None)
        self.waiting.pop(key, None)
        self.changes.pop(key, None)
        self.hearsay.pop(key, None)
        self.sure.pop(key, None)
        self.echoes.pop(key, None)

    def doubt(self, key: UnitKey, attempt: AttemptKey) -> None:
        """This node has said that it has what an attempt wrote, and does not remember it."""
        self.echoes.setdefault(key, {}).setdefault(attempt, Echo())

    def is_doubted(self, key: UnitKey, attempt: Attempt) -> bool:
        """Whether this node has what an attempt wrote by no more than what others say that it has said."""
        return attempt.key in self.echoes.get(key, ())

    def due(self, key: UnitKey) -> float:
        """When a unit should start."""
        return self.due_s[key[0]]

    def may_begin(self, key: UnitKey) -> bool:
        """Whether all parents have started at some time."""
        return not self.shape.parents[key[0]] or self.unbegun.get(key) == 0


def _starts_s(spec: JobSpec, ranks: Mapping[str, float]) -> tuple[float, ...]:
    """When each task should start, in seconds since the job was made."""
    if spec.plan:
        return tuple(part.start_s for part in spec.plan)
    longest_s = max(ranks.values())
    return tuple(longest_s - ranks[task.name] for task in spec.dag.tasks)


def program_name(application: str, task: Task) -> str:
    """What a task is called across jobs, for estimates of its run time: calls after their function and how many they
    are, anything else after its application."""
    if task.program.kind != ProgramKind.CALLS:
        return f"{application}/{task.name}"
    function, _, count = task.program.arguments[:3]
    return f"{function} x {count}"
