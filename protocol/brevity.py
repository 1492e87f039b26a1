"""Brevity: which commands are over in no time, as far as this node can tell from those that it has run.

A job of hundreds of short commands has a task for each, and none was ever run before; so what the last ones did
stands for the next ones that start the same program. They are not believed on that to be short, which would mislead
whoever places them, but handed over several at a time (`workbench`), from which they are called back if need be.
"""

import math

from .dag import ProgramKind, Task
from .job import Held, Job
from .turns import Piece

BRIEF_S = 0.05
"""Some times what a busy node takes to tell the end of one, hear of it and begin the next."""

RUNS_MIN = 2
"""In a row, before others are taken for as brief: who is mistaken is mistaken for a tenth of a second."""

PROGRAMS_MAX = 1024
"""That are remembered; a few hundred kilobytes."""

_Program = tuple[str, str]
"""(name of the job, what is started)"""


class Brevity:
    """What is known of the programs of commands."""

    def __init__(self) -> None:
        self._runs: dict[_Program, int] = {}
        """How many in a row were brief."""

    def observe(self, job: Job, task: Task, seconds: float) -> None:
        """A command took so long, or at least."""
        if task.program.kind != ProgramKind.COMMAND:
            return
        program = _program(job, task)
        runs = self._runs.pop(program, 0)
        self._runs[program] = runs + 1 if seconds <= BRIEF_S else 0
        if len(self._runs) > PROGRAMS_MAX:
            del self._runs[next(iter(self._runs))]

    def stalls(self, job: Job, task: Task) -> None:
        """One takes longer than was thought."""
        self.observe(job, task, math.inf)

    def holds(self, job: Job, task: Task, held: Held, piece: Piece) -> bool:
        """Whether a unit is a command that is likely to be over in no time, and has no inputs."""
        if task.program.kind != ProgramKind.COMMAND or any(held.files.values()):
            return False
        if piece.is_guess:
            return self._runs.get(_program(job, task), 0) >= RUNS_MIN
        return piece.expected_s <= BRIEF_S


def _program(job: Job, task: Task) -> _Program:
    return (job.spec.name, task.program.arguments[0])
