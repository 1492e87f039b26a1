"""Evaluation: what comes of a plan when it is carried out to the letter.

Every node runs its tasks in the order of their planned starts, and never starts one before its predecessor has ended,
whatever is ready ("strict plan order", scheduling.md 2.2). Data leave when the parent ends, straight to the child's
node, one transfer per edge. That is a small simulator without beliefs, failures or a second graph, made to be run
thousands of times by whoever has plans to compare; `pnode.sim.schedule` knows all the rest, and agrees with it.

The previous task on a node counts as one more parent (scheduling.md 9.3): a task is then a number of things that it
still waits for, and there are no queues. The loops go over plain lists, since they are what the time goes into.
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
    execution = _Execution(instance, plan, taken_s, free_from_s or [0.0] * instance.nodes)
    if contention is Contention.NONE:
        return execution.outcome(*execution.without_contention())
    links = (instance.latency_s, instance.seconds_per_byte)
    flows: Flows[int] = flows_of(contention, *links, seconds_per_byte2=instance.seconds_per_byte2, up=up, down=down)
    return execution.outcome(*execution.over(flows))


Times = tuple[list[float], list[float]]
"""Starts and finishes by task; a finish that is not below infinity never comes."""


class _Execution:
    """What a task waits for."""

    def __init__(
        self, instance: Instance, plan: Plan, taken_s: Sequence[float], free_from_s: Sequence[float]
    ) -> None:
        self._instance = instance
        self._plan = plan
        self._taken_s = taken_s
        self._missing = [len(row) for row in instance.parents]
        """Per task: how many parents and predecessors have not delivered or ended yet."""
        self._follower = [-1] * instance.tasks
        """Per task: the next on its node, -1 for none."""
        self._first: list[tuple[float, int]] = []
        """Per node that has tasks: when it is free, and the first of them."""
        for free_s, queue in zip(free_from_s, plan.queues(instance.nodes), strict=True):
            self._first += [(free_s, task) for task in queue[:1]]
            for before, after in pairwise(queue):
                self._follower[before] = after
                self._missing[after] += 1

    def without_contention(self) -> Times:
        """No clock is needed when nothing that happens elsewhere delays a transfer: the times of a task follow from
        those of what it waits for, in any order that keeps to the edges and to the queues.
        """
        instance, taken_s, missing, follower = self._instance, self._taken_s, self._missing, self._follower
        node, children, transfer_s = self._plan.node, instance.children, instance.transfer_s
        latency, inverse, linear = instance.latency_s, instance.seconds_per_byte, instance.seconds_per_byte2 is None
        start, finish = [0.0] * instance.tasks, [math.inf] * instance.tasks
        for free_s, task in self._first:
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
            after = follower[task]
            if after >= 0:
                if end > start[after]:
                    start[after] = end
                missing[after] -= 1
                if not missing[after]:
                    ready.append(after)
        return start, finish

    def over(self, flows: Flows[int]) -> Times:
        """The ends of tasks and of transfers, one after the other. A transfer is called parent * tasks + child."""
        instance, taken_s, missing, follower = self._instance, self._taken_s, self._missing, self._follower
        node, children, tasks = self._plan.node, instance.children, instance.tasks
        begin, finish_due, push, pop = flows.begin, flows.finish_due, heapq.heappush, heapq.heappop
        start, finish = [math.inf] * tasks, [math.inf] * tasks
        for _, task in self._first:
            missing[task] += 1
        ends = [(free_s, task + tasks) for free_s, task in self._first]
        """A heap: when a task ends, or (beyond `tasks`) its node is free for the first time."""
        heapq.heapify(ends)
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
                    arrived = [follower[task]] if follower[task] >= 0 else []
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
                return start, finish
            for task in arrived:
                missing[task] -= 1
                if not missing[task]:
                    start[task] = now
                    push(ends, (now + taken_s[task], task))

    def outcome(self, start: list[float], finish: list[float]) -> Outcome:
        """Raises PlanError when some task does not end."""
        ended = [seconds < math.inf for seconds in finish]
        if not all(ended):
            raise PlanError(self._obstacle(ended))
        return Outcome(tuple(start), tuple(finish))

    def _obstacle(self, ended: list[bool]) -> str:
        """Why some tasks have not ended: whoever waits for them is followed back to where it began."""
        node, awaited = self._plan.node, [[parent for parent, _ in row] for row in self._instance.parents]
        for before, after in enumerate(self._follower):
            if after >= 0:
                awaited[after].append(before)
        task, seen = ended.index(False), dict[int, None]()
        while task not in seen:
            seen[task] = None
            open_ends = [other for other in awaited[task] if not ended[other]]
            if not open_ends:
                sources = sorted(dict.fromkeys(node[parent] for parent in awaited[task]))
                return f"task {task} never has its inputs: not all of nodes {sources} reach node {node[task]}"
            before, task = task, open_ends[0]
        return f"the order on the nodes contradicts the edges: task {before} waits for task {task}, and that for it"
