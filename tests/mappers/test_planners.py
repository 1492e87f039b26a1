import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.evaluate import evaluate
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.plan import lower_bound_s
from pnode.mappers.planners import PLANNERS, YARDSTICKS, UnknownPlannerError, planner, random_planner

from .golden import golden
from .instances import ARABNEJAD, EPSILON, TOPCUOGLU, faults, some_instance

CHAIN = Instance(((1.0, 9.0), (2.0, 1.0)), (Edge(0, 1, 5.0),), uniform(2, 0.0), uniform(2, 1.0))


def test_all_static_mappers_can_be_had_by_name() -> None:
    assert list(PLANNERS) == [
        "heft", "heft-modified", "cpop", "peft", "min-min", "max-min", "mct", "sufferage", "olb", "met", "fastest",
        "tpheft", "random", "optimal",
    ]  # fmt: skip
    assert planner("cpop")(TOPCUOGLU).makespan_s == 86.0


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownPlannerError, match=r"no static mapper 'hefty'; known are heft, .*, optimal"):
        planner("hefty")


@pytest.mark.parametrize("name", YARDSTICKS)
@pytest.mark.parametrize("example", [lambda: TOPCUOGLU, lambda: ARABNEJAD, golden], ids=["heft", "peft", "tgff"])
def test_every_planner_masters_the_classic_examples(name: str, example: Callable[[], Instance]) -> None:
    assert faults(example(), PLANNERS[name](example())) == []


def test_the_optimum_is_one_of_them() -> None:
    assert PLANNERS["optimal"](CHAIN).makespan_s == 3.0


def test_each_seed_draws_another_plan() -> None:
    assert PLANNERS["random"](TOPCUOGLU) == random_planner(0)(TOPCUOGLU)
    assert random_planner(0)(TOPCUOGLU) != random_planner(1)(TOPCUOGLU)


def test_names_can_be_listed_without_loading_what_planners_compute_on() -> None:
    code = "import sys, pnode.mappers.planners as p; assert p.PLANNERS; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", YARDSTICKS)
@given(seed=st.integers(0, 2**32), whole=st.booleans())
def test_every_plan_is_the_same_again_and_comes_true(name: str, seed: int, whole: bool) -> None:
    instance = some_instance(seed, whole=whole)

    plan = PLANNERS[name](instance)

    assert faults(instance, plan) == []
    assert plan == PLANNERS[name](instance)
    assert plan.makespan_s >= lower_bound_s(instance) * (1 - EPSILON)
    assert evaluate(instance, plan).makespan_s == pytest.approx(plan.makespan_s, rel=EPSILON, abs=EPSILON)
