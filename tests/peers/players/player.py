"""Player: two workers, each a node of its own where there are nodes, that run tasks; and how its turn is told.

A turn is one process: it plays one workload and prints JSON, one value a line: `{"figure": ..., "value": ...}` for
what was measured, `{"idle": {"with_client": ...}}` when everything is idle and may be looked at from outside, until a
line comes in, and `{"done": true}` at last. Seconds since boot (time.monotonic) are the same in all processes.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Handle = object
"""What a task's result is called before it is there; an argument of further tasks."""

Task = Callable[..., object]

NODES = 2

OUTPUT = sys.stdout


class Player(Protocol):
    """What every one of those that are compared can do, in its own way."""

    def submit(self, task: Task, *given: object, node: int | None = None) -> Handle:
        """Hand in a task, for one of the NODES if that matters. A handle among the arguments is its result there."""

    def spread(self, task: Task, items: Iterable[object]) -> Sequence[Handle]:
        """Hand in a task for each item, in the way that is recommended for many."""

    def results(self, handles: Sequence[Handle]) -> list[object]:
        """Wait for results."""


@runtime_checkable
class Machines(Player, Protocol):
    """One whose nodes can be taken away."""

    def process(self, node: int) -> int:
        """The id of the process that is a node: it and its descendants are what a machine of its own would run."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one process has to play."""

    workload: str
    began_s: float
    """When the process was started, in seconds since boot."""
    share: float = 1.0
    """How much of the workload's size: less than 1 only to try whether all this works."""

    def some(self, count: int) -> int:
        return max(2, round(count * self.share))


Game = Callable[[Player, Turn], None]


def tell(figure: str, value: float) -> None:
    _say({"figure": figure, "value": value})


def idle(*, with_client: bool = False) -> None:
    """Everything is idle: wait until it was looked at. Say whether this process is a part of what is idle."""
    _say({"idle": {"with_client": with_client}})
    sys.stdin.readline()


def seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def turn(words: Sequence[str]) -> Turn:
    """The turn that was asked for: WORKLOAD [SECONDS-SINCE-BOOT [SHARE]]."""
    workload, *rest = words
    began_s, share = (*map(float, rest), *(time.monotonic(), 1.0)[len(rest) :])
    return Turn(workload, began_s, share)


def play(opened: Callable[[], AbstractContextManager[Player]], games: Iterable[tuple[str, Game]]) -> None:
    """Open, play the turn that the command line asks for, close."""
    asked = turn(sys.argv[1:])
    with opened() as player:
        dict(games)[asked.workload](player, asked)
    _say({"done": True})


def alternating(count: int) -> Iterator[int]:
    """Nodes, each another one than the last."""
    return (number % NODES for number in range(count))


def _say(value: object) -> None:
    # Some redirect sys.stdout of this process while they are open.
    print(json.dumps(value), file=OUTPUT, flush=True)
