from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.profilers.arrivals import BUCKET_BYTES, EVIDENCE_BYTES, arrival_rate

from .wire import PACKET_BYTES, reads_of

MIB = 1024 * 1024
MBIT = 1e6 / 8


@pytest.mark.parametrize("delay_s", [0.0, 0.0005, 0.001, 0.005, 0.02, 0.05])
@pytest.mark.parametrize("bucket_bytes", [0, 64 * 1024, BUCKET_BYTES])
@pytest.mark.parametrize("mbit", [10, 30, 100, 300, 1000])
def test_a_mebibyte_tells_the_rate_of_a_link_to_a_tenth(mbit: int, bucket_bytes: int, delay_s: float) -> None:
    transfers = [reads_of(MIB, mbit * MBIT, delay_s, Random(seed), bucket_bytes=bucket_bytes) for seed in range(3)]

    rates = [rate for reads in transfers if (rate := arrival_rate(reads)) is not None]
    assert median(rates) == pytest.approx(mbit * MBIT, rel=0.10)
    assert rates == pytest.approx([mbit * MBIT] * 3, rel=0.12)


@pytest.mark.parametrize("mbit", [10, 100, 1000])
@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_a_receiver_that_is_busy_now_and_then_does_not_slow_the_link_down(mbit: int, delay_s: float) -> None:
    for seed in range(3):
        reads = reads_of(4 * MIB, mbit * MBIT, delay_s, Random(seed), busy=0.05)

        assert arrival_rate(reads) == pytest.approx(mbit * MBIT, rel=0.15)


@pytest.mark.parametrize("mbit", [10, 100, 1000])
@pytest.mark.parametrize("delay_s", [0.005, 0.05])
def test_a_window_that_has_not_grown_yet_does_not_hide_the_rate(mbit: int, delay_s: float) -> None:
    packets = 64 * 1024 // PACKET_BYTES

    for seed in range(3):
        reads = reads_of(MIB, mbit * MBIT, delay_s, Random(seed), window_max=packets)
        assert arrival_rate(reads) == pytest.approx(mbit * MBIT, rel=0.10)


def test_a_transfer_of_less_than_the_evidence_tells_nothing() -> None:
    assert arrival_rate(reads_of(EVIDENCE_BYTES, 100 * MBIT, 0.001, Random(1))) is None


@pytest.mark.parametrize("reads", [[], [(0.0, MIB)], [(0.0, MIB), (0.0, MIB)], [(1.0, MIB), (0.0, MIB)]])
def test_where_no_time_passed_there_is_no_rate(reads: list[tuple[float, int]]) -> None:
    assert arrival_rate(reads) is None


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, MIB)), max_size=30))
def test_whatever_was_read_there_is_a_positive_rate_or_none(reads: list[tuple[float, int]]) -> None:
    rate = arrival_rate(sorted(reads))

    assert rate is None or rate > 0.0
