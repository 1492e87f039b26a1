"""Which calls become one task, and how many go first."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.bundling import (
    BUNDLE_CALLS_MAX,
    BUNDLE_S,
    BURST_S,
    HOLD_S,
    NEWS,
    QUIET_S,
    SCOUTS_PER_CORE,
    SHARES,
    TASK_S,
    Burst,
    Call,
    Pace,
    bundled,
)

ONE, OTHER = (1,), (2,)
"""Kinds of calls."""


def known(seconds: float, cores: int = 1) -> Pace:
    pace = Pace(cores)
    pace.observe(ONE, seconds)
    return pace


def test_of_a_kind_that_is_known_all_may_go() -> None:
    assert known(1.0).may_go(ONE, 1000, 0.0) == 1000


def test_of_a_kind_that_is_unknown_a_few_may_go_at_once() -> None:
    assert Pace(2).may_go(ONE, 2 * SCOUTS_PER_CORE, 0.0) == 2 * SCOUTS_PER_CORE


def test_of_many_of_an_unknown_kind_a_few_per_core_go_first_and_then_none() -> None:
    pace = Pace(3)
    first = [pace.may_go(ONE, 1000, 0.0) for _ in range(2)]
    pace.hold(ONE, 0.0)

    assert first == [3 * SCOUTS_PER_CORE] * 2  # asking changes nothing
    assert pace.may_go(ONE, 1000, 0.0) == 0


def test_what_the_first_ones_tell_lets_the_others_go() -> None:
    pace = Pace()
    pace.hold(ONE, 0.0)
    pace.observe(ONE, 0.5)

    assert pace.may_go(ONE, 1000, 0.0) == 1000


def test_what_others_wait_for_is_awaited_until_it_is_known() -> None:
    pace = Pace()
    before = pace.is_awaited(ONE)
    pace.hold(ONE, 0.0)
    held = pace.is_awaited(ONE)
    pace.observe(ONE, 0.5)

    assert (before, held, pace.is_awaited(ONE)) == (False, True, False)


def test_who_waits_in_vain_for_the_first_ones_waits_for_a_while_only() -> None:
    pace = Pace()
    pace.hold(ONE, 5.0)

    assert pace.may_go(ONE, 1000, 5.0 + HOLD_S / 2) == 0
    assert pace.may_go(ONE, 1000, 5.0 + HOLD_S) == 1000


def test_when_the_first_ones_have_told_nothing_others_go_first() -> None:
    pace = Pace()
    pace.hold(ONE, 0.0)
    pace.know_nothing(ONE)

    assert pace.may_go(ONE, 1000, 0.0) == SCOUTS_PER_CORE


def test_what_is_known_stays_known() -> None:
    pace = known(1.0)
    pace.know_nothing(ONE)

    assert pace.seconds(ONE) == 1.0


def test_it_is_known_when_to_look_again() -> None:
    pace = Pace()
    never = pace.look_again_s(5.0)
    pace.hold(ONE, 5.0)

    assert never == math.inf
    assert pace.look_again_s(5.0) == pytest.approx(HOLD_S)
    assert pace.look_again_s(5.0 + HOLD_S) == math.inf


def test_nobody_looks_again_for_what_has_become_known() -> None:
    pace = Pace()
    pace.hold(ONE, 5.0)
    pace.observe(ONE, 1.0)

    assert pace.look_again_s(5.0) == math.inf


def test_what_was_measured_last_has_a_part_in_what_is_expected() -> None:
    pace = known(1.0)
    pace.observe(ONE, 2.0)

    assert pace.seconds(ONE) == pytest.approx(1.0 + NEWS)
    assert pace.seconds(OTHER) is None


def test_a_bundle_of_short_calls_takes_about_as_long_as_bundles_shall() -> None:
    assert known(BUNDLE_S / 10).size(ONE, 10_000) == 10


@pytest.mark.parametrize("seconds", [BUNDLE_S, 10 * BUNDLE_S])
def test_long_calls_are_tasks_by_themselves(seconds: float) -> None:
    assert known(seconds).size(ONE, 10_000) == 1


def test_calls_of_which_nothing_is_known_are_tasks_by_themselves() -> None:
    assert Pace().size(ONE, 10_000) == 1


def test_no_core_is_left_without_a_share() -> None:
    assert known(TASK_S / 2, cores=4).size(ONE, 16 * SHARES) == 4


def test_a_task_has_no_fewer_calls_than_take_as_long_as_it_costs() -> None:
    assert known(TASK_S / 10, cores=4).size(ONE, 16 * SHARES) == 10


def test_calls_that_take_no_time_at_all_are_not_bundled_without_end() -> None:
    assert known(0.0).size(ONE, 10**6) == BUNDLE_CALLS_MAX


def test_calls_of_one_kind_that_wait_for_the_same_go_together_and_no_others() -> None:
    pace = known(TASK_S / 2)
    pace.observe(OTHER, TASK_S / 2)
    alike = [Call(number, ONE, (0,)) for number in range(1, 2 * SHARES + 1)]
    others = [Call(0, ONE, ()), Call(100, OTHER, (0,)), Call(101, ONE, (100,))]

    bundles = [[call.number for call in bundle] for bundle in bundled([*others, *alike], pace)]
    assert bundles == [[0], [100], [101], [1, 2], [3, 4], [5, 6], [7, 8]]


def test_calls_that_must_be_are_tasks_by_themselves() -> None:
    alone = [Call(number, ONE, (), alone=True) for number in range(SHARES)]
    others = [Call(number, ONE, ()) for number in range(SHARES, 5 * SHARES)]

    bundles = bundled([*alone, *others], known(TASK_S / 4))
    assert [len(bundle) for bundle in bundles] == [1] * SHARES + [4] * SHARES


def test_a_call_after_a_pause_does_not_wait() -> None:
    burst = Burst()
    burst.came(0.0)
    first = burst.wait_s(0.0)
    burst.went(0.0)
    burst.came(2 * BURST_S)

    assert (first, burst.wait_s(2 * BURST_S)) == (0.0, 0.0)


def test_a_burst_waits_until_it_pauses() -> None:
    burst = Burst()
    burst.went(0.0)
    burst.came(0.001)
    burst.came(0.0015)

    assert burst.wait_s(0.0015) == pytest.approx(QUIET_S)
    assert burst.wait_s(0.0015 + QUIET_S) == 0.0


def test_a_burst_without_a_pause_goes_often_enough() -> None:
    burst = Burst()
    burst.went(0.0)
    for at in range(1, 100):
        burst.came(at * QUIET_S / 2)

    assert burst.wait_s(BURST_S + QUIET_S) == 0.0


ALIKE = ("fast", 1), ("slow", 1)
"""Two functions called with the same wishes."""


def test_what_takes_less_than_a_task_costs_is_one() -> None:
    pace = Pace()
    for kind in ALIKE:
        pace.observe(kind, TASK_S / 8)
    calls = [Call(number, ALIKE[number % 2], tuple(range(number))) for number in range(8)]

    assert bundled(calls, pace) == [calls]
    assert len(bundled([*calls, Call(8, ALIKE[0], ())], pace)) > 1


@pytest.mark.parametrize(
    "other",
    [Call(1, ("fast", 2), ()), Call(1, ("new", 1), ()), Call(1, ALIKE[0], (), alone=True)],
    ids=["has other wishes", "is not known", "has a walltime"],
)
def test_a_call_is_no_part_of_one_task_if_it(other: Call) -> None:
    pace = Pace()
    for kind in (*ALIKE, ("fast", 2)):
        pace.observe(kind, 1e-6)
    one = Call(0, ALIKE[0], ())

    assert bundled([one, other], pace) == [[one], [other]]


def test_where_nothing_has_come_nothing_is_waited_for() -> None:
    burst = Burst()
    burst.came(0.0)
    burst.went(0.0)

    assert burst.wait_s(0.0) == 0.0


waits = st.lists(st.integers(0, 5), unique=True, max_size=2).map(tuple)
calls_of_any_kind = st.lists(st.tuples(st.sampled_from([ONE, OTHER]), waits), max_size=60)


@given(calls_of_any_kind, st.floats(0, 0.1), st.integers(1, 4))
def test_every_call_is_in_one_bundle_with_its_like(
    many: list[tuple[tuple[int], tuple[int, ...]]], seconds: float, cores: int
) -> None:
    calls = [Call(number, kind, waits_for) for number, (kind, waits_for) in enumerate(many)]
    pace = known(seconds, cores)
    pace.observe(OTHER, seconds)
    bundles = bundled(calls, pace)

    assert sorted(call.number for bundle in bundles for call in bundle) == list(range(len(calls)))
    for bundle in bundles if len(bundles) > 1 else ():
        assert len({(call.kind, call.waits_for) for call in bundle}) == 1
        assert [call.number for call in bundle] == sorted(call.number for call in bundle)
