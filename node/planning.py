"""Planning at a node: the plan for a job is made in a thread, from a view that nothing changes any more.

A plan for a thousand tasks takes a good part of a second, in which the node must go on answering. What a view answers
it looks up in what this node is learning all the time, and that belongs to the trio thread. So the answers that a
planner may want are written down first, a few milliseconds at a time.
"""

from random import Random

import trio

from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.planning import may_plan, planned
from pnode.protocol.view import Link, Mapper, View

LOOKUPS_PER_TURN = 1000
"""Some three milliseconds; then the other tasks of the node get a turn."""


async def with_plan(mapper: Mapper, spec: JobSpec, view: View, rng: Random) -> JobSpec:
    """The specification with the mapper's plan, if one is to be made (see `protocol.planning`)."""
    if not may_plan(mapper, spec.dag, view):
        return spec
    frozen = await written_down(spec.dag, view)
    return await trio.to_thread.run_sync(planned, mapper, spec, frozen, rng)


async def written_down(dag: Dag, view: View) -> View:
    """The same view with every answer about these tasks and its peers in tables."""
    nodes = [peer.node for peer in view.peers]
    ends = list(dict.fromkeys((view.me, *nodes)))
    links: dict[tuple[NodeId, NodeId], Link] = {}
    for pair in [(source, target) for source in ends for target in ends]:
        links[pair] = view.link(*pair)
        await _turn(len(links))
    seconds: dict[tuple[str, NodeId], float] = {}
    for task in dag.tasks:
        for node in nodes:
            seconds[task.name, node] = view.run_s(task.name, node)
            await _turn(len(seconds))

    def link(source: NodeId, target: NodeId) -> Link:
        return links[source, target]

    def run_s(name: str, node: NodeId) -> float:
        return seconds[name, node]

    return View(view.me, view.peers, link, run_s)


async def _turn(count: int) -> None:
    if not count % LOOKUPS_PER_TURN:
        await trio.lowlevel.checkpoint()
