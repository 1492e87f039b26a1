"""Hold: which of the tasks bound to a node it starts next, so that reserved starts are kept.

Every bound task has a key, its planned start. Tasks whose inputs are here are ready, the others are held. In order of
their keys, a ready task may start now if it ends before any held task with a better key could have its inputs: it
then fills a gap that nobody else can use (scheduling.md 4.6). With exact durations no planned start is ever delayed,
so the job is never longer than its plan (5.1: at most 1.0000 of it on 629 instances). Plain work-conserving order by
rank reaches 1.57, this rule with keys by rank 1.21; under uncertainty the two kinds of keys are alike (5.4).

A node with several cores keeps as many of them as the held tasks would need that could start before the ready one
ends.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

NAP_SHARE = 0.05
"""Of a mean task: how long to sleep when inputs are late that nobody knows the arrival of."""


class Ready(NamedTuple):
    """A bound task whose inputs are all here."""

    key: float
    task: int
    run_s: float
    """As expected, the node's factor included."""
    cores: int = 1
    """All of the node's if it has fewer."""


class Held(NamedTuple):
    """A bound task that still waits for inputs."""

    key: float
    task: int
    inputs_s: float
    """When the last of them is expected; `inf` when that is out of sight, since a parent is lost."""
    cores: int = 1


class Verdict(NamedTuple):
    """What a node does now."""

    task: int | None
    """To be started; None to wait."""
    wake_s: float
    """When to look again if nothing arrives or ends before; `inf` when only that can help."""


def first_to_start(
    ready: Sequence[Ready], held: Sequence[Held], free_s: Sequence[float], now: float, nap_s: float
) -> Verdict:
    """The first ready task that may start. Ask again after each start.

    `ready` and `held` are in order of key and, among equal ones, of task; `free_s` says in ascending order when each
    core of the node is free.
    """
    free = sum(instant <= now for instant in free_s)
    if not free or not ready:
        return Verdict(None, math.inf)
    ahead: list[tuple[float, int]] = []  # (could start, cores) of what has a better key and cannot start now
    forbade_s = math.inf
    at = 0
    for one in ready:
        while at < len(held) and (held[at].key, held[at].task) < (one.key, one.task):
            ahead.append((held[at].inputs_s, held[at].cores))
            at += 1
        wanted = min(one.cores, len(free_s))
        earlier = [promise for promise in ahead if promise[0] < now + one.run_s]
        if wanted + sum(cores for _, cores in earlier) <= free:
            return Verdict(one.task, now)
        if wanted > free:
            # It is ready but too wide: it is promised the cores from when there are enough of them.
            ahead.append((free_s[wanted - 1], wanted))
        else:
            forbade_s = min(forbade_s, *(instant for instant, _ in earlier))
    return Verdict(None, forbade_s if forbade_s > now else now + nap_s)
