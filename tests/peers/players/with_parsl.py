"""Parsl: a high-throughput executor with two single-core workers on this machine; it places tasks itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

from .games import GAMES
from .player import NODES, Handle, Player, Task, play


class WithParsl:
    """Tasks as apps; futures among their arguments are waited for by Parsl."""

    def __init__(self) -> None:
        self._apps: dict[Task, Callable[..., Future[object]]] = {}

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        return self._app(task)(*given)

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        app = self._app(task)
        return [app(item) for item in items]

    def results(self, handles: Sequence[Handle]) -> list[object]:
        return [handle.result() for handle in handles if isinstance(handle, Future)]

    def _app(self, task: Task) -> Callable[..., Future[object]]:
        if task not in self._apps:
            self._apps[task] = parsl.python_app(task)
        return self._apps[task]


@contextmanager
def opened() -> Iterator[Player]:
    workers = HighThroughputExecutor(
        address="127.0.0.1",
        max_workers_per_node=1,
        cores_per_worker=1,
        provider=LocalProvider(init_blocks=NODES, min_blocks=NODES, max_blocks=NODES),
    )
    # A killed worker shows as an exception; without retries the task would be given up.
    with parsl.load(Config(executors=[workers], retries=1, strategy="none")):
        yield WithParsl()


if __name__ == "__main__":
    play(opened, GAMES.items())
