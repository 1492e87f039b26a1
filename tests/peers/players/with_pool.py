"""ProcessPoolExecutor: two worker processes of the standard library; a floor, for it knows neither nodes nor graphs.

What waits for a result is handed in when that is there, by whoever submits.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager

from .games import GAMES
from .player import NODES, Handle, Player, Task, play


class WithPool:
    """Tasks as submitted, futures among their arguments waited for first."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        known = [value.result() if isinstance(value, Future) else value for value in given]
        return self._pool.submit(task, *known)

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        return [self._pool.submit(task, item) for item in items]

    def results(self, handles: Sequence[Handle]) -> list[object]:
        return [handle.result() for handle in handles if isinstance(handle, Future)]


@contextmanager
def opened() -> Iterator[Player]:
    with ProcessPoolExecutor(NODES) as pool:
        yield WithPool(pool)


if __name__ == "__main__":
    play(opened, GAMES.items())
