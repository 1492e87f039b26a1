"""Traffic: transfers for machines to carry, and a slow and exact reckoning of when each must end.

The reckoning takes its rates from the definitions, in fractions, anew at every event: it shares nothing with the code
it judges.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pnode.mappers.contention import Contention
from pnode.mappers.flows import Flows, flows_of

STEPS_MAX = 100_000
"""Of a driver: whoever needs more goes round in circles."""


@dataclass(frozen=True)
class Transfer:
    key: str
    source: int
    target: int
    size: Fraction
    begins: Fraction
    abandoned: Fraction | None = None


@dataclass(frozen=True)
class Wiring:
    """Rows by source; a bandwidth of None carries any number of bytes at once, and so does a card."""

    latency: Sequence[Sequence[Fraction]]
    bandwidth: Sequence[Sequence[Fraction | None]]
    up: Sequence[Fraction | None]
    down: Sequence[Fraction | None]

    @property
    def latency_s(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(map(float, row)) for row in self.latency)

    @property
    def seconds_per_byte(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(0.0 if value is None else float(1 / value) for value in row) for row in self.bandwidth)

    def flows(self, contention: Contention) -> Flows[str]:
        return flows_of(
            contention, self.latency_s, self.seconds_per_byte, up=_capacities(self.up), down=_capacities(self.down)
        )


def _capacities(cards: Sequence[Fraction | None]) -> list[float]:
    return [math.inf if value is None else float(value) for value in cards]


Rates = Callable[[Wiring, Sequence[Transfer]], list[Fraction | None]]
"""The rates of transfers that move at the same moment; None for at once."""


def driven(flows: Flows[str], transfers: Sequence[Transfer]) -> dict[str, float]:
    """When each ends. What is abandoned by then has no end."""
    events = [(float(one.begins), 1, one.key, one) for one in transfers]
    events += [(float(one.abandoned), 0, one.key, one) for one in transfers if one.abandoned is not None]
    events.sort(key=lambda event: event[:3])
    ends: dict[str, float] = {}
    for _ in range(STEPS_MAX):
        deadline = flows.deadline
        if events and events[0][0] < deadline:
            now = events[0][0]
            while events and events[0][0] == now:
                _, begins, key, one = events.pop(0)
                if begins:
                    flows.begin(key, one.source, one.target, float(one.size), now)
                elif key not in ends:
                    flows.abandon(key, now)
        elif deadline < math.inf:
            ends.update(dict.fromkeys(flows.finish_due(deadline), deadline))
        else:
            return ends
    raise AssertionError(f"no end after {STEPS_MAX} steps; {len(ends)} of {len(transfers)} have ended")


def reckoned(wiring: Wiring, rates: Rates, transfers: Sequence[Transfer]) -> dict[str, Fraction]:
    """When each must end."""
    coming = sorted(transfers, key=lambda one: _enters(wiring, one))
    moving: list[Transfer] = []
    left: dict[str, Fraction] = {}
    ends: dict[str, Fraction] = {}
    now = Fraction(0)
    while coming or moving:
        # Everything that happens now.
        while coming and _enters(wiring, coming[0]) <= now:
            moving.append(coming.pop(0))
            left[moving[-1].key] = moving[-1].size
        paces = dict(zip([one.key for one in moving], rates(wiring, moving), strict=True))
        done = [one for one in moving if left[one.key] == 0 or paces[one.key] is None]
        gone = [one for one in moving if one.abandoned is not None and one.abandoned <= now]
        ends.update({one.key: now for one in done})
        if done or gone:
            moving = [one for one in moving if one not in done and one not in gone]
            continue
        # On to the next moment at which something happens.
        nexts = [_enters(wiring, one) for one in coming[:1]]
        nexts += [one.abandoned for one in moving if one.abandoned is not None]
        for one in moving:
            pace = paces[one.key]
            assert pace is not None
            nexts.append(now + left[one.key] / pace)
        if not nexts:
            break
        then = min(nexts)
        for one in moving:
            pace = paces[one.key]
            assert pace is not None
            left[one.key] -= pace * (then - now)
        now = then
    return {key: end for key, end in ends.items() if not _given_up(transfers, key, end)}


def link_rates(wiring: Wiring, moving: Sequence[Transfer]) -> list[Fraction | None]:
    """A link's bandwidth over the transfers on it."""
    rates: list[Fraction | None] = []
    for one in moving:
        bandwidth = wiring.bandwidth[one.source][one.target]
        sharing = sum(other.source == one.source and other.target == one.target for other in moving if other.size)
        rates.append(None if bandwidth is None else bandwidth / max(1, sharing))
    return rates


def free_rates(wiring: Wiring, moving: Sequence[Transfer]) -> list[Fraction | None]:
    return [wiring.bandwidth[one.source][one.target] for one in moving]


def max_min_rates(wiring: Wiring, moving: Sequence[Transfer]) -> list[Fraction | None]:
    """All rates rise by as much as all can; whoever has met a limit stays; again."""
    rising = [place for place, one in enumerate(moving) if one.size]
    reached = [Fraction(0) for _ in moving]
    unlimited: list[int] = []
    while rising:
        rooms: list[tuple[Fraction, list[int]]] = []
        for place in rising:
            cap = wiring.bandwidth[moving[place].source][moving[place].target]
            if cap is not None:
                rooms.append((cap - reached[place], [place]))
        for card, passes in _cards(wiring, moving):
            members = [place for place in passes if place in rising]
            if members:
                used = sum((reached[place] for place in passes), Fraction(0))
                rooms.append(((card - used) / len(members), members))
        if not rooms:
            unlimited = rising
            break
        step = min(room for room, _ in rooms)
        for place in rising:
            reached[place] += step
        stopped = {place for room, members in rooms if room == step for place in members}
        rising = [place for place in rising if place not in stopped]
    return [None if place in unlimited else rate for place, rate in enumerate(reached)]


def _cards(wiring: Wiring, moving: Sequence[Transfer]) -> list[tuple[Fraction, list[int]]]:
    """Every card with a limit, and who passes it."""
    cards: list[tuple[Fraction, list[int]]] = []
    for node, (up, down) in enumerate(zip(wiring.up, wiring.down, strict=True)):
        if up is not None:
            cards.append((up, [place for place, one in enumerate(moving) if one.size and one.source == node]))
        if down is not None:
            cards.append((down, [place for place, one in enumerate(moving) if one.size and one.target == node]))
    return cards


def _enters(wiring: Wiring, one: Transfer) -> Fraction:
    return one.begins + wiring.latency[one.source][one.target]


def _given_up(transfers: Sequence[Transfer], key: str, end: Fraction) -> bool:
    one = next(one for one in transfers if one.key == key)
    return one.abandoned is not None and one.abandoned < end
