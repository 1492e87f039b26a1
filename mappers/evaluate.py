"""Evaluation: what comes of a plan when it is carried out to the letter.

Every node runs its tasks in the order of their planned starts, and never starts one before its predecessor has ended,
whatever is ready ("strict plan order", scheduling.md 2.2). Data leave when the parent ends, straight to the child's
node, one transfer per edge. That is a small simulator without beliefs, failures or a second graph, made to be run
thousands of times by whoever has plans to compare; `pnode.sim.schedule` knows all the rest, and agrees with it.

"""

import math
from collections.abc import Sequence

from pnode.protocol.values import dataclass

from .contention import Contention
from .execution import Execution, PlanError, over, without_contention
from .flows import Flows, flows_of
from .instance import Instance
from .plan import Plan
from .shared_links import over_shared_links


@dataclass(frozen=True, slots=True)
class Outcome:
    """When each task really ran, by the task's number."""

    start_s: tuple[float, ...]
    finish_s: tuple[float, ...]

    @property
    def makespan_s(self) -> float:
        return max(self.finish_s)


def evaluate(
    instance: Instance,
    plan: Plan,
    contention: Contention = Contention.NONE,
    *,
    taken_s: Sequence[float] | None = None,
    free_from_s: Sequence[float] = (),
    up: Sequence[float] | None = None,
    down: Sequence[float] | None = None,
) -> Outcome:
    """Carry out the plan, of which only the mapping and the order count.

    `taken_s` is what each task really takes where it is planned; its cost there, unless given. `free_from_s` says per
    node when it is free at first. `up` and `down` are what each node's cards move, in bytes per second, for
    `Contention.NIC`; they limit nothing unless given.

    Raises PlanError for a plan of another instance, one that uses a node that cannot run the task or a pair of nodes
    that cannot talk, and one whose order contradicts the edges. Raises what `flows_of` raises.
    """
    if len(plan.node) != instance.tasks or not all(0 <= node < instance.nodes for node in plan.node):
        raise PlanError(
            f"the plan has nodes {sorted(dict.fromkeys(plan.node))} for {len(plan.node)} tasks, the instance "
            f"{instance.nodes} nodes and {instance.tasks} tasks"
        )
    if taken_s is None:
        taken_s = [row[node] for row, node in zip(instance.cost_s, plan.node, strict=True)]
    if not max(taken_s) < math.inf:
        task = next(task for task, seconds in enumerate(taken_s) if not seconds < math.inf)
        raise PlanError(f"task {task} is planned on node {plan.node[task]}, which cannot run it")
    execution = Execution(instance, plan, taken_s, free_from_s or [0.0] * instance.nodes)
    if contention is Contention.NONE:
        times = without_contention(execution)
    elif contention is Contention.LINK and instance.seconds_per_byte2 is None:
        times = over_shared_links(execution)
    else:
        bent = instance.seconds_per_byte2
        flows: Flows[int] = flows_of(
            contention, instance.latency_s, instance.seconds_per_byte, seconds_per_byte2=bent, up=up, down=down
        )
        times = over(execution, flows)
    execution.check_ended(times.finish_s)
    return Outcome(tuple(times.start_s), tuple(times.finish_s))
