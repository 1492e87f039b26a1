"""The optimum: the shortest schedule of a small graph; of a larger one the best known, and how far off it may be."""

import math
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from pnode.protocol.values import dataclass

from .disjunctive import Program, Solution
from .draft import Draft, StrandedError
from .instance import Instance
from .links import Links
from .plan import Plan, lower_bound_s
from .planners import YARDSTICKS
from .ranks import by_priority

LIMIT_S = 10.0
"""Ten tasks on three nodes take about a second, fifteen five; graphs that take minutes seldom end at all."""

ENTRIES_MAX = 300_000
"""Numbers in the program's matrix, about: writing that many down takes a second, and no search gets far in it."""

TOLERANCE = 1e-6
"""Of the makespan: the solver takes no more exact numbers, and nobody looks for a schedule that much shorter."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best schedule known, and what is known about better ones."""

    plan: Plan
    lower_bound_s: float
    """No schedule is shorter, but for the solver's tolerance."""

    @property
    def proved(self) -> bool:
        """Whether nothing is better, to a millionth or two."""
        return self.plan.makespan_s <= self.lower_bound_s * (1.0 + 2 * TOLERANCE)


def optimum(instance: Instance, *, limit_s: float = LIMIT_S, warm: Plan | None = None) -> Optimum:
    """The shortest schedule, never longer than `warm` or the best of the yardsticks.

    Unless it is proved, what is found within the limit depends on the machine's speed. Raises StrandedError when no
    schedule is found.
    """
    plans = [*_yardsticks(instance), *([] if warm is None else [warm])]
    known = min(plans, key=lambda plan: plan.makespan_s, default=None)
    bound_s = lower_bound_s(instance)
    # Only better schedules are looked for; when there is none, the known one is the best.
    horizon_s = _serial_s(instance) if known is None else known.makespan_s * (1.0 - TOLERANCE)
    solution = Solution(bound_s)
    if horizon_s > bound_s and _entries(instance) <= ENTRIES_MAX:
        solution = Program(instance, horizon_s).solve(limit_s)
    if solution.node:
        found = carried_out(instance, solution)
        known = found if known is None or found.makespan_s < known.makespan_s else known
    if known is None:
        raise StrandedError(f"no schedule was found within {limit_s} s, nor by any other mapper")
    return Optimum(known, min(known.makespan_s, max(bound_s, solution.bound_s)))


def _yardsticks(instance: Instance) -> Iterator[Plan]:
    for planner in YARDSTICKS.values():
        with suppress(StrandedError):  # another may find a way
            yield planner(instance)


def _serial_s(instance: Instance) -> float:
    """Some schedule ends by then, if there is any: one task after the other, each at its slowest."""
    slowest = instance.cost.max(axis=1, where=np.isfinite(instance.cost), initial=0.0)
    links = Links(instance)
    ways = [links.matrix_s(edge.size_bytes) for edge in instance.edges]
    farthest = [float(times.max(where=~instance.apart, initial=0.0)) for times in ways]
    return math.fsum(slowest.tolist()) + math.fsum(farthest) + 1.0


def _entries(instance: Instance) -> int:
    """About how many numbers the program has: three per pair of tasks and node, four per edge and pair of nodes."""
    return 3 * instance.tasks**2 // 2 * instance.nodes + 4 * len(instance.edges) * instance.nodes**2


def carried_out(instance: Instance, solution: Solution) -> Plan:
    """The solver's mapping and order, with exact times."""
    rows = zip(solution.start_s, solution.node, instance.cost_s, strict=True)
    # By the middle of each task: at equal starts, and the solver's are equal only nearly, one without duration goes
    # first.
    middle = [start + row[node] / 2 for start, node, row in rows]
    draft = Draft(instance, insertion=False)
    for task in by_priority(instance, [-moment for moment in middle]):
        node = solution.node[task]
        draft.place(task, node, draft.starts_s(task)[node])
    return draft.plan()
