"""Enquiries: what people at this node ask about the cluster's jobs, which takes other nodes to answer.

Which jobs there are is asked of everybody (FindJobs); each node answers for those that were submitted to it. To see
one of somebody else's (WatchJob), this node asks the job's origin for the whole ledger, and for what follows.
"""

import math
from dataclasses import dataclass, field

from .desk import Desk
from .effects import Effect, Reply, Send
from .events import FindJobs, WatchJob
from .frames import Frames
from .ids import JobId, NodeId
from .job import Job
from .jobmessages import FRAMES, SUMMARIES_MAX, JobsAnswer, JobsWanted, LedgerWanted, Summary
from .ledger import Vector

LISTED_MAX = 4096
"""Summaries of others' jobs that are remembered: as many as a node remembers jobs."""

ANSWER_S = 1.0
"""How long a question to everybody waits for those who do not answer."""

LEDGER_S = 5.0
"""How long a node may take to say that it shows a ledger: it may have to be dialled first. And again for the ledger:
at 100 MB/s a full one, and less than a driver waits for a reply."""


@dataclass(slots=True)
class _Question:
    request: int
    open: dict[NodeId, None]
    due_s: float


@dataclass(slots=True)
class _Watch:
    """A ledger that was asked for."""

    origin: NodeId
    due_s: float
    requests: list[int] = field(default_factory=list)
    vector: Vector | None = None
    """How much there was of it when we were answered."""


class Enquiries:
    """Questions that wait for an answer, and the jobs that are watched."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.listed: dict[JobId, Summary] = {}
        """What other nodes answered when asked for their jobs."""
        self._frames = Frames(FRAMES)
        self._questions: dict[int, _Question] = {}
        self._watches: dict[JobId, _Watch] = {}
        self._watching: dict[JobId, None] = {}
        self._counter = 0

    @property
    def deadline(self) -> float:
        if not self._questions and not self._watches:
            return math.inf
        questions = [question.due_s for question in self._questions.values()]
        return min(questions + [watch.due_s for watch in self._watches.values()])

    def find(self, event: FindJobs, peers: tuple[NodeId, ...], now: float) -> list[Effect]:
        """Ask these peers for their jobs; the Reply comes when all have answered, or after ANSWER_S."""
        if not peers:
            return [Reply(event.request, b"", None)]
        self._counter += 1
        self._questions[self._counter] = _Question(event.request, dict.fromkeys(peers), now + ANSWER_S)
        question = self._frames.encode(JobsWanted(self._counter))
        return [Send(peer, question) for peer in peers]

    def asked(self, peer: NodeId, message: JobsWanted) -> None:
        """A node wants to know which jobs were submitted here."""
        newest = tuple(self.summaries()[-SUMMARIES_MAX:])
        self._send(peer, JobsAnswer(message.question, newest))

    def answered(self, peer: NodeId, message: JobsAnswer) -> None:
        """A node says which jobs were submitted to it."""
        question = self._questions.get(message.question)
        if question is None or peer not in question.open:
            return
        for summary in message.jobs:
            if summary.origin == peer:  # nobody speaks for another's jobs
                self.listed[JobId(summary.job)] = summary
        while len(self.listed) > LISTED_MAX:
            del self.listed[next(iter(self.listed))]
        del question.open[peer]
        if not question.open:
            del self._questions[message.question]
            self.desk.effects.append(Reply(question.request, b"", None))

    def watch(self, event: WatchJob, now: float) -> None:
        """Have the whole ledger of a job here from now on."""
        job = self.desk.jobs.get(event.job)
        if job is not None and (self.desk.me in self.desk.replicas(job) or self.is_watching(job.id)):
            self.desk.effects.append(Reply(event.request, event.job, None))
            return
        summary = self.listed.get(event.job)
        origin = job.origin if job is not None else NodeId(summary.origin) if summary is not None else None
        if origin is None:
            self.desk.effects.append(Reply(event.request, b"", "nobody in the cluster knows such a job"))
            return
        watch = self._watches.setdefault(event.job, _Watch(origin, now + LEDGER_S))
        watch.requests.append(event.request)
        self._send(origin, LedgerWanted(event.job, job.ledger.vector() if job is not None else (), follow=True))

    def shown(self, peer: NodeId, job: Job, vector: Vector, now: float) -> None:
        """A node is sending us its ledger of a job."""
        watch = self._watches.get(job.id)
        if watch is not None and watch.origin == peer:
            watch.vector, watch.due_s = vector, now + LEDGER_S
            self.check(job)

    def check(self, job: Job) -> None:
        """If the ledger of a job has arrived say so to whoever waits for it."""
        watch = self._watches.get(job.id)
        if watch is not None and watch.vector is not None and not job.ledger.lacks(watch.vector):
            del self._watches[job.id]
            self._watching[job.id] = None
            self.desk.effects += [Reply(request, job.id, None) for request in watch.requests]

    def is_watching(self, job: JobId) -> bool:
        """Whether the whole ledger of somebody else's job is kept up to date here."""
        return job in self._watching

    def back(self, peer: NodeId) -> None:
        """A member has come back and may have forgotten who watches its jobs."""
        for job_id in self._watching:
            job = self.desk.jobs.get(job_id)
            if job is not None and job.origin == peer and not job.state.is_over:
                self._send(peer, LedgerWanted(job.id, job.ledger.vector(), follow=True))

    def tick(self, now: float) -> None:
        """Let nobody wait longer than was promised."""
        for number in [number for number, question in self._questions.items() if question.due_s <= now]:
            self.desk.effects.append(Reply(self._questions.pop(number).request, b"", None))
        for job in [job for job, watch in self._watches.items() if watch.due_s <= now]:
            reason = "the node it was submitted to does not answer"
            self.desk.effects += [Reply(request, b"", reason) for request in self._watches.pop(job).requests]

    def summaries(self) -> list[Summary]:
        """The jobs that were submitted here, oldest first."""
        return [summary_of(job) for job in self.desk.jobs.values() if job.origin == self.desk.me]

    def _send(self, peer: NodeId, message: object) -> None:
        self.desk.effects.append(Send(peer, self._frames.encode(message)))


def summary_of(job: Job) -> Summary:
    """A job in a listing."""
    state = job.state
    return Summary(
        job.id, job.origin, job.spec.name, state.phase.value, state.results, state.size, job.spec.created_s,
        state.ended_s or 0.0,
    )  # fmt: skip
