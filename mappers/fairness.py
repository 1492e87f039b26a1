"""Fairness: the rates at which transfers share the network cards they pass.

Max-min: nobody's rate can rise without lowering that of somebody who has no more. Found by progressive filling: all
rates rise together until a card is full or a transfer has reached its cap; those stay, the others rise on (Bertsekas
and Gallager, Data Networks, 6.5.2).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Claim(NamedTuple):
    """Transfers that pass the same two cards under the same cap: max-min gives each of them the same rate."""

    uplink: int
    """Place in the capacities, as is `downlink`."""
    downlink: int
    cap: float
    """What one of them can move at most."""
    transfers: int
    """At least one."""


def max_min(claims: Sequence[Claim], capacities: Sequence[float]) -> list[float]:
    """Per claim: the rate of each of its transfers. A rate is `inf` where nothing limits it.

    Capacities and caps are above zero, and may be `inf`.
    """
    left, waiting, passing = _load(claims, capacities)
    shares = [room / many if many else math.inf for room, many in zip(left, waiting, strict=True)]
    capped = sorted(range(len(claims)), key=[claim.cap for claim in claims].__getitem__, reverse=True)
    rates = [0.0] * len(claims)  # zero while it still rises
    while capped:
        share = min(shares)
        if rates[capped[-1]] or claims[capped[-1]].cap <= share:
            stopped = [capped.pop()]
            share = claims[stopped[0]].cap
        else:
            full = shares.index(share)
            stopped = passing[full]
        for place in stopped:
            if rates[place]:
                continue
            rates[place] = share
            uplink, downlink, _, transfers = claims[place]
            for card in (uplink, downlink):
                left[card] -= transfers * share
                waiting[card] -= transfers
                # Rounding must not let the water fall: a share below the level already reached is that level.
                shares[card] = max(share, left[card] / waiting[card]) if waiting[card] else math.inf
    return rates


def _load(claims: Sequence[Claim], capacities: Sequence[float]) -> tuple[list[float], list[int], list[list[int]]]:
    """Per card: its capacity, how many transfers pass it, and the claims they belong to."""
    waiting = [0] * len(capacities)
    passing: list[list[int]] = [[] for _ in capacities]
    for place, (uplink, downlink, _, transfers) in enumerate(claims):
        for card in (uplink, downlink):
            waiting[card] += transfers
            passing[card].append(place)
    return list(capacities), waiting, passing
