"""What travels, and when it arrives: scheduling.md 10.2."""

import math
from dataclasses import replace

import pytest

from pnode.mappers.contention import Contention
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Handoff, Machine, Network

from . import worlds


def arrivals(result: Result) -> dict[str, float]:
    """By parent and child."""
    tasks = result.scenario.arrivals[0].graph.tasks
    return {tasks[one.parent].name + tasks[one.child].name: one.finish_s for one in result.transfers}


def test_a_transfer_that_ends_in_the_middle_of_another() -> None:
    # X = 100 from 0, Y = 20 from 0.5: Y ends at 0.9, X at 1.2.
    graph = worlds.graph({"x": 0.0, "y": 0.5, "u": 1.0, "v": 1.0}, {"xu": 100.0, "yv": 20.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), graph, contention=Contention.LINK)

    result = worlds.run(world, worlds.at(0, 0, 1, 1))

    assert arrivals(result) == {"yv": pytest.approx(0.9), "xu": pytest.approx(1.2)}


def test_opposite_directions_do_not_meet() -> None:
    graph = worlds.graph({"x": 0.0, "y": 0.0, "u": 1.0, "v": 1.0}, {"xu": 100.0, "yv": 100.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), graph, contention=Contention.LINK)

    assert arrivals(worlds.run(world, worlds.at(0, 1, 1, 0))) == {"xu": 1.0, "yv": 1.0}


def cards(count: int) -> Network:
    alike = worlds.machines(count, up_bytes_per_s=100.0, down_bytes_per_s=100.0)
    return worlds.network(*alike, bandwidth=math.inf)


def test_max_min_is_not_an_equal_split() -> None:
    # From 0: a to b, c and d, and e to d, 100 each: e ends at 1.5, the others at 3.
    graph = worlds.graph(
        {"x": 0.0, "e": 0.0, "b": 1.0, "c": 1.0, "d": 1.0, "f": 1.0},
        {"xb": 100.0, "xc": 100.0, "xd": 100.0, "ef": 100.0},
    )
    world = worlds.scenario(cards(5), graph, contention=Contention.NIC)

    result = worlds.run(world, worlds.at(0, 4, 1, 2, 3, 3))

    assert arrivals(result) == pytest.approx({"ef": 1.5, "xb": 3.0, "xc": 3.0, "xd": 3.0})


def test_released_capacity_goes_to_the_others() -> None:
    # a to b 100, a to c 50, d to c 100: the second ends at 1, the others at 1.5.
    graph = worlds.graph({"x": 0.0, "y": 0.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"xb": 100.0, "xc": 50.0, "yd": 100.0})
    world = worlds.scenario(cards(4), graph, contention=Contention.NIC)

    result = worlds.run(world, worlds.at(0, 3, 1, 2, 2))

    assert arrivals(result) == pytest.approx({"xc": 1.0, "xb": 1.5, "yd": 1.5})


def test_links_with_a_quadratic_term() -> None:
    net = replace(worlds.network(*worlds.machines(2)), seconds_per_byte2=((0.0, 0.25), (0.25, 0.0)))
    world = worlds.scenario(net, worlds.graph({"x": 0.0, "y": 1.0}, {"xy": 4.0}))

    result = worlds.run(world, worlds.at(0, 1))

    assert arrivals(result) == {"xy": 4.0 / 100 + 16 * 0.25}


def test_nothing_is_recorded_for_data_that_are_there_or_in_a_run_without_trace() -> None:
    graph = worlds.graph({"x": 1.0, "y": 1.0, "z": 1.0}, {"xy": 10.0, "xz": 10.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), graph)

    traced = worlds.run(world, worlds.at(0, 0, 1))

    assert arrivals(traced) == {"xz": 1.1}
    assert traced.bytes_moved == 10.0
    assert simulate(world, worlds.at(0, 0, 1)).transfers == ()


def test_messages_do_not_share_the_links_with_data() -> None:
    net = worlds.network(Machine("a"), Machine("b"), bandwidth=100.0, latency_s=0.5)
    graph = worlds.graph({"x": 0.0, "y": 1.0}, {"xy": 1000.0})
    slow = Handoff(message_bytes=25.0, free=False)

    for contention in Contention:
        result = worlds.run(worlds.scenario(net, graph, handoff=slow, contention=contention), worlds.at(0, 1))

        assert [one.bound_s for one in result.executions] == [0.0, 0.75]
        assert arrivals(result) == {"xy": 0.75 + 0.5 + 10.0}
