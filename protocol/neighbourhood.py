"""The neighbourhood: what the jobs of a node need to know about the other nodes, and about the place they are at."""

from collections.abc import Iterable
from typing import Protocol

from .dag import Task
from .ids import ClusterId, NodeId
from .job import Job
from .trust import Shown
from .values import dataclass
from .view import View


class Neighbourhood(Protocol):
    """What the jobs of a node need to know about the other nodes."""

    def view(self, job: Job, task: Task, now: float) -> View:
        """This node's beliefs, with those peers that may and can run the task."""

    def members(self) -> Iterable[NodeId]:
        """Everybody who is neither dead nor gone for another reason, suspects and this node included."""

    def is_gone(self, node: NodeId) -> bool:
        """Dead or left: nothing it has promised will happen. Who is not known (yet) is not gone."""

    def is_suspect(self, node: NodeId) -> bool:
        """Whether it does not answer at the moment: it gets nothing new, and keeps what it has."""

    def is_known(self, node: NodeId) -> bool:
        """Whether it is a member, dead ones included."""

    def name_of(self, node: NodeId) -> str:
        """What people call it."""

    def speed_of(self, node: NodeId) -> float:
        """Of one core, relative to the reference machine; 1 when unknown."""

    def boot_of(self, node: NodeId) -> int:
        """The run of its process that it is in now; 0 when unknown."""

    def is_certified(self, node: NodeId) -> bool:
        """Whether it is, or was, a member of the cluster."""

    def credentials_of(self, node: NodeId) -> list[Shown]:
        """What shows a stranger that it is, or was, a member; nothing when it is unknown."""

    def hear_of(self, shown: tuple[Shown, ...], now: float) -> None:
        """Somebody shows what others are, or were, certified by. What is not good is ignored."""

    def may_submit(self, node: NodeId) -> bool:
        """Whether its certificate allows it to submit jobs."""

    def load_known_since(self, node: NodeId) -> float:
        """The moment at which its newest load figures were true; what was bound to it later is not in them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who this node is and what it can run."""

    me: NodeId
    name: str
    seed: bytes
    cluster: ClusterId
    boot: int
    cores: int
    memory_bytes: int
    speed: float
    computes: bool
