"""Accuracy: how far from the truth what the estimators say is, on phantom networks."""

from collections.abc import Callable
from random import Random
from statistics import median

from pnode.profilers.delay import Delay
from pnode.profilers.profile import Profile
from pnode.profilers.vivaldi import Vivaldi

from .nodes import node
from .phantom import Truth, burst, noisy_ping


def placed(truth: Truth, cycles: int, seed: int, dimensions: int = 8) -> list[Vivaldi]:
    """In each cycle everybody measures whoever is next in its ring, which is shuffled after each round: as members
    are probed. (Serf's simulation draws them anew each time, for which its bounds hold with its seed only.)"""
    rng = Random(seed)
    places = [Vivaldi(Random(f"{seed}/{number}"), dimensions) for number in range(len(truth))]
    rings = [[other for other in range(len(truth)) if other != number] for number in range(len(truth))]
    for cycle in range(cycles):
        at = cycle % (len(truth) - 1)
        for number, place in enumerate(places):
            if at == 0:
                rng.shuffle(rings[number])
            other = rings[number][at]
            place.observe(node(other), places[other].coordinate, truth[number][other])
    return places


def placing_errors(places: list[Vivaldi], truth: Truth) -> list[float]:
    """Relative error of every pair."""
    return [
        abs(places[one].coordinate.distance_s(places[other].coordinate) - truth[one][other]) / truth[one][other]
        for one in range(len(places))
        for other in range(one + 1, len(places))
    ]


def measuring_error(nodes: int, probes: int, ping: Callable[[float, Random], float], seed: int) -> float:
    """The median over all peers, against the median of 501 single pings: everybody is measured once when it is met,
    and in turn from then on."""
    rng, delay = Random(seed), Delay()
    trues = [rng.choice((0.0004, 0.02, 0.05)) * rng.uniform(0.7, 1.4) for _ in range(nodes - 1)]
    ring = list(range(nodes - 1))
    for turn in range(nodes - 1 + probes):
        if turn % len(ring) == 0:
            rng.shuffle(ring)
        peer = ring[turn % len(ring)]
        delay.observe(node(peer), burst(trues[peer], rng, ping), float(turn))
    errors = []
    for peer, true_s in enumerate(trues):
        found = delay.estimate(node(peer), float(nodes + probes))
        assert found is not None
        usual_s = median(ping(true_s, rng) for _ in range(501))
        errors.append(abs(found.rtt_s / usual_s - 1.0))
    return median(errors)


def estimating_errors(probes: int, truth: Truth, rng: Random) -> list[float]:
    """Relative errors of the delays that every node estimates, of its own and of others, from places alone. Nodes
    probe in turn, as members do; what they measure themselves is put aside."""
    nodes = len(truth)
    profiles = [Profile(node(number)) for number in range(nodes)]
    rings = [rng.sample([other for other in range(nodes) if other != number], nodes - 1) for number in range(nodes)]
    for turn in range(probes):
        for number, profile in enumerate(profiles):
            other = rings[number][turn % (nodes - 1)]
            rtt_s = burst(truth[number][other], rng)
            profile.observe_round_trip(node(other), rtt_s, float(turn), profiles[other].place())
    usual = median(noisy_ping(1.0, rng) for _ in range(2001))
    errors = []
    for one, profile in enumerate(profiles):
        for other, told in enumerate(profiles):
            if one != other:
                profile.hear_place(node(other), told.place(), float(probes))
                found = profile.positions.estimate(node(one), node(other), float(probes))
                if found is not None:
                    rtt_s = profile.round_trips.lift * found.rtt_s
                    errors.append(abs(rtt_s / (usual * truth[one][other]) - 1.0))
    return errors
