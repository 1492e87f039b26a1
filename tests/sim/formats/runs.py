"""Runs for tests of traces: results that a simulator might have made, and one by hand."""

import math

from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.instance import Edge
from pnode.sim.schedule.result import Execution, Result, Transfer
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Graph, Machine, Network, Scenario, Vertex

from .samples import BYTES, graphs, networks

SCENARIO = Scenario(
    "pair",
    Network(
        (Machine("n0", 1.0), Machine("n1", 2.0, cores=2)),
        ((0.0, 0.0), (0.0, 0.0)),
        ((math.inf, 1e8), (1e8, math.inf)),
    ),
    (Arrival(Graph("dag", (Vertex("T0", 1.0), Vertex("T1", 4.0)), (Edge(0, 1, 5e7),)), 0.5),),
    Contention.LINK,
    disruptions=(Disruption(1.0, 1, Fate.SPEED, 0.5),),
)
"""One task on n0, then 50 MB, then the other on n1: by hand, 0.5 + 1 + 0.5 + 2 = 4 seconds."""

RESULT = Result(
    SCENARIO,
    "by hand",
    7,
    (Execution(0, 0, 0, 0, 0.5, 0.5, 0.5, 1.5), Execution(0, 0, 1, 1, 1.5, 2.0, 2.0, 4.0)),
    (Transfer(0, 0, 0, 1, 0, 1, 5e7, 1.5, 2.0),),
    5e7,
    1,
    2,
    0,
    True,
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    """Results whose records make sense one by one; whether all together do is for a validator to say."""
    times = st.floats(0, 1e6) | st.integers(0, 5).map(float)
    network = draw(networks())
    machines = st.integers(0, len(network.machines) - 1)
    arrivals = tuple(
        Arrival(draw(graphs()), draw(times), draw(machines), draw(st.integers(1, 3)), draw(times))
        for _ in range(draw(st.integers(1, 2)))
    )
    executions: list[Execution] = []
    transfers: list[Transfer] = []
    for job, arrival in enumerate(arrivals):
        for item in range(arrival.items):
            for task in range(len(arrival.graph.tasks)):
                kept = draw(st.booleans())
                for attempt in range(1, 2 + (not kept)):
                    bound, ready, start, finish = sorted(draw(st.tuples(times, times, times, times)))
                    first = 1e7 * attempt  # attempts one after the other
                    instants = (first + bound, first + ready, first + start, first + finish)
                    executions.append(Execution(job, item, task, draw(machines), *instants, attempt, kept))
            for edge in arrival.graph.edges:
                start, finish = sorted(draw(st.tuples(times, times)))
                ends = (draw(machines), draw(machines))
                transfers.append(Transfer(job, item, edge.parent, edge.child, *ends, draw(BYTES), start, finish))
    executions.sort(key=lambda one: (one.start_s, one.job, one.item, one.task))
    transfers.sort(key=lambda one: (one.start_s, one.job, one.item, one.parent, one.child))
    scenario = Scenario("drawn", network, arrivals)
    return Result(scenario, "none", 1, tuple(executions), tuple(transfers), 0.0, 0, 0, 0, True)
