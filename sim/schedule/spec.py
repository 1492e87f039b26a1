"""A specification: a job as the nodes that decide about it know it, by names instead of numbers."""

from collections.abc import Callable, Mapping

from pnode.mappers.ranks import upward
from pnode.protocol.controller import controllers_of
from pnode.protocol.dag import Dag, Program, ProgramKind, Task, is_base_name
from pnode.protocol.ids import NodeId

from .scenario import Graph
from .units import Job

PROGRAM = Program(ProgramKind.COMMAND, ("true",))
"""Nothing is run, and no mapper looks at it."""

MEMORY_MAX = 2.0**62
"""What stands for infinite memory, where bytes are whole numbers."""


class Spec:
    """One job. The same objects serve every question about it."""

    __slots__ = ("controllers", "dag", "names", "rank_max", "ranks", "run_s")

    def __init__(self, job: Job, numbers: Mapping[NodeId, int]) -> None:
        """`numbers` are the machines' by node id."""
        instance = job.instance
        self.dag = dag_of(job.arrival.graph)
        self.names = tuple(task.name for task in self.dag.tasks)
        places = {name: task for task, name in enumerate(self.names)}
        appointed = controllers_of(self.dag)
        self.controllers = tuple(places[appointed[name]] if name in appointed else -1 for name in self.names)
        """Per task: the parent whose holder decides; -1 for entry tasks, which the origin places."""
        self.ranks: Mapping[str, float] = dict(zip(self.names, upward(instance), strict=True))
        self.rank_max = max(self.ranks.values())
        self.run_s = _run_s(dict(zip(self.names, instance.cost_s, strict=True)), numbers)


def dag_of(graph: Graph) -> Dag:
    """The graph as nodes exchange it. A task whose name no file could have is called by its number."""
    names = [one.name if is_base_name(one.name) else f"task{number}" for number, one in enumerate(graph.tasks)]
    below: list[list[tuple[str, float]]] = [[] for _ in names]
    for edge in graph.edges:
        below[edge.parent].append((names[edge.child], edge.size_bytes))
    return Dag(
        tuple(
            Task(
                name,
                tuple(child for child, _ in children),
                PROGRAM,
                cores=one.cores,
                memory_bytes=whole_bytes(one.memory_bytes),
                expected_s=one.cost_s,
                hint=(one.pinned,) if one.pinned else (),
                child_bytes=tuple(size for _, size in children),
            )
            for name, one, children in zip(names, graph.tasks, below, strict=True)
        )
    )


def whole_bytes(size_bytes: float) -> int:
    return round(min(size_bytes, MEMORY_MAX))


def _run_s(rows: Mapping[str, tuple[float, ...]], numbers: Mapping[NodeId, int]) -> Callable[[str, NodeId], float]:
    def run_s(task: str, node: NodeId) -> float:
        return rows[task][numbers[node]]

    return run_s
