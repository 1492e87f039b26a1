"""Ray: two nodes of one core on this machine, each with an object store and a raylet of its own."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import ray
from ray._private.node import Node
from ray._private.ray_constants import PROCESS_TYPE_RAYLET
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .games import GAMES
from .player import NODES, Handle, Player, Task, play

STORE_BYTES = 2 * 10**9
"""What `ray start` would take, a third of the memory, would do as well; the default of a cluster made for tests, 150
MiB, would hold three of the large values."""


class WithRay:
    """Tasks as remote functions; what is bound to a node runs elsewhere only if that is gone."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._strategies = [NodeAffinitySchedulingStrategy(node.node_id, soft=True) for node in nodes]
        self._remotes: dict[tuple[Task, int | None], ray.remote_function.RemoteFunction] = {}

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        return self._remote(task, node).remote(*given)

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        remote = self._remote(task, None)
        return [remote.remote(item) for item in items]

    def results(self, handles: Sequence[Handle]) -> list[object]:
        return list(ray.get(list(handles)))

    def process(self, node: int) -> int:
        [raylet] = self._nodes[node].all_processes[PROCESS_TYPE_RAYLET]
        return int(raylet.process.pid)

    def _remote(self, task: Task, node: int | None) -> ray.remote_function.RemoteFunction:
        key = (task, node)
        if key not in self._remotes:
            plain = ray.remote(task)
            bound = plain if node is None else plain.options(scheduling_strategy=self._strategies[node])
            self._remotes[key] = bound
        return self._remotes[key]


@contextmanager
def opened() -> Iterator[Player]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE_BYTES})
    nodes = [cluster.head_node]
    nodes += [cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES) for _ in range(NODES - 1)]
    ray.init(address=cluster.address)
    try:
        yield WithRay(nodes)
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    play(opened, GAMES.items())
