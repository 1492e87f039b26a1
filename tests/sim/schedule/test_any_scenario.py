"""Whatever the scenario and the mapper, the run ends, and what it says can have happened."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.planners import planner
from pnode.sim.schedule.pricing import event_pricing, finish_price, push_pricing
from pnode.sim.schedule.queues import Discipline
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Scenario
from pnode.sim.schedule.static import static
from pnode.sim.schedule.strategies import NAMES
from pnode.sim.schedule.validator import validate

from .scenarios import scenarios


@settings(max_examples=40, deadline=None)
@given(scenarios(), st.sampled_from(NAMES), st.integers(0, 3))
def test_everybody_gets_every_job_done(scenario: Scenario, mapper: str, seed: int) -> None:
    result = simulate(scenario, mapper, seed, trace=True)

    validate(result)
    assert result.complete


@pytest.mark.parametrize("discipline", [Discipline.HOLD, Discipline.RANK, Discipline.FIFO])
@settings(max_examples=15, deadline=None)
@given(scenario=scenarios(), seed=st.integers(0, 3))
def test_plans_get_done_under_every_discipline_that_waits_for_nobody(
    discipline: Discipline, scenario: Scenario, seed: int
) -> None:
    result = simulate(scenario, static("heft", planner("heft"), discipline), seed, trace=True)

    validate(result)
    assert result.complete


@settings(max_examples=15, deadline=None)
@given(scenarios(), st.booleans(), st.integers(0, 3))
def test_dispatchers_get_done_with_any_price(scenario: Scenario, push: bool, seed: int) -> None:
    heft = planner("heft")
    strategy = push_pricing(heft, finish_price, period_s=2.0) if push else event_pricing(heft, finish_price)

    result = simulate(scenario, strategy, seed, trace=True)

    validate(result)
    assert result.complete
