"""Lanes: directed links on which transfers move side by side, each with the same share.

Shares are kept in virtual time (scheduling.md 9.3): all transfers of a lane move at one rate, so the lane counts the
bytes each of them has moved, and a transfer ends when that count reaches its tag, the count at which it entered plus
its size. Entering or leaving changes the rate of the lane, but nobody's tag.

These loops run several times per task of a simulation: heaps hold tuples, and what could be a call is written out.
"""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Generic, TypeVar

from .instance import Matrix

Key = TypeVar("Key", bound=Hashable)
"""What the driver calls a transfer."""

NO_CARD = -1

Entry = TypeVar("Entry", bound=tuple[object, ...])
"""Of a heap."""


class Lane(Generic[Key]):
    """A directed link and the transfers that move on it now."""

    __slots__ = (
        "bandwidth", "downlink", "latency_s", "moved", "neck", "number", "rate", "since", "stamp", "tags", "uplink",
        "wake",
    )  # fmt: skip

    def __init__(self, number: int, latency_s: float, bandwidth: float) -> None:
        self.number = number
        """source * nodes + target."""
        self.latency_s = latency_s if bandwidth else math.inf
        """`inf` for nodes that cannot talk."""
        self.bandwidth = bandwidth
        """Bytes per second that a transfer gets when it is alone."""
        self.tags: list[tuple[float, int, Key]] = []
        """A heap: (bytes moved when it ends, place among all that began, key)."""
        self.moved = 0.0
        """Bytes, until `since`, of a transfer that was there all the time since the lane was last empty."""
        self.since = 0.0
        self.rate = 0.0
        """Of each transfer, from `since` on; above zero once it is known."""
        self.wake = math.inf
        """When the lane is looked at again: not after its first transfer ends. Wakes of another time are outdated."""
        self.uplink = self.downlink = 0
        """With cards: the numbers of those it passes."""
        self.neck = NO_CARD
        """With cards: the one that limits the rate."""
        self.stamp = 0
        """With cards: the last settlement that looked for its rate."""

    def advance(self, now: float) -> None:
        """Count until now. The count starts again on an empty lane, so that it stays small, hence exact."""
        self.moved = self.moved + (now - self.since) * self.rate if self.tags else 0.0
        self.since = now

    def end_s(self) -> float:
        """When the first transfer ends if nothing changes."""
        return self.since + (self.tags[0][0] - self.moved) / self.rate

    def finish_first(self, at: float, done: list[Key]) -> bool:
        """Take out the first transfer and those that end with it, unless it is too early."""
        tags = self.tags
        tag = tags[0][0]
        if self.since + (tag - self.moved) / self.rate > at:
            return False
        # It has ended by what the wake was reckoned from: no rounding of the count can keep it.
        self.moved, self.since = tag, at
        while tags and tags[0][0] <= tag:
            done.append(heapq.heappop(tags)[2])
        return True


class Lanes(ABC, Generic[Key]):
    """What the models of contention have in common; they differ in the rates."""

    def __init__(self, latency_s: Matrix, seconds_per_byte: Matrix) -> None:
        self._latency_s = latency_s
        self._seconds_per_byte = seconds_per_byte
        self._nodes = len(latency_s)
        self._lanes: dict[int, Lane[Key]] = {}
        self._waiting: list[tuple[float, int, Key, Lane[Key], float]] = []
        """A heap: (end of the latency, place among all that began, key, lane, bytes to move then)."""
        self._wakes: list[tuple[float, int, Lane[Key]]] = []
        """A heap: (time, number of the lane, lane)."""
        self._begun = 0

    @property
    def deadline(self) -> float:
        wake = self._wakes[0][0] if self._wakes else math.inf
        return min(wake, self._waiting[0][0]) if self._waiting else wake

    def begin(self, key: Key, source: int, target: int, size_bytes: float, now: float) -> None:
        lane = self._lanes.get(source * self._nodes + target) or self._open(source, target)
        begun = self._begun = self._begun + 1
        if lane.latency_s or not size_bytes or lane.bandwidth == math.inf:
            size_bytes = size_bytes if lane.bandwidth < math.inf else 0.0
            heapq.heappush(self._waiting, (now + lane.latency_s, begun, key, lane, size_bytes))
        else:
            self._enter(lane, key, begun, size_bytes, now)

    def finish_due(self, now: float) -> list[Key]:
        done: list[Key] = []
        wakes, waiting = self._wakes, self._waiting
        while True:
            if waiting and waiting[0][0] <= now and (not wakes or waiting[0][0] <= wakes[0][0]):
                at, begun, key, lane, size_bytes = heapq.heappop(waiting)
                if size_bytes:
                    self._enter(lane, key, begun, size_bytes, at)
                else:
                    done.append(key)
            elif wakes and wakes[0][0] <= now:
                at, _, lane = heapq.heappop(wakes)
                if lane.wake == at:
                    lane.wake = math.inf
                    self._look(lane, at, done)
            else:
                return done

    def abandon(self, key: Key, now: float) -> None:
        for lane in self._lanes.values():
            moving = [moving for _, _, moving in lane.tags]
            if key in moving:
                lane.advance(now)
                take_out(lane.tags, moving.index(key))
                lane.wake = math.inf
                self._left(lane)
                return
        waiting = [entry[2] for entry in self._waiting]
        if key not in waiting:
            raise KeyError(key)
        take_out(self._waiting, waiting.index(key))

    def _open(self, source: int, target: int) -> Lane[Key]:
        number = source * self._nodes + target
        seconds_per_byte = self._seconds_per_byte[source][target]
        bandwidth = 1.0 / seconds_per_byte if seconds_per_byte else math.inf
        lane = self._lanes[number] = Lane(number, self._latency_s[source][target], bandwidth)
        return lane

    @abstractmethod
    def _enter(self, lane: Lane[Key], key: Key, begun: int, size_bytes: float, now: float) -> None:
        """A transfer that has waited its latency, and has bytes to move, begins to move them."""

    @abstractmethod
    def _look(self, lane: Lane[Key], at: float, done: list[Key]) -> None:
        """A wake of the lane, which has transfers and no wake any more: those that end are `done`."""

    @abstractmethod
    def _left(self, lane: Lane[Key]) -> None:
        """A transfer was taken out at `lane.since`, and perhaps it was the last; the lane has no wake."""


class LinkFlows(Lanes[Key]):
    """`Contention.LINK`: transfers on the same directed link share its bandwidth equally; nobody else matters."""

    def _enter(self, lane: Lane[Key], key: Key, begun: int, size_bytes: float, now: float) -> None:
        tags = lane.tags
        lane.moved = moved = lane.moved + (now - lane.since) * lane.rate if tags else 0.0
        lane.since = now
        heapq.heappush(tags, (moved + size_bytes, begun, key))
        lane.rate = lane.bandwidth / len(tags)
        if tags[0][1] == begun:  # whoever was first before ends later now, and its wake is early enough
            end = now + size_bytes / lane.rate
            if end < lane.wake:
                lane.wake = end
                heapq.heappush(self._wakes, (end, lane.number, lane))

    def _look(self, lane: Lane[Key], at: float, done: list[Key]) -> None:
        lane.finish_first(at, done)
        self._left(lane)

    def _left(self, lane: Lane[Key]) -> None:
        if lane.tags:
            lane.rate = lane.bandwidth / len(lane.tags)
            end = lane.wake = lane.since + (lane.tags[0][0] - lane.moved) / lane.rate
            heapq.heappush(self._wakes, (end, lane.number, lane))


def take_out(heap: list[Entry], place: int) -> None:
    """Remove one entry of a heap."""
    heap[place] = heap[-1]
    heap.pop()
    heapq.heapify(heap)
