import math

from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.hold import Held, Ready, Verdict, first_to_start

NAP_S = 0.05


def verdict(ready: list[Ready], held: list[Held], free_s: tuple[float, ...] = (0.0,), now: float = 10.0) -> Verdict:
    return first_to_start(sorted(ready), sorted(held), free_s, now, NAP_S)


def test_the_ready_task_that_was_planned_first_starts() -> None:
    assert verdict([Ready(5.0, 1, 2.0), Ready(3.0, 2, 9.0)], []) == Verdict(2, 10.0)


def test_among_equal_plans_the_lower_number_starts() -> None:
    assert verdict([Ready(5.0, 2, 2.0), Ready(5.0, 1, 2.0)], []).task == 1


def test_a_task_that_ends_before_the_earlier_one_has_its_inputs_fills_the_gap() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [Held(3.0, 2, 12.0)]).task == 1


def test_a_task_that_would_delay_an_earlier_one_waits_until_that_one_should_have_its_inputs() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [Held(3.0, 2, 11.5)]) == Verdict(None, 11.5)


def test_a_shorter_task_behind_it_may_fill_the_gap_instead() -> None:
    assert verdict([Ready(5.0, 1, 2.0), Ready(6.0, 3, 1.0)], [Held(3.0, 2, 11.5)]).task == 3


def test_a_held_task_planned_later_holds_nobody_up() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [Held(5.0, 2, 10.5), Held(7.0, 3, 10.0)]).task == 1


def test_a_task_that_takes_no_time_fits_in_front_of_anything_that_is_not_due() -> None:
    assert verdict([Ready(5.0, 1, 0.0)], [Held(3.0, 2, 10.0)]).task == 1


def test_late_inputs_are_waited_for_by_short_naps() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [Held(3.0, 2, 9.0)]) == Verdict(None, 10.0 + NAP_S)


def test_inputs_out_of_sight_hold_nobody_up() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [Held(3.0, 2, math.inf)]).task == 1


def test_nothing_starts_without_a_free_core_or_a_ready_task() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [], free_s=(11.0,)) == Verdict(None, math.inf)
    assert verdict([], [Held(3.0, 2, 12.0)]) == Verdict(None, math.inf)


def test_of_two_free_cores_one_is_kept_for_the_held_task() -> None:
    ready = [Ready(5.0, 1, 2.0)]
    held = [Held(3.0, 2, 11.0)]

    assert verdict(ready, held, free_s=(0.0, 0.0)).task == 1
    assert verdict(ready, held, free_s=(0.0, 12.0)) == Verdict(None, 11.0)


def test_as_many_cores_are_kept_as_the_held_tasks_need() -> None:
    assert verdict([Ready(5.0, 1, 2.0)], [Held(3.0, 2, 11.0, cores=2)], free_s=(0.0, 0.0)).task is None
    assert verdict([Ready(5.0, 1, 2.0)], [Held(3.0, 2, 11.0, cores=2)], free_s=(0.0, 0.0, 0.0)).task == 1


def test_a_wide_task_is_promised_its_cores_and_only_what_ends_before_may_fill_the_time() -> None:
    wide = Ready(3.0, 1, 4.0, cores=2)

    assert verdict([wide, Ready(5.0, 2, 1.0)], [], free_s=(0.0, 11.0)).task == 2
    assert verdict([wide, Ready(5.0, 2, 1.5)], [], free_s=(0.0, 11.0)) == Verdict(None, 11.0)


def test_a_task_wider_than_the_node_takes_all_of_it() -> None:
    assert verdict([Ready(3.0, 1, 4.0, cores=3)], [], free_s=(0.0, 11.0)).task is None
    assert verdict([Ready(3.0, 1, 4.0, cores=3), Ready(4.0, 2, 2.0)], [], free_s=(0.0, 11.0)).task is None
    assert verdict([Ready(3.0, 1, 4.0, cores=3)], [], free_s=(0.0, 10.0)).task == 1


keys = st.floats(0.0, 20.0)
times = st.floats(0.0, 10.0)


@given(
    st.lists(st.tuples(keys, times), max_size=6),
    st.lists(st.tuples(keys, st.floats(10.0, 20.0)), max_size=6),
)
def test_no_reservation_is_ever_broken(ready: list[tuple[float, float]], held: list[tuple[float, float]]) -> None:
    tasks = [Ready(key, number, run_s) for number, (key, run_s) in enumerate(ready)]
    promises = [Held(key, 10 + number, inputs_s) for number, (key, inputs_s) in enumerate(held)]

    answer = verdict(tasks, promises)

    better = [one for one in promises if answer.task is not None and one.key < tasks[answer.task].key]
    assert answer.task is None or all(one.inputs_s >= 10.0 + tasks[answer.task].run_s for one in better)
    assert answer.wake_s >= 10.0
