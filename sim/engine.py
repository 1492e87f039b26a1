"""The engine: virtual time and a heap of events.

Time is integer nanoseconds, so that adding and comparing instants is exact. Events at the same instant run in the
order of a seeded 64-bit tie, then of their creation: another seed tries another order, the same seed the same one.
"""

import heapq
from collections.abc import Callable
from random import Random

NANOSECONDS = 1_000_000_000

Action = Callable[..., None]


class Engine:
    """A clock that jumps from event to event."""

    def __init__(self, seed: int, start_s: float = 1_700_000_000.0) -> None:
        self.seed = seed
        self.now_ns = round(start_s * NANOSECONDS)
        self.now = self.now_ns / NANOSECONDS
        """Seconds since 1970, as the machines want it. Only the engine sets both; they are read all the time."""
        self._heap: list[tuple[int, int, int, Action, tuple[object, ...]]] = []
        self._ties = self.generator("ties")
        self._count = 0

    @property
    def pending(self) -> int:
        """Events to come."""
        return len(self._heap)

    def generator(self, concern: str) -> Random:
        """A generator of its own per concern, so that one more draw in one place does not reshuffle the rest."""
        return Random(f"{self.seed}/{concern}")  # noqa: S311 - a simulation must be repeatable, not secret

    def after(self, delay_s: float, action: Action, *given: object) -> None:
        """Run an action, with what it is given, once the clock has moved by a delay."""
        self.at_ns(self.now_ns + max(0, round(delay_s * NANOSECONDS)), action, *given)

    def at_ns(self, due_ns: int, action: Action, *given: object) -> None:
        """Run an action at an instant. Arguments instead of a closure: one is made per datagram."""
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._ties.getrandbits(64), self._count, action, given))

    def step(self) -> bool:
        """Run the next event; false when there is none."""
        if not self._heap:
            return False
        due_ns, _, _, action, given = heapq.heappop(self._heap)
        if due_ns > self.now_ns:
            self._set_clock(due_ns)
        action(*given)
        return True

    def run_until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Run until the condition holds, for at most so many virtual seconds; tells whether it came to hold."""
        end_ns = self.now_ns + round(limit_s * NANOSECONDS)
        while not condition():
            if not self._heap or self._heap[0][0] > end_ns:
                self._set_clock(end_ns)
                return condition()
            self.step()
        return True

    def run_for(self, duration_s: float) -> None:
        """Run whatever happens within so many virtual seconds."""
        end_ns = self.now_ns + round(duration_s * NANOSECONDS)
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= end_ns:  # as `step` does, without a call for each of millions of events
            due_ns, _, _, action, given = pop(heap)
            if due_ns > self.now_ns:
                self.now_ns = due_ns
                self.now = due_ns / NANOSECONDS
            action(*given)
        self._set_clock(end_ns)

    def _set_clock(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.now = now_ns / NANOSECONDS
