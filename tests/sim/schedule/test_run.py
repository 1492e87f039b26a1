"""Cases to check by hand, scheduling.md 10.2."""

import pytest

from pnode.mappers.contention import Contention
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Machine

from . import worlds


def test_one_transfer_with_latency() -> None:
    net = worlds.network(Machine("a", speed=100), Machine("b", speed=50), bandwidth=100.0, latency_s=0.001)
    world = worlds.scenario(net, worlds.graph({"x": 100.0, "y": 200.0}, {"xy": 50.0}))

    result = simulate(world, worlds.at(0, 1))

    assert result.makespan_s == pytest.approx(1 + 0.001 + 0.5 + 4, abs=1e-12)


@pytest.mark.parametrize(("contention", "makespan_s"), [(Contention.NONE, 4.0), (Contention.LINK, 5.0)])
def test_two_transfers_share_a_link(contention: Contention, makespan_s: float) -> None:
    fork = worlds.graph({"x": 1.0, "y": 1.0, "z": 1.0}, {"xy": 100.0, "xz": 100.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), fork, contention=contention)

    result = simulate(world, worlds.at(0, 1, 1))

    assert result.makespan_s == makespan_s
    assert result.complete


@pytest.mark.parametrize("mapper", ["wave-greedy", "wave-random", "wave-greedy-classic", "wave-random-classic"])
def test_mappers_decide_inside_the_run(mapper: str) -> None:
    fork = worlds.graph({"x": 1.0, "y": 1.0, "z": 1.0}, {"xy": 100.0, "xz": 100.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), fork)

    result = simulate(world, mapper)

    assert result.complete
    assert result.decisions == 3
    assert result.mapper == mapper
