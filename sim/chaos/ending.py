"""The end of a run: what must hold some time after the last fault.

First everything comes to rest within a stated time: all see each other, and every job is over wherever it is known.
Then nothing is said about jobs any more for as long as the longest pause between two tries, and it is looked at: all
replicas of a job have the same ledger, it has ended as it should, and its results are there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from pnode.protocol.ids import Digest, JobId
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef, JobSpec
from pnode.protocol.jobstate import Phase, UnitKey
from pnode.protocol.values import dataclass
from pnode.sim.cluster import Cluster
from pnode.sim.host import Host, written_by
from pnode.sim.workshop import NO_SPACE

from .complaints import Complaints
from .faults import Kind
from .people import Errand, People, outcomes_of
from .plan import Plan
from .views import differences, doubts
from .watch import Watch
from .work import Behaviour

VIEWS_S_MAX = 150.0
"""A node looks for four of its dead every 30 s, and exchanges everything every 30 s, every 60 s with more than 32
members: five turns of the slowest."""

JOBS_S_MAX = 900.0
"""Six layers of 8 items x 5 tasks of at most 12 s on a handful of cores, some of it lost and done again."""

STUCK_S = 150.0
"""If no ledger has grown anywhere for so long, none will: more than a task takes, and two of the longest pauses."""

QUIET_S = 35.0
"""Longer than the longest pause before something is sent again (`delivery.RESEND_S_MAX`)."""

REST_S_MAX = 140.0
"""Until nothing is said for QUIET_S. Whoever lost its disk at the very end hears in turns of 10 s what those said who
are lost for good, and writes to them as long as they may still show up (`strangers.STRANGER_S`)."""


@dataclass(slots=True)
class Ending:
    """Waits for rest, then judges."""

    plan: Plan
    cluster: Cluster
    people: People
    behaviour: Behaviour
    watch: Watch
    complaints: Complaints
    _last_growth: tuple[int, float] = (-1, 0.0)
    """How many segments had been looked at, and since when."""

    def await_rest(self) -> None:
        """Run until everything is at rest. Complains of what does not come to rest in time."""
        if not self._poll(self.cluster.everyone_knows_everyone, VIEWS_S_MAX):
            self.complaints.add(
                None, f"{VIEWS_S_MAX:g} s after the last fault views differ: {differences(self._up())}"
            )
            return
        if not self._poll(lambda: not any(self._unfinished()), JOBS_S_MAX, self._is_stuck):
            for text in list(self._unfinished())[:5]:
                self.complaints.add(None, text)
            return
        self._await_silence()
        wrong = list(doubts(self._up()))
        if wrong:
            self.complaints.add(None, f"views, which were equal, differ again: {'; '.join(wrong)}")

    def _await_silence(self) -> None:
        """Run until nothing is said about jobs for QUIET_S, and nobody called dead. A job that is beyond help goes on
        as long as its origin might come back: now and then one of its units is handed on."""
        engine, said = self.cluster.engine, Counter[str]()
        end_s = engine.now + REST_S_MAX
        engine.run_for(QUIET_S)
        while engine.now < end_s:
            spoken, deaths = Counter(self.watch.spoken), self.watch.members.deaths
            engine.run_for(QUIET_S)
            said = self.watch.spoken - spoken
            is_tried = any(not job.state.is_over for _, job in self._known())
            if (not said or is_tried) and self.watch.members.deaths == deaths:
                return
        what = f"{dict(said)} are still sent" if said else "somebody is still called dead"
        self.complaints.add(None, f"{REST_S_MAX:g} s after all jobs are over {what} within {QUIET_S:g} s")

    def _poll(self, holds: Callable[[], bool], limit_s: float, is_vain: Callable[[], bool] = lambda: False) -> bool:
        """Wait until something holds, for so long, or until that has become vain."""
        end_s = self.cluster.engine.now + limit_s
        while not holds():
            if self.cluster.engine.now >= end_s or self.complaints or is_vain():
                return False
            self.cluster.engine.run_for(1.0)
        return True

    def _is_stuck(self) -> bool:
        """Whether nobody has learned anything about any job for long."""
        segments = self.watch.ledgers.segments
        if segments != self._last_growth[0]:
            self._last_growth = (segments, self.cluster.engine.now)
        return self.cluster.engine.now - self._last_growth[1] > STUCK_S

    def _up(self) -> list[Host]:
        return [host for host in self.cluster.hosts if host.up]

    def _known(self) -> Iterator[tuple[Host, Job]]:
        for host in self._up():
            jobs = host.peer.jobs
            if jobs is not None:
                for job in jobs.desk.jobs.values():
                    yield host, job

    def _unfinished(self) -> Iterator[str]:
        for host, job in self._known():
            if not job.state.is_over and not self._is_beyond_help(job):
                state = job.state
                yield f"{job.spec.name} is {state.phase.value} at n{host.number}, {state.results} of {state.size}"
        for errand, job_id in self.people.safe:
            if not any(job.id == job_id for _, job in self._known()):
                yield f"{errand.plan.spec.name}, of which n{errand.host} had said that it is safe, is known to nobody"

    def _is_beyond_help(self, job: Job) -> bool:
        """Whether nobody was told that the job is safe, and what it needs, or has come to, is lost with whoever took
        it in."""
        if any(job.id == job_id for _, job_id in self.people.safe):
            return False
        having = [host for host, known in self._known() if known.id == job.id]

        def is_there(files: Sequence[FileRef]) -> bool:
            return all(any(host.has(file.digest) for host in having) for file in files)

        has_inputs = is_there([file for item in job.spec.items for file in item.files]) and not job.state.concluded
        is_done = job.state.concluded or job.state.phase is Phase.DONE
        return not (
            has_inputs or (is_done and is_there([file for outcome in outcomes_of(job) for file in outcome.outputs]))
        )

    # -- judgement ---------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Look at everything once more."""
        for errand, job_id in self.people.safe:
            replicas = self._replicas(job_id)
            if not replicas:
                self.complaints.add(None, f"{errand.plan.spec.name} has no replica")
                continue
            first = replicas[0][1].ledger.fingerprint()
            for host, job in replicas:
                if job.ledger.fingerprint() != first:
                    self.complaints.add(
                        host.number, f"has another ledger of {errand.plan.spec.name} than n{replicas[0][0].number}"
                    )
            self._judge_end(errand, *replicas[0])
        for host, job in self._known():
            for text in () if self._is_beyond_help(job) else _left(job):
                self.complaints.add(host.number, text)
        for host in self._up():
            if host.running:
                self.complaints.add(host.number, f"still runs {[unit.task for unit in host.running]}")

    def _replicas(self, job_id: JobId) -> list[tuple[Host, Job]]:
        """Everybody who takes itself for a replica of a job."""
        found = []
        for host, job in self._known():
            jobs = host.peer.jobs
            if job.id == job_id and jobs is not None and host.id in jobs.desk.replicas(job):
                found.append((host, job))
        return found

    def _judge_end(self, errand: Errand, host: Host, job: Job) -> None:
        phase, why = job.state.phase, "" if job.state.cancelled is None else job.state.cancelled[1]
        if phase is Phase.DONE:
            self._judge_results(errand, host, job)
        elif not (errand.was_cancelled or self._explains(errand, job, why)):
            self.complaints.add(host.number, f"{job.spec.name} is {phase.value} for no reason that there was: {why}")

    def _explains(self, errand: Errand, job: Job, why: str) -> bool:
        """Whether the job's own tasks, or a full disk, are to blame."""
        if NO_SPACE in why:
            return any(fault.kind is Kind.FULL_DISK for _, fault in self.plan.faults)
        return errand.plan.may_fail and bool(self.behaviour.failures.get(job.id))

    def _judge_results(self, errand: Errand, host: Host, job: Job) -> None:
        expected = None if errand.plan.fickle else expected_outputs(job.spec)
        settled = [job.final(number) for number in range(job.finals) if job.final(number)[1] in job.state.settlement]
        for key in sorted((*job.state.units, *settled)):
            unit = job.state.unit(key)
            name = f"{job.spec.name} {job.task(key).name}[{key[1]}]"
            if unit.result is None or unit.result.outcome is None:
                self.complaints.add(host.number, f"{name} has no result, though the job is done")
                continue
            digests = tuple(Digest(file.digest) for file in unit.result.outcome.outputs)
            if expected is not None and digests != tuple(expected[key]):
                self.complaints.add(host.number, f"{name} has another result than without faults")
            used = self.behaviour.used.get((job.id, key, digests))
            if used is None or (key[1] not in job.state.settlement and used != self._inputs(job, key)):
                self.complaints.add(host.number, f"{name} was not computed from the accepted results of its parents")
            if job.task(key).final:
                self._judge_copies(job, name, digests)

    def _inputs(self, job: Job, key: UnitKey) -> tuple[Digest, ...]:
        """What the accepted results of a unit's parents are, in the order in which it gets them."""
        parents = list(job.parents(key))
        if not parents:
            return tuple(Digest(file.digest) for file in job.spec.items[key[1]].files)
        results = [job.state.unit(parent).result for parent in parents]
        outcomes = [result.outcome for result in results if result is not None]
        return tuple(Digest(file.digest) for outcome in outcomes if outcome is not None for file in outcome.outputs)

    def _judge_copies(self, job: Job, name: str, digests: tuple[Digest, ...]) -> None:
        replicas = [host for host, _ in self._replicas(job.id)]
        lacking = [host for host in replicas if not all(host.has(digest) for digest in digests)]
        for host in lacking:
            if not self._may_lack(host):
                self.complaints.add(host.number, f"is a replica and has no copy of the result of {name}")
        if lacking == replicas:
            self.complaints.add(None, f"no replica has a copy of the result of {name}")

    def _may_lack(self, host: Host) -> bool:
        """Whether its disk took nothing when it should have made a copy: then another replica must have one."""
        return any(fault.kind is Kind.FULL_DISK and host.number in fault.hosts for _, fault in self.plan.faults)


def _left(job: Job) -> Iterator[str]:
    """What of a job that is over is still there to be done."""
    left: dict[str, Sequence[object]] = {
        "holds": [f"{job.task(key).name}[{key[1]}]" for key in job.held],
        "waits for": [f"{job.task(key).name}[{key[1]}]" for key in (*job.handoffs, *job.unplaced)],
        "copies": [f"{job.task(key).name}[{key[1]}]" for key in job.copying],
        "has not said": list(job.pending),
        "is to show": [*job.to_show, *job.to_pass_on, *job.to_tell],
    }
    for what, which in left.items():
        if which:
            yield f"{what} {which[:3]} of {job.spec.name}, which is over"


def expected_outputs(spec: JobSpec) -> dict[UnitKey, list[Digest]]:
    """What every unit writes if nothing goes wrong, computed without any of the machinery."""
    number = {task.name: at for at, task in enumerate(spec.dag.tasks)}
    written: dict[UnitKey, list[Digest]] = {}
    for name in spec.dag.order:
        for item, given in enumerate(spec.items):
            above = [written[(number[parent], item)] for parent in spec.dag.parents[name]]
            inputs = [digest for digests in above for digest in digests] or [
                Digest(file.digest) for file in given.files
            ]
            files = written_by(spec.dag.by_name[name], item, inputs)
            written[(number[name], item)] = [Digest(file.digest) for file in files]
    return written
