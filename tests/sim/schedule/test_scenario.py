"""What a scenario refuses, in words; and problems made from it."""

import math
from dataclasses import replace

import pytest

from pnode.mappers.instance import Edge
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Fate,
    Gossip,
    Graph,
    Handoff,
    Machine,
    Network,
    ScenarioError,
    Spread,
    Vertex,
    instance_of,
)

from . import worlds

TWO = worlds.network(Machine("a", speed=2.0), Machine("b", cores=2, memory_bytes=50.0), bandwidth=4.0, latency_s=0.5)
ONE_TASK = worlds.graph({"x": 3.0}, {})


def test_a_problem_has_costs_by_speed_or_as_they_are_told() -> None:
    graph = worlds.graph({"x": 3.0, "y": 3.0}, {"xy": 1.0}, y=Vertex("y", 3.0, costs_s=(7.0, 8.0)))

    instance = instance_of(graph, TWO)

    assert instance.cost_s == ((1.5, 3.0), (7.0, 8.0))
    assert instance.transfer_s(0, 1, 1.0) == 0.75


@pytest.mark.parametrize(
    ("vertex", "row"),
    [
        (Vertex("x", 1.0, pinned="b"), (math.inf, 1.0)),
        (Vertex("x", 1.0, cores=2), (math.inf, 1.0)),
        (Vertex("x", 1.0, memory_bytes=60.0), (0.5, math.inf)),
    ],
)
def test_a_task_does_not_run_where_it_may_not_or_does_not_fit(vertex: Vertex, row: tuple[float, float]) -> None:
    assert instance_of(Graph("g", (vertex,), ()), TWO).cost_s == (row,)


def test_the_problem_of_the_same_graph_is_the_same_object() -> None:
    graph = worlds.graph({"x": 1.0}, {})

    first = instance_of(graph, TWO)

    assert instance_of(graph, TWO) is first
    assert instance_of(graph, replace(TWO)) is not first
    assert instance_of(worlds.graph({"x": 1.0}, {}), TWO) is not first


def test_only_so_many_problems_are_kept() -> None:
    graph = worlds.graph({"x": 1.0}, {})
    first = instance_of(graph, TWO)
    for _ in range(8):
        instance_of(worlds.graph({"x": 1.0}, {}), TWO)

    assert instance_of(graph, TWO) is not first


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Graph("g", (Vertex("x", 1.0, cores=9),), ()), "graph 'g': task 'x' fits no machine, it asks for 9 cores"),
        (
            Graph("g", (Vertex("x", 1.0, costs_s=(math.inf, math.inf), memory_bytes=5.0),), ()),
            "asks for a core and 5 bytes of memory and a machine on which its cost is finite",
        ),
        (Graph("g", (Vertex("x", 1.0, cores=9, pinned="m0"),), ()), "asks for 9 cores and machine 'm0' only"),
        (Graph("g", (Vertex("x", -1.0),), ()), "graph 'g': task 0 costs -1.0 at best"),
        (Graph("g", (Vertex("x", 1.0),), (Edge(0, 1, 1.0),)), "no edge can go from task 0 to 1"),
        (Graph("g", (), ()), "found 0 tasks"),
    ],
)
def test_a_graph_that_makes_no_problem_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        instance_of(graph, TWO)


@pytest.mark.parametrize(
    ("arrival", "message"),
    [
        (Arrival(ONE_TASK, origin=2), "comes from machine 2, there are 2"),
        (Arrival(ONE_TASK, at_s=-1.0), "comes at -1.0 s"),
        (Arrival(ONE_TASK, at_s=math.inf), "comes at inf s"),
        (Arrival(ONE_TASK, items=0), "with 0 items"),
        (Arrival(ONE_TASK, items=2, period_s=-1.0), "every -1.0 s"),
        (Arrival(ONE_TASK, items=2, queue_items_max=-1), "queues of -1 items"),
        (Arrival(Graph("g", (Vertex("x", 1.0), Vertex("x", 1.0)), ())), "two tasks of the same name"),
        (Arrival(Graph("g", (Vertex("x", 1.0, pinned="z"),), ())), "no machine 'z'; known are a, b"),
        (Arrival(Graph("g", (Vertex("x", 1.0, costs_s=(1.0,)),), ())), "has 1 costs, expected one for each of 2"),
        (Arrival(Graph("g", (Vertex("x", 1.0, cores=0),), ())), "takes 0 cores"),
        (Arrival(Graph("g", (Vertex("x", 1.0, memory_bytes=-1.0),), ())), "and -1.0 bytes of memory"),
        (Arrival(Graph("g", (Vertex("x", 1.0, memory_bytes=math.nan),), ())), "and nan bytes of memory"),
    ],
)
def test_an_arrival_that_cannot_be_is_refused(arrival: Arrival, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        worlds.scenario(TWO, arrival)


@pytest.mark.parametrize(
    ("disruption", "message"),
    [
        (Disruption(0.0, 2, Fate.FAIL), "names machine 2, there are 2"),
        (Disruption(-1.0, 0, Fate.FAIL), "comes at -1.0 s"),
        (Disruption(1.0, 0, Fate.SPEED, 0.0), "with factor 0.0"),
        (Disruption(1.0, 0, Fate.SPEED, math.inf), "with factor inf"),
    ],
)
def test_a_disruption_that_cannot_be_is_refused(disruption: Disruption, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        worlds.scenario(TWO, ONE_TASK, disruptions=[disruption])


@pytest.mark.parametrize(
    ("durations", "message"),
    [
        (Durations(Spread.UNIFORM, 1.5), "scatter by 1.5"),
        (Durations(Spread.LOGNORMAL, math.nan), "scatter by nan"),
        (Durations(Spread.LOGNORMAL, math.inf), "scatter by inf"),
        (Durations(node_width=1.5), "by 1.5 per node"),
        (Durations(factors=((("x", -1.0),),)), "task 'x' of graph 0 has the factor -1.0"),
    ],
)
def test_nothing_takes_less_than_no_time(durations: Durations, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        worlds.scenario(TWO, ONE_TASK, durations=durations)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_nobody_hears_of_anything_before_it_happens_or_never(value: float) -> None:
    for gossip in (Gossip(period_s=value), Gossip(delay_s=value), Gossip(detection_s=value)):
        with pytest.raises(ScenarioError, match=f"{value}, expected a finite number, zero or more"):
            worlds.scenario(TWO, ONE_TASK, gossip=gossip)
    with pytest.raises(ScenarioError, match=f"a message has the bytes {value}"):
        worlds.scenario(TWO, ONE_TASK, handoff=Handoff(value))


def test_a_scenario_needs_a_graph() -> None:
    with pytest.raises(ScenarioError, match="has no graph"):
        worlds.scenario(TWO)


@pytest.mark.parametrize(
    ("machines", "matrix", "message"),
    [
        ((), (), "no machine"),
        ((Machine("a"), Machine("a")), ((0.0, 0.0), (0.0, 0.0)), "two machines are called 'a'"),
        ((Machine("a", speed=0.0),), ((0.0,),), "has speed 0.0 and 1 cores"),
        ((Machine("a", cores=0),), ((0.0,),), "has speed 1.0 and 0 cores"),
        ((Machine("a", memory_bytes=math.nan),), ((0.0,),), "has nan bytes of memory"),
        ((Machine("a", up_bytes_per_s=0.0),), ((0.0,),), "cards of 0.0 bytes per second up"),
        ((Machine("a", down_bytes_per_s=math.nan),), ((0.0,),), "and nan down"),
        ((Machine("a"),), (), "latency_s is not 1 by 1"),
        ((Machine("a"), Machine("b")), ((0.0, 0.0), (0.0,)), "latency_s is not 2 by 2"),
        ((Machine("a"), Machine("b")), ((0.0, -1.0), (0.0, 0.0)), "latency_s from machine 0 to 1 is -1.0"),
        ((Machine("a"), Machine("b")), ((0.0, 0.0), (math.nan, 0.0)), "latency_s from machine 1 to 0 is nan"),
    ],
)
def test_a_network_that_cannot_be_is_refused(
    machines: tuple[Machine, ...], matrix: tuple[tuple[float, ...], ...], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        Network(machines, matrix, matrix)


def test_a_long_list_of_machines_is_shortened() -> None:
    with pytest.raises(ScenarioError, match=r"known are a, b, c, d, e, f, g, h, \.\.\.$"):
        worlds.network(*worlds.machines(9)).number("z")
