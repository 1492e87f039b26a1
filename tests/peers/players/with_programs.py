"""Programs: what the same work costs with nothing but programs of the system, or with a loop around system calls.

These are floors: nobody hands anything over here, and nothing survives anything. NAME-WORKLOAD is what is played.
"""

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

from .games import BLOCKS, CHAIN, FORKS, HOPS, PROGRAMS, VALUE_BYTES
from .player import NODES, Game, Handle, Player, Task, Turn, play, seconds, tell

TRUE = "/bin/true"

CHUNK_BYTES = 2**20


def chain_by_make(_: Player, asked: Turn) -> None:
    count = asked.some(CHAIN)
    rules = ["t0:", *(f"t{number}: t{number - 1}" for number in range(1, count))]
    tell("chain", 1000 * _make_s(rules, f"t{count - 1}") / count)


def forks_by_make(_: Player, asked: Turn) -> None:
    names = [f"fork{number}" for number in range(asked.some(FORKS))]
    rules = ["first:", *(f"{name}: first" for name in names), f"last: {' '.join(names)}"]
    tell("forks", 1000 * sorted(_make_s(rules, "last") for _ in range(BLOCKS))[BLOCKS // 2])


def _make_s(rules: list[str], goal: str) -> float:
    text = "".join(f"{rule}\n\t@{TRUE}\n" for rule in rules)
    return seconds(lambda: subprocess.run(["make", f"-j{NODES}", "-f", "-", goal], input=text, text=True, check=True))


def commands_by_xargs(_: Player, asked: Turn) -> None:
    count = asked.some(PROGRAMS)
    words = ["xargs", f"-P{NODES}", "-n1", TRUE]
    lines = "".join(f"{number}\n" for number in range(count))
    tell("commands", count / seconds(lambda: subprocess.run(words, input=lines, text=True, check=True)))


def commands_by_loop(_: Player, asked: Turn) -> None:
    count = asked.some(PROGRAMS)

    def run() -> None:
        for _ in range(count):
            os.waitpid(os.posix_spawn(TRUE, [TRUE], os.environ), 0)

    tell("commands", count / seconds(run))


def data_by_cp(_: Player, asked: Turn) -> None:
    _data(asked, lambda source, target: subprocess.run(["cp", source, target], check=True))


def data_by_sendfile(_: Player, asked: Turn) -> None:
    with ThreadPoolExecutor(1) as receiver, socket.create_server(("127.0.0.1", 0)) as server:
        _data(asked, partial(_send, receiver, server))


def _send(receiver: ThreadPoolExecutor, server: socket.socket, source: Path, target: Path) -> None:
    received = receiver.submit(_receive, server, target)
    with socket.create_connection(server.getsockname()) as way, source.open("rb") as file:
        way.sendfile(file)
    received.result()


def _receive(server: socket.socket, target: Path) -> None:
    chunk = memoryview(bytearray(CHUNK_BYTES))
    way, _ = server.accept()
    with way, target.open("wb", buffering=0) as file:
        while size := way.recv_into(chunk):
            file.write(chunk[:size])


def _data(asked: Turn, hand_on: Callable[[Path, Path], object]) -> None:
    size_bytes = asked.some(VALUE_BYTES)
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place, f"value{number}") for number in range(HOPS + 1)]
        paths[0].write_bytes(os.urandom(size_bytes))

        def run() -> None:
            for source, target in pairwise(paths):
                hand_on(source, target)
                source.unlink()

        tell("data", HOPS * size_bytes / 1e6 / seconds(run))
        assert paths[-1].stat().st_size == size_bytes


GAMES: dict[str, Game] = {
    "make-W2": chain_by_make,
    "make-W3": forks_by_make,
    "xargs-W5": commands_by_xargs,
    "loop-W5": commands_by_loop,
    "cp-W4": data_by_cp,
    "sendfile-W4": data_by_sendfile,
}


class NoPlayer:
    """Nobody can be handed a task here."""

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        raise NotImplementedError

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        raise NotImplementedError

    def results(self, handles: Sequence[Handle]) -> list[object]:
        raise NotImplementedError


@contextmanager
def opened() -> Iterator[Player]:
    yield NoPlayer()


if __name__ == "__main__":
    play(opened, GAMES.items())
