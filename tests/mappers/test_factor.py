from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.factor import Factor


def test_a_node_of_which_nothing_is_known_runs_as_expected() -> None:
    assert Factor(2.0).value == 1.0


def test_one_task_twice_as_long_moves_it_by_a_quarter() -> None:
    factor = Factor(1.0)

    factor.learn(2.0, 1.0)

    assert factor.value == (3.0 + 2.0) / (3.0 + 1.0)


def test_what_was_learnt_earlier_counts_less() -> None:
    factor = Factor(1.0)
    factor.learn(2.0, 1.0)

    factor.learn(1.0, 1.0)

    assert factor.value == (0.8 * 5.0 + 1.0) / (0.8 * 4.0 + 1.0)


def test_a_long_task_counts_for_more_than_a_short_one() -> None:
    long, short = Factor(1.0), Factor(1.0)

    long.learn(8.0, 4.0)
    short.learn(0.5, 0.25)

    assert long.value > short.value > 1.0


def test_a_lasting_change_is_learnt_within_ten_tasks() -> None:
    factor = Factor(1.0)

    for _ in range(10):
        factor.learn(4.0, 1.0)

    assert 3.5 < factor.value < 4.0


def test_an_overdue_task_raises_it_before_it_has_ended() -> None:
    factor = Factor(1.0)

    factor.suspect(2.0, 1.0)

    assert factor.value == (3.0 + 1.3 * 2.0) / (3.0 + 1.0)


def test_a_suspicion_never_lowers_it() -> None:
    factor = Factor(1.0)
    factor.learn(9.0, 1.0)
    before = factor.value

    factor.suspect(1.3, 1.0)

    assert factor.value == before


def test_a_refuted_suspicion_is_forgotten() -> None:
    suspected, calm = Factor(1.0), Factor(1.0)
    suspected.suspect(3.0, 1.0)

    for factor in (suspected, calm):
        factor.learn(1.0, 1.0)

    assert suspected.value == calm.value


def test_tasks_that_take_no_time_teach_nothing() -> None:
    factor = Factor(0.0)

    factor.suspect(0.0, 0.0)
    factor.learn(0.0, 0.0)

    assert factor.value == 1.0


seconds = st.floats(0.01, 100.0)


@given(st.lists(st.tuples(seconds, seconds)))
def test_it_stays_within_what_was_seen(runs: list[tuple[float, float]]) -> None:
    factor = Factor(1.0)
    ratios = [1.0]

    for actual_s, expected_s in runs:
        factor.learn(actual_s, expected_s)
        ratios.append(actual_s / expected_s)

    assert min(ratios) * (1 - 1e-9) <= factor.value <= max(ratios) * (1 + 1e-9)
