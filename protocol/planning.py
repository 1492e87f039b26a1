"""Planning: the plan for a whole job that its origin asks a mapper for before it signs the specification.

The plan travels with the job as a hint (scheduling.md 4.6): whoever decides where a task runs sees it in its
question, and nodes start what is bound to them in the order of it. Only mappers that are planners make one.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from .codec import encode
from .dag import Dag
from .jobspec import SPEC_BYTES_MAX, JobSpec, PlannedTask
from .view import Mapper, Planned, Planner, View

PAIRS_MAX = 131_072
"""Tasks times nodes that are planned for: 1,000 tasks for 128 nodes, 20,000 for six. An estimate for each pair takes
a few microseconds, so the whole stays near a second. A larger job goes without a plan, as its tasks do with mappers
that make none."""


def may_plan(mapper: Mapper, dag: Dag, view: View) -> bool:
    """Whether a plan is to be made: the mapper makes plans, and there is neither nobody to plan for nor too much."""
    return isinstance(mapper, Planner) and 0 < len(dag.tasks) * len(view.peers) <= PAIRS_MAX


def planned(mapper: Mapper, spec: JobSpec, view: View, rng: Random) -> JobSpec:
    """The specification with a plan; as it is if none is to be made, or if it would become too large by it."""
    if not isinstance(mapper, Planner) or not may_plan(mapper, spec.dag, view):
        return spec
    plan = mapper.plan(spec.dag, view, rng, len(spec.items))
    with_plan = replace(spec, plan=_in_order(spec.dag, plan))
    return with_plan if len(encode(with_plan)) <= SPEC_BYTES_MAX else spec


def _in_order(dag: Dag, plan: Mapping[str, Planned]) -> tuple[PlannedTask, ...]:
    """For each task of the graph its part of the plan; nothing if the planner has found nobody for some task."""
    if any(task.name not in plan for task in dag.tasks):
        return ()
    parts = (plan[task.name] for task in dag.tasks)
    return tuple(PlannedTask(part.node, part.start_s, part.finish_s) for part in parts)
