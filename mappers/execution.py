"""Execution: what the tasks of a plan wait for while it is carried out, and loops that go through it.

The previous task on a node counts as one more parent (scheduling.md 9.3): a task is then a number of things that it
still waits for, and there are no queues. The loops go over plain lists, since they are what the time goes into.
"""

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .flows import Flows
from .instance import Instance
from .plan import Plan


class PlanError(ValueError):
    """The plan cannot be carried out: the message says which task never ends, and why."""


class Times(NamedTuple):
    """By task; a finish that is not below infinity never comes."""

    start_s: list[float]
    finish_s: list[float]


class Execution:
    """Carries one plan out once: the loops count `missing` down."""

    def __init__(
        self, instance: Instance, plan: Plan, taken_s: Sequence[float], free_from_s: Sequence[float]
    ) -> None:
        """`taken_s` by task, `free_from_s` by node."""
        self.instance = instance
        self.tasks = instance.tasks
        self.node = plan.node
        self.taken_s = taken_s
        self.missing = [len(row) for row in instance.parents]
        """Per task: how many parents and predecessors have not delivered or ended yet."""
        self.after: list[tuple[int, ...]] = [()] * instance.tasks
        """Per task: the next on its node, if there is one."""
        self.first: list[tuple[float, int]] = []
        """Per node that has tasks: when it is free, and the first of them."""
        for free_s, queue in zip(free_from_s, plan.queues(instance.nodes), strict=True):
            self.first += [(free_s, task) for task in queue[:1]]
            for before, after in pairwise(queue):
                self.after[before] = (after,)
                self.missing[after] += 1

    def releases(self) -> list[tuple[float, int]]:
        """A heap of (when its node is free, `tasks` + task) for each that is the first on its node, and from now on
        waits for that too.
        """
        for _, task in self.first:
            self.missing[task] += 1
        return sorted((free_s, self.tasks + task) for free_s, task in self.first)

    def check_ended(self, finish_s: Sequence[float]) -> None:
        """Raises PlanError when some task does not end. Whoever waits is followed to what he waits for."""
        ended = [seconds < math.inf for seconds in finish_s]
        if all(ended):
            return
        awaited = [[parent for parent, _ in row] for row in self.instance.parents]
        for before, row in enumerate(self.after):
            for after in row:
                awaited[after].append(before)
        task, seen = ended.index(False), dict[int, None]()
        while task not in seen:
            seen[task] = None
            waiting = [other for other in awaited[task] if not ended[other]]
            if not waiting:
                sources = sorted(dict.fromkeys(self.node[other] for other in awaited[task]))
                raise PlanError(
                    f"task {task} never has its inputs: not all of nodes {sources} reach node {self.node[task]}"
                )
            before, task = task, waiting[0]
        raise PlanError(
            f"the order on the nodes contradicts the edges: task {before} waits for task {task}, and that for it"
        )


def without_contention(execution: Execution) -> Times:
    """No clock is needed when nothing that happens elsewhere delays a transfer: the times of a task follow from those
    of what it waits for, in any order that keeps to the edges and to the queues.
    """
    instance, node, taken_s, missing = execution.instance, execution.node, execution.taken_s, execution.missing
    children, after, transfer_s = instance.children, execution.after, instance.transfer_s
    latency, inverse, linear = instance.latency_s, instance.seconds_per_byte, instance.seconds_per_byte2 is None
    start, finish = [0.0] * instance.tasks, [math.inf] * instance.tasks
    for free_s, task in execution.first:
        start[task] = free_s
    ready = [task for task, count in enumerate(missing) if not count]
    for task in ready:  # grows while we go
        end = finish[task] = start[task] + taken_s[task]
        here = node[task]
        latency_row, inverse_row = latency[here], inverse[here]
        for child, size_bytes in children[task]:
            there = node[child]
            if there == here:
                arrival = end
            elif linear:
                arrival = end + latency_row[there] + size_bytes * inverse_row[there]
            else:
                arrival = end + transfer_s(here, there, size_bytes)
            if not arrival <= start[child]:  # also for nothing times infinity, which never arrives
                start[child] = arrival
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
        for other in after[task]:
            if end > start[other]:
                start[other] = end
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    return Times(start, finish)


def over(execution: Execution, flows: Flows[int]) -> Times:
    """The ends of tasks and of transfers, one after the other. A transfer is called parent * tasks + child."""
    tasks, node, after, taken_s = execution.tasks, execution.node, execution.after, execution.taken_s
    missing, children = execution.missing, execution.instance.children
    begin, finish_due, push, pop = flows.begin, flows.finish_due, heapq.heappush, heapq.heappop
    start, finish = [math.inf] * tasks, [math.inf] * tasks
    ends = execution.releases()
    """With the ends of tasks, by their numbers."""
    now = 0.0
    while True:
        # What is due at this very moment need not wait for rates to be worked out.
        deadline = now if ends and ends[0][0] <= now else flows.deadline
        if ends and ends[0][0] <= deadline:
            now, task = pop(ends)
            if task >= tasks:
                arrived = [task - tasks]
            else:
                finish[task] = now
                here, key = node[task], task * tasks
                arrived = list(after[task])
                for child, size_bytes in children[task]:
                    there = node[child]
                    if there == here:
                        arrived.append(child)
                    else:
                        begin(key + child, here, there, size_bytes, now)
        elif deadline < math.inf:
            now = deadline
            arrived = [key % tasks for key in finish_due(now)]
        else:
            return Times(start, finish)
        for task in arrived:
            missing[task] -= 1
            if not missing[task]:
                start[task] = now
                push(ends, (now + taken_s[task], task))
