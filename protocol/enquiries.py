"""Enquiries: what people at this node ask about the cluster's jobs, which takes other nodes to answer.

Which jobs there are is asked of everybody (FindJobs); each node answers for those that it keeps. To see one that is
kept elsewhere (WatchJob), this node asks one of its replicas for the whole ledger, and for what follows; if that does
not answer, or dies, or stops being a replica, the next. So a job can be followed wherever it is, whoever is lost.

Whoever tells us what follows forgets us when it takes us for dead, which we need not notice. So it is asked again
every WATCH_S, until the job is over and nothing of it is lacking any more; or until it has been asked UNANSWERED_MAX
times after the end and has not shown it: who has released a job says no more than that it is over (`retention`).
"""

import math

from .comparing import wanted
from .desk import Desk
from .effects import Effect, Reply, Send
from .events import FindJobs, WatchJob
from .frames import Frames
from .ids import JobId, NodeId
from .job import Job
from .jobmessages import FRAMES, SUMMARIES_MAX, JobsAnswer, JobsWanted, LedgerWanted, Summary
from .ledger import Vector
from .timers import Timers
from .values import dataclass, field

LISTED_MAX = 4096
"""Summaries of others' jobs that are remembered: as many as a node remembers jobs."""

ANSWER_S = 1.0
"""How long a question to everybody waits for those who do not answer."""

LEDGER_S = 5.0
"""How long a node may take to say that it shows a ledger: it may have to be dialled first. And again for the ledger:
at 100 MB/s a full one, and less than a driver waits for a reply."""


WATCH_S = 10.0
"""Somebody who looks on sees nothing new for so long after a cut that only the others have noticed."""


UNANSWERED_MAX = 3
"""One question, or its answer, may be lost with a session."""


@dataclass(slots=True)
class _Question:
    request: int
    open: dict[NodeId, None]
    due_s: float


@dataclass(slots=True)
class _Watch:
    """A ledger that was asked for."""

    untried: list[NodeId]
    """Who may be asked if this one does not answer."""
    asked: NodeId | None = None
    due_s: float = -math.inf
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
        self._keepers: dict[JobId, dict[NodeId, None]] = {}
        """Who has answered for a job that is listed."""
        self._again: Timers[JobId] = Timers()
        """When to ask again for what follows."""
        self._counter = 0

    @property
    def deadline(self) -> float:
        if not self._questions and not self._watches:
            return self._again.deadline
        questions = [question.due_s for question in self._questions.values()]
        return min(self._again.deadline, *questions, *(watch.due_s for watch in self._watches.values()))

    def find(self, event: FindJobs, peers: tuple[NodeId, ...], now: float) -> list[Effect]:
        """Ask these peers for their jobs; the Reply comes when all have answered, or after ANSWER_S."""
        if not peers:
            return [Reply(event.request, b"", None)]
        self._counter += 1
        self._questions[self._counter] = _Question(event.request, dict.fromkeys(peers), now + ANSWER_S)
        question = self._frames.encode(JobsWanted(self._counter))
        return [Send(peer, question) for peer in peers]

    def asked(self, peer: NodeId, message: JobsWanted) -> None:
        """A node wants to know which jobs are kept here."""
        newest = tuple(self.summaries()[-SUMMARIES_MAX:])
        self._send(peer, JobsAnswer(message.question, newest))

    def answered(self, peer: NodeId, message: JobsAnswer) -> None:
        """A node says which jobs it keeps. Of what several say of one the furthest counts."""
        question = self._questions.get(message.question)
        if question is None or peer not in question.open:
            return
        for summary in message.jobs:
            job_id = JobId(summary.job)
            known = self.listed.get(job_id)
            if known is None or _further(summary, known):
                self.listed[job_id] = summary
            self._keepers.setdefault(job_id, {})[peer] = None
        while len(self.listed) > LISTED_MAX:
            oldest = next(iter(self.listed))
            del self.listed[oldest], self._keepers[oldest]
        del question.open[peer]
        if not question.open:
            del self._questions[message.question]
            self.desk.effects.append(Reply(question.request, b"", None))

    def watch(self, event: WatchJob, now: float) -> None:
        """Have the whole ledger of a job here from now on."""
        job = self.desk.jobs.get(event.job)
        if job is not None and (self._is_kept(job) or self.is_watching(job.id)):
            self.desk.effects.append(Reply(event.request, event.job, None))
            return
        candidates = self._candidates(event.job)
        if job is None and not candidates:
            self.desk.effects.append(Reply(event.request, b"", "nobody in the cluster knows such a job"))
            return
        watch = self._watches.setdefault(event.job, _Watch(candidates))
        watch.requests.append(event.request)
        if watch.asked is None:
            self._ask_next(event.job, watch, now)
        else:  # it may not have heard us
            self._ask(event.job, watch.asked)

    def shown(self, peer: NodeId, job: Job, vector: Vector, now: float) -> None:
        """A node is sending us its ledger of a job."""
        watch = self._watches.get(job.id)
        if watch is not None and watch.asked == peer:
            watch.vector, watch.due_s = vector, now + LEDGER_S
            self.check(job, now)
        elif job.told_by == peer:
            job.unanswered = 0
            if job.state.is_over and not job.lacks(peer, vector):
                self._again.cancel(job.id)

    def check(self, job: Job, now: float) -> None:
        """If the ledger of a job has arrived say so to whoever waits for it."""
        watch = self._watches.get(job.id)
        if watch is None or watch.asked is None or watch.vector is None or job.lacks(watch.asked, watch.vector):
            return
        del self._watches[job.id]
        job.told_by = watch.asked
        if not job.state.is_over:
            self._again.set(job.id, now + WATCH_S)
        self.desk.effects += [Reply(request, job.id, None) for request in watch.requests]

    def is_watching(self, job: JobId) -> bool:
        """Whether the whole ledger of somebody else's job is kept up to date here."""
        return job in self.desk.jobs and self.desk.jobs[job].told_by is not None

    def back(self, peer: NodeId) -> None:
        """A member has come back and may have forgotten who watches its jobs."""
        for job in self.desk.jobs.values():
            if job.told_by == peer:
                self._follow(job, peer)

    def changed(self, job: Job) -> None:
        """Others keep a job now: who does not keep it any more does not hear of it any more."""
        if job.told_by is not None and self.desk.keeps(job):
            job.told_by = None
            self._again.cancel(job.id)
        elif job.told_by is not None and job.told_by not in job.replicas and job.replicas:
            self._follow(job, job.replicas[0])

    def gone(self, peer: NodeId, now: float) -> None:
        """A member is gone: do not wait for its answer."""
        for job_id, watch in tuple(self._watches.items()):
            if watch.asked == peer:
                self._ask_next(job_id, watch, now)

    def tick(self, now: float) -> None:
        """Let nobody wait longer than was promised."""
        for number in [number for number, question in self._questions.items() if question.due_s <= now]:
            self.desk.effects.append(Reply(self._questions.pop(number).request, b"", None))
        for job_id, watch in [(job, watch) for job, watch in self._watches.items() if watch.due_s <= now]:
            self._ask_next(job_id, watch, now)
        for job_id in self._again.due(now):
            job = self.desk.jobs.get(job_id)
            if job is not None and job.told_by is not None:
                self._ask_again(job, job.told_by, now)

    def summaries(self) -> list[Summary]:
        """The jobs that are kept here, oldest first."""
        return [summary_of(job) for job in self.desk.jobs.values() if self._is_kept(job)]

    def _is_kept(self, job: Job) -> bool:
        """Whether this node has the whole job, or is about to."""
        return job.origin == self.desk.me or self.desk.keeps(job)

    def _candidates(self, job_id: JobId) -> list[NodeId]:
        """Who may have the whole ledger of a job."""
        job = self.desk.jobs.get(job_id)
        named = dict.fromkeys((*(() if job is None else job.replicas), *self._keepers.get(job_id, ())))
        return [node for node in named if node != self.desk.me and not self.desk.is_gone(node)]

    def _ask_next(self, job_id: JobId, watch: _Watch, now: float) -> None:
        """Ask the next of those who may have it; if there is nobody left say so."""
        watch.untried = [node for node in watch.untried if not self.desk.is_gone(node)]
        if not watch.untried:
            del self._watches[job_id]
            reason = "no node that keeps it answers"
            self.desk.effects += [Reply(request, b"", reason) for request in watch.requests]
            return
        watch.asked, *watch.untried = watch.untried
        watch.vector, watch.due_s = None, now + LEDGER_S
        self._ask(job_id, watch.asked)

    def _follow(self, job: Job, node: NodeId) -> None:
        """From now on be told by this one."""
        job.told_by, job.unanswered = node, 0
        if job.id in self._again:
            self._ask(job.id, node)

    def _ask_again(self, job: Job, told_by: NodeId, now: float) -> None:
        if job.state.is_over:
            job.unanswered += 1
        if job.unanswered <= UNANSWERED_MAX:
            self._ask(job.id, told_by)
            self._again.set(job.id, now + WATCH_S)

    def _ask(self, job_id: JobId, node: NodeId) -> None:
        job = self.desk.jobs.get(job_id)
        self._send(node, LedgerWanted(job_id, (), follow=True) if job is None else wanted(job, node, follow=True))

    def _send(self, peer: NodeId, message: object) -> None:
        self.desk.effects.append(Send(peer, self._frames.encode(message)))


def summary_of(job: Job) -> Summary:
    """A job in a listing."""
    state = job.state
    return Summary(
        job.id, job.origin, job.spec.name, state.phase.value, state.results, state.size, job.spec.created_s,
        state.ended_s or 0.0,
    )  # fmt: skip


def _further(summary: Summary, known: Summary) -> bool:
    return (summary.ended_s > 0, summary.done) > (known.ended_s > 0, known.done)
