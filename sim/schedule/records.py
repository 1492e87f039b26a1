"""Records: what is left of a world when its run is over."""

from typing import TYPE_CHECKING

from .result import Execution, Result
from .units import Attempt, State

if TYPE_CHECKING:
    from .world import World


def result_of(world: "World", mapper: str) -> Result:
    executions = [_execution(attempt) for attempt in world.over]
    executions.sort(key=lambda one: (one.start_s, one.job, one.item, one.task, one.attempt))
    return Result(
        scenario=world.scenario,
        mapper=mapper,
        seed=world.seed,
        executions=tuple(executions),
        transfers=world.wires.transfers(),
        bytes_moved=world.wires.bytes_moved,
        messages=world.wires.messages,
        decisions=world.decisions,
        moves=world.moves,
        complete=not any(job.left for job in world.jobs),
    )


def _execution(attempt: Attempt) -> Execution:
    unit = attempt.unit
    return Execution(
        job=unit.job.number,
        item=unit.item,
        task=unit.task,
        machine=attempt.machine,
        bound_s=attempt.bound_s,
        ready_s=attempt.ready_s,
        start_s=attempt.start_s,
        finish_s=attempt.finish_s,
        attempt=attempt.number,
        kept=attempt.state is State.DONE,
    )
