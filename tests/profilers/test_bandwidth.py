import math
from random import Random

import pytest

from pnode.profilers.bandwidth import (
    BYTES_PER_S_MAX,
    FULL_WEIGHT_BYTES,
    HALF_LIFE_S,
    PEERS_MAX,
    PRIOR_BYTES_PER_S,
    SAMPLES_MAX,
    Bandwidth,
    BandwidthEstimate,
)

from .nodes import A, node

MIB = 1024 * 1024


def estimate(bandwidth: Bandwidth, now: float = 0.0) -> BandwidthEstimate:
    found = bandwidth.estimate(A, now)
    assert found is not None
    return found


def test_a_peer_that_never_sent_anything_has_no_estimate() -> None:
    assert Bandwidth().estimate(A, 0.0) is None


@pytest.mark.parametrize("true", [1e5, 12.5e6, 117e6, 1.2e9])
def test_one_good_transfer_tells_the_rate_however_far_from_the_prior(true: float) -> None:
    bandwidth = Bandwidth()

    bandwidth.observe(A, FULL_WEIGHT_BYTES, FULL_WEIGHT_BYTES / true, 0.0)

    assert estimate(bandwidth).bytes_per_s == pytest.approx(true)
    assert estimate(bandwidth).confidence == pytest.approx(0.5)


@pytest.mark.parametrize("true", [1e6, 12.5e6, 117e6])
@pytest.mark.parametrize("seed", range(5))
def test_ten_noisy_transfers_with_stalls_come_within_a_tenth(true: float, seed: int) -> None:
    rng = Random(seed)
    bandwidth = Bandwidth()

    for second in range(10):
        size = rng.randint(FULL_WEIGHT_BYTES, 16 * MIB)
        stall = 10.0 if second in (3, 7) else 1.0
        bandwidth.observe(A, size, stall * size / true * rng.uniform(0.9, 1.15), float(second))

    assert estimate(bandwidth, 10.0).bytes_per_s == pytest.approx(true, rel=0.1)
    assert estimate(bandwidth, 10.0).spread < 1.2
    assert estimate(bandwidth, 10.0).confidence > 0.9


def test_a_short_transfer_inside_a_shapers_burst_moves_the_belief_only_a_little() -> None:
    true, bandwidth = 12.5e6, Bandwidth()

    bandwidth.observe(A, 64 * 1024, 64 * 1024 / (19 * true), 0.0)

    assert PRIOR_BYTES_PER_S < estimate(bandwidth).bytes_per_s < 1.1 * PRIOR_BYTES_PER_S
    assert estimate(bandwidth).confidence < 0.06


def test_many_short_transfers_do_not_outvote_a_long_one() -> None:
    bandwidth = Bandwidth()
    bandwidth.observe(A, MIB, MIB / 12.5e6, 0.0)

    for second in range(10 * SAMPLES_MAX):
        bandwidth.observe(A, 32 * 1024, 32 * 1024 / 1e9, float(second))

    assert estimate(bandwidth, 160.0).bytes_per_s == pytest.approx(12.5e6, rel=0.02)


def test_many_short_transfers_alone_say_something() -> None:
    bandwidth = Bandwidth()

    for _ in range(SAMPLES_MAX):
        bandwidth.observe(A, 128 * 1024, 128 * 1024 / 1e6, 0.0)

    assert estimate(bandwidth).bytes_per_s == pytest.approx(1e6)


def test_a_changed_link_is_believed_as_soon_as_its_transfers_outweigh_the_past() -> None:
    bandwidth = Bandwidth()
    for _ in range(4):
        bandwidth.observe(A, MIB, MIB / 100e6, 0.0)

    for _ in range(3):
        bandwidth.observe(A, MIB, MIB / 10e6, 2 * HALF_LIFE_S)

    assert estimate(bandwidth, 2 * HALF_LIFE_S).bytes_per_s == pytest.approx(10e6)


def test_an_old_sample_is_trusted_less_and_eventually_not_at_all() -> None:
    bandwidth = Bandwidth()
    bandwidth.observe(A, MIB, MIB / 1e6, 0.0)

    rates = [estimate(bandwidth, age_s).bytes_per_s for age_s in (0.0, HALF_LIFE_S, 20 * HALF_LIFE_S)]

    assert rates == pytest.approx([1e6, math.sqrt(1e6 * PRIOR_BYTES_PER_S), PRIOR_BYTES_PER_S], rel=1e-4)
    assert estimate(bandwidth, 20 * HALF_LIFE_S).confidence < 1e-5


def test_a_transfer_too_short_for_the_clock_counts_as_the_fastest_there_can_be() -> None:
    bandwidth = Bandwidth()

    bandwidth.observe(A, MIB, 0.0, 0.0)

    assert estimate(bandwidth).bytes_per_s == pytest.approx(BYTES_PER_S_MAX)


@pytest.mark.parametrize(("size", "seconds"), [(0, 1.0), (-1, 1.0), (MIB, -1.0), (MIB, math.inf), (MIB, math.nan)])
def test_what_is_no_transfer_is_not_taken(size: int, seconds: float) -> None:
    bandwidth = Bandwidth()

    bandwidth.observe(A, size, seconds, 0.0)

    assert bandwidth.estimate(A, 0.0) is None


def test_two_samples_that_differ_share_the_say() -> None:
    bandwidth = Bandwidth()

    bandwidth.observe(A, MIB, MIB / 1e6, 0.0)
    bandwidth.observe(A, MIB, MIB / 4e6, 0.0)

    assert estimate(bandwidth).bytes_per_s == pytest.approx(2e6)
    assert estimate(bandwidth).spread == pytest.approx(2.0)


def test_the_table_is_bounded() -> None:
    bandwidth = Bandwidth()

    for number in range(PEERS_MAX + 10):
        bandwidth.observe(node(number), MIB, 1.0, 0.0)

    assert len(bandwidth.peers()) == PEERS_MAX
    assert bandwidth.estimate(node(9), 0.0) is None


def test_a_forgotten_peer_is_unknown() -> None:
    bandwidth = Bandwidth()
    bandwidth.observe(A, MIB, 1.0, 0.0)

    bandwidth.forget(A)

    assert bandwidth.estimate(A, 0.0) is None


def test_a_rate_that_was_read_off_is_not_outvoted_by_the_duration_of_the_same_transfer() -> None:
    bandwidth = Bandwidth()

    for second in range(3):
        bandwidth.observe(A, MIB, MIB / 3e6, float(second))
        bandwidth.observe_rate(A, 125e6, float(second))

    assert estimate(bandwidth, 3.0).bytes_per_s == pytest.approx(125e6)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_what_is_no_rate_is_not_taken(rate: float) -> None:
    bandwidth = Bandwidth()

    bandwidth.observe_rate(A, rate, 0.0)

    assert bandwidth.estimate(A, 0.0) is None
