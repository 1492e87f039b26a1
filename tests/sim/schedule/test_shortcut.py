"""The shortcut and the world are two ways to the same result."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.heft import heft
from pnode.mappers.layered import layered
from pnode.mappers.planners import YARDSTICKS
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Arrival, Disruption, Durations, Fate, Handoff, Machine, Scenario, Spread
from pnode.sim.schedule.shortcut import is_open, take
from pnode.sim.schedule.static import static
from pnode.sim.schedule.validator import validate
from pnode.sim.schedule.world import World

from . import worlds
from .scenarios import scenarios

SIMPLE = worlds.scenario(worlds.network(*worlds.machines(2)), worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 10.0}))


def simplified(scenario: Scenario) -> Scenario:
    """The same without whatever closes the shortcut."""
    one = replace(scenario.arrivals[0], items=1, queue_items_max=0, at_s=0.0)
    machines = tuple(replace(machine, cores=1) for machine in scenario.network.machines)
    tasks = tuple(replace(task, cores=1) for task in one.graph.tasks)
    return replace(
        scenario,
        network=replace(scenario.network, machines=machines),
        arrivals=(replace(one, graph=replace(one.graph, tasks=tasks)),),
        contention=Contention.NONE,
        disruptions=(),
        handoff=Handoff(),
    )


@settings(max_examples=40, deadline=None)
@given(scenarios(), st.sampled_from(sorted(YARDSTICKS)), st.integers(0, 3))
def test_both_ways_lead_to_the_same_result(scenario: Scenario, name: str, seed: int) -> None:
    simple = simplified(scenario)
    strategy = static(name, YARDSTICKS[name])

    short = take(simple, name, YARDSTICKS[name], seed)
    long = World(simple, seed).run(strategy)

    assert is_open(simple)
    assert short == long
    assert simulate(simple, strategy, seed) == long
    validate(long)


@pytest.mark.parametrize("number", range(6))
def test_a_plan_without_contention_takes_as_long_as_planned(number: int) -> None:
    world = worlds.of(layered(Random(number), 120, 8, 1.0, 1.0, 3, 0.75))
    planned = heft(layered(Random(number), 120, 8, 1.0, 1.0, 3, 0.75))

    short = simulate(world, heft)
    long = worlds.run(world, heft)

    assert short.makespan_s == pytest.approx(planned.makespan_s, rel=1e-9)
    assert replace(long, transfers=()) == short


def test_what_takes_no_time_goes_before_what_starts_with_it_on_both_ways() -> None:
    world = worlds.with_an_instant()

    long = worlds.run(world, heft)

    assert worlds.times(long)["z"] == (worlds.times(long)["x"][0],) * 2 == (5.0, 5.0)
    assert replace(long, transfers=()) == simulate(world, heft)


def test_durations_are_drawn_alike_on_both_ways() -> None:
    durations = Durations(Spread.LOGNORMAL, 0.8, 0.5)
    world = replace(worlds.of(layered(Random(1), 60, 4, 1.0, 1.0, 3, 0.75)), durations=durations)

    assert simulate(world, heft, 3) == World(world, 3).run(static("heft", heft))


@pytest.mark.parametrize(
    "scenario",
    [
        replace(SIMPLE, contention=Contention.LINK),
        replace(SIMPLE, arrivals=SIMPLE.arrivals * 2),
        replace(SIMPLE, arrivals=(replace(SIMPLE.arrivals[0], items=2),)),
        replace(SIMPLE, arrivals=(replace(SIMPLE.arrivals[0], at_s=0.1),)),
        replace(SIMPLE, disruptions=(Disruption(1.0, 0, Fate.FAIL),)),
        replace(SIMPLE, handoff=Handoff(free=False)),
        replace(SIMPLE, network=worlds.network(Machine("a", cores=2), Machine("b"))),
        replace(SIMPLE, network=replace(SIMPLE.network, seconds_per_byte2=((0.0, 0.3), (0.7, 0.0)))),
    ],
)
def test_the_shortcut_is_closed_where_more_can_happen(scenario: Scenario) -> None:
    assert is_open(SIMPLE)
    assert not is_open(scenario)


def test_a_plan_that_cannot_be_carried_out_takes_the_long_way() -> None:
    apart = worlds.network(*worlds.machines(2), links={"ab": 0.0})
    world = worlds.scenario(apart, Arrival(SIMPLE.arrivals[0].graph))

    result = simulate(world, worlds.at(0, 1))

    assert not result.complete
    assert worlds.times(result) == {"x": (0.0, 1.0)}


def test_messages_go_to_other_machines_than_the_origin() -> None:
    world = worlds.scenario(SIMPLE.network, Arrival(SIMPLE.arrivals[0].graph, origin=1))

    short = take(world, "told", worlds.at(0, 1), 0)

    assert short is not None
    assert short.messages == 2
    assert short == World(world, 0).run(static("told", worlds.at(0, 1)))


def test_what_a_fit_predicts_to_take_less_than_no_time_takes_none_on_both_ways() -> None:
    net = replace(SIMPLE.network, seconds_per_byte2=((0.0, -0.3), (-0.7, 0.0)))
    world = worlds.scenario(net, worlds.graph({"x": 2.0, "y": 1.0}, {"xy": 10.0}))

    result = simulate(world, worlds.at(0, 1))

    assert worlds.times(result)["y"] == (2.0, 3.0)
    assert result.executions == simulate(world, worlds.at(0, 1), trace=True).executions
