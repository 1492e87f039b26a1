"""The directory: what people are told about nodes: their names, and whether they are there."""

from collections.abc import Mapping

from pnode.protocol.dag import Task
from pnode.protocol.desk import Desk
from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.neighbours import Neighbours


class Directory:
    """The nodes that this node knows of, those included that only a job's ledger names."""

    def __init__(
        self,
        neighbours: Neighbours,
        desk: Desk,
        shortages: Mapping[JobId, str],
        detours: Mapping[JobId, Mapping[NodeId, NodeId]],
    ) -> None:
        """`shortages`: jobs for which there is no room here, and what was said about it; `detours`: through whom
        content of each job came here, by its source."""
        self._neighbours = neighbours
        self._desk = desk
        self._shortages = shortages
        self._detours = detours

    def name_of(self, node: NodeId) -> str:
        """Its name, or its id where that is not known (any more)."""
        return self._neighbours.name_of(node)

    def is_gone(self, node: NodeId) -> bool:
        """Whether nothing it has can be had: it is dead, has left, or was not seen since this node was started."""
        return self._desk.is_gone(node)

    def shortage(self, job: JobId, node: NodeId) -> str:
        """Why a node cannot take in what it should keep of a job; empty for others than this one."""
        return self._shortages.get(job, "") if node == self._desk.me else ""

    def detours(self, job: JobId) -> tuple[str, ...]:
        """Content of a job that came here through somebody else, for people."""
        through = self._detours.get(job, {})
        return tuple(f"{self.name_of(source)} through {self.name_of(relay)}" for source, relay in through.items())

    def why_nobody(self, task: Task) -> str:
        """Why no node can run a task; empty when one can."""
        return self._neighbours.why_nobody(task)
