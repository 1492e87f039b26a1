"""What must hold of every replica's view of a job, looked at whenever a segment is new somewhere.

- Nobody signs two different segments for one place of a feed.
- In one life of a node an attempt's phase never goes down the ladder, nor does the number of a unit's attempts, and
  a job that was over stays over.
- Nothing grows beyond its bound: attempts at a unit, segments of a job.
"""

from pnode.protocol.ids import JobId, NodeId
from pnode.protocol.job import Job
from pnode.protocol.jobstate import ABOUT_THE_JOB, LADDER, AttemptKey, UnitKey, attempted_by
from pnode.protocol.ledger import Statement
from pnode.protocol.values import dataclass, field
from pnode.sim.host import Host

from .complaints import Complaints

ATTEMPTS_MAX = 60
"""At one unit: 20 nodes lost and 5 failures at most, twice that for second thoughts and both sides of a cut."""

SEGMENTS_PER_UNIT_MAX = 100

Place = tuple[int, int, JobId]
"""(host, its life, job)"""


def _is_put_away(job: Job, statement: Statement) -> bool:
    """Whether it is about no unit that there is anything to be known of any more."""
    return statement.kind in ABOUT_THE_JOB or statement.item in job.state.settlement


@dataclass(slots=True)
class _Seen:
    """How far a host has seen a job."""

    phases: dict[tuple[UnitKey, AttemptKey], int] = field(default_factory=dict)
    numbers: dict[UnitKey, int] = field(default_factory=dict)
    was_over: bool = False


@dataclass(slots=True)
class Ledgers:
    """The checker of ledgers."""

    complaints: Complaints
    digests: dict[bytes, bytes] = field(default_factory=dict)
    """Of each segment there is, by its row."""
    seen: dict[Place, _Seen] = field(default_factory=dict)
    segments: int = 0
    """Looked at so far."""

    def written(self, host: Host, row: bytes) -> None:
        """A host has put a segment into its journal, in a row of `desk.segment_row`."""
        jobs = host.peer.jobs
        job = None if jobs is None else jobs.desk.jobs.get(JobId(row[:16]))
        if job is None:
            return
        name = (NodeId(row[16:48]), int.from_bytes(row[48:52], "big"), int.from_bytes(row[52:56], "big"))
        entry = job.ledger.get(name)
        if entry is None:  # it says nothing any more: its item was settled in the same breath
            return
        self.segments += 1
        if self.digests.setdefault(row, entry.digest) != entry.digest:
            self.complaints.add(
                host.number, f"has another segment {name[1]}/{name[2]} of one author than somebody else"
            )
        seen = self.seen.setdefault((host.number, host.life, job.id), _Seen())
        if len(job.ledger) > SEGMENTS_PER_UNIT_MAX * max(10, job.state.size):
            self.complaints.add(host.number, f"has {len(job.ledger)} segments of {job.spec.name}")
        for statement in entry.segment.statements:
            if job.state.fits(statement) and not _is_put_away(job, statement):
                self._unit(host, job, seen, attempted_by(entry.author, statement), statement)
        if seen.was_over and not job.state.is_over:
            self.complaints.add(host.number, f"thinks that {job.spec.name}, which was over, goes on")
        seen.was_over = job.state.is_over

    def _unit(self, host: Host, job: Job, seen: _Seen, node: NodeId, statement: Statement) -> None:
        key = (statement.task, statement.item)
        unit = job.state.units.get(key)
        attempt = None if unit is None else unit.attempts.get((statement.attempt, node))
        name = f"{job.spec.name} {job.task(key).name}[{key[1]}]"
        if unit is None or attempt is None:
            self.complaints.add(host.number, f"has a segment about {name} that its state does not know of")
            return
        height = LADDER[attempt.phase]
        if height < seen.phases.get((key, attempt.key), 0):
            self.complaints.add(host.number, f"attempt {attempt.number} at {name} went back to {attempt.phase}")
        seen.phases[(key, attempt.key)] = height
        if unit.number < seen.numbers.get(key, 0):
            self.complaints.add(host.number, f"{name} went back to {unit.number} attempts")
        seen.numbers[key] = unit.number
        if unit.number > ATTEMPTS_MAX:
            self.complaints.add(host.number, f"{unit.number} attempts at {name}")
        if unit.result is not None and (unit.result.phase != "finished" or unit.result.outcome is None):
            self.complaints.add(host.number, f"the result of {name} is not of a finished attempt")
