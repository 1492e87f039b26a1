"""Jobs: the machine that composes a node's three roles in all its jobs and speaks with other nodes about them."""

import math
from dataclasses import dataclass

from .codec import decode, encode
from .desk import Desk
from .effects import Effect, Notify, Reply, Save, Send
from .errors import RemoteProtocolError
from .events import CancelJob, Fetched, FetchFailed, FindJobs, RunEnded, Submit, WatchJob
from .frames import Frames
from .holding import Holding
from .ids import JobId, NodeId, job_id
from .job import Job, program_name
from .jobmessages import (
    FRAMES,
    SUMMARIES_MAX,
    Deliver,
    Delivered,
    JobsAnswer,
    JobsWanted,
    LedgerWanted,
    SpecWanted,
    Summary,
)
from .jobspec import JobSpec
from .jobstate import JobState, Phase
from .ledger import Ledger, Segment, SegmentId, Statement, StatementKind, open_segment
from .placing import Placing
from .replica import Replica
from .signed import Kind, Signed, sign, verify

JOBS_MAX = 4096
"""Jobs a node remembers; beyond that the oldest that has ended and holds nothing is forgotten."""

ANSWER_S = 1.0
"""How long a question to everybody waits for those who do not answer."""

TYPICAL_BYTES_PER_S = 100e6
"""A gigabit network: only for ordering tasks by rank, where no pair of nodes is meant."""

MESSAGE_BYTES = 1024 * 1024
"""Segments are put into one message up to this size; a session carries four times as much."""


@dataclass(slots=True)
class _Question:
    request: int
    open: dict[NodeId, None]
    due_s: float


class Jobs:
    """All jobs of one node.

    `handle`, `message` and `tick` return effects; only `tick` signs and sends what was said.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.frames = Frames(FRAMES)
        self.placing = Placing(desk)
        self.holding = Holding(desk)
        self.replica = Replica(desk)
        self.listed: dict[JobId, Summary] = {}
        """What other nodes answered when asked for their jobs."""
        self._questions: dict[int, _Question] = {}
        self._watches: dict[JobId, _Question] = {}
        self._watching: dict[JobId, None] = {}
        self._counter = 0

    @property
    def deadline(self) -> float:
        if self.desk.dirty or self.desk.effects:
            return -math.inf
        waits = (question.due_s for question in (*self._questions.values(), *self._watches.values()))
        return min(self.desk.delivery.deadline, self.placing.deadline, min(waits, default=math.inf))

    def handle(
        self, event: Fetched | FetchFailed | RunEnded | Submit | CancelJob | WatchJob, now: float
    ) -> list[Effect]:
        """Something happened at this node."""
        match event:
            case Fetched():
                self.holding.fetched(event, now)
            case FetchFailed():
                self.holding.fetch_failed(event, now)
            case RunEnded():
                self.holding.run_ended(event, now)
            case Submit():
                self._submit(event, now)
            case CancelJob():
                self._cancel(event, now)
            case WatchJob():
                self._watch(event, now)
        return self._settle(now)

    def find(self, event: FindJobs, peers: tuple[NodeId, ...], now: float) -> list[Effect]:
        """Ask these peers for their jobs; the Reply comes when all have answered, or after ANSWER_S."""
        if not peers:
            return [Reply(event.request, b"", None)]
        self._counter += 1
        self._questions[self._counter] = _Question(event.request, dict.fromkeys(peers), now + ANSWER_S)
        question = self.frames.encode(JobsWanted(self._counter))
        return [Send(peer, question) for peer in peers]

    def message(self, peer: NodeId, message: object, now: float) -> list[Effect]:
        """A message of FRAMES came over a session. Raises RemoteProtocolError if it cannot be believed."""
        match message:
            case Deliver():
                self._deliver(peer, message)
            case Delivered():
                names = tuple((NodeId(author), boot, sequence) for author, boot, sequence in message.segments)
                self.desk.delivery.arrived(peer, JobId(message.job), names)
            case SpecWanted():
                job = self.desk.jobs.get(JobId(message.job))
                if job is not None:
                    job.informed.pop(peer, None)
                    self.desk.delivery.again(peer, now)
            case JobsWanted():
                self._send(peer, JobsAnswer(message.question, tuple(self.summaries()[-SUMMARIES_MAX:])))
            case JobsAnswer():
                self._answered(peer, message)
            case LedgerWanted():
                self._show_ledger(peer, message, now)
        return self._settle(now)

    def tick(self, now: float) -> list[Effect]:
        self.placing.tick(now)
        for number in [number for number, question in self._questions.items() if question.due_s <= now]:
            self.desk.effects.append(Reply(self._questions.pop(number).request, b"", None))
        for job_id_ in [job_id_ for job_id_, watch in self._watches.items() if watch.due_s <= now]:
            reason = "the node it was submitted to does not answer"
            self.desk.effects.append(Reply(self._watches.pop(job_id_).request, b"", reason))
        effects = self._settle(now)
        self.desk.flush(now)
        self._dispatch(now)
        return effects + self._drain()

    def session_opened(self, peer: NodeId, now: float) -> None:
        """What was on its way to the peer may have been lost with an earlier session."""
        self.desk.delivery.again(peer, now)

    def unreachable(self, peer: NodeId, reason: str, now: float) -> list[Effect]:
        self.placing.unreachable(peer, reason, now)
        return self._settle(now)

    def member_back(self, peer: NodeId) -> list[Effect]:
        """A member has appeared or come back: ask for what it has to say about its jobs in which we have a part.

        While we were away, or thought that it was, others' words for us were dropped.
        """
        for job in self.desk.jobs.values():
            if job.origin == peer and job.state.phase is Phase.RUNNING and (job.held or job.id in self._watching):
                self._send(peer, LedgerWanted(job.id, job.ledger.vector()))
        return self._drain()

    def member_gone(self, peer: NodeId, now: float) -> list[Effect]:
        """A member has died or left."""
        self.desk.delivery.forget_peer(peer)
        for job in self.desk.jobs.values():
            job.watchers.pop(peer, None)
            job.informed.pop(peer, None)
        self.placing.gone(peer, now)
        return self._settle(now)

    def restore(self, jobs: list[Signed], segments: list[Signed], now: float) -> list[Effect]:
        """Take up what the journal of an earlier run of this node holds."""
        for signed in jobs:
            self._add(signed)
        for signed in segments:
            entry = open_segment(self.desk.crypto, self.desk.place.cluster, signed)
            job = self.desk.jobs.get(JobId(entry.segment.job))
            if job is not None and job.ledger.add(entry):
                self.desk.keep(job, entry)
                job.state.apply(entry)
        self.desk.effects.clear()  # it is in the journal already
        for job in self.desk.jobs.values():
            if job.state.phase is Phase.RUNNING:
                self.holding.resume(job)
                self.placing.resume(job, now)
        return self._settle(now)

    def is_watching(self, job: JobId) -> bool:
        """Whether the whole ledger of somebody else's job is kept up to date here."""
        return job in self._watching

    def summaries(self) -> list[Summary]:
        """The jobs that were submitted here, oldest first."""
        return [self.summary(job) for job in self.desk.jobs.values() if job.origin == self.desk.me]

    def summary(self, job: Job) -> Summary:
        state = job.state
        return Summary(
            job.id, job.origin, job.spec.name, state.phase.value, state.results, state.size, job.spec.created_s,
            state.ended_s or 0.0,
        )  # fmt: skip

    def _submit(self, event: Submit, now: float) -> None:
        if not self.desk.near.may_submit(self.desk.me):
            self.desk.effects.append(Reply(event.request, b"", "this node's certificate does not allow it to submit"))
            return
        signed = sign(self.desk.crypto, self.desk.place.seed, Kind.JOB, self.desk.place.cluster, event.spec)
        job = self._add(signed)
        self.desk.effects.append(Save("job", job.id, encode(signed)))
        self.desk.effects.append(Reply(event.request, job.id, None))
        self.placing.begin(job, now)

    def _cancel(self, event: CancelJob, now: float) -> None:
        job = self.desk.jobs.get(event.job)
        if job is None:
            error: str | None = "no such job is known here"
        elif not self.desk.near.may_submit(self.desk.me):
            error = "this node's certificate does not allow it to submit or cancel jobs"
        elif job.state.phase is not Phase.RUNNING:
            error = f"the job has already ended: it is {job.state.phase.value}"
        else:
            error = None
            text = f"cancelled at {self.desk.place.name}"
            self.desk.say(job, Statement(StatementKind.CANCELLED, 0, 0, 0, now, text=text), ())
        self.desk.effects.append(Reply(event.request, b"", error))

    def _watch(self, event: WatchJob, now: float) -> None:
        job = self.desk.jobs.get(event.job)
        if job is not None and (self.desk.me in self.desk.replicas(job) or event.job in self._watching):
            self.desk.effects.append(Reply(event.request, event.job, None))
            return
        summary = self.listed.get(event.job)
        if job is None and summary is None:
            self.desk.effects.append(Reply(event.request, b"", "nobody in the cluster knows such a job"))
            return
        origin = job.origin if job is not None else NodeId(summary.origin)  # type: ignore[union-attr]
        self._watches[event.job] = _Question(event.request, {origin: None}, now + 5 * ANSWER_S)
        self._send(origin, LedgerWanted(event.job, job.ledger.vector() if job is not None else ()))

    def _show_ledger(self, peer: NodeId, message: LedgerWanted, now: float) -> None:
        job = self.desk.jobs.get(JobId(message.job))
        if job is None:
            return
        job.watchers[peer] = None
        vector = [(NodeId(author), boot, whole) for author, boot, whole in message.vector]
        for entry in job.ledger.beyond(vector):
            self.desk.delivery.offer(peer, job.id, entry.id, now)
        self._send(peer, Deliver(job.id, (), job.signed))

    def _answered(self, peer: NodeId, message: JobsAnswer) -> None:
        question = self._questions.get(message.question)
        if question is None or peer not in question.open:
            return
        for summary in message.jobs:
            if summary.origin == peer:  # nobody speaks for another's jobs
                self.listed[JobId(summary.job)] = summary
        while len(self.listed) > JOBS_MAX:
            del self.listed[next(iter(self.listed))]
        del question.open[peer]
        if not question.open:
            del self._questions[message.question]
            self.desk.effects.append(Reply(question.request, b"", None))

    def _deliver(self, peer: NodeId, message: Deliver) -> None:
        job = self.desk.jobs.get(JobId(message.job))
        if job is None:
            if message.spec is None:
                self._send(peer, SpecWanted(message.job))
                return
            job = self._add(message.spec, JobId(message.job))
            self.desk.effects.append(Save("job", job.id, encode(job.signed)))
        job.informed[peer] = None
        names = tuple(name for name in (self._merge(job, signed) for signed in message.segments) if name is not None)
        if names:
            self._send(peer, Delivered(message.job, names))
        watch = self._watches.get(job.id)
        if watch is not None and peer in watch.open:
            del self._watches[job.id]
            self._watching[job.id] = None
            self.desk.effects.append(Reply(watch.request, job.id, None))

    def _merge(self, job: Job, signed: Signed) -> SegmentId | None:
        """Take in one segment; its name if we have it now."""
        segment = decode(Segment, signed.body)
        name = (NodeId(signed.author), segment.boot, segment.sequence)
        if name in job.ledger:
            return name
        if not self.desk.near.is_certified(name[0]):
            return None  # not yet: it will be sent again, and the author's record is on its way
        entry = open_segment(self.desk.crypto, self.desk.place.cluster, signed)
        if job.ledger.add(entry):
            self.desk.heard(job, entry)
        return name

    def _add(self, signed: Signed, expected: JobId | None = None) -> Job:
        verify(self.desk.crypto, signed, Kind.JOB, self.desk.place.cluster)
        name = job_id(signed.signature + signed.body)
        if expected is not None and name != expected:
            raise RemoteProtocolError("a job's specification does not have the name it was sent under")
        spec = decode(JobSpec, signed.body)
        origin = NodeId(signed.author)
        job = Job(name, signed, spec, Ledger(name), JobState(spec, origin), self._ranks(spec))
        self._make_room()
        self.desk.jobs[name] = job
        self.desk.effects.append(Notify("job", name))
        return job

    def _ranks(self, spec: JobSpec) -> dict[str, float]:
        place, profile = self.desk.place, self.desk.profile
        by_name = spec.dag.by_name

        def run_s(task: str) -> float:
            return profile.run_s(program_name(spec.name, task), place.me, place.speed, by_name[task].expected_s)

        def transfer_s(parent: str, child: str) -> float:
            del child
            return by_name[parent].output_bytes / TYPICAL_BYTES_PER_S

        return spec.dag.upward_ranks(run_s, transfer_s)

    def _make_room(self) -> None:
        jobs = self.desk.jobs
        if len(jobs) < JOBS_MAX:
            return
        for job in list(jobs.values()):
            if job.state.phase is not Phase.RUNNING and not job.held:
                del jobs[job.id]
                self.desk.delivery.forget_job(job.id)
                return
        raise RemoteProtocolError(f"{JOBS_MAX} jobs are under way here: no room for another")

    def _settle(self, now: float) -> list[Effect]:
        """Let the roles react to all news, their own statements included, until there is none."""
        while True:
            while self.desk.news:
                job, author, statement = self.desk.news.popleft()
                self.replica.heard(job, author, statement, now)
                self.placing.heard(job, author, statement, now)
                self.holding.heard(job, author, statement, now)
            self.holding.start_ready(now)
            if not self.desk.news:
                return self._drain()

    def _dispatch(self, now: float) -> None:
        for peer, job_id_, names in self.desk.delivery.collect(now):
            job = self.desk.jobs[job_id_]
            batch: list[Signed] = []
            size = 0
            for name in names:
                signed = job.ledger[name].signed
                batch.append(signed)
                size += len(signed.body)
                if size >= MESSAGE_BYTES:
                    self._send_segments(peer, job, batch)
                    batch, size = [], 0
            if batch:
                self._send_segments(peer, job, batch)

    def _send_segments(self, peer: NodeId, job: Job, batch: list[Signed]) -> None:
        spec = None if peer in job.informed else job.signed
        job.informed[peer] = None
        self._send(peer, Deliver(job.id, tuple(batch), spec))

    def _send(self, peer: NodeId, message: object) -> None:
        self.desk.effects.append(Send(peer, self.frames.encode(message)))

    def _drain(self) -> list[Effect]:
        effects = self.desk.effects[:]
        self.desk.effects.clear()
        return effects
