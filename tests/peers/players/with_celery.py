"""Celery: a Redis server as broker and for results, and two workers of one process, each with a queue of its own.

Celery hands results on only within chains and chords, so what waits for a result is handed in when that is there,
except where a workload is a chain or a chord: these are played as such. A task whose worker is killed is lost by
default, so W7 is not played.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from celery import Celery, chain, chord, group
from celery import Task as CeleryTask
from celery.result import AsyncResult

from . import games, tasks
from .player import NODES, Game, Handle, Player, Task, Turn, alternating, play, seconds, tell

READY_S_MAX = 60.0
STOP_S_MAX = 10.0
ADDRESS = "PLAYERS_REDIS"
"""The variable that tells the workers where Redis is; this module is loaded by them, too."""

app = Celery(
    "players.with_celery",
    broker=os.environ.get(ADDRESS),
    backend=os.environ.get(ADDRESS),
    task_serializer="pickle",
    result_serializer="pickle",
    accept_content=["pickle"],
)
REMOTES: dict[Task, CeleryTask] = {
    task: app.task(task, name=task.__name__)
    for task in (tasks.nothing, tasks.following, tasks.made, tasks.handed_on, tasks.told, tasks.program, tasks.noted)
}


def summed(numbers: list[int]) -> int:
    """A chord gives its results as one list."""
    return sum(numbers)


JOINED = app.task(summed, name="joined")


class WithCelery:
    """Tasks as messages, to the queue of a node or to either."""

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        known = [value.get() if isinstance(value, AsyncResult) else value for value in given]
        return REMOTES[task].apply_async(args=known, queue=_queue(node))

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        return list(group(REMOTES[task].s(item) for item in items).apply_async(queue=_queue(None)).results)

    def results(self, handles: Sequence[Handle]) -> list[object]:
        return [handle.get() for handle in handles if isinstance(handle, AsyncResult)]


def played_chain(player: Player, asked: Turn) -> None:
    games.warm(player)
    count, single = asked.some(games.CHAIN), asked.some(games.ASKED)
    following = REMOTES[tasks.following]
    first, *others = alternating(count)
    links = chain(following.s(0).set(queue=_queue(first)), *(following.s().set(queue=_queue(at)) for at in others))
    tell("chain", 1000 * seconds(lambda: links.apply_async().get()) / count)
    taken_s = [seconds(lambda: player.results([player.submit(tasks.following, 0)])) for _ in range(single)]
    tell("asked", 1000 * sorted(taken_s)[len(taken_s) // 2])


def played_chord(player: Player, asked: Turn) -> None:
    games.warm(player)
    following = REMOTES[tasks.following]
    fork = chord([following.s() for _ in range(asked.some(games.FORKS))], JOINED.s())
    taken_s = [seconds(lambda: chain(following.s(0), fork).apply_async().get()) for _ in range(games.BLOCKS)]
    tell("forks", 1000 * sorted(taken_s)[len(taken_s) // 2])


GAMES: dict[str, Game] = {**games.GAMES, "W2": played_chain, "W3": played_chord}


def _queue(node: int | None) -> str:
    return app.conf.task_default_queue if node is None else f"node{node}"


@contextmanager
def opened() -> Iterator[Player]:
    started: list[subprocess.Popen[bytes]] = []
    try:
        port = _free_port()
        started.append(_start("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""))
        address = f"redis://127.0.0.1:{port}/0"
        os.environ["C_FORCE_ROOT"] = "true"  # who takes pickles refuses to run as root, as measuring machines do
        os.environ[ADDRESS] = app.conf.broker_url = app.conf.result_backend = address
        for node in range(NODES):
            queues = f"{_queue(None)},{_queue(node)}"
            worker = ("-A", "players.with_celery", "worker", "--concurrency", 1, "--queues", queues)
            started.append(_start(sys.executable, "-m", "celery", *worker, "--hostname", f"node{node}@%h"))
        _wait_for_workers()
        yield WithCelery()
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(STOP_S_MAX)


def _start(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([str(word) for word in words], stdout=sys.stderr)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_for_workers() -> None:
    deadline_s = time.monotonic() + READY_S_MAX
    while len(app.control.ping(timeout=0.1) or ()) < NODES:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"after {READY_S_MAX:g} s fewer than {NODES} Celery workers answer")


if __name__ == "__main__":
    play(opened, GAMES.items())
