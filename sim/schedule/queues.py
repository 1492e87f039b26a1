"""Queues: which of the attempts at a station starts next. The disciplines of scheduling.md 2.2.

All of them know two things of an attempt, its key and its turn; the smaller goes first, by key and then by turn.
"""

import heapq
import math
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Protocol

from pnode.protocol.hold import NAP_SHARE, Held, Ready, first_to_start

from .forecast import inputs_s
from .machines import Station
from .units import Attempt, State

if TYPE_CHECKING:
    from .world import World

NAPS_ALIKE = 20
"""So many naps make a mean task."""

NAP_GROWTH = 1.5

NAP_SHARE_MIN = 1e-9
"""Of the time that has passed: where tasks take no time, naps must."""


class Discipline(Enum):
    """The word is what people say."""

    STRICT = "strict"
    """In order of keys; nothing starts before its predecessor has, whatever is ready."""
    HOLD = "hold"
    """In order of keys, with backfill that respects the starts of those that still wait for inputs."""
    RANK = "rank"
    """Work-conserving: of those that are ready and fit, the one with the best key."""
    FIFO = "fifo"
    """In the order in which they became ready."""


class Queue(Protocol):
    """The attempts that wait at one station."""

    @property
    def wake_s(self) -> float:
        """When to `pick` again although nothing has happened; `inf` when that would not help."""

    def add(self, attempt: Attempt) -> None:
        """It was bound here, or has another key."""

    def ready(self, attempt: Attempt) -> None:
        """Its last input is here."""

    def pick(self, now: float) -> Attempt | None:
        """Take out the one that starts now, if any may; it fits."""


class Strict:
    """Everything bound is in the heap; its head blocks all others."""

    wake_s = math.inf

    def __init__(self, station: Station) -> None:
        self._station = station
        self._heap: list[tuple[float, int, Attempt]] = []

    def add(self, attempt: Attempt) -> None:
        heapq.heappush(self._heap, (attempt.key, attempt.turn, attempt))

    def ready(self, attempt: Attempt) -> None:
        """The head is asked for its state."""

    def pick(self, now: float) -> Attempt | None:  # noqa: ARG002  other disciplines look at the clock
        heap = self._heap
        while heap:
            key, _, attempt = heap[0]
            state = attempt.state
            if state is State.GONE or key != attempt.key:
                heapq.heappop(heap)  # it was moved, or has another key
            elif state is State.READY and self._station.fits(attempt.unit):
                return heapq.heappop(heap)[2]
            else:
                return None
        return None


class Ranked:
    """Only what is ready is in the heap. With several cores one that does not fit lets others pass."""

    wake_s = math.inf

    def __init__(self, station: Station) -> None:
        self._station = station
        self._heap: list[tuple[float, int, Attempt]] = []

    def add(self, attempt: Attempt) -> None:
        if attempt.state is State.READY:  # it has another key
            self.ready(attempt)

    def ready(self, attempt: Attempt) -> None:
        heapq.heappush(self._heap, (attempt.key, attempt.turn, attempt))

    def pick(self, now: float) -> Attempt | None:  # noqa: ARG002  other disciplines look at the clock
        station = self._station
        heap = self._heap
        passed: list[tuple[float, int, Attempt]] = []
        found: Attempt | None = None
        while heap and station.free_cores and found is None:
            entry = heapq.heappop(heap)
            key, _, attempt = entry
            if attempt.state is State.READY and key == attempt.key:
                if station.fits(attempt.unit):
                    found = attempt
                else:
                    passed.append(entry)
        for entry in passed:
            heapq.heappush(heap, entry)
        return found


class Fifo:
    """In the order of readiness; the head blocks."""

    wake_s = math.inf

    def __init__(self, station: Station) -> None:
        self._station = station
        self._heap: list[tuple[float, int, Attempt]] = []

    def add(self, attempt: Attempt) -> None:
        """It counts from when it is ready; keys mean nothing."""

    def ready(self, attempt: Attempt) -> None:
        heapq.heappush(self._heap, (attempt.ready_s, attempt.turn, attempt))

    def pick(self, now: float) -> Attempt | None:  # noqa: ARG002  other disciplines look at the clock
        heap = self._heap
        while heap and heap[0][2].state is not State.READY:
            heapq.heappop(heap)
        if heap and self._station.fits(heap[0][2].unit):
            return heapq.heappop(heap)[2]
        return None


class Hold:
    """The rule of `protocol.hold`, asked anew at every pick."""

    def __init__(
        self,
        station: Station,
        inputs_s: Callable[[Attempt], float],
        run_s: Callable[[Attempt], float],
        nap_s: float,
    ) -> None:
        """`inputs_s`: when an attempt's last input is expected; `run_s`: how long it is expected to take."""
        self.wake_s = math.inf
        self._station = station
        self._inputs_s = inputs_s
        self._run_s = run_s
        self._nap_s = nap_s
        self._naps = 0
        """Looks in a row that let nobody start."""

    def add(self, attempt: Attempt) -> None:  # noqa: ARG002  the station knows what is bound to it
        self._naps = 0

    def ready(self, attempt: Attempt) -> None:  # noqa: ARG002  the attempt knows
        self._naps = 0

    def pick(self, now: float) -> Attempt | None:
        station = self._station
        self.wake_s = math.inf
        if not station.free_cores or not station.bound:
            return None
        waiting = sorted(station.bound, key=lambda attempt: (attempt.key, attempt.turn))
        ready = [
            Ready(attempt.key, attempt.turn, self._run_s(attempt), attempt.unit.vertex.cores)
            for attempt in waiting
            if attempt.state is State.READY and attempt.unit.vertex.memory_bytes <= station.free_bytes
        ]
        if not ready:
            return None
        held = [
            Held(attempt.key, attempt.turn, self._inputs_s(attempt), attempt.unit.vertex.cores)
            for attempt in waiting
            if attempt.state is State.BOUND and not attempt.is_parked
        ]
        nap_s = self._next_nap_s(now)
        verdict = first_to_start(ready, held, self._cores_s(now), now, nap_s)
        if verdict.wake_s < math.inf and verdict.task is None:
            self._naps += 1
            self.wake_s = verdict.wake_s if self._naps <= NAPS_ALIKE else max(verdict.wake_s, now + nap_s)
        return next((attempt for attempt in waiting if attempt.turn == verdict.task), None)

    def _next_nap_s(self, now: float) -> float:
        """Longer and longer after a mean task: what is late by much more may not come for a long time."""
        nap_s = max(self._nap_s, NAP_SHARE_MIN * now, math.ulp(now))
        return nap_s * NAP_GROWTH ** max(0, self._naps - NAPS_ALIKE)

    def _cores_s(self, now: float) -> list[float]:
        """When each core is expected to be free, ascending; one that is overdue in a nap."""
        free = [now] * self._station.free_cores
        for attempt in self._station.running:
            end = attempt.start_s + self._run_s(attempt)
            free += [end if end > now else now + self._nap_s] * attempt.unit.vertex.cores
        return sorted(free)


def queue_of(discipline: Discipline, station: Station, world: "World") -> Queue:
    """An empty queue; one that holds goes by the profile."""
    match discipline:
        case Discipline.STRICT:
            return Strict(station)
        case Discipline.RANK:
            return Ranked(station)
        case Discipline.FIFO:
            return Fifo(station)
        case Discipline.HOLD:
            mean_s = max(job.instance.mean_task_s for job in world.jobs)
            return Hold(station, partial(inputs_s, world), lambda attempt: attempt.expected_s, NAP_SHARE * mean_s)
