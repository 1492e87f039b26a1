"""Membership figures: each one a number that follows from the observations of one course, or of several."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pnode.protocol.roster import State

from .membership import Episode, Holding, Sighting, Traffic, Trial

T = TypeVar("T")

HOUR_S = 3600.0


def suspected_s(crash: Episode) -> float | None:
    """From the crash until the first of the others took the node for suspect, or for dead."""
    return _first_s(crash, (State.SUSPECT, State.DEAD))


def suspected_by_all_s(crash: Episode) -> float | None:
    """From the crash until each of the others had taken the node for suspect, or for dead."""
    return _last_s(crash, (State.SUSPECT, State.DEAD))


def first_dead_s(crash: Episode) -> float | None:
    """From the crash until the first of the others took the node for dead."""
    return _first_s(crash, (State.DEAD,))


def all_dead_s(crash: Episode) -> float | None:
    """From the crash until each of the others had taken the node for dead."""
    return _last_s(crash, (State.DEAD,))


def known_by_all_s(join: Episode) -> float | None:
    """From switching the node on until each of the others had taken it for alive."""
    return _last_s(join, (State.ALIVE,))


def bytes_per_s(traffic: Traffic) -> float:
    """Bytes that a node sent per second, the mean of all nodes (see Traffic.bytes)."""
    return traffic.bytes / traffic.seconds / traffic.nodes


def datagrams_per_s(traffic: Traffic) -> float:
    """Datagrams that a node sent per second, the mean of all nodes."""
    return traffic.datagrams / traffic.seconds / traffic.nodes


def speed(traffic: Traffic) -> float:
    """Virtual seconds of the whole cluster per second of this processor."""
    return traffic.seconds / max(traffic.cpu_s, 1e-9)


def alone_us_per_s(traffic: Traffic) -> float | None:
    """Microseconds of processor time per second of a node by itself, without the simulator, the median of some."""
    return 1e6 * statistics.median(traffic.alone_cpu_s) / traffic.seconds if traffic.alone_cpu_s else None


def age_p99_s(holding: Holding) -> float | None:
    """The age that 99 of 100 figures of load do not exceed, of those that are held at all."""
    return quantile(holding.ages_s, 0.99)


def age_median_s(holding: Holding) -> float | None:
    """The age that half of the figures of load do not exceed, of those that are held at all."""
    return quantile(holding.ages_s, 0.5)


def held(holding: Holding) -> float:
    """Of how many others a node holds a figure of load, the mean of the looks."""
    return len(holding.ages_s) / max(1, holding.looks)


def false_deaths(trial: Trial) -> int:
    """How often a node that lived was taken for dead: once, however many agree, until nobody does any more."""
    deaths = 0
    accusers: dict[int, dict[int, None]] = {}
    for sighting in trial.sightings:
        condemned = accusers.setdefault(sighting.subject, {})
        if sighting.state is State.DEAD:
            deaths += not condemned
            condemned[sighting.observer] = None
        else:
            condemned.pop(sighting.observer, None)
    return deaths


def deaths_per_hour(trials: Sequence[Trial]) -> float:
    """False deaths per virtual hour of the whole cluster, over all trials together."""
    return sum(map(false_deaths, trials)) * HOUR_S / sum(trial.seconds for trial in trials)


def deaths_per_1000_stalls(trials: Sequence[Trial]) -> float | None:
    """False deaths per thousand stalls of some node, over all trials together."""
    stalls = sum(trial.stalls for trial in trials)
    return sum(map(false_deaths, trials)) * 1000.0 / stalls if stalls else None


def quantile(values: Iterable[float], share: float) -> float | None:
    """The least of the values that so large a share of them does not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def median_of(seen: Iterable[T], figure: Callable[[T], float | None]) -> float | None:
    """The median of a figure over what was seen, of those that have it."""
    known = [value for each in seen if (value := figure(each)) is not None]
    return statistics.median(known) if known else None


def _first_s(episode: Episode, states: tuple[State, ...]) -> float | None:
    return next((seen.at_s - episode.began_s for seen in episode.sightings if seen.state in states), None)


def _last_s(episode: Episode, states: tuple[State, ...]) -> float | None:
    """When the last of the others saw one of these states for the first time; None unless all did."""
    firsts: dict[int, Sighting] = {}
    for seen in episode.sightings:
        if seen.state in states:
            firsts.setdefault(seen.observer, seen)
    if len(firsts) < episode.others:
        return None
    return max((seen.at_s for seen in firsts.values()), default=episode.began_s) - episode.began_s
