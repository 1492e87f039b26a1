"""Cards: the network cards of nodes, one up and one down, which transfers pass and share by max-min fairness.

Max-min: nobody's rate could rise but at the cost of somebody who has no more. It is found by progressive filling:
all rates rise together until a card is full, or a transfer has all that its link can carry; those stay, the others
rise on (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2).

Transfers on the same lane pass the same cards, so they always have the same rate: what is filled are lanes. Rates are
worked out once for all that changes at an instant, and only where the change can be felt (`_disturbed`).
"""

import heapq
import math
from collections.abc import Sequence

from .instance import InstanceError, Matrix
from .lanes import Key, Lane, Lanes

UNLIMITED = 1e300
"""Bytes per second of a card that limits nothing: more than any transfer has."""

ROUNDING = 1e-9
"""Relative: rates this near to where filling begins are worked out anew rather than believed."""


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
        self._transfers = [0] * len(self._capacities)
        """Per card: how many."""
        self._changed: dict[int, Lane[Key]] = {}
        """Lanes that transfers entered or left at `_changed_at`, after rates were last worked out; by number."""
        self._changed_at = 0.0
        self._busiest: dict[int, int] = {}
        """Per card of the changed lanes: the most transfers that passed it before, between and after the changes."""
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
        self._settle_before(now)
        super().begin(key, source, target, size_bytes, now)

    def finish_due(self, now: float) -> list[Key]:
        done: list[Key] = []
        while (at := self.deadline) <= now:
            done += super().finish_due(at)
        return done

    def abandon(self, key: Key, now: float) -> None:
        self._settle_before(now)
        super().abandon(key, now)

    def _open(self, source: int, target: int) -> Lane[Key]:
        lane = super()._open(source, target)
        lane.uplink, lane.downlink = source, self._nodes + target
        bandwidth = min(lane.bandwidth, self._capacities[lane.uplink], self._capacities[lane.downlink])
        lane.bandwidth = bandwidth if bandwidth < UNLIMITED else math.inf
        return lane

    def _enter(self, lane: Lane[Key], key: Key, begun: int, size_bytes: float, now: float) -> None:
        lane.advance(now)
        if not lane.tags:
            self._passing[lane.uplink][lane.number] = self._passing[lane.downlink][lane.number] = lane
        heapq.heappush(lane.tags, (lane.moved + size_bytes, begun, key))
        self._note(lane, 1)

    def _look(self, lane: Lane[Key], at: float, done: list[Key]) -> None:
        already = len(done)
        if lane.finish_first(at, done):
            self._left(lane, len(done) - already)
        else:  # the first of the wakes is never too early, but others at the same instant may be
            lane.wake = lane.end_s()
            heapq.heappush(self._wakes, (lane.wake, lane.number, lane))

    def _left(self, lane: Lane[Key], transfers: int = 1) -> None:
        if not lane.tags:
            del self._passing[lane.uplink][lane.number], self._passing[lane.downlink][lane.number]
        self._note(lane, -transfers)

    def _note(self, lane: Lane[Key], more: int) -> None:
        self._changed[lane.number] = lane
        self._changed_at = lane.since
        for card in (lane.uplink, lane.downlink):
            before = self._transfers[card]
            after = self._transfers[card] = before + more
            self._busiest[card] = max(before, after, self._busiest.get(card, 0))

    def _settle_before(self, now: float) -> None:
        """Work out the rates of before `now`, if they have changed and time has gone on since."""
        if self._changed and now > self._changed_at:
            self._settle()

    def _settle(self) -> None:
        """Let the rates rise that the changes can be felt in, until every one is stopped."""
        rising, left, waiting, shares = self._disturbed()
        passing, stamp, now, wakes = self._passing, self._stamp, self._changed_at, self._wakes
        while rising:
            share = min(shares)
            stopped = [lane for lane in passing[shares.index(share)].values() if lane.stamp == stamp]
            # The share of every card can only grow now, so whose link carries less than the smallest gets just that.
            capped = [lane for lane in stopped if lane.bandwidth < share]
            for lane in capped or stopped:
                lane.stamp = 0
                rate = lane.bandwidth if capped else share
                tags = lane.tags
                transfers = len(tags)
                taken = transfers * rate
                # What is left for others cannot be a smaller share, but for rounding, which must not stop anybody.
                card = lane.uplink
                room = left[card] = left[card] - taken
                many = waiting[card] = waiting[card] - transfers
                shares[card] = (room / many if room > share * many else share) if many else math.inf
                card = lane.downlink
                room = left[card] = left[card] - taken
                many = waiting[card] = waiting[card] - transfers
                shares[card] = (room / many if room > share * many else share) if many else math.inf
                if rate != lane.rate or lane.since == now:
                    lane.moved = moved = lane.moved + (now - lane.since) * lane.rate
                    lane.since = now
                    lane.rate = rate
                    end = now + (tags[0][0] - moved) / rate
                    if end < lane.wake:
                        lane.wake = end
                        heapq.heappush(wakes, (end, lane.number, lane))
            rising -= len(capped or stopped)

    def _disturbed(self) -> tuple[int, list[float], list[int], list[float]]:
        """Stamp the lanes whose rates may be others than before. How many; and per card, what the others leave of it,
        how many transfers may have that, and the equal share of each.

        Until the first card of a changed lane is full, the water rises as it rose before, and whoever stops by then
        has the rate he had. No card is full before it could give all its transfers an equal share. Beyond that level,
        what is felt at a card is felt by the lanes that pass it, hence at their other cards.
        """
        capacities, transfers, passing = self._capacities, self._transfers, self._passing
        stamp = self._stamp = self._stamp + 1
        unmoved = min([capacities[card] / most for card, most in self._busiest.items()]) * (1 - ROUNDING)
        rising = 0
        for lane in self._changed.values():
            if lane.tags:
                lane.stamp = stamp
                rising += 1
        cards = len(capacities)
        left, waiting, shares = [0.0] * cards, [0] * cards, [math.inf] * cards
        seen = [False] * cards
        queue = list(self._busiest)
        for card in queue:
            seen[card] = True
        for card in queue:  # grows while we go
            room, many = capacities[card], transfers[card]
            for lane in passing[card].values():
                if lane.stamp == stamp:
                    continue
                rate = lane.rate
                if rate < unmoved:
                    settled = len(lane.tags)
                    room -= rate * settled
                    many -= settled
                else:
                    lane.stamp = stamp
                    rising += 1
                    other = lane.uplink + lane.downlink - card
                    if not seen[other]:
                        seen[other] = True
                        queue.append(other)
            if many:
                left[card], waiting[card], shares[card] = room, many, room / many
        self._changed.clear()
        self._busiest.clear()
        return rising, left, waiting, shares
