"""Games: the workloads, played in the same way with everybody who can hand in tasks."""

import os
import signal
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .player import NODES, Game, Handle, Machines, Player, Turn, alternating, idle, seconds, tell
from .tasks import following, handed_on, lingering, made, noted, nothing, program, told, total

INDEPENDENT = 10_000
CHAIN = 500
ASKED = 100
FORKS = 100
BLOCKS = 5
HOPS = 20
VALUE_BYTES = 50_000_000
PROGRAMS = 500
FINISHED = 20

WARM = 100
"""Tasks before the clock runs: workers are started, what they import is imported, the task is known to them."""

POLL_S = 0.005
AGAIN_S_MAX = 60.0
"""After that long a lost task is taken for lost; those that notice a killed worker need 27 s at most."""


def independent(player: Player, asked: Turn) -> None:
    """W1: tasks that do nothing and know nothing of each other."""
    warm(player)
    count = asked.some(INDEPENDENT)
    took_s = seconds(lambda: player.results(player.spread(nothing, range(count))))
    tell("independent", count / took_s)


def chain(player: Player, asked: Turn) -> None:
    """W2: tasks of which each waits for the one before, on alternating nodes: handed in at once, or one by one."""
    warm(player)
    count, single = asked.some(CHAIN), asked.some(ASKED)
    tell("chain", 1000 * seconds(lambda: _chain(player, count)) / count)
    taken_s = [seconds(lambda node=node: player.results([player.submit(following, 0, node=node)]))  # type: ignore[misc]
               for node in alternating(single)]  # fmt: skip
    tell("asked", 1000 * statistics.median(taken_s))


def _chain(player: Player, count: int) -> None:
    last: Handle = 0
    for node in alternating(count):
        last = player.submit(following, last, node=node)
    assert player.results([last]) == [count]


def forks(player: Player, asked: Turn) -> None:
    """W3: one task, then many that wait for it, then one that waits for all of them; a few such blocks."""
    warm(player)
    count = asked.some(FORKS)
    taken_s = [seconds(lambda: _fork_join(player, count)) for _ in range(BLOCKS)]
    tell("forks", 1000 * statistics.median(taken_s))


def _fork_join(player: Player, count: int) -> None:
    first = player.submit(following, 0)
    others = [player.submit(following, first) for _ in range(count)]
    assert player.results([player.submit(total, *others)]) == [2 * count]


def data(player: Player, asked: Turn) -> None:
    """W4: a large value through a chain of tasks on alternating nodes; it is made, and told of, at a node."""
    warm(player)
    size_bytes = asked.some(VALUE_BYTES)
    value = player.submit(made, size_bytes, node=NODES - 1)
    player.results([player.submit(told, value, node=NODES - 1)])
    taken_s = seconds(lambda: _through(player, value, size_bytes))
    tell("data", HOPS * size_bytes / 1e6 / taken_s)


def _through(player: Player, value: Handle, size_bytes: int) -> None:
    for node in alternating(HOPS):
        value = player.submit(handed_on, value, node=node)
    [found] = player.results([player.submit(told, value, node=NODES - 1)])
    assert found == (HOPS, size_bytes), found


def commands(player: Player, asked: Turn) -> None:
    """W5: a program as a task, many times."""
    warm(player)
    count = asked.some(PROGRAMS)
    handles: list[Handle] = []

    def run() -> None:
        handles.extend(player.submit(program) for _ in range(count))
        assert not any(player.results(handles))

    tell("commands", count / seconds(run))


def cold(player: Player, asked: Turn) -> None:
    """W6: from the start of everything to the first result; then what it costs to be there."""
    assert player.results([player.submit(following, 0)]) == [1]
    tell("cold", time.monotonic() - asked.began_s)
    idle(with_client=getattr(player, "client_is_idle", False))


def lost(player: Player, asked: Turn) -> None:
    """W7: a worker is killed: how long until its task runs again, and how many that had ended run again, too."""
    warm(player)
    with tempfile.TemporaryDirectory() as place:
        finished, running = Path(place, "finished"), Path(place, "running")
        before = player.spread(noted, [str(finished)] * FINISHED)
        player.results(before)
        count = len(_lines(finished))
        task = player.submit(lingering, str(running))
        [[pid, _]] = _when(running, 1)
        killed_s = time.monotonic()
        os.kill(int(pid), signal.SIGKILL)
        again_s = float(_when(running, 2)[1][1])
        assert player.results([task]) != [0], "the task that was killed has ended"
        tell("lost", again_s - killed_s)
        tell("repeated", len(_lines(finished)) - count)


def lost_node(player: Player, how: signal.Signals) -> float:
    """How long until the task of a node runs elsewhere after the node, and all that runs there, got a signal."""
    assert isinstance(player, Machines)
    warm(player)
    with tempfile.TemporaryDirectory() as place:
        diary = Path(place, "running")
        task = player.submit(lingering, str(diary), node=NODES - 1)
        _when(diary, 1)
        struck_s = time.monotonic()
        for process in below(player.process(NODES - 1)):
            with suppress(ProcessLookupError):
                os.kill(process, how)
        again_s = float(_when(diary, 2)[1][1])
        assert player.results([task]) != [0], "the task of the lost node has ended"
        return again_s - struck_s


def killed(player: Player, _: Turn) -> None:
    """W7k: a power cut."""
    tell("killed", lost_node(player, signal.SIGKILL))


def frozen(player: Player, _: Turn) -> None:
    """W7f: nothing is closed, and nothing answers."""
    tell("frozen", lost_node(player, signal.SIGSTOP))


def below(process: int) -> list[int]:
    """A process and all its descendants, parents first."""
    found = [process]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").glob("*"):
            with suppress(FileNotFoundError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _when(diary: Path, count: int) -> list[list[str]]:
    """The diary's lines once there are so many."""
    deadline_s = time.monotonic() + AGAIN_S_MAX
    while len(lines := _lines(diary)) < count:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"after {AGAIN_S_MAX:g} s the task was begun {len(lines)} times, not {count}")
        time.sleep(POLL_S)
    return lines


def _lines(diary: Path) -> list[list[str]]:
    return [line.split() for line in diary.read_text().splitlines()] if diary.exists() else []


def warm(player: Player) -> None:
    player.results([player.submit(following, 0, node=node) for node in alternating(WARM)])
    player.results(player.spread(nothing, range(WARM)))


GAMES: dict[str, Game] = {
    "W1": independent,
    "W2": chain,
    "W3": forks,
    "W4": data,
    "W5": commands,
    "W6": cold,
    "W7": lost,
    "W7k": killed,
    "W7f": frozen,
}
