import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.profilers.bandwidth import BYTES_PER_S_MAX
from pnode.profilers.transfers import HALF_LIFE_S, PEERS_MAX, Transfers, non_negative_line

from .nodes import A, B, node

KIB, MIB = 1024, 1024 * 1024


def test_fewer_than_three_sizes_make_no_line() -> None:
    transfers = Transfers()
    for size in (MIB, MIB + 1, 2 * MIB, 2 * MIB + 5):
        transfers.observe(A, size, size / 1e7, 0.0)

    assert transfers.estimate(A, 0.0) is None
    assert transfers.estimate(B, 0.0) is None


def test_three_sizes_tell_latency_and_bandwidth() -> None:
    transfers = Transfers()
    for size in (64 * KIB, MIB, 16 * MIB):
        transfers.observe(A, size, 0.02 + size / 1e7, 0.0)

    line = transfers.estimate(A, 0.0)
    assert line is not None
    assert (line.latency_s, line.bytes_per_s) == pytest.approx((0.02, 1e7))
    assert line.seconds(4 * MIB) == pytest.approx(0.02 + 4 * MIB / 1e7)
    assert line.residual == pytest.approx(0.0, abs=1e-9)
    assert line.confidence == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [1e6, 12.5e6, 117e6])
def test_noisy_transfers_with_a_stall_tell_what_the_next_one_takes(rate: float, seed: int) -> None:
    rng, transfers = Random(seed), Transfers()
    for turn in range(20):
        size = round(KIB * 2 ** rng.uniform(4, 15))
        stall = 3.0 if turn == 7 else 1.0
        transfers.observe(A, size, stall * (0.03 + size / rate) * rng.uniform(0.9, 1.15), float(turn))

    line = transfers.estimate(A, 20.0)
    assert line is not None
    for size in (64 * KIB, MIB, 30 * MIB):
        assert line.seconds(size) == pytest.approx(0.03 + size / rate, rel=0.25)
    assert line.residual < 0.15
    assert line.confidence > 0.8


@given(st.lists(st.tuples(st.floats(1.0, 1e9), st.floats(1e-6, 1e3)), min_size=2, max_size=20))
def test_it_is_as_good_as_what_scipy_finds(points: list[tuple[float, float]]) -> None:
    from scipy.optimize import nnls

    matrix = [[1.0 / seconds, 1e6 * (size / seconds / 1e6)] for size, seconds in points]
    scale = [max(row[0] for row in matrix), max(row[1] for row in matrix)]
    scaled = [[row[0] / scale[0], row[1] / scale[1]] for row in matrix]
    _, their_residual = nnls(scaled, [1.0] * len(points))

    latency_s, slope = non_negative_line(points)

    ours = math.hypot(*[latency_s * row[0] + slope * row[1] - 1.0 for row in matrix])
    assert min(latency_s, slope) >= 0.0
    assert ours <= their_residual * 1.001 + 1e-6


def test_larger_files_that_were_faster_make_no_negative_term() -> None:
    transfers = Transfers()
    for size, seconds in ((64 * KIB, 3.0), (MIB, 2.0), (16 * MIB, 1.0)):
        transfers.observe(A, size, seconds, 0.0)

    line = transfers.estimate(A, 0.0)
    assert line is not None
    assert line.bytes_per_s == BYTES_PER_S_MAX
    assert 1.0 < line.latency_s < 3.0


def test_confidence_in_a_line_halves_with_age() -> None:
    transfers = Transfers()
    for size in (64 * KIB, MIB, 16 * MIB):
        transfers.observe(A, size, size / 1e7, 0.0)

    line = transfers.estimate(A, HALF_LIFE_S)
    assert line is not None
    assert line.confidence == pytest.approx(1 / 3)
    assert line.age_s == HALF_LIFE_S


@pytest.mark.parametrize(("size", "seconds"), [(0, 1.0), (-1, 1.0), (MIB, -1.0), (MIB, math.inf), (MIB, math.nan)])
def test_what_is_no_transfer_is_not_taken(size: int, seconds: float) -> None:
    transfers = Transfers()
    for factor in (1, 4, 16):
        transfers.observe(A, factor * size, seconds, 0.0)

    assert transfers.estimate(A, 0.0) is None


def test_the_table_is_bounded_and_forgets() -> None:
    transfers = Transfers()
    for number in range(PEERS_MAX + 2):
        for size in (64 * KIB, MIB, 16 * MIB):
            transfers.observe(node(number), size, size / 1e7, 0.0)

    transfers.forget(node(5))

    assert [number for number in range(7) if transfers.estimate(node(number), 0.0) is None] == [0, 1, 5]
