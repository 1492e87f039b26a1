"""Coordinates converge to what can be measured: Serf's truth matrices and bounds (its
coordinate/performance_test.go), and members that lie. What noise does to them is tested in `test_profile`."""

import math
from dataclasses import replace
from random import Random
from statistics import mean, median

import pytest

from pnode.profilers.vivaldi import ADJUSTMENTS, HEIGHT_S_MIN, MOVE_S_MAX, PEERS_MAX, RTT_S_MAX, Vivaldi
from pnode.protocol.coordinate import ERROR_MAX, Coordinate

from .accuracy import placed, placing_errors
from .nodes import A, node
from .phantom import Truth, circle, grid, line, scattered, split


@pytest.mark.parametrize(
    ("truth", "mean_max", "worst_max"),
    [
        (line(10, 0.010), 0.0031, 0.0130),
        (grid(25, 0.010), 0.0016, 0.0230),
        (split(25, 0.001, 0.010), 0.000060, 0.00048),
        (scattered(25, 0.100, 0.010, Random(1)), 0.075, 0.33),
    ],
    ids=["line", "grid", "split", "random"],
)
def test_after_a_thousand_cycles_without_noise_errors_are_within_serfs_bounds(
    truth: Truth, mean_max: float, worst_max: float
) -> None:
    found = [placing_errors(placed(truth, 1000, seed), truth) for seed in range(3)]

    assert median(map(mean, found)) <= mean_max
    assert median(map(max, found)) <= worst_max


def test_who_is_far_from_everybody_in_a_plane_stands_above_it() -> None:
    radius_s = 0.100
    truth = circle(25, radius_s)

    runs = [placed(truth, 1000, seed, dimensions=2) for seed in range(3)]

    heights = [[place.coordinate.height_s for place in places] for places in runs]
    found = [placing_errors(places, truth) for places in runs]
    assert median(above for above, *_ in heights) >= 0.97 * radius_s
    assert median(max(others) for _, *others in heights) <= 0.03 * radius_s
    assert median(map(mean, found)) <= 0.0028
    assert median(map(max, found)) <= 0.064


def test_all_together_do_not_drift_away_from_the_origin() -> None:
    truth = split(6, 0.001, 0.010)
    places = placed(truth, 300, 1)
    for place in places:
        moved = tuple([part + 0.5 for part in place.coordinate.position])
        place.coordinate = replace(place.coordinate, position=moved)

    def centre_s() -> float:
        return math.hypot(*[mean(parts) for parts in zip(*[p.coordinate.position for p in places], strict=True)])

    before_s = centre_s()
    rng = Random(2)
    for _ in range(3000):
        one, other = rng.sample(range(6), 2)
        places[one].observe(node(other), places[other].coordinate, truth[one][other])

    assert centre_s() < 0.999 * before_s


def somewhere(*position: float, height_s: float = 0.0, error: float = 0.1) -> Coordinate:
    return Coordinate((*position, *[0.0] * (8 - len(position))), height_s, 0.0, error)


@pytest.mark.parametrize(
    "coordinate",
    [
        somewhere(math.nan),
        somewhere(math.inf),
        somewhere(10.1),
        somewhere(0.1, height_s=-1e-9),
        somewhere(0.1, height_s=math.nan),
        somewhere(0.1, error=-0.1),
        somewhere(0.1, error=ERROR_MAX + 0.1),
        replace(somewhere(0.1), adjustment_s=math.nan),
        replace(somewhere(0.1), position=(0.1, 0.2)),
    ],
)
def test_what_cannot_be_a_coordinate_moves_nobody(coordinate: Coordinate) -> None:
    place = Vivaldi(Random(1))

    place.observe(A, coordinate, 0.1)

    assert place.coordinate == Vivaldi(Random(1)).coordinate


@pytest.mark.parametrize("rtt_s", [-0.001, RTT_S_MAX * 1.001, math.nan, math.inf])
def test_what_cannot_be_a_round_trip_moves_nobody(rtt_s: float) -> None:
    place = Vivaldi(Random(1))

    place.observe(A, somewhere(0.1), rtt_s)

    assert place.coordinate == Vivaldi(Random(1)).coordinate


@pytest.mark.parametrize("lie", [somewhere(9.9, error=0.0), somewhere(1e-5, height_s=9.9, error=0.0)])
def test_one_lie_moves_nobody_by_more_than_a_tenth_of_a_second(lie: Coordinate) -> None:
    place = Vivaldi(Random(1))
    for _ in range(ADJUSTMENTS):
        place.observe(node(1), somewhere(0.02), 0.02)
    before = place.coordinate

    place.observe(A, lie, 0.01)

    pull_s = 1e-4  # what gravity adds this near to the origin
    assert math.dist(place.coordinate.position, before.position) <= MOVE_S_MAX + pull_s
    assert abs(place.coordinate.height_s - before.height_s) <= MOVE_S_MAX + pull_s
    assert place.coordinate.height_s >= HEIGHT_S_MIN


def test_a_liar_among_twenty_four_spoils_its_share_of_the_delays_and_no_more() -> None:
    truth, rng = split(25, 0.001, 0.010), Random(3)
    places = [Vivaldi(Random(number)) for number in range(25)]
    lies = [somewhere(*[rng.uniform(-9, 9) for _ in range(8)], error=0.0) for _ in range(50)]

    for turn in range(500):
        for number, place in enumerate(places[1:], 1):
            other = rng.randrange(25)
            if other == 0:
                place.observe(node(0), lies[turn % 50], truth[number][0])
            elif other != number:
                place.observe(node(other), places[other].coordinate, truth[number][other])

    for place in places[1:]:
        assert place.coordinate.is_sound
        assert math.hypot(*place.coordinate.position) < 1.0


def test_the_table_of_last_round_trips_is_bounded() -> None:
    place = Vivaldi(Random(1))

    for number in range(PEERS_MAX + 5):
        place.observe(node(number), somewhere(0.01), 0.01)
    place.forget(node(PEERS_MAX))

    assert len(place._filters) == PEERS_MAX - 1
