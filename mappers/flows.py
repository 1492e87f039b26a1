"""Flows: the transfers under way between nodes, and when each of them ends.

One machine per model of contention. Each is told when a transfer begins and says when the next thing happens; whoever
drives it calls `finish_due` no later than that. A transfer waits its link's latency, then moves its bytes
(scheduling.md 10).
"""

import heapq
import math
from collections.abc import Sequence
from typing import Generic, Protocol

from .cards import NicFlows
from .contention import Contention
from .instance import InstanceError, Matrix
from .lanes import Key, LinkFlows, take_out


class Flows(Protocol[Key]):
    """Transfers under way. Time never goes back, is finite, and passes `deadline` only by way of `finish_due`."""

    @property
    def deadline(self) -> float:
        """When to call `finish_due`: nothing ends before, though nothing need end then; `inf` when idle."""

    def begin(self, key: Key, source: int, target: int, size_bytes: float, now: float) -> None:
        """Between different nodes. The key is one that is not under way."""

    def finish_due(self, now: float) -> list[Key]:
        """Those that end until now, in the order of their ends."""

    def abandon(self, key: Key, now: float) -> None:
        """It leaves unfinished, and makes room for the others. Raises KeyError for one that is not under way."""


def flows_of(
    contention: Contention,
    latency_s: Matrix,
    seconds_per_byte: Matrix,
    *,
    seconds_per_byte2: Matrix | None = None,
    up: Sequence[float] | None = None,
    down: Sequence[float] | None = None,
) -> Flows[Key]:
    """The machine of a model. `up` and `down` are each node's bytes per second; without them cards limit nothing.

    A pair of nodes that cannot talk has `inf` seconds per byte: what begins there never ends.

    Raises InstanceError for DRUPE's quadratic term together with contention, which gives it no meaning.
    """
    if contention is Contention.NONE:
        return FreeFlows(latency_s, seconds_per_byte, seconds_per_byte2)
    if seconds_per_byte2 is not None:
        raise InstanceError(f"links with a quadratic term cannot be shared, as contention {contention.value!r} asks")
    if contention is Contention.LINK:
        return LinkFlows(latency_s, seconds_per_byte)
    unlimited = (math.inf,) * len(latency_s)
    return NicFlows(latency_s, seconds_per_byte, up or unlimited, down or unlimited)


class FreeFlows(Generic[Key]):
    """`Contention.NONE`: the end of a transfer is known when it begins."""

    def __init__(self, latency_s: Matrix, seconds_per_byte: Matrix, seconds_per_byte2: Matrix | None = None) -> None:
        self._latency_s = latency_s
        self._seconds_per_byte = seconds_per_byte
        self._seconds_per_byte2 = seconds_per_byte2
        self._ends: list[tuple[float, int, Key]] = []
        self._begun = 0

    @property
    def deadline(self) -> float:
        return self._ends[0][0] if self._ends else math.inf

    def begin(self, key: Key, source: int, target: int, size_bytes: float, now: float) -> None:
        end = now + self._latency_s[source][target] + size_bytes * self._seconds_per_byte[source][target]
        if self._seconds_per_byte2 is not None:
            end += size_bytes * size_bytes * self._seconds_per_byte2[source][target]
        self._begun += 1
        heapq.heappush(self._ends, (math.inf if math.isnan(end) else end, self._begun, key))

    def finish_due(self, now: float) -> list[Key]:
        done: list[Key] = []
        while self._ends and self._ends[0][0] <= now:
            done.append(heapq.heappop(self._ends)[2])
        return done

    def abandon(self, key: Key, now: float) -> None:  # noqa: ARG002  the others need to know
        keys = [entry[2] for entry in self._ends]
        if key not in keys:
            raise KeyError(key)
        take_out(self._ends, keys.index(key))
