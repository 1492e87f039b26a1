"""What happens to machines, and what becomes of their tasks."""

import pytest

from pnode.mappers.contention import Contention
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Gossip, Vertex

from . import worlds
from .policies import CopyOverdue


def slower(at_s: float, factor: float, machine: int = 0) -> Disruption:
    return Disruption(at_s, machine, Fate.SPEED, factor)


def test_a_change_of_speed_concerns_the_remaining_part_of_what_runs() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(1)),
        worlds.graph({"x": 4.0, "y": 1.0}, {}),
        disruptions=[slower(1.0, 0.25), slower(5.0, 1.0)],
    )

    result = worlds.run(world, worlds.at(0, 0))

    assert worlds.times(result) == {"x": (0.0, 7.0), "y": (7.0, 8.0)}


def test_a_faster_machine_ends_earlier() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(1)), worlds.graph({"x": 4.0}, {}), disruptions=[slower(2.0, 4.0)]
    )

    assert worlds.run(world, worlds.at(0)).makespan_s == 2.5


def test_a_static_plan_waits_until_its_machine_is_back() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0, "y": 1.0, "z": 1.0}, {"xz": 0.0}),
        disruptions=[Disruption(2.0, 0, Fate.FAIL), Disruption(10.0, 0, Fate.RECOVER)],
    )

    result = worlds.run(world, worlds.at(0, 1, 0))

    assert worlds.times(result) == {"x": (10.0, 14.0), "y": (0.0, 1.0), "z": (14.0, 15.0)}
    assert [(one.kept, one.finish_s, one.attempt) for one in result.executions if one.task == 0] == [
        (False, 2.0, 1),
        (True, 14.0, 2),
    ]


def test_a_static_plan_ends_incomplete_if_its_machine_does_not_come_back() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0, "y": 1.0}, {}),
        disruptions=[Disruption(2.0, 0, Fate.FAIL)],
    )

    result = worlds.run(world, worlds.at(0, 1))

    assert not result.complete
    assert worlds.times(result) == {"y": (0.0, 1.0)}


def test_outputs_of_a_machine_that_is_gone_can_still_be_had() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 300.0}),
        disruptions=[Disruption(2.0, 0, Fate.FAIL)],
    )

    assert worlds.times(worlds.run(world, worlds.at(0, 1)))["y"] == (4.0, 5.0)


@pytest.mark.parametrize("mapper", ["wave-greedy", "wave-random", "wave-plan"])
@pytest.mark.parametrize("contention", Contention)
def test_what_a_lost_machine_had_is_placed_elsewhere_once_somebody_notices(
    mapper: str, contention: Contention
) -> None:
    graph = worlds.graph(dict.fromkeys("stuvwxyz", 2.0), {"st": 50.0, "su": 50.0, "sv": 50.0, "vw": 50.0})
    world = worlds.scenario(
        worlds.network(*worlds.machines(3)),
        Arrival(graph, origin=2),
        contention=contention,
        disruptions=[Disruption(1.0, 0, Fate.FAIL)],
        gossip=Gossip(detection_s=5.0),
    )

    result = worlds.run(world, mapper, seed=3)

    lost = [one for one in result.executions if not one.kept]
    again = [one for one in result.executions if one.attempt > 1]
    assert result.complete
    assert [(one.machine, one.finish_s) for one in lost] == [(0, 1.0)]
    assert again
    assert all(one.bound_s >= 6.0 for one in again)
    assert all(one.machine != 0 for one in result.executions if one.start_s >= 1.0)


def test_a_machine_that_comes_back_before_anybody_misses_it_says_so_itself() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(1)),
        worlds.graph({"x": 4.0}, {}),
        disruptions=[Disruption(2.0, 0, Fate.FAIL), Disruption(3.0, 0, Fate.RECOVER)],
        gossip=Gossip(detection_s=50.0),
    )

    result = worlds.run(world, "wave-greedy")

    assert worlds.times(result) == {"x": (3.0, 7.0)}


def test_if_everybody_is_gone_the_first_to_come_back_goes_on() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0}, {}),
        disruptions=[
            Disruption(2.0, 0, Fate.FAIL),
            Disruption(2.0, 1, Fate.FAIL),
            Disruption(9.0, 1, Fate.RECOVER),
        ],
        gossip=Gossip(detection_s=1.0),
    )

    result = worlds.run(world, "wave-greedy")

    assert worlds.times(result) == {"x": (9.0, 13.0)}
    assert worlds.where(result) == "b"


def test_a_unit_waits_for_the_only_machine_that_can_run_it() -> None:
    only = worlds.graph({"x": 2.0}, {}, x=Vertex("x", 2.0, pinned="b"))
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        Arrival(only, at_s=3.0),
        disruptions=[Disruption(1.0, 1, Fate.FAIL), Disruption(8.0, 1, Fate.RECOVER)],
    )

    assert worlds.times(worlds.run(world, "wave-greedy")) == {"x": (8.0, 10.0)}


@pytest.mark.parametrize("at_s", [0.5, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("detection_s", [0.0, 1.0])
def test_losing_the_holder_of_the_controlling_parent_stops_nothing(at_s: float, detection_s: float) -> None:
    # z is placed when x and y have started; y starts at 2, so x's machine may be gone by then.
    graph = worlds.graph({"x": 1.0, "w": 2.0, "y": 1.0, "z": 1.0}, {"wy": 0.0, "xz": 10.0, "yz": 10.0})
    vertices = tuple(
        Vertex(one.name, one.cost_s, pinned=pin) for one, pin in zip(graph.tasks, ["a", "b", "b", ""], strict=True)
    )
    pinned = worlds.graph({one.name: one.cost_s for one in vertices}, {}, **{one.name: one for one in vertices})
    pinned = type(graph)("g", pinned.tasks, graph.edges)
    world = worlds.scenario(
        worlds.network(*worlds.machines(3)),
        Arrival(pinned, origin=2),
        disruptions=[Disruption(at_s, 0, Fate.FAIL), Disruption(20.0, 0, Fate.RECOVER)],
        gossip=Gossip(detection_s=detection_s),
    )

    result = worlds.run(world, "wave-greedy")

    assert result.complete
    assert (result.makespan_s > 20.0) == (at_s <= 1.0)  # only then x itself is lost, and waits for its machine


def test_a_copy_takes_the_place_of_an_original_whose_machine_is_gone() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0, "y": 1.0}, {"xy": 0.0}),
        disruptions=[slower(0.0, 0.1), Disruption(6.0, 0, Fate.FAIL)],
    )

    result = worlds.run(world, Strategy("copier", CopyOverdue))

    assert [(one.machine, one.finish_s, one.kept) for one in result.executions if one.task == 0] == [
        (0, 6.0, False),
        (1, 9.0, True),
    ]
