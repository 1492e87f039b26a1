"""Starting: units are handed over to be run when a core is free, and brief ones behind each other (`workbench`).

Of what was lined up nothing is said when it starts, since this node hears of that with its end, if it is brief. If
it takes longer it is said then, and what waits behind it is called back: another core may be free, or something else
more urgent.
"""

from collections.abc import Iterator

from .brevity import Brevity
from .desk import Desk
from .effects import Recall, Run, Unit
from .ids import job_text
from .job import Held, Job
from .jobspec import FileRef
from .jobstate import UnitKey
from .ledger import StatementKind
from .routing import RoutingError, calls_for
from .saying import say
from .turns import Piece
from .workbench import Workbench


class Starting:
    """The way of units from the workbench to whoever runs them."""

    def __init__(self, desk: Desk, bench: Workbench) -> None:
        self.desk = desk
        self.bench = bench
        self.brevity = Brevity()

    def start(self, now: float) -> Iterator[tuple[Job, UnitKey, str]]:
        """Hand over what may start, and what is to follow it. Those that cannot be run, and why."""
        for unit in self.bench.take(now):
            problem = self._hand_over(unit, None)
            if problem:
                yield (*self._find(unit), problem)
            else:
                self._say_started(unit, now)
        for unit, before in self.bench.line_up(self._is_brief):
            problem = self._hand_over(unit, before)
            if problem:
                yield (*self._find(unit), problem)
        for unit, since_s, others in self.bench.stalled(now):
            job, key = self._find(unit)
            self.brevity.stalls(job, job.task(key))
            if since_s is not None:
                self._say_started(unit, since_s)
            self.desk.effects += [Recall(other) for other in others]

    def _hand_over(self, unit: Unit, before: Unit | None) -> str:
        """Why it cannot be run; empty if it can."""
        job, key = self._find(unit)
        task = job.task(key)
        try:
            calls = calls_for(task, _inputs(job, key, job.held[key]))
        except RoutingError as error:
            self.bench.remove(unit)  # before it runs: there is nothing to end
            return str(error)
        environment = (
            ("PNODE_NODE", self.desk.place.name),
            ("PNODE_JOB", job_text(job.id)),
            ("PNODE_JOB_NAME", job.spec.name),
            ("PNODE_ITEM_KEY", job.spec.items[unit.item].key),
        )
        self.desk.effects.append(Run(unit, task, calls, job.spec.application, environment, before))
        return ""

    def _say_started(self, unit: Unit, since_s: float) -> None:
        job, key = self._find(unit)
        held = job.held[key]
        waited = waited_s(held, since_s)
        say(self.desk, job, StatementKind.STARTED, unit, since_s, (held.assigner,), waited_s=waited)

    def _is_brief(self, piece: Piece) -> bool:
        job, key = self._find(piece.unit)
        return self.brevity.holds(job, job.task(key), job.held[key], piece)

    def _find(self, unit: Unit) -> tuple[Job, UnitKey]:
        job = self.desk.jobs[unit.job]
        return job, job.key(unit.task, unit.item)


def waited_s(held: Held, started_s: float) -> float:
    """For how long a unit has waited for a core since its inputs were there."""
    assert held.ready_s is not None, "it was among the ready"
    return max(0.0, started_s - held.ready_s)


def _inputs(job: Job, key: UnitKey, held: Held) -> tuple[FileRef, ...]:
    """All input files: the job's own, then those of each parent, in its output order."""
    names = ("", *job.spec.dag.parents[job.task(key).name])
    return tuple(file for name in names for file in held.files.get(name, ()))
