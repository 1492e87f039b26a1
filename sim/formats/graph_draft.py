"""A graph draft: a task graph as a reader finds it, by names, checked bit by bit while it still knows the places."""

from pnode.mappers.instance import Edge
from pnode.protocol.dag import CycleError, topological
from pnode.protocol.textfile import listed, shown
from pnode.sim.schedule.scenario import Graph, Vertex

from .document import NAME_EXPECTED, is_name
from .errors import Blame
from .numeral import LARGEST, expected_from

TASKS_MAX = 200_000
"""Ten times what a live job may have. What a file announces in a few bytes must not fill the memory."""

EDGES_MAX = 4_000_000


class GraphDraft:
    """Add the tasks, then the edges, then ask for the graph. Its errors are made by the blame it gets."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: dict[str, Vertex] = {}
        self._sizes: dict[tuple[str, str], float] = {}

    def __contains__(self, task: str) -> bool:
        return task in self._tasks

    def task(self, vertex: Vertex, blame: Blame) -> None:
        if not is_name(vertex.name):
            raise blame(f"a task is called {shown(vertex.name)}, expected {NAME_EXPECTED}")
        if vertex.name in self._tasks:
            raise blame(f"a second task is called {shown(vertex.name)}")
        if len(self._tasks) >= TASKS_MAX:
            raise blame(f"there are more than {TASKS_MAX} tasks, which is as many as are read")
        for seconds in (vertex.cost_s, *vertex.costs_s):
            if not 0 <= seconds <= LARGEST:
                raise blame(f"task {shown(vertex.name)} costs {seconds}, expected {expected_from(0)}")
        self._tasks[vertex.name] = vertex

    def edge(self, parent: str, child: str, size_bytes: float, blame: Blame) -> None:
        for name in (parent, child):
            if name not in self._tasks:
                raise blame(f"there is no task {shown(name)}; tasks are {listed(self._tasks)}")
        pair = f"from {shown(parent)} to {shown(child)}"
        if parent == child:
            raise blame(f"task {shown(parent)} waits for itself")
        if (parent, child) in self._sizes:
            raise blame(f"there is a second edge {pair}")
        if not 0 <= size_bytes <= LARGEST:
            raise blame(f"the edge {pair} has the size {size_bytes}, expected {expected_from(0)}")
        if len(self._sizes) >= EDGES_MAX:
            raise blame(f"there are more than {EDGES_MAX} edges, which is as many as are read")
        self._sizes[parent, child] = size_bytes

    def graph(self, blame: Blame) -> Graph:
        """Tasks in the order they came; edges by parent, then by child."""
        if not self._tasks:
            raise blame("there is no task, expected at least one")
        children: dict[str, list[str]] = {name: [] for name in self._tasks}
        for parent, child in self._sizes:
            children[parent].append(child)
        try:
            topological(children)
        except CycleError as error:
            raise blame(f"the tasks wait for each other in a cycle: {error.text}") from None
        number = {name: at for at, name in enumerate(self._tasks)}
        edges = [Edge(number[parent], number[child], size) for (parent, child), size in self._sizes.items()]
        edges.sort(key=lambda edge: (edge.parent, edge.child))
        return Graph(self._name, tuple(self._tasks.values()), tuple(edges))
