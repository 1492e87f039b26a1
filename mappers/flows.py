"""Flows: the transfers under way between nodes, and when each of them ends.

One machine per model of contention. Each is told when a transfer begins and says when the next thing happens; whoever
drives it calls `finish_due` no later than that. A transfer waits its link's latency, then moves its bytes
(scheduling.md 10).

Equal shares are kept in virtual time (scheduling.md 9.3): all transfers of a lane move at one rate, so the lane
counts the bytes each of them has moved, and a transfer ends when that count reaches its tag, the count at which it
entered plus its size. Entering or leaving changes the rate of the lane, but nobody's tag.
"""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from .contention import Contention
from .fairness import Claim, max_min
from .instance import InstanceError, Matrix

Key = TypeVar("Key", bound=Hashable)
"""What the driver calls a transfer."""


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
        _remove(self._ends, key)


@dataclass(slots=True, eq=False)
class _Lane(Generic[Key]):
    """A directed link and the transfers that move on it now."""

    number: int
    source: int
    target: int
    latency_s: float
    """`inf` for nodes that cannot talk."""
    bandwidth: float
    """Bytes per second, `inf` where bytes cost nothing."""
    tags: list[tuple[float, int, Key]] = field(default_factory=list)
    """A heap: (bytes moved when it ends, place among all that began, key)."""
    moved: float = 0.0
    """Bytes, until `since`, of a transfer that was there all the time since the lane was empty."""
    since: float = 0.0
    rate: float = 0.0
    """Of each transfer, from `since` on."""
    wake: float = math.inf
    """When the lane is looked at again; wakes of another time are outdated. Too early does no harm."""


class _Lanes(ABC, Generic[Key]):
    """What the models with contention have in common; they differ in the rates."""

    def __init__(self, latency_s: Matrix, seconds_per_byte: Matrix) -> None:
        self._latency_s = latency_s
        self._seconds_per_byte = seconds_per_byte
        self._lanes: dict[int, _Lane[Key]] = {}
        self._lane_of: dict[Key, _Lane[Key]] = {}
        self._waiting: list[tuple[float, int, Key, float]] = []
        """A heap: (end of the latency, place among all that began, key, bytes to move then)."""
        self._wakes: list[tuple[float, int, _Lane[Key]]] = []
        """A heap: (time, number of the lane, lane)."""
        self._begun = 0

    @abstractmethod
    def _share(self, lane: _Lane[Key]) -> None:
        """Transfers have entered or left at `lane.since`: see to the rates, and to the wakes of what moves now."""

    @abstractmethod
    def _limited(self, lane: _Lane[Key]) -> bool:
        """Whether bytes take time at all."""

    @property
    def deadline(self) -> float:
        wake = self._wakes[0][0] if self._wakes else math.inf
        return min(wake, self._waiting[0][0]) if self._waiting else wake

    def begin(self, key: Key, source: int, target: int, size_bytes: float, now: float) -> None:
        number = source * len(self._latency_s) + target
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = self._opened(number, source, target)
        self._lane_of[key] = lane
        self._begun += 1
        if lane.latency_s or not size_bytes or not self._limited(lane):
            size_bytes = size_bytes if self._limited(lane) else 0.0
            heapq.heappush(self._waiting, (now + lane.latency_s, self._begun, key, size_bytes))
        else:
            self._enter(lane, key, self._begun, size_bytes, now)

    def finish_due(self, now: float) -> list[Key]:
        done: list[Key] = []
        while (at := self.deadline) <= now:
            if self._waiting and self._waiting[0][0] == at:
                _, begun, key, size_bytes = heapq.heappop(self._waiting)
                if size_bytes:
                    self._enter(self._lane_of[key], key, begun, size_bytes, at)
                else:
                    del self._lane_of[key]
                    done.append(key)
            else:
                lane = heapq.heappop(self._wakes)[2]
                if lane.wake == at:
                    self._look(lane, at, done)
        return done

    def abandon(self, key: Key, now: float) -> None:
        lane = self._lane_of.pop(key)
        if any(known == key for _, _, known in lane.tags):
            lane.moved += (now - lane.since) * lane.rate
            lane.since = now
            lane.wake = math.inf
            _remove(lane.tags, key)
            self._share(lane)
        else:
            self._waiting = [flow for flow in self._waiting if flow[2] != key]
            heapq.heapify(self._waiting)

    def _opened(self, number: int, source: int, target: int) -> _Lane[Key]:
        pace = self._seconds_per_byte[source][target]
        bandwidth = 1.0 / pace if pace else math.inf
        return _Lane(number, source, target, self._latency_s[source][target] if bandwidth else math.inf, bandwidth)

    def _enter(self, lane: _Lane[Key], key: Key, begun: int, size_bytes: float, now: float) -> None:
        # The count starts again on an empty lane, so that it stays small and exact.
        lane.moved = lane.moved + (now - lane.since) * lane.rate if lane.tags else 0.0
        lane.since = now
        heapq.heappush(lane.tags, (lane.moved + size_bytes, begun, key))
        self._share(lane)

    def _look(self, lane: _Lane[Key], at: float, done: list[Key]) -> None:
        """Take out whatever has moved all its bytes, or find that it was too early."""
        tags = lane.tags
        lane.wake = math.inf
        tag = tags[0][0]
        if lane.since + (tag - lane.moved) / lane.rate > at:
            self._wake(lane)
            return
        # The first has ended now, by what the wake was reckoned from: rounding cannot keep it.
        lane.moved, lane.since = tag, at
        while tags and tags[0][0] <= tag:
            key = heapq.heappop(tags)[2]
            del self._lane_of[key]
            done.append(key)
        self._share(lane)

    def _wake(self, lane: _Lane[Key]) -> None:
        """See that the lane is looked at when its first transfer ends, or before."""
        end = lane.since + (lane.tags[0][0] - lane.moved) / lane.rate
        if end < lane.wake:
            lane.wake = end
            heapq.heappush(self._wakes, (end, lane.number, lane))


class LinkFlows(_Lanes[Key]):
    """`Contention.LINK`: transfers on the same directed link share its bandwidth equally; nobody else matters."""

    def _share(self, lane: _Lane[Key]) -> None:
        if lane.tags:
            lane.rate = lane.bandwidth / len(lane.tags)
            self._wake(lane)

    def _limited(self, lane: _Lane[Key]) -> bool:
        return lane.bandwidth < math.inf


class NicFlows(_Lanes[Key]):
    """`Contention.NIC`: max-min fairness over uplinks and downlinks; a link's bandwidth caps each of its transfers.

    Rates are worked out once for all that changed at an instant, and only for lanes that share cards with a changed
    one, directly or by way of others: the rest of the network cannot notice.
    """

    def __init__(
        self, latency_s: Matrix, seconds_per_byte: Matrix, up: Sequence[float], down: Sequence[float]
    ) -> None:
        """Raises InstanceError for a card that moves nothing, or not one per node and direction."""
        super().__init__(latency_s, seconds_per_byte)
        nodes = len(latency_s)
        if len(up) != nodes or len(down) != nodes or not all(capacity > 0 for capacity in (*up, *down)):
            raise InstanceError(f"cards move {up} up and {down} down, expected {nodes} figures above zero each")
        self._capacities = (*up, *down)
        self._moving: list[dict[int, _Lane[Key]]] = [{} for _ in self._capacities]
        """Per card: the lanes with transfers, by number. Downlinks follow the uplinks."""
        self._changed: dict[int, _Lane[Key]] = {}
        """At `_changed_at`, since rates were last worked out."""
        self._changed_at = 0.0

    @property
    def deadline(self) -> float:
        if self._changed:
            self._settle()
        return super().deadline

    def begin(self, key: Key, source: int, target: int, size_bytes: float, now: float) -> None:
        if self._changed and now > self._changed_at:
            self._settle()
        super().begin(key, source, target, size_bytes, now)

    def abandon(self, key: Key, now: float) -> None:
        if self._changed and now > self._changed_at:
            self._settle()
        super().abandon(key, now)

    def _limited(self, lane: _Lane[Key]) -> bool:
        return min(lane.bandwidth, self._capacities[lane.source], self._capacities[self._downlink(lane)]) < math.inf

    def _downlink(self, lane: _Lane[Key]) -> int:
        return len(self._latency_s) + lane.target

    def _share(self, lane: _Lane[Key]) -> None:
        self._changed[lane.number] = lane
        self._changed_at = lane.since
        for card in (lane.source, self._downlink(lane)):
            if lane.tags:
                self._moving[card][lane.number] = lane
            else:
                self._moving[card].pop(lane.number, None)

    def _settle(self) -> None:
        """New rates for whom the changes concern."""
        lanes, now = self._concerned(), self._changed_at
        self._changed.clear()
        claims = [Claim(lane.source, self._downlink(lane), lane.bandwidth, len(lane.tags)) for lane in lanes]
        for lane, rate in zip(lanes, max_min(claims, self._capacities), strict=True):
            if rate != lane.rate or lane.since == now:
                lane.moved += (now - lane.since) * lane.rate
                lane.since, lane.rate = now, rate
                self._wake(lane)

    def _concerned(self) -> list[_Lane[Key]]:
        """The lanes that move and are joined to a changed one by cards."""
        cards = dict.fromkeys(card for lane in self._changed.values() for card in (lane.source, self._downlink(lane)))
        queue = list(cards)
        found: dict[int, _Lane[Key]] = {}
        for card in queue:  # grows while we go
            for number, lane in self._moving[card].items():
                if number not in found:
                    found[number] = lane
                    for other in (lane.source, self._downlink(lane)):
                        if other not in cards:
                            cards[other] = None
                            queue.append(other)
        return list(found.values())


def _remove(heap: list[tuple[float, int, Key]], key: Key) -> None:
    """Take one out of a heap. Raises KeyError when it is not in there."""
    place = next((place for place, entry in enumerate(heap) if entry[2] == key), None)
    if place is None:
        raise KeyError(key)
    heap[place] = heap[-1]
    heap.pop()
    heapq.heapify(heap)
