"""What a mapper sees: a node's beliefs about its peers and the links between them, frozen at one moment."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from random import Random
from typing import Protocol, runtime_checkable

from .dag import Dag
from .ids import NodeId
from .values import dataclass, field


@dataclass(frozen=True, slots=True)
class PeerView:
    """One candidate, the deciding node itself included."""

    node: NodeId
    name: str
    cores: int
    speed: float
    """Of one core, relative to the reference machine."""
    free_in_s: float
    """Seconds until a core is free, running and queued work included, as last heard and aged to now."""
    age_s: float
    """How old the load figures are, less the time for which a node need not repeat them while they hold; `inf` when
    none were ever heard."""
    cpu_percent: float | None
    memory_percent: float | None
    """None when never heard."""
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Link:
    """What is believed of one direction between two nodes."""

    latency_s: float
    bandwidth_bytes_per_s: float
    confidence: float
    """0 (a guess) to 1 (measured, recent)."""

    def transfer_s(self, size_bytes: float) -> float:
        return self.latency_s + size_bytes / self.bandwidth_bytes_per_s


@dataclass(frozen=True, slots=True)
class View:
    """The deciding node's beliefs. Pure data plus two estimates, both without side effects."""

    me: NodeId
    peers: tuple[PeerView, ...]
    """Eligible candidates in ascending order of node id; empty when nobody may compute."""
    link: Callable[[NodeId, NodeId], Link]
    """(source, target) -> Link; the same node to itself costs nothing."""
    run_s: Callable[[str, NodeId], float]
    """(task, node) -> expected run time in seconds."""
    refresh_s: float = 1.0
    """How often load figures are refreshed while nothing goes wrong; an age means something only beside it."""


@dataclass(frozen=True, slots=True)
class Parent:
    """Where one parent of the task runs or ran, as far as is known."""

    task: str
    node: NodeId
    ready_in_s: float
    """Seconds from now until its outputs exist; 0 when they do."""
    size_bytes: float
    """What it sends to the task at hand."""


class Phase(IntEnum):
    """How far a task that has a node is."""

    BOUND = 0
    """It waits there, for inputs or for a core."""
    RUNNING = 1
    DONE = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known, by the deciding node, of a task that has a node."""

    node: NodeId
    phase: Phase
    start_in_s: float
    """Seconds from now; negative when it began so long ago. An expectation while it is BOUND."""
    finish_in_s: float
    """Seconds from now; zero or negative when it is DONE, an expectation otherwise."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Where and when a task is to run according to a plan for the whole job."""

    node: NodeId
    start_s: float
    """Since the plan was made."""
    finish_s: float


@dataclass(slots=True)
class Moment:
    """What questions about one job and item have in common that are asked one after another at one instant, while
    nothing changes but what is placed in answer to them."""

    known: dict[str, Progress | None] = field(default_factory=dict)
    """Tasks that were looked at; None has no node."""
    imagined: object = None
    """What the mapper has worked out for the last question and can go on from; nobody else's business."""


@dataclass(frozen=True, slots=True)
class Question:
    """Where should this task run?"""

    dag: Dag
    task: str
    parents: tuple[Parent, ...]
    """The parents whose place is known, in the order of the DAG file; empty for entry tasks."""
    excluded: frozenset[NodeId]
    """Nodes that declined, did not answer or failed this task before. Never iterated over."""
    mine: tuple[tuple[NodeId, float], ...]
    """What this controller has bound to each node and not yet seen in gossip, in seconds of work."""
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """Tasks of the job that have a node, as far as the deciding node knows; the parents among them."""
    ranks: Mapping[str, float] = field(default_factory=dict)
    """Upward rank of every task in seconds; empty when nobody has worked them out."""
    plan: Mapping[str, Planned] = field(default_factory=dict)
    """The origin's plan, which travels with the job as a hint; empty when there is none."""
    plan_age_s: float = 0.0
    """Seconds since the plan was made: a planned start is due in `start_s - plan_age_s`."""
    moment: Moment | None = field(default=None, compare=False, repr=False)
    """None when other questions are not known to be about the same moment."""


@dataclass(frozen=True, slots=True)
class Score:
    """One candidate with the numbers behind its place in the ranking, all in seconds from now."""

    node: NodeId
    total: float
    """What was minimised (for `wave-random` a draw)."""
    inputs_s: float
    """When the last input could be there."""
    queue_s: float
    """When a core could be free."""
    run_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A mapper's answer: candidates, best first. Empty when nobody is eligible."""

    ranking: tuple[Score, ...]
    minds_queue: bool = False
    """Whether it rests on the candidates' queues: then one whose queue turns out much longer should decline."""


class Mapper(Protocol):
    """Chooses the node for a task from what the deciding node knows."""

    @property
    def name(self) -> str:
        """What jobs and people call it."""

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        """Rank the eligible candidates. Pure: the same arguments and generator state give the same answer."""


@runtime_checkable
class Planner(Mapper, Protocol):
    """A mapper that plans the whole job when it is submitted; what it plans travels with the job as a hint."""

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:
        """A node and a time for every task; empty when nobody is eligible. Pure, as `choose` is."""


@dataclass(frozen=True, slots=True)
class LinkFigure:
    """What a node measured of the way from `source` to itself, as it is gossiped."""

    source: NodeId
    latency_s: float
    bandwidth_bytes_per_s: float
    """0 when never measured."""
    confidence: float


class Profile(Protocol):
    """What a node has learnt about speeds; the estimators behind a View (see `pnode.profilers`)."""

    def observe_round_trip(self, peer: NodeId, rtt_s: float, now: float, place: bytes = b"") -> None:
        """The minimum of a burst of three pings to `peer`, and where it says it stands, if it does."""

    def hear_place(self, node: NodeId, place: bytes, now: float) -> None:
        """Where another node says it stands (see `coordinate`); anything at all may come."""

    def place(self) -> bytes:
        """Where this node stands, as it travels."""

    def observe_transfer(self, source: NodeId, size_bytes: int, seconds: float, now: float) -> None:
        """A real transfer from `source` to us, timed at the receiver from the first byte to the last."""

    def observe_run(self, program: str, node: NodeId, speed: float, seconds: float, now: float) -> None:
        """A task's run on a node of that speed. `program` names what was run across jobs."""

    def hear_links(self, node: NodeId, figures: tuple[LinkFigure, ...], now: float) -> None:
        """What another node measured of the links towards itself."""

    def forget(self, node: NodeId) -> None:
        """The node has left for good."""

    def my_figures(self, now: float) -> tuple[LinkFigure, ...]:
        """Our own row, to be gossiped: at most 64 entries, the most certain first."""

    def link(self, source: NodeId, target: NodeId, now: float) -> Link:
        """Best belief about one direction; a prior with confidence 0 when nothing is known; free to itself."""

    def run_s(self, program: str, node: NodeId, speed: float, expected_s: float) -> float:
        """Expected seconds on that node; falls back on other nodes' runs times speed, then on `expected_s` (on a core
        of speed 1, 0 = unknown), then on a second."""

    def knows(self, program: str, expected_s: float) -> bool:
        """Whether `run_s` would answer from runs or from `expected_s`, and not by a guess."""
