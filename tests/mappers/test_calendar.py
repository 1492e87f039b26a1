import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.calendar import Calendar

Slot = tuple[float, float]

REQUESTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=20)
"""(ready, seconds); whole numbers, so that ends meet often."""


def busy(*slots: Slot) -> Calendar:
    calendar = Calendar()
    for start, seconds in slots:
        calendar.commit(start, seconds)
    return calendar


def free(taken: list[Slot], start: float, seconds: float) -> bool:
    return all(start + seconds <= other or other + length <= start for other, length in taken)


def test_an_empty_calendar_is_free_from_its_beginning() -> None:
    assert Calendar(3.0).quote(1.0, 5.0) == 3.0
    assert Calendar(3.0).quote(7.0, 5.0) == 7.0


def test_a_task_goes_into_the_first_gap_that_holds_it() -> None:
    calendar = busy((2.0, 1.0), (6.0, 1.0), (12.0, 1.0))

    assert calendar.gaps == ((0.0, 2.0), (3.0, 6.0), (7.0, 12.0))
    assert calendar.quote(0.0, 2.0) == 0.0
    assert calendar.quote(0.0, 3.0) == 3.0
    assert calendar.quote(4.0, 3.0) == 7.0
    assert calendar.quote(0.0, 6.0) == 13.0


def test_a_gap_is_quoted_only_when_the_task_ends_in_time() -> None:
    calendar = busy((5.0, 5.0), (20.0, 1.0))

    assert calendar.gap(0.0, 6.0, by_s=16.0) == 10.0
    assert calendar.gap(0.0, 6.0, by_s=15.9) == math.inf
    assert calendar.gap(0.0, 11.0) == math.inf


@pytest.mark.parametrize(
    ("slot", "left"),
    [
        ((0.0, 10.0), ()),
        ((0.0, 4.0), ((4.0, 10.0),)),
        ((6.0, 4.0), ((0.0, 6.0),)),
        ((2.0, 4.0), ((0.0, 2.0), (6.0, 10.0))),
        ((4.0, 0.0), ((0.0, 4.0), (4.0, 10.0))),
    ],
)
def test_a_slot_leaves_of_its_gap_what_is_not_empty(slot: Slot, left: tuple[Slot, ...]) -> None:
    calendar = busy((10.0, 1.0))

    assert calendar.commit(*slot) == sum(slot)
    assert calendar.gaps == left
    assert calendar.tail_s == 11.0
    assert calendar.last_gap_s == (left[-1][1] if left else -math.inf)


def test_what_takes_for_ever_is_quoted_after_everything() -> None:
    calendar = busy((5.0, 1.0))

    assert calendar.quote(0.0, math.inf) == 6.0
    assert calendar.quote(math.inf, 1.0) == math.inf


def test_a_copy_goes_its_own_way() -> None:
    calendar = busy((5.0, 1.0))

    other = calendar.copy()
    other.commit(0.0, 5.0)

    assert (calendar.gaps, other.gaps) == (((0.0, 5.0),), ())
    assert calendar.tail_s == other.tail_s


@pytest.mark.parametrize("slot", [(5.5, 0.2), (4.0, 2.0), (-1.0, 1.0)])
def test_a_slot_that_is_taken_is_a_mistake_of_ours(slot: Slot) -> None:
    calendar = busy((0.0, 1.0), (5.0, 1.0))

    with pytest.raises(AssertionError):
        calendar.commit(*slot)


@given(requests=REQUESTS)
def test_a_quote_is_the_earliest_start_that_is_free(requests: list[Slot]) -> None:
    calendar, taken = Calendar(), list[Slot]()

    for ready, seconds in requests:
        start = calendar.quote(ready, seconds)
        earlier = [at for at in range(int(ready), int(start)) if free(taken, at, seconds)]

        assert start >= ready
        assert free(taken, start, seconds)
        # What takes no time could squeeze between two that touch, where a calendar keeps no gap.
        assert not earlier or not seconds
        taken.append((start, seconds))
        calendar.commit(start, seconds)
    assert all(start < end for start, end in calendar.gaps)
    assert calendar.tail_s == max((start + seconds for start, seconds in taken), default=0)
