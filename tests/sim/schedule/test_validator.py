"""What cannot have happened is found, whatever it is: each test spoils one thing in a result that is right."""

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from pnode.mappers.contention import Contention
from pnode.mappers.heft import heft
from pnode.mappers.layered import layered
from pnode.sim.schedule.errors import InfeasibleError
from pnode.sim.schedule.result import Execution, Result, Transfer
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Disruption, Durations, Fate, Machine, Spread, Vertex
from pnode.sim.schedule.validator import validate

from . import worlds


def right(contention: Contention = Contention.NONE) -> Result:
    """x on a, then y and z on b, one after the other: 0-1, 2-3, 3-4 without contention."""
    fork = worlds.graph({"x": 1.0, "y": 1.0, "z": 1.0}, {"xy": 100.0, "xz": 100.0})
    net = worlds.network(*(replace(one, up_bytes_per_s=100.0) for one in worlds.machines(3)))
    return simulate(worlds.scenario(net, fork, contention=contention), worlds.at(0, 1, 1), trace=True)


def spoil(result: Result, which: int, **facts: float) -> Result:
    """One task's execution with other facts."""
    return replace(
        result,
        executions=tuple(
            replace(one, **facts) if one.task == which else one  # type: ignore[arg-type]  # facts are right by name
            for one in result.executions
        ),
    )


def resend(result: Result, which: int, **facts: float) -> Result:
    """One task's input with other facts."""
    return replace(
        result,
        transfers=tuple(
            replace(one, **facts) if one.child == which else one  # type: ignore[arg-type]  # facts are right by name
            for one in result.transfers
        ),
    )


def of(result: Result, task: int) -> Execution:
    return next(one for one in result.executions if one.task == task)


def into(result: Result, child: int) -> Transfer:
    return next(one for one in result.transfers if one.child == child)


@pytest.mark.parametrize("contention", Contention)
def test_what_the_engine_says_can_have_happened(contention: Contention) -> None:
    validate(right(contention))


WRONG: dict[str, tuple[Callable[[Result], Result], str]] = {
    "another job": (lambda good: spoil(good, 0, job=1), "does not have"),
    "another item": (lambda good: spoil(good, 0, item=1), "does not have"),
    "another task": (lambda good: spoil(good, 0, task=3), "does not have"),
    "another machine": (lambda good: spoil(good, 0, machine=-1), "does not have"),
    "no number": (lambda good: spoil(good, 0, ready_s=math.nan), "no numbers"),
    "never ends": (lambda good: spoil(good, 2, finish_s=math.inf), "no numbers"),
    "too early": (lambda good: spoil(good, 0, bound_s=-1.0), "bound at -1.0 s, before it is submitted"),
    "ready before it is bound": (lambda good: spoil(good, 1, bound_s=2.5), "ready at 2.0 s, before it is bound"),
    "starts before it is ready": (lambda good: spoil(good, 1, start_s=1.5, finish_s=2.5), "before it is ready"),
    "ends before it starts": (lambda good: spoil(good, 2, finish_s=2.0), "finished at 2.0 s, before it is started"),
    "kept twice": (lambda good: replace(good, executions=(*good.executions, of(good, 0))), "two results"),
    "says complete": (lambda good: replace(good, executions=good.executions[:-1]), "2 results kept of 3"),
    "says not complete": (lambda good: replace(good, complete=False), "not complete, with 3"),
    "too quick": (lambda good: spoil(good, 2, finish_s=3.5), "does 0.5 s of work"),
    "too slow": (lambda good: spoil(good, 2, finish_s=4.5), "does 1.5 s of work"),
    "too quick by little": (lambda good: spoil(good, 2, finish_s=4.0 - 1e-7), "of work"),
    "lost parent": (lambda good: replace(spoil(good, 0, kept=False), complete=False), "its parent 'x' never ends"),
    "input too early": (
        lambda good: spoil(good, 1, ready_s=1.9, start_s=1.9, finish_s=2.9),
        "cannot be there before 2.0 s",
    ),
    "two at a time": (lambda good: spoil(good, 2, start_s=2.5, finish_s=3.5), "has 1 cores, 2 are in use at 2.5"),
    "nothing sent": (lambda good: replace(good, transfers=good.transfers[:1]), "no transfer of the output of task 0"),
    "sent elsewhere": (lambda good: resend(good, 1, target=2), "no transfer of the output"),
    "sent too late": (lambda good: resend(good, 1, start_s=1.5, finish_s=2.5), "no transfer of the output"),
    "sent too early": (lambda good: resend(good, 1, start_s=0.5, finish_s=1.5), "without the parent's output"),
    "sent from elsewhere": (lambda good: resend(good, 1, source=2), "without the parent's output"),
    "sent to itself": (lambda good: resend(good, 1, target=0), "not what an edge"),
    "sent less": (lambda good: resend(good, 1, size_bytes=99.0), "not what an edge"),
    "sent along no edge": (lambda good: resend(good, 1, parent=2), "not what an edge"),
    "sent too quickly": (lambda good: resend(good, 1, finish_s=1.5), "takes 0.5 s, expected 1.0 s"),
    "sent too slowly": (lambda good: resend(good, 1, finish_s=2.5), "takes 1.5 s, expected 1.0 s"),
    "bytes from nowhere": (lambda good: replace(good, bytes_moved=150.0), "add up to 200.0 bytes"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_have_happened_is_found(what: str) -> None:
    wrong, message = WRONG[what]
    result = wrong(right())

    with pytest.raises(InfeasibleError, match=message):
        validate(result)


@pytest.mark.parametrize(
    ("contention", "name"), [(Contention.LINK, "the link from machine 0 to 1"), (Contention.NIC, "the uplink of 'a'")]
)
def test_a_way_that_carries_too_much_is_found(contention: Contention, name: str) -> None:
    alone = right(Contention.NONE)
    result = replace(alone, scenario=right(contention).scenario)

    with pytest.raises(InfeasibleError, match=f"{name} moves more than 100 bytes per second from 1.0 s to 2.0 s"):
        validate(result)


def test_a_task_runs_only_where_it_may() -> None:
    only = worlds.graph({"x": 1.0}, {}, x=Vertex("x", 1.0, pinned="a"))
    result = simulate(worlds.scenario(worlds.network(*worlds.machines(2)), only), worlds.at(0))

    validate(result)
    with pytest.raises(InfeasibleError, match="may run on 'a' only"):
        validate(spoil(result, 0, machine=1))


def test_a_task_runs_only_where_it_can() -> None:
    only = worlds.graph({"x": 1.0}, {}, x=Vertex("x", 1.0, costs_s=(1.0, math.inf)))
    result = simulate(worlds.scenario(worlds.network(*worlds.machines(2)), only), worlds.at(0))

    with pytest.raises(InfeasibleError, match="cannot run there"):
        validate(spoil(result, 0, machine=1))


def test_memory_is_not_exceeded() -> None:
    big = Vertex("x", 1.0, memory_bytes=60.0)
    two = worlds.graph({"x": 1.0, "y": 1.0}, {}, x=big, y=replace(big, name="y"))
    net = worlds.network(Machine("a", cores=2, memory_bytes=100.0))
    result = simulate(worlds.scenario(net, two), worlds.at(0, 0))

    validate(result)
    with pytest.raises(InfeasibleError, match=r"has 100 bytes, 120 are in use at 0\.0"):
        validate(spoil(result, 1, start_s=0.0, finish_s=1.0))


def test_nothing_runs_on_a_machine_that_is_not_there() -> None:
    result = simulate(
        worlds.scenario(worlds.network(*worlds.machines(1)), worlds.graph({"x": 4.0}, {})), worlds.at(0)
    )
    scenario = replace(result.scenario, disruptions=(Disruption(2.0, 0, Fate.FAIL), Disruption(3.0, 0, Fate.RECOVER)))

    with pytest.raises(InfeasibleError, match=r"not there from 2\.0 s to 3\.0 s"):
        validate(replace(result, scenario=scenario))


def test_a_slow_machine_does_less() -> None:
    result = simulate(
        worlds.scenario(worlds.network(*worlds.machines(1)), worlds.graph({"x": 4.0}, {})), worlds.at(0)
    )
    scenario = replace(result.scenario, disruptions=(Disruption(2.0, 0, Fate.SPEED, 0.5),))

    validate(replace(spoil(result, 0, finish_s=6.0), scenario=scenario))
    with pytest.raises(InfeasibleError, match=r"does 3\.0 s of work"):
        validate(replace(result, scenario=scenario))


@pytest.mark.parametrize(
    ("durations", "low_s", "high_s"),
    [
        (Durations(Spread.UNIFORM, 0.5), 2.0, 6.0),
        (Durations(Spread.EXACT, 0.0, 0.25), 3.0, 5.0),
        (Durations(factors=((("x", 0.25),),)), 1.0, 1.0),
        (Durations(Spread.UNIFORM, 0.5, 0.25, ((("x", 0.25),),)), 0.75, 1.25),
    ],
)
def test_durations_are_within_what_the_scenario_says(durations: Durations, low_s: float, high_s: float) -> None:
    world = worlds.scenario(worlds.network(*worlds.machines(1)), worlds.graph({"x": 4.0}, {}), durations=durations)
    result = simulate(world, worlds.at(0), seed=7)

    validate(result)
    for finish_s in (low_s, high_s):
        validate(spoil(result, 0, finish_s=finish_s))
    for finish_s in (low_s - 0.001, high_s + 0.001):
        with pytest.raises(InfeasibleError, match="of work"):
            validate(spoil(result, 0, finish_s=finish_s))


@pytest.mark.parametrize("contention", Contention)
def test_real_schedules_pass_and_the_least_haste_fails(contention: Contention) -> None:
    world = worlds.of(layered(Random(3), 60, 4, 1.0, 1.0, 3, 0.75), contention)
    result = simulate(world, heft, trace=True)
    late = max(result.executions, key=lambda one: one.ready_s)

    validate(result)
    with pytest.raises(InfeasibleError):
        validate(spoil(result, late.task, ready_s=late.ready_s - 1.0, start_s=late.start_s - 1.0))


def test_nothing_comes_from_a_machine_that_cannot_reach_this_one() -> None:
    good = right()
    apart = worlds.network(*worlds.machines(3), links={"ab": 0.0})
    scenario = replace(good.scenario, network=apart)

    with pytest.raises(InfeasibleError, match="has input from a machine that cannot reach it: 'x'"):
        validate(replace(good, scenario=scenario))


def test_nothing_is_sent_between_machines_that_cannot_talk() -> None:
    good = right()
    apart = worlds.network(*worlds.machines(3), links={"ac": 0.0})
    stray = replace(into(good, 1), target=2)
    scenario = replace(good.scenario, network=apart)

    with pytest.raises(InfeasibleError, match="goes between machines that cannot talk"):
        validate(replace(good, scenario=scenario, transfers=(*good.transfers, stray), bytes_moved=300.0))


def test_nothing_waits_on_a_machine_while_it_is_not_there() -> None:
    result = simulate(
        worlds.scenario(worlds.network(*worlds.machines(1)), worlds.graph({"x": 1.0}, {})), worlds.at(0)
    )
    scenario = replace(result.scenario, disruptions=(Disruption(2.0, 0, Fate.FAIL), Disruption(3.0, 0, Fate.RECOVER)))

    validate(replace(spoil(result, 0, bound_s=3.0, ready_s=3.0, start_s=4.0, finish_s=5.0), scenario=scenario))
    with pytest.raises(InfeasibleError, match=r"not there from 2\.0 s to 3\.0 s"):
        validate(replace(spoil(result, 0, start_s=4.0, finish_s=5.0), scenario=scenario))


def test_nothing_comes_faster_than_cards_let_it_in_a_result_that_was_not_traced() -> None:
    free = replace(right(), transfers=())
    net = worlds.network(*(replace(one, up_bytes_per_s=50.0) for one in worlds.machines(3)))
    scenario = replace(free.scenario, network=net, contention=Contention.NIC)

    validate(free)
    with pytest.raises(InfeasibleError, match=r"cannot be there before 3\.0 s"):
        validate(replace(free, scenario=scenario))


def test_what_is_not_kept_was_lost_for_a_reason() -> None:
    result = simulate(
        worlds.scenario(worlds.network(*worlds.machines(2)), worlds.graph({"x": 4.0}, {})), worlds.at(0)
    )
    late = spoil(result, 0, bound_s=3.0, ready_s=3.0, start_s=3.0, finish_s=7.0)
    lost = replace(of(result, 0), finish_s=2.0, kept=False)
    failing = replace(result.scenario, disruptions=(Disruption(2.0, 0, Fate.FAIL), Disruption(3.0, 0, Fate.RECOVER)))
    copied = replace(result, executions=(replace(of(result, 0), machine=1), replace(lost, finish_s=4.0)))

    validate(replace(late, executions=(lost, *late.executions), scenario=failing))
    validate(copied)
    with pytest.raises(
        InfeasibleError, match=r"is not kept, though at its end, at 2\.0 s, neither its machine failed"
    ):
        validate(replace(late, executions=(lost, *late.executions)))
