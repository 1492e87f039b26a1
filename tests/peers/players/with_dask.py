"""Dask: a scheduler in this process, and two worker processes of one thread each, as LocalCluster has them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from distributed import Client, LocalCluster

from .games import GAMES
from .player import NODES, Handle, Player, Task, play


class WithDask:
    """Tasks as impure calls: two of the same function are two tasks."""

    client_is_idle = True
    """The scheduler lives here."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._workers = sorted(client.scheduler_info()["workers"])

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        # A worker that is killed comes back under another address: nobody is bound to one unless that was asked for.
        where = None if node is None else [self._workers[node]]
        return self._client.submit(task, *given, workers=where, pure=False)

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        return list(self._client.map(task, list(items), pure=False))

    def results(self, handles: Sequence[Handle]) -> list[object]:
        return list(self._client.gather(list(handles)))


@contextmanager
def opened() -> Iterator[Player]:
    with (
        LocalCluster(n_workers=NODES, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(NODES)
        yield WithDask(client)


if __name__ == "__main__":
    play(opened, GAMES.items())
