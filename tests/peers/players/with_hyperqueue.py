"""HyperQueue: a server and two workers of one core each, asked for programs by its command: no Python tasks."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .games import INDEPENDENT, PROGRAMS
from .player import NODES, Game, Player, Turn, idle, play, seconds, tell
from .with_programs import TRUE, NoPlayer

PLACE = ("--server-dir", "hyperqueue")
"""In the turn's own directory."""

READY_S_MAX = 30.0
STOP_S_MAX = 10.0


def independent(_: Player, asked: Turn) -> None:
    """W1, with programs instead of Python tasks."""
    count = asked.some(INDEPENDENT)
    tell("independent", count / seconds(lambda: _submit(count)))


def commands(_: Player, asked: Turn) -> None:
    count = asked.some(PROGRAMS)
    tell("commands", count / seconds(lambda: _submit(count)))


def cold(_: Player, asked: Turn) -> None:
    _submit(1)
    tell("cold", time.monotonic() - asked.began_s)
    idle()


def _submit(count: int) -> None:
    _hq("submit", f"--array=1-{count}", "--wait", "--stdout=none", "--stderr=none", "--", TRUE)


def _hq(*words: str) -> None:
    subprocess.run(["hq", *PLACE, *words], stdout=sys.stderr, check=True)


def _wait_for_server() -> None:
    deadline_s = time.monotonic() + READY_S_MAX
    while subprocess.run(["hq", *PLACE, "server", "info"], capture_output=True, check=False).returncode:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"after {READY_S_MAX:g} s the server of HyperQueue does not answer")


@contextmanager
def opened() -> Iterator[Player]:
    starts = [("server", "start"), *[("worker", "start", "--cpus=1")] * NODES]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in starts:
            started.append(subprocess.Popen(["hq", *PLACE, *words], stdout=sys.stderr))
            _wait_for_server()
        yield NoPlayer()
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(STOP_S_MAX)


GAMES: dict[str, Game] = {"W1": independent, "W5": commands, "W6": cold}


if __name__ == "__main__":
    play(opened, GAMES.items())
