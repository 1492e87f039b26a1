"""Emulation: a task takes as long as it would on a slower machine, and is accounted for as that."""

import pytest
import trio
from trio.testing import MockClock

from pnode.node.emulation import run_at
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.effects import Run, Unit
from pnode.protocol.events import RunEnded
from pnode.protocol.ids import JobId

from ..protocol.ledgers import NOTHING

UNIT = Unit(JobId(b"j" * 16), "task", 0, 1)
RUN = Run(UNIT, Task("task", (), Program(ProgramKind.COMMAND, ("true",))), ((),), None, ())
REAL_S = 3.0
PREPARING_S = 0.5
"""What a unit takes beside its run time."""


async def run(unit: Run) -> RunEnded:
    await trio.sleep(PREPARING_S + REAL_S)
    return RunEnded(unit.unit, "", 0, (), NOTHING, NOTHING, "", REAL_S)


@pytest.mark.parametrize("speed", [1.0, 0.5, 0.1])
def test_a_task_takes_its_real_time_divided_by_the_speed(speed: float) -> None:
    async def main() -> None:
        began_s = trio.current_time()

        ended = await run_at(speed, run, RUN)

        assert ended.seconds == pytest.approx(REAL_S / speed)
        assert trio.current_time() - began_s == pytest.approx(PREPARING_S + REAL_S / speed)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_task_that_is_ended_while_it_only_seems_to_run_is_ended_at_once() -> None:
    async def main() -> None:
        began_s = trio.current_time()
        with trio.move_on_after(5.0) as scope:
            await run_at(0.1, run, RUN)

        assert scope.cancelled_caught
        assert trio.current_time() - began_s == pytest.approx(5.0)

    trio.run(main, clock=MockClock(autojump_threshold=0))
