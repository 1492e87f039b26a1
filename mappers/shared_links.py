"""Shared links: a plan carried out under `Contention.LINK` in one loop, with all its state in plain lists.

The arithmetic is that of `lanes`, which explains it, with next to nothing called: to carry plans out is most of what
it costs to choose among many, and this takes little more than half the time. A test holds both to the same times.
"""

import heapq
import math
from typing import NamedTuple

from .execution import Execution, Times
from .instance import Instance

Transfer = tuple[int, float, int]
"""(number of the link, bytes, child that waits for them)."""


Event = tuple[float, int]
"""(time, code). Codes below the number of tasks are tasks that end; those above, what has waited for its latency, or
a first task for its node; a negative one, ~link, a link to be looked at."""


class Links(NamedTuple):
    """Columns by number of the link, which is source * nodes + target. For those after `direct` see `lanes.Lane`."""

    latency: list[float]
    """In seconds; `inf` for nodes that cannot talk."""
    bandwidth: list[float]
    direct: list[bool]
    """Whether bytes move at once, and take time."""
    tags: list[list[tuple[float, int, int]]]
    moved: list[float]
    since: list[float]
    rate: list[float]
    wake: list[float]


def over_shared_links(execution: Execution) -> Times:
    """Event after event, until there are no more."""
    nodes, tasks, node, after = execution.instance.nodes, execution.tasks, execution.node, execution.after
    taken_s, missing, children = execution.taken_s, execution.missing, execution.instance.children
    latency, bandwidth, direct, tags, moved, since, rate, wake = _links(execution.instance)
    push, pop, start, finish = heapq.heappush, heapq.heappop, [math.inf] * tasks, [math.inf] * tasks
    waiting: list[Transfer] = [(-1, 0.0, task) for task in range(tasks)]  # without bytes: only the task waits
    events: list[Event] = execution.releases()
    begun = 0
    while events:
        now, code = pop(events)
        arrived: list[int] = []
        entering: list[Transfer] = []
        if code >= tasks:
            link, size_bytes, child = waiting[code - tasks]
            if size_bytes:
                entering.append((link, size_bytes, child))
            else:
                arrived.append(child)
        elif code >= 0:
            finish[code] = now
            arrived += after[code]
            here = node[code]
            for child, size_bytes in children[code]:
                there = node[child]
                if there == here:
                    arrived.append(child)
                elif direct[link := here * nodes + there] and size_bytes:
                    entering.append((link, size_bytes, child))
                elif latency[link] < math.inf:
                    push(events, (now + latency[link], tasks + len(waiting)))
                    waiting.append((link, size_bytes if bandwidth[link] < math.inf else 0.0, child))
        elif wake[link := ~code] == now:
            moving = tags[link]
            tag = moving[0][0]
            if since[link] + (tag - moved[link]) / rate[link] <= now:
                moved[link], since[link], wake[link] = tag, now, math.inf
                while moving and moving[0][0] <= tag:
                    arrived.append(pop(moving)[2])
                rate[link] = bandwidth[link] / (len(moving) or 1)
            if moving:
                end = wake[link] = since[link] + (moving[0][0] - moved[link]) / rate[link]
                push(events, (end, code))
        for link, size_bytes, child in entering:
            begun += 1
            moving = tags[link]
            count = moved[link] = moved[link] + (now - since[link]) * rate[link] if moving else 0.0
            since[link] = now
            push(moving, (count + size_bytes, begun, child))
            rate[link] = bandwidth[link] / len(moving)
            end = now + size_bytes / rate[link]
            if moving[0][1] == begun and end < wake[link]:
                wake[link] = end
                push(events, (end, ~link))
        for task in arrived:
            missing[task] -= 1
            if not missing[task]:
                start[task] = now
                push(events, (now + taken_s[task], task))
    return Times(start, finish)


def _links(instance: Instance) -> Links:
    bandwidth = [1.0 / pace if pace else math.inf for row in instance.seconds_per_byte for pace in row]
    latency = [seconds for row in instance.latency_s for seconds in row]
    latency = [seconds if rate else math.inf for seconds, rate in zip(latency, bandwidth, strict=True)]
    direct = [not seconds and rate < math.inf for seconds, rate in zip(latency, bandwidth, strict=True)]
    count = len(direct)
    tags: list[list[tuple[float, int, int]]] = [[] for _ in range(count)]
    return Links(latency, bandwidth, direct, tags, [0.0] * count, [0.0] * count, [0.0] * count, [math.inf] * count)
