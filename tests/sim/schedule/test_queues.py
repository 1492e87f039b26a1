"""What starts next at a machine."""

from random import Random

import pytest

from pnode.mappers.heft import heft
from pnode.mappers.layered import layered
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.queues import Discipline
from pnode.sim.schedule.scenario import Graph, Machine, Vertex
from pnode.sim.schedule.static import static

from . import worlds


def late_first() -> Graph:
    """On b, s is planned first, but its input from x takes until 3; y and z are ready at once."""
    return worlds.graph({"x": 1.0, "s": 1.0, "y": 1.0, "z": 1.5}, {"xs": 200.0})


def planned(discipline: Discipline) -> Strategy:
    return static("told", worlds.at(0, 1, 1, 1), discipline)


@pytest.mark.parametrize(
    ("discipline", "times"),
    [
        (Discipline.STRICT, {"s": (3.0, 4.0), "y": (4.0, 5.0), "z": (5.0, 6.5)}),
        (Discipline.RANK, {"y": (0.0, 1.0), "z": (1.0, 2.5), "s": (3.0, 4.0)}),
        (Discipline.FIFO, {"y": (0.0, 1.0), "z": (1.0, 2.5), "s": (3.0, 4.0)}),
        (Discipline.HOLD, {"y": (0.0, 1.0), "z": (1.0, 2.5), "s": (3.0, 4.0)}),
    ],
)
def test_a_late_input_is_waited_for_as_the_discipline_says(
    discipline: Discipline, times: dict[str, tuple[float, float]]
) -> None:
    world = worlds.scenario(worlds.network(*worlds.machines(2)), late_first())

    result = worlds.run(world, planned(discipline))

    assert worlds.times(result) == {"x": (0.0, 1.0), **times}


def test_holding_leaves_alone_what_would_delay_a_planned_start() -> None:
    long = worlds.graph({"x": 1.0, "s": 1.0, "y": 5.0}, {"xs": 200.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), long)
    told = worlds.at(0, 1, 1)

    held = worlds.run(world, static("told", told, Discipline.HOLD))
    ranked = worlds.run(world, static("told", told, Discipline.RANK))

    assert worlds.times(held)["s"] == (3.0, 4.0)
    assert worlds.times(held)["y"] == (4.0, 9.0)
    assert worlds.times(ranked)["s"] == (5.0, 6.0)


def test_fifo_goes_by_readiness_and_rank_by_key() -> None:
    crossed = worlds.graph({"x": 2.0, "y": 1.0, "z": 5.0, "u": 1.0, "v": 1.0}, {"xu": 0.0, "yv": 0.0})
    world = worlds.scenario(worlds.network(*worlds.machines(3)), crossed)
    told = worlds.at(0, 1, 2, 2, 2, order=(2, 0, 1, 3, 4))

    fifo = worlds.times(worlds.run(world, static("told", told, Discipline.FIFO)))
    ranked = worlds.times(worlds.run(world, static("told", told, Discipline.RANK)))

    assert (fifo["v"], fifo["u"]) == ((5.0, 6.0), (6.0, 7.0))
    assert (ranked["u"], ranked["v"]) == ((5.0, 6.0), (6.0, 7.0))


def several(discipline: Discipline) -> dict[str, tuple[float, float]]:
    """One narrow task, a wide one, another narrow one, on two cores."""
    wide = worlds.graph({"x": 4.0, "w": 1.0, "y": 1.0}, {}, w=Vertex("w", 1.0, cores=2))
    world = worlds.scenario(worlds.network(Machine("a", cores=2)), wide)
    return worlds.times(worlds.run(world, static("told", worlds.at(0, 0, 0), discipline)))


def test_strict_order_waits_until_there_are_cores_enough() -> None:
    assert several(Discipline.STRICT) == {"x": (0.0, 4.0), "w": (4.0, 5.0), "y": (5.0, 6.0)}


def test_fifo_waits_until_there_are_cores_enough() -> None:
    assert several(Discipline.FIFO) == {"x": (0.0, 4.0), "w": (4.0, 5.0), "y": (5.0, 6.0)}


def test_by_rank_a_task_that_fits_passes_one_that_does_not() -> None:
    assert several(Discipline.RANK) == {"x": (0.0, 4.0), "y": (0.0, 1.0), "w": (4.0, 5.0)}


def test_holding_fills_the_cores_that_a_wide_task_cannot_use_yet() -> None:
    assert several(Discipline.HOLD) == {"x": (0.0, 4.0), "y": (0.0, 1.0), "w": (4.0, 5.0)}


@pytest.mark.parametrize("discipline", Discipline)
def test_tasks_wait_for_memory(discipline: Discipline) -> None:
    vertices = {name: Vertex(name, 1.0, memory_bytes=60.0) for name in "xy"}
    world = worlds.scenario(
        worlds.network(Machine("a", cores=2, memory_bytes=100.0)), worlds.graph({"x": 1.0, "y": 1.0}, {}, **vertices)
    )

    result = worlds.run(world, static("told", worlds.at(0, 0), discipline))

    assert worlds.times(result) == {"x": (0.0, 1.0), "y": (1.0, 2.0)}


@pytest.mark.parametrize("number", range(12))
def test_holding_never_ends_after_the_plan(number: int) -> None:
    rng = Random(number)
    world = worlds.of(layered(rng, 40, 4, rng.choice([0.1, 1.0, 5.0]), 1.0, 3, 0.75))

    strict = worlds.run(world, heft)
    held = worlds.run(world, static("heft", heft, Discipline.HOLD))

    assert held.makespan_s <= strict.makespan_s
