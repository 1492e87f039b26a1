from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.coordinate import (
    COORDINATE_BYTES,
    ERROR_MAX,
    ERROR_UNIT,
    MAGNITUDE_S_MAX,
    UNIT_S,
    Coordinate,
    pack_coordinate,
    unpack_coordinate,
)

PARTS = st.floats(-MAGNITUDE_S_MAX, MAGNITUDE_S_MAX)
COORDINATES = st.builds(
    Coordinate,
    st.tuples(*[PARTS] * 8),
    st.floats(0.0, MAGNITUDE_S_MAX),
    PARTS,
    st.floats(0.0, ERROR_MAX),
)


def figures(coordinate: Coordinate) -> list[float]:
    return [*coordinate.position, coordinate.height_s, coordinate.adjustment_s]


@given(COORDINATES)
def test_it_travels_in_so_many_bytes_and_arrives_nearly_as_it_was(coordinate: Coordinate) -> None:
    packed = pack_coordinate(coordinate)
    arrived = unpack_coordinate(packed)

    assert len(packed) == COORDINATE_BYTES == 32
    assert arrived is not None
    assert figures(arrived) == pytest.approx(figures(coordinate), abs=UNIT_S)
    assert arrived.error == pytest.approx(coordinate.error, abs=ERROR_UNIT)


@given(st.binary(max_size=40))
def test_of_any_bytes_only_what_can_be_a_coordinate_is_taken(data: bytes) -> None:
    arrived = unpack_coordinate(data)

    assert arrived is None or (arrived.is_sound and len(data) == COORDINATE_BYTES)


def test_what_is_too_far_away_is_refused() -> None:
    far = Coordinate((16.0, *[0.0] * 7), 0.0, 0.0, 0.1)

    assert unpack_coordinate(pack_coordinate(far)) is None
    assert unpack_coordinate(pack_coordinate(replace(far, position=(0.0,) * 8, height_s=-0.1))) is None


def test_a_distance_is_that_of_the_positions_with_both_heights_and_adjustments() -> None:
    one = Coordinate((0.0, 0.003, *[0.0] * 6), 0.001, 0.0005, 0.1)
    other = Coordinate((0.004, *[0.0] * 7), 0.002, -0.0001, 0.1)

    assert one.distance_s(other) == pytest.approx(0.005 + 0.003 + 0.0004)
    assert one.distance_s(other) == other.distance_s(one)


def test_adjustments_that_would_leave_nothing_are_left_out() -> None:
    one = Coordinate((0.0,) * 8, 0.001, -0.5, 0.1)

    assert one.distance_s(one) == pytest.approx(0.002)
