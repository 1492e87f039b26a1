"""People: they submit the jobs of a plan, follow and cancel them, and remember what they were told."""

from collections.abc import Callable
from random import Random

from pnode.protocol.codec import decode, encode
from pnode.protocol.desk import segment_row
from pnode.protocol.events import CancelJob, Event, Submit, WatchJob
from pnode.protocol.ids import JobId
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Receipt
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.protocol.planning import planned
from pnode.protocol.statements import Outcome
from pnode.protocol.values import dataclass, field, replace
from pnode.sim.cluster import Cluster
from pnode.sim.host import Host

from .faults import FOR_EVER, Fault, Kind
from .storm import Storm
from .work import JobPlan

FIRST_REQUEST = 1_000_000
"""Beyond those that the cluster itself makes."""

AGAIN_S = 1.0
"""People look for an answer once a second, and try another machine after as long."""

FOLLOW_S = 3.0
"""How long after its submission others begin to follow a job."""

BEREFT_S_MAX = 4.0
"""How soon a submitter is lost after it was told that its job is safe."""


@dataclass(slots=True)
class Errand:
    """One job of the plan, as far as it has come."""

    plan: JobPlan
    host: int | None = None
    """Where it was submitted last."""
    life: int = 0
    request: int = 0
    job: JobId | None = None
    """Known once somebody was told that it is safe."""
    receipt: Receipt | None = None
    was_cancelled: bool = False
    """Somebody has asked for its end."""


@dataclass(slots=True)
class People:
    """Everybody in front of a terminal."""

    cluster: Cluster
    storm: Storm
    mortal: tuple[int, ...]
    """Hosts that may be lost for good."""
    errands: dict[int, Errand] = field(default_factory=dict)
    """By the number of the job."""
    submitted: int = 0
    """How often a machine was asked to take in a job."""
    _requests: int = FIRST_REQUEST

    def schedule(self, plans: tuple[JobPlan, ...]) -> None:
        """Let them do what is planned, from now on."""
        for plan in plans:
            self.errands[plan.number] = Errand(plan)
            self.cluster.engine.after(plan.at_s, self._submit, self.errands[plan.number])
            for host in plan.followers:
                self.cluster.engine.after(plan.at_s + FOLLOW_S, self._follow, self.errands[plan.number], host)
            if plan.cancelled is not None:
                at_s, host = plan.cancelled
                self.cluster.engine.after(at_s, self._cancel, self.errands[plan.number], host)

    @property
    def safe(self) -> list[tuple[Errand, JobId]]:
        """The jobs of which somebody was told that they are safe; or that they are kept by this machine only, as long
        as that is not lost for good."""
        return [
            (errand, errand.job)
            for errand in self.errands.values()
            if errand.job is not None and (_is_guarded(errand) or errand.host not in self.storm.lost)
        ]

    def _submit(self, errand: Errand) -> None:
        """At the planned host, or the next that is up."""
        count = len(self.cluster.hosts)
        hosts = (self.cluster.hosts[(errand.plan.origin + step) % count] for step in range(count))
        host = next((host for host in hosts if host.up and host.peer.is_member), None)
        if host is not None:
            spec = self._spec(host, errand.plan.spec)
            for item in spec.items:
                host.content.update({file.digest: file for file in item.files})
            errand.host, errand.life = host.number, host.life
            self.submitted += 1
            errand.request = self._ask(host, lambda request: Submit(request, encode(spec)))
        self.cluster.engine.after(AGAIN_S, self._look, errand)

    def _spec(self, host: Host, spec: JobSpec) -> JobSpec:
        """With the submission time, and the plan if its mapper makes one."""
        spec = replace(spec, created_s=host.now)
        neighbours, jobs = host.peer.neighbours, host.peer.jobs
        if neighbours is None or jobs is None:
            return spec
        view = neighbours.view_of(spec.name, spec.dag, None, host.now)
        rng = Random(f"plan/{spec.name}")  # noqa: S311 - repeatable, not secret
        return planned(jobs.desk.mappers[spec.mapper], spec, view, rng)

    def read_answers(self, host: Host) -> None:
        """Whoever waits in front of a machine that is about to go off has seen what it has said so far."""
        for errand in self.errands.values():
            if errand.job is None and errand.host == host.number:
                reply = host.replies.get(errand.request)
                if reply is not None and not reply.error:
                    self._told(errand, host, reply.value)

    def _look(self, errand: Errand) -> None:
        """Is there an answer? Where the machine has died over it, people submit again."""
        if errand.job is not None:
            return
        host = None if errand.host is None else self.cluster.hosts[errand.host]
        reply = None if host is None else host.replies.get(errand.request)
        if host is None or (reply is None and host.life != errand.life) or (reply is not None and reply.error):
            if not self.storm.is_over:
                self._submit(errand)
        elif reply is None:
            self.cluster.engine.after(AGAIN_S, self._look, errand)
        else:
            self._told(errand, host, reply.value)

    def _told(self, errand: Errand, host: Host, value: bytes) -> None:
        receipt = Receipt(value, 0, 0) if len(value) == len(errand.plan.spec.nonce) else decode(Receipt, value)
        errand.receipt, errand.job = receipt, JobId(receipt.job)
        if errand.plan.bereft and host.number in self.mortal:
            delay_s = Random(f"bereft/{errand.plan.spec.name}").uniform(0.0, BEREFT_S_MAX)  # noqa: S311
            self.cluster.engine.after(delay_s, self._lose, host)

    def _lose(self, host: Host) -> None:
        if not self.storm.is_over:
            self.storm.switch_off(host, Fault(0.0, Kind.POWER, (host.number,), FOR_EVER))

    def _follow(self, errand: Errand, number: int) -> None:
        host, job = self.cluster.hosts[number], errand.job
        if job is not None and host.up:
            self._ask(host, lambda request: WatchJob(request, job))

    def _cancel(self, errand: Errand, number: int) -> None:
        """At a host that knows the job, if there is one."""
        job = errand.job
        hosts = (self.cluster.hosts[number], *self.cluster.hosts)
        knowing = (
            host for host in hosts if host.up and host.peer.jobs is not None and job in host.peer.jobs.desk.jobs
        )
        host = next(knowing, None)
        if job is not None and host is not None:
            errand.was_cancelled = True
            self._ask(host, lambda request: CancelJob(request, job))

    def _ask(self, host: Host, event: Callable[[int], Event]) -> int:
        self._requests += 1
        host.deliver(event(self._requests))
        return self._requests

    # -- what must not be lost ---------------------------------------------------------------------------------------

    def is_last_copy(self, host: Host) -> bool:
        """Whether this host alone has a whole copy of a job that somebody was told is safe."""
        return any(self.keepers(errand, job) == [host.number] for errand, job in self.safe)

    def keepers(self, errand: Errand, job: JobId) -> list[int]:
        """The hosts, switched off or not, that have a job and its inputs on their disks, or if it is over its
        results; not those that are lost for good. Of a job that is over only replicas are asked for anything, and a
        copy elsewhere is none."""
        known = (host.peer.jobs.desk.jobs.get(job) for host in self.cluster.hosts if host.peer.jobs is not None)
        has_content = _has_results if any(each is not None and each.state.concluded for each in known) else _has_some
        return [
            host.number
            for host in self.cluster.hosts
            if host.number not in self.storm.lost and host.disk.has("job", job) and has_content(host, errand, job)
        ]


def outcomes_of(job: Job) -> list[Outcome]:
    """What a job has come to, as far as it is known."""
    results = (job.state.unit(job.final(number)).result for number in range(job.finals))
    return [result.outcome for result in results if result is not None and result.outcome is not None]


def _is_guarded(errand: Errand) -> bool:
    return errand.receipt is not None and errand.receipt.guarded > 0


def _has_some(host: Host, errand: Errand, job: JobId) -> bool:
    """Whether a host has what a job goes on from, its inputs. Of one that it knows to have been cancelled, or to have
    failed, it has a copy if it keeps it: that, and why; and the results if it was done all the same. What is only in
    memory does not count, and neither do inputs that came for a run and are not on the disk."""
    jobs = host.peer.jobs
    known = None if jobs is None else jobs.desk.jobs.get(job)
    has_end = known is not None and any(
        host.disk.has("segment", segment_row(job, known.ledger[ending])) for ending in known.endings
    )
    if jobs is None or known is None or not known.state.is_over or not (host.up or has_end):
        return all(host.workshop.has_for_good(file.digest) for item in errand.plan.spec.items for file in item.files)
    if known.state.phase is Phase.DONE:
        return _has_results(host, errand, job)
    return has_end and jobs.desk.keeps(known)


def _has_results(host: Host, errand: Errand, job: JobId) -> bool:
    """Whether a host knows a job to be over and has all that it was for. Once a job is concluded nothing else will
    do: nobody makes its results anew. Then a host that has heard of a part of them only, since it took part in
    nothing else, has no whole copy, though it has made all that it knows of; nor has one that still doubts its own
    words (`echoes`), which are not in its journal."""
    del errand
    if host.peer.jobs is None:
        return False
    desk = host.peer.jobs.desk
    known = desk.jobs.get(job)
    if known is None or not known.state.is_over or not desk.keeps(known) or known.unsaved:
        return False
    outcomes = outcomes_of(known)
    is_whole = len(outcomes) == known.finals or not known.state.concluded
    return is_whole and all(
        host.workshop.has_for_good(file.digest) for outcome in outcomes for file in outcome.outputs
    )
