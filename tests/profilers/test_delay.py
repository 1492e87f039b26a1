import math
from collections.abc import Callable
from random import Random
from statistics import median

import pytest

from pnode.profilers.delay import HALF_LIFE_S, PEERS_MAX, RTT_S_MAX, Delay
from pnode.profilers.noise import DIFFERENCES_MIN, LIFT_MAX

from .accuracy import measuring_error
from .nodes import A, B, node
from .phantom import burst, noisy_ping, queued_ping


def test_a_peer_that_was_never_probed_has_no_estimate() -> None:
    assert Delay().estimate(A, 0.0) is None


@pytest.mark.parametrize("ping", [noisy_ping, queued_ping])
@pytest.mark.parametrize("nodes", [16, 64])
def test_after_a_hundred_probes_the_median_delay_is_right_to_a_tenth(
    nodes: int, ping: Callable[[float, Random], float]
) -> None:
    errors = [measuring_error(nodes, 100, ping, seed) for seed in range(10)]

    assert median(errors) <= 0.10


def test_samples_that_do_not_differ_are_not_lifted() -> None:
    delay = Delay()

    for _ in range(2 * DIFFERENCES_MIN):
        delay.observe(A, 0.010, 0.0)

    assert delay.lift == 1.0


def test_delays_that_jump_are_lifted_within_a_bound() -> None:
    delay = Delay()

    for turn in range(2 * DIFFERENCES_MIN):
        delay.observe(A, (0.001, 0.1)[turn % 2], 0.0)
    delay.observe(A, 0.0, 0.0)

    assert delay.lift == LIFT_MAX


@pytest.mark.parametrize("true_s", [0.0002, 0.002, 0.02, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_five_noisy_bursts_come_within_a_third_of_the_truth(true_s: float, seed: int) -> None:
    rng = Random(seed)
    delay = Delay()

    for second in range(5):
        delay.observe(A, burst(true_s, rng), float(second))

    found = delay.estimate(A, 5.0)
    assert found is not None
    # The minimum of three lies about 18 % below a single ping, plus some 17 us of what the kernel adds.
    assert found.rtt_s == pytest.approx(true_s, rel=0.35)
    assert found.spread_s < 0.3 * true_s


def test_two_of_five_samples_from_a_busy_peer_do_not_move_the_estimate() -> None:
    delay = Delay()

    for rtt_s in (0.010, 0.200, 0.011, 0.300, 0.012):
        delay.observe(A, rtt_s, 0.0)

    found = delay.estimate(A, 0.0)
    assert found is not None
    assert found.rtt_s == 0.012


def test_a_real_change_is_believed_after_three_samples() -> None:
    delay = Delay()
    for _ in range(20):
        delay.observe(A, 0.010, 0.0)

    for _ in range(3):
        delay.observe(A, 0.050, 1.0)

    found = delay.estimate(A, 1.0)
    assert found is not None
    assert found.rtt_s == 0.050


def test_confidence_grows_with_samples_and_halves_with_age() -> None:
    delay = Delay()
    delay.observe(A, 0.01, 0.0)
    for second in range(9):
        delay.observe(B, 0.01, float(second))

    one, many, old = delay.estimate(A, 0.0), delay.estimate(B, 8.0), delay.estimate(B, 8.0 + HALF_LIFE_S)

    assert one is not None
    assert many is not None
    assert old is not None
    assert [one.confidence, many.confidence, old.confidence] == pytest.approx([1 / 2, 5 / 6, 5 / 12])
    assert (many.age_s, old.age_s) == (0.0, HALF_LIFE_S)


@pytest.mark.parametrize("rtt_s", [-1e-9, math.nextafter(RTT_S_MAX, 99.0), math.inf, math.nan])
def test_what_cannot_be_a_round_trip_is_not_taken(rtt_s: float) -> None:
    delay = Delay()

    delay.observe(A, rtt_s, 0.0)

    assert delay.estimate(A, 0.0) is None


def test_the_table_is_bounded_and_the_longest_silent_peer_makes_room() -> None:
    delay = Delay()

    for number in range(PEERS_MAX + 10):
        delay.observe(node(number), 0.01, 0.0)

    assert len(delay.peers()) == PEERS_MAX
    assert delay.estimate(node(9), 0.0) is None
    assert delay.estimate(node(10), 0.0) is not None


def test_a_forgotten_peer_is_unknown() -> None:
    delay = Delay()
    delay.observe(A, 0.01, 0.0)

    delay.forget(A)

    assert delay.estimate(A, 0.0) is None
