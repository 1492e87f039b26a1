"""Any scenario: small worlds with everything in them that a scenario can have."""

import math

from hypothesis import strategies as st

from pnode.mappers.contention import Contention
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
    Scenario,
    Spread,
    Vertex,
)

few = st.integers(0, 8).map(float)
"""Whole numbers, so that things often happen at one instant."""
times = st.one_of(few, st.floats(0.0, 8.0))
widths = st.sampled_from([0.0, 0.3, 0.9])


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    return Machine(
        "",
        speed=draw(st.sampled_from([0.5, 1.0, 3.0])),
        cores=draw(st.integers(1, 3)),
        memory_bytes=draw(st.sampled_from([60.0, 100.0, math.inf])),
        up_bytes_per_s=draw(st.sampled_from([50.0, math.inf])),
        down_bytes_per_s=draw(st.sampled_from([50.0, math.inf])),
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    size = draw(st.integers(1, 4))
    named = tuple(
        Machine(chr(97 + number), one.speed, one.cores, one.memory_bytes, one.up_bytes_per_s, one.down_bytes_per_s)
        for number, one in enumerate(draw(st.lists(machines(), min_size=size, max_size=size)))
    )
    latencies = st.sampled_from([0.0, 0.25])
    rates = st.sampled_from([20.0, 100.0, math.inf])
    return Network(named, draw(_matrices(size, latencies)), draw(_matrices(size, rates)))


def _matrices(size: int, numbers: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[tuple[float, ...], ...]]:
    row = st.tuples(*[numbers] * size)
    return st.tuples(*[row] * size)


@st.composite
def graphs(draw: st.DrawFn, network: Network) -> Graph:
    size = draw(st.integers(1, 7))
    tasks = tuple(draw(_vertices(number, network)) for number in range(size))
    pairs = [(parent, child) for child in range(size) for parent in range(child)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return Graph("g", tasks, tuple(Edge(*pair, draw(st.sampled_from([0.0, 50.0, 100.0]))) for pair in chosen))


@st.composite
def _vertices(draw: st.DrawFn, number: int, network: Network) -> Vertex:
    cost_s = draw(times)
    return Vertex(
        f"t{number}",
        cost_s,
        costs_s=draw(st.sampled_from([(), tuple(cost_s + at for at in range(len(network.machines)))])),
        cores=draw(st.integers(1, min(one.cores for one in network.machines))),
        memory_bytes=draw(st.sampled_from([0.0, 40.0, 60.0])),
        pinned=draw(st.sampled_from(["", "", "", network.machines[0].name])),
    )


@st.composite
def arrivals(draw: st.DrawFn, network: Network) -> Arrival:
    items = draw(st.sampled_from([1, 1, 3]))
    return Arrival(
        draw(graphs(network)),
        at_s=draw(times),
        origin=draw(st.integers(0, len(network.machines) - 1)),
        items=items,
        period_s=draw(few),
        queue_items_max=draw(st.integers(0, 2)) if items > 1 else 0,
    )


@st.composite
def disruptions(draw: st.DrawFn, network: Network) -> tuple[Disruption, ...]:
    """Whatever fails recovers in the end, so that every run can be completed."""
    machine = st.integers(0, len(network.machines) - 1)
    found = []
    for at_s, number, fate in draw(st.lists(st.tuples(times, machine, st.sampled_from(Fate)), max_size=4)):
        found.append(Disruption(at_s, number, fate, draw(st.sampled_from([0.25, 2.0]))))
    back = [Disruption(20.0 + number, number, Fate.RECOVER) for number in range(len(network.machines))]
    return (*found, *back)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """At most four machines and two jobs of seven tasks."""
    network = draw(networks())
    return Scenario(
        "any",
        network,
        tuple(draw(st.lists(arrivals(network), min_size=1, max_size=2))),
        contention=draw(st.sampled_from(Contention)),
        durations=Durations(draw(st.sampled_from(Spread)), draw(widths), draw(widths)),
        disruptions=draw(st.one_of(st.just(()), disruptions(network))),
        gossip=Gossip(draw(few), draw(st.sampled_from([0.0, 0.5])), draw(few)),
        handoff=draw(st.sampled_from([Handoff(), Handoff(0.0, free=False), Handoff(10.0, free=False)])),
    )
