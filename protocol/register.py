"""Register: the jobs that this node knows, under the names that follow from their signed specifications."""

from .codec import decode, encode
from .desk import Desk
from .effects import Notify, Save
from .errors import RemoteProtocolError
from .ids import JobId, NodeId, job_id
from .job import Job, program_name
from .jobspec import SPEC_BYTES_MAX, JobSpec
from .jobstate import JobState
from .ledger import Ledger
from .retention import Retention
from .signed import Kind, Signed, sign, verify

JOBS_MAX = 4096
"""Jobs a node remembers; beyond that the oldest that is over is forgotten."""

TYPICAL_BYTES_PER_S = 100e6
"""A gigabit network: only for ordering tasks by rank, where no pair of nodes is meant."""


class FullError(RemoteProtocolError):
    """Nobody is to blame: this node knows as many jobs as it can, and none of them is over."""


class Register:
    """Puts jobs on the desk, and takes old ones off it."""

    def __init__(self, desk: Desk, retention: Retention) -> None:
        self.desk = desk
        self.retention = retention

    def submit(self, spec: bytes) -> Job:
        """A job of this node's own. Raises FullError if there is no room for it."""
        self.make_room()
        job = self.restore(sign(self.desk.crypto, self.desk.place.seed, Kind.JOB, self.desk.place.cluster, spec))
        self.retention.fetching.given_with(job)
        self.desk.effects.append(Save("job", job.id, encode(job.signed)))
        return job

    def known(self, name: JobId, spec: Signed, source: NodeId) -> Job:
        """The job of that name, whose specification somebody has sent. Raises RemoteProtocolError if it is another's,
        FullError if there is no room for it."""
        job = self.desk.jobs.get(name)
        if job is not None:
            return job
        if job_id(spec.signature + spec.body) != name:
            raise RemoteProtocolError("a job's specification does not have the name it was sent under")
        self.make_room()
        job = self.restore(spec)
        self.retention.fetching.given_with(job)
        self.desk.released.pop(name, None)
        self.desk.fresh.append((job, source))
        self.desk.effects.append(Save("job", job.id, encode(job.signed)))
        return job

    def restore(self, signed: Signed) -> Job:
        """The job of a specification, of which nothing else is known yet."""
        if len(signed.body) > SPEC_BYTES_MAX:
            raise RemoteProtocolError(
                f"a specification of {len(signed.body)} bytes, at most {SPEC_BYTES_MAX} are read"
            )
        verify(self.desk.crypto, signed, Kind.JOB, self.desk.place.cluster)
        name = job_id(signed.signature + signed.body)
        spec = decode(JobSpec, signed.body)
        job = Job(name, signed, spec, Ledger(name), JobState(spec, NodeId(signed.author)), self._ranks(spec))
        self.desk.jobs[name] = job
        self.desk.appoint(job)
        self.desk.effects.append(Notify("job", name))
        return job

    def make_room(self) -> None:
        """Forget jobs that are over, the oldest first, until there is room for another. Raises FullError.

        That it is over has to be signed: whoever has just said so says it with the next `flush`."""
        while len(self.desk.jobs) >= JOBS_MAX:
            over = next((job for job in self.desk.jobs.values() if job.closed and job.endings), None)
            if over is None:
                raise FullError(f"{JOBS_MAX} jobs are under way here: no room for another")
            self.retention.forget(over)

    def _ranks(self, spec: JobSpec) -> dict[str, float]:
        place, profile = self.desk.place, self.desk.profile
        by_name = spec.dag.by_name

        def run_s(task: str) -> float:
            return profile.run_s(
                program_name(spec.name, by_name[task]), place.me, place.speed, by_name[task].expected_s
            )

        def transfer_s(parent: str, child: str) -> float:
            return spec.dag.edge_bytes(parent, child) / TYPICAL_BYTES_PER_S

        return spec.dag.upward_ranks(run_s, transfer_s)
