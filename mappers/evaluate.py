"""Evaluation: what comes of a plan when it is carried out to the letter.

Every node runs its tasks in the order of their planned starts, and never starts one before its predecessor has ended,
whatever is ready ("strict plan order", scheduling.md 2.2). Data leave when the parent ends, straight to the child's
node, one transfer per edge. It is a small simulator without beliefs, failures or several graphs, made to be run
thousands of times by whoever has plans to compare: `pnode.sim.schedule` knows all that, and agrees with this one.

The previous task on the same node counts as one more parent (scheduling.md 9.3): a task is then a number of things it
still waits for, and there is no queue.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .contention import Contention
from .flows import Flows, flows_of
from .instance import Instance
from .plan import Plan


class PlanError(ValueError):
    """The plan cannot be carried out: the message says which task never ends, and why."""


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
    up: Sequence[float] | None = None,
    down: Sequence[float] | None = None,
) -> Outcome:
    """Carry out the plan.

    `taken_s` is what each task really takes where it is planned; the default is its cost there. `up` and `down` are
    what each node's card moves, in bytes per second, for `Contention.NIC`; the default limits nothing.

    Raises PlanError for a plan of another instance, one whose order contradicts the edges, one that uses a node that
    cannot run the task or links that reach nobody, and what `flows_of` raises.
    """
    if len(plan.node) != instance.tasks or not all(0 <= node < instance.nodes for node in plan.node):
        raise PlanError(
            f"the plan places {len(plan.node)} tasks on nodes up to {max(plan.node, default=0)}; the instance has "
            f"{instance.tasks} tasks and {instance.nodes} nodes"
        )
    if taken_s is None:
        taken_s = [row[node] for row, node in zip(instance.cost_s, plan.node, strict=True)]
    if contention is Contention.NONE:
        return _checked(instance, plan, _pass(instance, plan, taken_s))
    flows: Flows[int] = flows_of(
        contention,
        instance.latency_s,
        instance.seconds_per_byte,
        seconds_per_byte2=instance.seconds_per_byte2,
        up=up,
        down=down,
    )
    return _checked(instance, plan, _run(instance, plan, taken_s, flows))


def _pass(instance: Instance, plan: Plan, taken_s: Sequence[float]) -> Outcome:
    """Without contention nothing that happens elsewhere delays a transfer, so no clock is needed: each task's times
    follow from those of its predecessors, in any order that keeps to the edges and to the queues.
    """
    node, children, transfer_s = plan.node, instance.children, instance.transfer_s
    latency, inverse, plain = instance.latency_s, instance.seconds_per_byte, instance.seconds_per_byte2 is None
    missing, follower = _predecessors(instance, plan)
    start, finish = [0.0] * instance.tasks, [math.inf] * instance.tasks
    ready = [task for task, count in enumerate(missing) if not count]
    for task in ready:  # grows while we go
        end = finish[task] = start[task] + taken_s[task]
        here = node[task]
        latency_row, inverse_row = latency[here], inverse[here]
        for child, size in children[task]:
            there = node[child]
            if there == here:
                arrival = end
            elif plain:
                arrival = end + latency_row[there] + size * inverse_row[there]
            else:
                arrival = end + transfer_s(here, there, size)
            if not arrival <= start[child]:  # what cannot arrive (nan) has to get through
                start[child] = arrival
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
        after = follower[task]
        if after >= 0:
            if end > start[after]:
                start[after] = end
            missing[after] -= 1
            if not missing[after]:
                ready.append(after)
    return Outcome(tuple(start), tuple(finish))


def _run(instance: Instance, plan: Plan, taken_s: Sequence[float], flows: Flows[int]) -> Outcome:
    """With contention: the ends of tasks and of transfers one after the other. A transfer is called by the number
    parent * tasks + child.
    """
    node, children, tasks = plan.node, instance.children, instance.tasks
    missing, follower = _predecessors(instance, plan)
    start, finish = [math.inf] * tasks, [math.inf] * tasks
    begin, finish_due = flows.begin, flows.finish_due
    push, pop = heapq.heappush, heapq.heappop
    ends: list[tuple[float, int]] = []
    now = 0.0
    ready = [task for task, count in enumerate(missing) if not count]
    while True:
        for task in ready:
            start[task] = now
            push(ends, (now + taken_s[task], task))
        # What is due at this very moment need not wait for rates to be worked out.
        deadline = now if ends and ends[0][0] <= now else flows.deadline
        if ends and ends[0][0] <= deadline:
            now, task = pop(ends)
            finish[task] = now
            here, key = node[task], task * tasks
            arrived = [follower[task]] if follower[task] >= 0 else []
            for child, size in children[task]:
                there = node[child]
                if there == here:
                    arrived.append(child)
                else:
                    begin(key + child, here, there, size, now)
        elif deadline < math.inf:
            now = deadline
            arrived = [key % tasks for key in finish_due(now)]
        else:
            return Outcome(tuple(start), tuple(finish))
        ready = []
        for task in arrived:
            missing[task] -= 1
            if not missing[task]:
                ready.append(task)


def _predecessors(instance: Instance, plan: Plan) -> tuple[list[int], list[int]]:
    """Per task: how much it waits for, and who comes after it on its node (-1: nobody)."""
    missing = [len(row) for row in instance.parents]
    follower = [-1] * instance.tasks
    for queue in plan.queues(instance.nodes):
        for before, after in pairwise(queue):
            follower[before] = after
            missing[after] += 1
    return missing, follower


def _checked(instance: Instance, plan: Plan, outcome: Outcome) -> Outcome:
    return outcome
