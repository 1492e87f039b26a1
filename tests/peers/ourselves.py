"""Ourselves: pnode as a player: two real nodes of one core each on this machine, asked through the Python client.

`python -m tests.peers.ourselves REPLICAS WORKLOAD BEGAN SHARE`, where REPLICAS is a number or `default`.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pnode.node.api import NodeStatus
from pnode.node.cli_started import Started
from pnode.node.client import connect
from pnode.node.follow import Followed
from pnode.protocol.jobspec import REPLICAS

from ..end_to_end.applications import programs, write
from ..end_to_end.hosts import Host, Hosts, pnode
from .players.games import GAMES, PROGRAMS, WARM
from .players.player import Game, Handle, Player, Task, Turn, play, seconds, tell

NAMES = ("alpha", "beta")

DEFAULT = "default"

RUNS = 5
"""Of a command, for a median within the turn: each takes a fraction of a second."""


class Ours:
    """Tasks as calls that are submitted to the session of one node, for any node or for a certain one."""

    def __init__(self, hosts: Sequence[Host], anywhere: Executor, bound: Sequence[Executor], replicas: int) -> None:
        self.hosts = hosts
        self.replicas = replicas
        self._anywhere = anywhere
        self._bound = bound

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        return (self._anywhere if node is None else self._bound[node]).submit(task, *given)

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        return [self._anywhere.submit(task, item) for item in items]

    def process(self, node: int) -> int:
        return self.hosts[node].ask(NodeStatus, "status").pid

    def results(self, handles: Sequence[Handle]) -> list[object]:
        return [handle.result() for handle in handles if isinstance(handle, Future)]


def commands(player: Player, asked: Turn) -> None:
    """W5: a graph of commands, handed in as a person does; the time is the job's, from its submission to its end."""
    assert isinstance(player, Ours)
    count = asked.some(PROGRAMS)
    _elapsed_s(player, "warm", WARM)
    tell("commands", (count + 1) / _elapsed_s(player, "commands", count))


def _elapsed_s(player: "Ours", name: str, count: int) -> float:
    """Of a job of so many programs, and one that they wait for."""
    host = player.hosts[0]
    dag = write(host.place / name, {"dag.toml": programs(count)})
    words = ("--follow", "--output", host.place / f"{name}-results", "--replicas", player.replicas)
    return host.ask(Followed, "submit", dag, *words).job.elapsed_s


def command_line(player: Player, _: Turn) -> None:
    """W8: what a person waits for who asks something small."""
    assert isinstance(player, Ours)
    host = player.hosts[0]
    for figure, words in {"help": ("--help",), "jobs": ("jobs", "--home", host.home)}.items():
        tell(figure, statistics.median(seconds(partial(pnode, *words, cwd=host.place)) for _ in range(RUNS)))


def acquainted(game: Game, player: Player, asked: Turn) -> None:
    """Play with nodes that know each other; only a cold start does not wait for that."""
    assert isinstance(player, Ours)
    for host in player.hosts:
        host.wait_for(*NAMES)
    game(player, asked)


@contextmanager
def opened(replicas: str) -> Iterator[Player]:
    chosen = REPLICAS if replicas == DEFAULT else int(replicas)
    with tempfile.TemporaryDirectory(prefix="pnode-") as place:
        found = Hosts(Path(place))
        try:
            alpha, beta = hosts = [found.add(name) for name in NAMES]
            invitation = alpha.ask(Started, *alpha.start_words()).invitation
            assert invitation is not None, "who founds a cluster is told how others join it"
            beta.done(*beta.start_words("--token", invitation.token))
            with connect(home=alpha.home, replicas=chosen) as session:
                yield Ours(hosts, session, [session.options(node=name) for name in NAMES], chosen)
        finally:
            found.end()


OURS: dict[str, Game] = {
    **{name: partial(acquainted, game) for name, game in {**GAMES, "W5": commands, "W8": command_line}.items()},
    "W6": GAMES["W6"],
}


if __name__ == "__main__":
    play(partial(opened, sys.argv.pop(1)), OURS.items())
