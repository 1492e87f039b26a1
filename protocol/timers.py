"""Timers: one deadline per key, the earliest first."""

import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """Keyed deadlines on a heap. Setting a key again replaces its deadline; replaced ones are skipped when they come
    up, which is cheaper than searching the heap for them."""

    __slots__ = ("_heap", "_sequence", "_set")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._set: dict[K, tuple[float, int]] = {}
        self._sequence = 0  # equal deadlines come up in the order in which they were set, whatever the keys are

    def __contains__(self, key: K) -> bool:
        return key in self._set

    def __len__(self) -> int:
        return len(self._set)

    @property
    def deadline(self) -> float:
        """When the earliest is due; `inf` when none is set."""
        while self._heap and self._set.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def set(self, key: K, when: float) -> None:
        self._sequence += 1
        self._set[key] = (when, self._sequence)
        heapq.heappush(self._heap, (when, self._sequence, key))

    def cancel(self, key: K) -> None:
        self._set.pop(key, None)

    def due(self, now: float, count_max: int | None = None) -> list[K]:
        """Take out every key whose time has come, earliest first; at most so many, the others are due then."""
        keys: list[K] = []
        while self.deadline <= now and len(keys) != count_max:
            _, _, key = heapq.heappop(self._heap)
            del self._set[key]
            keys.append(key)
        return keys

    def postpone(self, by_s: float) -> None:
        """Move every deadline: for time that did not count because nobody was listening."""
        moved = [(when + by_s, sequence, key) for key, (when, sequence) in self._set.items()]
        self._set = {key: (when, sequence) for when, sequence, key in moved}
        self._heap = moved
        heapq.heapify(self._heap)
