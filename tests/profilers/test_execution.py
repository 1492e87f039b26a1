import math
from random import Random

import pytest

from pnode.profilers import execution
from pnode.profilers.execution import PAIRS_MAX, PROGRAMS_MAX, SECONDS_MIN, Basis, Execution

from .nodes import A, B, C, node

APP = "app/task"


def seconds(profile: Execution, where: bytes = A, speed: float = 1.0) -> float:
    return profile.estimate(APP, where, speed, 0.0).seconds  # type: ignore[arg-type]  # any bytes name a node here


def ran(*runs: float, where: bytes = A, speed: float = 1.0) -> Execution:
    profile = Execution()
    for run in runs:
        profile.observe(APP, where, speed, run, 0.0)  # type: ignore[arg-type]
    return profile


def test_without_any_knowledge_a_task_takes_a_second_of_a_core_of_speed_one() -> None:
    found = Execution().estimate(APP, A, 2.0, 0.0)

    assert (found.seconds, found.basis) == (0.5, Basis.GUESS)


def test_what_the_job_says_counts_before_a_guess() -> None:
    found = Execution().estimate(APP, A, 2.0, 8.0)

    assert (found.seconds, found.spread_s, found.basis) == (4.0, 2.0, Basis.STATED)


def test_what_rests_on_runs_or_on_the_job_is_known_and_a_guess_is_not() -> None:
    assert not Execution().knows(APP, 0.0)
    assert Execution().knows(APP, 8.0)
    assert ran(6.0, where=B).knows(APP, 0.0)


def test_runs_elsewhere_count_before_what_the_job_says() -> None:
    profile = ran(6.0, where=B, speed=0.5)

    found = profile.estimate(APP, A, 2.0, 99.0)

    assert (found.seconds, found.basis, found.runs) == (1.5, Basis.PROGRAM, 1)


def test_runs_on_the_node_itself_count_before_everything() -> None:
    profile = ran(6.0, where=B, speed=0.5)
    profile.observe(APP, A, 2.0, 7.0, 0.0)

    found = profile.estimate(APP, A, 2.0, 99.0)

    assert (found.seconds, found.basis, found.runs) == (7.0, Basis.NODE, 1)


@pytest.mark.parametrize("true_s", [0.01, 1.0, 300.0])
@pytest.mark.parametrize("seed", range(5))
def test_nine_noisy_runs_come_within_a_fifth_of_the_mean(true_s: float, seed: int) -> None:
    rng = Random(seed)

    profile = ran(*(true_s * rng.uniform(0.7, 1.3) for _ in range(9)))

    found = profile.estimate(APP, A, 1.0, 0.0)
    assert found.seconds == pytest.approx(true_s, rel=0.2)
    assert found.spread_s < 0.3 * true_s


def test_of_two_runs_the_shorter_counts_and_of_three_the_longest_does_not() -> None:
    assert seconds(ran(8.0, 2.0)) == 2.0
    assert seconds(ran(8.0, 2.0, 4.0)) == 3.0


def test_the_spread_is_a_stand_in_until_three_runs_tell() -> None:
    def spread_s(*runs: float) -> float:
        return ran(*runs).estimate(APP, A, 1.0, 0.0).spread_s

    assert [spread_s(4.0), spread_s(4.0, 4.0), spread_s(4.0, 4.0, 4.0)] == [2.0, 2.0, 0.0]
    assert spread_s(2.0, 4.0, 6.0) == 1.0


def test_a_run_that_hung_and_one_that_ended_early_do_not_move_the_estimate() -> None:
    assert seconds(ran(1.0, 1.0, 20.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0)) == 1.0


def test_of_a_lasting_change_most_has_arrived_with_the_sixth_run() -> None:
    slowed = ran(*[1.0] * 9, *[4.0] * 6)

    assert seconds(slowed) == pytest.approx(1.0 + 0.8 * 3.0)


def test_a_node_slower_than_its_index_is_noticed_also_for_programs_new_to_it() -> None:
    profile = Execution()
    for turn in range(20):
        for place, slowness in ((B, 1.0), (C, 1.0), (A, 2.0)):
            profile.observe(f"app/{turn % 4}", place, 1.0, slowness * 10.0, 0.0)
    profile.observe(APP, B, 1.0, 5.0, 0.0)

    assert profile.factor(A) / profile.factor(B) == pytest.approx(2.0, rel=0.05)
    assert profile.factor(B) == pytest.approx(profile.factor(C), rel=0.05)
    assert seconds(profile, A) == pytest.approx(5.0 * profile.factor(A))


def test_one_slow_run_hardly_moves_a_nodes_factor() -> None:
    profile = ran(1.0, 2.0)

    assert profile.factor(A) == pytest.approx((3.0 + 2.0) / (3.0 + 1.0))


def test_a_run_that_hung_counts_against_its_node_within_bounds_and_is_forgotten() -> None:
    profile = ran(1.0, 1000.0)
    after_s = profile.factor(A)

    for _ in range(15):
        profile.observe(APP, A, 1.0, 1.0, 0.0)

    assert after_s == pytest.approx((3.0 + 4.0) / (3.0 + 1.0))
    assert profile.factor(A) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("run", [-1.0, math.inf, math.nan, 1e9])
def test_what_no_run_can_take_is_not_taken(run: float) -> None:
    assert ran(run).records() == ()


def test_a_run_of_no_time_at_all_counts_as_very_short() -> None:
    assert seconds(ran(0.0)) == SECONDS_MIN


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "PAIRS_MAX", 8)
    monkeypatch.setattr(execution, "PROGRAMS_MAX", 4)
    profile = Execution()

    for number in range(100):
        profile.observe(str(number), node(number), 1.0, 2.0, 0.0)

    assert len(profile.records()) == 8 + 4
    assert profile.estimate("96", C, 1.0, 0.0).basis is Basis.PROGRAM
    assert profile.estimate("95", C, 1.0, 0.0).basis is Basis.GUESS
    assert profile.estimate("92", node(92), 1.0, 0.0).basis is Basis.NODE
    assert profile.estimate("91", node(91), 1.0, 0.0).basis is Basis.GUESS
    assert (PAIRS_MAX, PROGRAMS_MAX) == (16_384, 4096)


def test_a_forgotten_node_leaves_what_it_taught_about_programs() -> None:
    profile = ran(4.0, 8.0)

    profile.forget(A)

    assert profile.estimate(APP, A, 1.0, 0.0).basis is Basis.PROGRAM
    assert profile.factor(A) == 1.0


def test_records_restore_every_estimate() -> None:
    profile = ran(1.0, 2.0, 3.0, 4.0, 5.0)
    profile.observe("other", B, 2.0, 7.0, 9.0)

    restored = Execution()
    restored.restore(profile.records())

    assert restored.records() == profile.records()
    assert restored.estimate(APP, A, 1.0, 0.0) == profile.estimate(APP, A, 1.0, 0.0)
    assert restored.estimate("other", C, 1.0, 0.0) == profile.estimate("other", C, 1.0, 0.0)


def test_records_are_plain_values() -> None:
    profile = ran(1.0, 2.0)

    assert profile.records() == ((APP, b"", 0.0, (1.0, 2.0)), (APP, A, 0.0, (1.0, 2.0)))


@pytest.mark.parametrize("values", [(), (-1.0,), (math.nan,), (1.0, math.inf)])
def test_a_row_that_holds_no_run_times_is_refused_by_name(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="app/task"):
        Execution().restore([(APP, A, 0.0, values)])
