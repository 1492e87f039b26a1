"""Cards: the network cards of nodes, one up and one down, which transfers pass and share by max-min fairness.

Max-min: nobody's rate could rise but at the cost of somebody who has no more. It is found by progressive filling:
all rates rise together until a card is full, or a transfer has all that its link can carry; those stay, the others
rise on (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2).

Transfers on the same lane pass the same cards, so they always have the same rate: what is filled are lanes. Rates are
worked out once for all that changes at an instant, and only where the change can be felt: the neck of a lane is the
full card that stops it, and a change spreads from card to card by way of the lanes whose neck it meets.
"""

import heapq
import math
from collections.abc import Sequence

from .instance import InstanceError, Matrix
from .lanes import NO_CARD, Key, Lane, Lanes

UNLIMITED = 1e300
"""Bytes per second of a card that limits nothing: more than any transfer has."""

ROUNDING = 1e-12
"""Relative: who has more than others by no more than that has as much."""


Room = tuple[list[float], list[int], list[float]]
"""What there is for the lanes that are filled, by card: what the others leave, how many transfers wait for it, and
the share of each, `inf` where nobody waits."""


class NicFlows(Lanes[Key]):
    """`Contention.NIC`: transfers share uplinks and downlinks; a link's own bandwidth caps each of its transfers."""

    def __init__(
        self, latency_s: Matrix, seconds_per_byte: Matrix, up: Sequence[float], down: Sequence[float]
    ) -> None:
        """Raises InstanceError for a card that moves nothing, or not one per node and direction."""
        super().__init__(latency_s, seconds_per_byte)
        if {len(up), len(down)} != {self._nodes} or not all(capacity > 0 for capacity in (*up, *down)):
            raise InstanceError(
                f"cards move {list(up)} up and {list(down)} down, expected a number above zero for each of "
                f"{self._nodes} nodes"
            )
        self._capacities = [min(capacity, UNLIMITED) for capacity in (*up, *down)]
        """Per card, in bytes per second; downlinks follow the uplinks. All finite, so that all shares are."""
        self._passing: list[dict[int, Lane[Key]]] = [{} for _ in self._capacities]
        """Per card: the lanes with transfers that pass it, by number."""
        self._changed: dict[int, Lane[Key]] = {}
        """Lanes that transfers entered or left at `_changed_at`, after rates were last worked out; by number."""
        self._changed_at = 0.0
        self._stamp = 0

    @property
    def deadline(self) -> float:
        if self._changed:
            self._settle()
        # Rates that have fallen leave wakes that are too early. They go here, before anybody is woken for nothing.
        wakes, waiting = self._wakes, self._waiting
        while wakes:
            at, number, lane = wakes[0]
            if lane.wake != at:
                heapq.heappop(wakes)
                continue
            end = lane.since + (lane.tags[0][0] - lane.moved) / lane.rate
            if end <= at:
                return min(at, waiting[0][0]) if waiting else at
            lane.wake = end
            heapq.heapreplace(wakes, (end, number, lane))
        return waiting[0][0] if waiting else math.inf

    def begin(self, key: Key, source: int, target: int, size_bytes: float, now: float) -> None:
        if self._changed and now > self._changed_at:
            self._settle()
        super().begin(key, source, target, size_bytes, now)

    def finish_due(self, now: float) -> list[Key]:
        done: list[Key] = []
        while (at := self.deadline) <= now:
            done += super().finish_due(at)
        return done

    def abandon(self, key: Key, now: float) -> None:
        if self._changed and now > self._changed_at:
            self._settle()
        super().abandon(key, now)

    def _open(self, source: int, target: int) -> Lane[Key]:
        lane = super()._open(source, target)
        lane.uplink, lane.downlink = source, self._nodes + target
        bandwidth = min(lane.bandwidth, self._capacities[lane.uplink], self._capacities[lane.downlink])
        lane.bandwidth = bandwidth if bandwidth < UNLIMITED else math.inf
        return lane

    def _enter(self, lane: Lane[Key], key: Key, begun: int, size_bytes: float, now: float) -> None:
        lane.advance(now)
        self._changed[lane.number] = lane
        self._changed_at = now
        if not lane.tags:
            self._passing[lane.uplink][lane.number] = self._passing[lane.downlink][lane.number] = lane
        heapq.heappush(lane.tags, (lane.moved + size_bytes, begun, key))

    def _look(self, lane: Lane[Key], at: float, done: list[Key]) -> None:
        if lane.finish_first(at, done):
            self._left(lane)
        else:  # the first of the wakes is never too early, but others at the same instant may be
            lane.wake = lane.end_s()
            heapq.heappush(self._wakes, (lane.wake, lane.number, lane))

    def _left(self, lane: Lane[Key]) -> None:
        if not lane.tags:
            del self._passing[lane.uplink][lane.number], self._passing[lane.downlink][lane.number]
        self._changed[lane.number] = lane
        self._changed_at = lane.since

    def _settle(self) -> None:
        """Work out anew the rates that the changes can be felt in."""
        disturbed = list(self._changed.values())
        self._changed.clear()
        while wronged := self._fill(self._spread(disturbed)):
            disturbed += wronged

    def _spread(self, disturbed: list[Lane[Key]]) -> Room:
        """Add whatever is joined to these lanes by necks, and stamp all.

        What changes at a card changes the rates of those who are limited there, and hence what they leave at their
        other cards.
        """
        passing, stamp = self._passing, self._stamp + 1
        self._stamp = stamp
        left, waiting, shares = [0.0] * len(passing), [0] * len(passing), [math.inf] * len(passing)
        known, counted = [False] * len(passing), [False] * len(passing)
        cards: list[int] = []
        for lane in disturbed:
            lane.stamp = stamp
            for card in (lane.uplink, lane.downlink):
                if not known[card]:
                    known[card] = True
                    cards.append(card)
        for card in cards:  # grows while we go
            counted[card] = True
            free, many = self._capacities[card], 0
            for lane in passing[card].values():
                transfers = len(lane.tags)
                if lane.stamp == stamp:
                    many += transfers
                elif lane.neck == card:
                    lane.stamp = stamp
                    disturbed.append(lane)
                    many += transfers
                    other = lane.uplink + lane.downlink - card
                    if counted[other]:
                        left[other] += lane.rate * transfers
                        waiting[other] += transfers
                    elif not known[other]:
                        known[other] = True
                        cards.append(other)
                else:
                    free -= lane.rate * transfers
            left[card], waiting[card] = free, many
        for card in cards:
            if waiting[card]:
                shares[card] = left[card] / waiting[card]
        return left, waiting, shares

    def _fill(self, room: Room) -> list[Lane[Key]]:
        """Let the rates of all stamped lanes rise in what the others leave of the cards.

        The result is max-min if nobody else has more than those who are stopped at a card that he passes. Stops and
        returns such as have, once there are any: they have to be filled as well.
        """
        passing, stamp, now, wakes = self._passing, self._stamp, self._changed_at, self._wakes
        left, waiting, shares = room
        while (share := min(shares)) < math.inf:
            neck = shares.index(share)
            enough = share * (1 + ROUNDING)
            stopped: list[Lane[Key]] = []
            capped: list[Lane[Key]] = []
            wronged: list[Lane[Key]] = []
            for lane in passing[neck].values():
                if lane.stamp == stamp:
                    (stopped if lane.bandwidth >= share else capped).append(lane)
                elif lane.rate > enough:
                    wronged.append(lane)
            # The share of every card can only grow now, so whose link carries less than the smallest gets just that.
            if wronged and not capped:
                return wronged
            for lane in capped or stopped:
                lane.stamp = 0
                tags, rate = lane.tags, share
                transfers = len(tags)
                lane.neck = neck
                if capped:
                    lane.neck, rate = NO_CARD, lane.bandwidth
                    many = waiting[neck] = waiting[neck] - transfers
                    free = left[neck] = left[neck] - transfers * rate
                    shares[neck] = (free / many if free > share * many else share) if many else math.inf
                card = lane.uplink + lane.downlink - neck
                # What is left for others cannot be a smaller share, but for rounding, which must not stop anybody.
                many = waiting[card] = waiting[card] - transfers
                free = left[card] = left[card] - transfers * rate
                shares[card] = (free / many if free > share * many else share) if many else math.inf
                if rate != lane.rate or lane.since == now:
                    lane.moved = moved = lane.moved + (now - lane.since) * lane.rate
                    lane.since = now
                    lane.rate = rate
                    end = now + (tags[0][0] - moved) / rate
                    if end < lane.wake:
                        lane.wake = end
                        heapq.heappush(wakes, (end, lane.number, lane))
            if not capped:
                shares[neck] = math.inf
        return []
