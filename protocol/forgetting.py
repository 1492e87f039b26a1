"""Forgetting: what this node lets go of when an item of a stream is settled, and what it answers to who is late.

An item is settled for everybody at once who hears of it, whatever it was doing about it: what is held is dropped,
what was asked is not waited for any more. A node that was away, and says that it goes on with such a unit, is shown
that it is settled by whoever leads.
"""

from .copies import Copies
from .desk import Desk
from .holding import Holding
from .ids import NodeId
from .job import Job
from .jobstate import UnitKey, UnitState
from .ledger import Statement, StatementKind
from .placing import Placing
from .spending import Spending


class Forgetting:
    """The units of all jobs that are settled."""

    def __init__(self, desk: Desk, placing: Placing, holding: Holding, copies: Copies, spending: Spending) -> None:
        self.desk = desk
        self.placing = placing
        self.holding = holding
        self.copies = copies
        self.spending = spending

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """Somebody has settled a result, or has said something about a unit that is settled."""
        if statement.kind == StatementKind.SETTLED:
            self.forget(job, now)
            if statement.outcome is not None:
                self.copies.fetching.given(job.id, statement.outcome)
            self.copies.copy(job, (statement.task, statement.item), now)
        elif job.leading and statement.kind in _GOING_ON and statement.item in job.settlements:
            late = NodeId(statement.node) if statement.kind == StatementKind.ASSIGNED else author
            self.desk.offer(job, late, job.settlements[statement.item])

    def forget(self, job: Job, now: float) -> None:
        """Let go of all units that have been settled since the last time."""
        dropped, job.state.dropped = job.state.dropped, {}
        for item, units in dropped.items():
            job.mentions.settled(item)
            for task in range(len(job.spec.dag.tasks)):
                self._let_go(job, (task, item), units.get((task, item), UnitState()), now)
        if dropped:
            self.desk.voided[job.id] = None

    def resume(self, job: Job, now: float) -> None:
        """After a restart this node has what, by its journal, it has said that it has (see `copies.trust`)."""
        for units in job.state.dropped.values():
            for key, unit in units.items():
                for attempt in unit.in_phase("finished"):
                    if job.task(key).final and self.desk.me in attempt.keepers:
                        job.stock.add(key, attempt)
        self.forget(job, now)

    def _let_go(self, job: Job, key: UnitKey, unit: UnitState, now: float) -> None:
        self._count_copy(job, key, unit)
        self.spending.let_go(job, key)  # nobody will say of what is settled that it is spent
        job.forget(key, unit)
        self.placing.settled(job, key)
        if key in job.held:
            self.holding.settled(job, key, now)
        for attempt in unit.attempts.values():
            self.desk.bindings.end((job.id, key, attempt.number))
        if job.task(key).final:
            self.copies.copy(job, key, now)

    def _count_copy(self, job: Job, key: UnitKey, unit: UnitState) -> None:
        """What this replica has said of its copy of a result is forgotten now; that it has one is not."""
        sure = job.sure.get(key)
        kept = None if sure is None else unit.attempts.get(sure[:2])
        if kept is not None and kept.version == sure:
            job.stock.add(key, kept)


_GOING_ON = (StatementKind.ASSIGNED, StatementKind.ACCEPTED, StatementKind.STARTED)
"""Kinds by which somebody says that there is more to do."""
