"""Timers: one deadline per key, the earliest first; and pauses that grow."""

import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

DOUBLINGS_MAX = 64
"""No pause is so short that this is not for ever; and a number that is doubled on and on cannot be a time one day."""


def growing_s(first_s: float, times: int, most_s: float) -> float:
    """A pause in seconds after something has come to nothing `times` times before: `first_s`, doubled each time, and
    at most `most_s`."""
    return min(first_s * 2.0 ** min(times, DOUBLINGS_MAX), most_s)


class Timers(Generic[K]):
    """Keyed deadlines on a heap. Setting a key again replaces its deadline; replaced ones are skipped when they come
    up, which is cheaper than searching the heap for them. `deadline` is when the earliest is due, `inf` when none is
    set: a plain attribute, since it is read after every event."""

    __slots__ = ("_heap", "_sequence", "_set", "deadline")

    def __init__(self) -> None:
        self.deadline = math.inf
        self._heap: list[tuple[float, int, K]] = []
        self._set: dict[K, tuple[float, int]] = {}
        self._sequence = 0  # equal deadlines come up in the order in which they were set, whatever the keys are

    def __contains__(self, key: K) -> bool:
        return key in self._set

    def __len__(self) -> int:
        return len(self._set)

    def set(self, key: K, when: float) -> None:
        self._sequence += 1
        self._set[key] = (when, self._sequence)
        heapq.heappush(self._heap, (when, self._sequence, key))
        self._skip_replaced()

    def cancel(self, key: K) -> None:
        if self._set.pop(key, None) is not None:
            self._skip_replaced()

    def due(self, now: float, count_max: int | None = None) -> list[K]:
        """Take out every key whose time has come, earliest first; at most so many, the others are due then."""
        keys: list[K] = []
        while self.deadline <= now and len(keys) != count_max:
            _, _, key = heapq.heappop(self._heap)
            del self._set[key]
            keys.append(key)
            self._skip_replaced()
        return keys

    def postpone(self, by_s: float) -> None:
        """Move every deadline: for time that did not count because nobody was listening."""
        moved = [(when + by_s, sequence, key) for key, (when, sequence) in self._set.items()]
        self._set = {key: (when, sequence) for when, sequence, key in moved}
        self._heap = moved
        heapq.heapify(self._heap)
        self._skip_replaced()

    def _skip_replaced(self) -> None:
        heap = self._heap
        while heap:
            when, sequence, key = heap[0]
            if self._set.get(key) == (when, sequence):
                self.deadline = when
                return
            heapq.heappop(heap)
        self.deadline = math.inf
