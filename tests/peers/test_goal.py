"""Goals are judged by medians, against the best of the peers that are there."""

import pytest

from .contestant import CONTESTANTS, DEFAULTS
from .goal import BEST_PEER, GOALS, NOBODY, Goal, best, judge
from .workload import FIGURES

PEERS = ["Ray", "Dask"]


def test_the_best_peer_is_the_fastest_whichever_way_that_is_told() -> None:
    medians = {"Ray": 10.0, "Dask": 20.0, "pnode": 30.0}

    assert best("independent", medians, PEERS) == "Dask"
    assert best("chain", medians, PEERS) == "Ray"
    assert best("chain", medians, []) == NOBODY


@pytest.mark.parametrize(("ours", "met"), [(39.0, False), (40.0, True), (41.0, True)])
def test_a_goal_against_the_best_peer_is_met_from_its_bound_on(ours: float, met: bool) -> None:
    verdict = judge(Goal("independent", 2.0), {"pnode": ours, "Ray": 10.0, "Dask": 20.0}, PEERS)

    assert verdict is not None
    assert (verdict.other, verdict.reached, verdict.met) == ("Dask", ours / 20.0, met)


def test_half_the_time_is_twice_as_good() -> None:
    verdict = judge(Goal("chain", 2.0), {"pnode": 1.0, "Ray": 1.9}, PEERS)

    assert verdict is not None
    assert not verdict.met
    assert verdict.reached == 1.9


@pytest.mark.parametrize(("ours", "met"), [(0.31, False), (0.3, True)])
def test_a_goal_against_nobody_is_a_figure_that_may_not_be_passed(ours: float, met: bool) -> None:
    verdict = judge(Goal("lost", 0.3, NOBODY), {"pnode": ours}, PEERS)

    assert verdict is not None
    assert (verdict.reached, verdict.met) == (ours, met)


@pytest.mark.parametrize("medians", [{"Ray": 1.0}, {"pnode": 1.0}, {"pnode": 1.0, "make": 1.0}])
def test_what_was_not_measured_on_both_sides_is_not_judged(medians: dict[str, float]) -> None:
    assert judge(Goal("chain", 2.0), medians, PEERS) is None


def test_every_goal_is_about_a_figure_and_somebody_that_there_is() -> None:
    plays = {each.name: each.commands for each in CONTESTANTS}

    assert {goal.figure for goal in GOALS} <= FIGURES.keys()
    assert {goal.who for goal in GOALS} <= plays.keys()
    assert {goal.against for goal in GOALS} - {BEST_PEER, NOBODY} <= plays.keys()
    assert DEFAULTS.name in plays
