"""Mail: the messages about jobs that nodes exchange (`jobmessages`), in and out.

What is delivered becomes news on the desk; what the desk has put on the way (`delivery`) is sent here. A replica
wants whole feeds: it confirms a segment when it has everything before it, and asks for what is missing.
"""

from collections.abc import Iterable
from typing import assert_never

from . import hearsay
from .codec import decode
from .desk import Desk
from .effects import Send
from .enquiries import Enquiries
from .frames import Frames
from .ids import JobId, NodeId
from .job import Job
from .jobmessages import FRAMES, Deliver, Delivered, JobsAnswer, JobsWanted, LedgerShown, LedgerWanted, SpecWanted
from .jobstate import Phase
from .ledger import Segment, SegmentId, Vector, open_segment
from .register import Register
from .signed import Signed
from .strangers import Strangers

MESSAGE_BYTES = 1024 * 1024
"""Segments are put into one message up to this size; a session carries four times as much."""

Message = Deliver | Delivered | SpecWanted | JobsWanted | JobsAnswer | LedgerWanted | LedgerShown


class Mail:
    """Reads and writes what concerns jobs."""

    def __init__(self, desk: Desk, register: Register, enquiries: Enquiries, strangers: Strangers) -> None:
        self.desk = desk
        self.strangers = strangers
        self.register = register
        self.enquiries = enquiries
        self._frames = Frames(FRAMES)

    def read(self, peer: NodeId, message: Message, now: float) -> None:
        """A message came over a session. Raises RemoteProtocolError if it cannot be believed."""
        match message:
            case Deliver():
                self._deliver(peer, message)
            case Delivered():
                self._delivered(peer, message)
            case SpecWanted():
                self._spec_wanted(peer, JobId(message.job))
            case JobsWanted():
                self.enquiries.asked(peer, message)
            case JobsAnswer():
                self.enquiries.answered(peer, message)
            case LedgerWanted():
                self._show_ledger(peer, message)
            case LedgerShown():
                job = self._known(message.job, message.spec)
                self.enquiries.shown(peer, job, _vector(message.vector), now)
            case _:
                assert_never(message)

    def send_due(self, now: float) -> None:
        """Send what is due."""
        for peer, job_id_, names in self.desk.delivery.collect(now):
            self.strangers.meet(peer, now)
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
        news = hearsay.news_for(job, peer) if job.changes and self.desk.leads(job) else ()
        self._send(peer, Deliver(job.id, tuple(batch), spec, news))

    def _send(self, peer: NodeId, message: object) -> None:
        self.desk.effects.append(Send(peer, self._frames.encode(message)))

    def _deliver(self, peer: NodeId, message: Deliver) -> None:
        job = self.desk.jobs.get(JobId(message.job))
        if job is None:
            if message.spec is None:
                self._send(peer, SpecWanted(message.job))
                return
            job = self._known(message.job, message.spec)
        job.informed[peer] = None
        if peer in self.desk.replicas(job):
            hearsay.hear(job, message.news)
        names = [name for name in (self._merge(job, signed) for signed in message.segments) if name is not None]
        if self.desk.me in self.desk.replicas(job):
            names = self._ask_for_gaps(peer, job, names)
        if names:
            self._send(peer, Delivered(message.job, tuple(names)))
        self._note_end(peer, job, names)
        if job.state.is_over and peer not in job.informed_of_end:
            self.desk.tell_end(job, peer)
        self.enquiries.check(job)

    def _known(self, name: bytes, spec: Signed) -> Job:
        """The job of that name, of whose specification the origin need not be told: it may be 2 MB."""
        job = self.register.known(JobId(name), spec)
        job.informed[job.origin] = None
        return job

    def _ask_for_gaps(self, peer: NodeId, job: Job, names: list[SegmentId]) -> list[SegmentId]:
        """A replica confirms a segment to its author when it has the whole feed up to it; so it is offered again
        until it has. Of others' feeds a peer may have no more than that.

        One that hears of an end without seeing how it came has lost the last rows of its journal.
        """
        whole = [name for name in names if name[0] != peer or job.ledger.is_whole_up_to(name)]
        has_forgotten = job.state.concluded and job.state.phase is Phase.RUNNING
        if has_forgotten or len(whole) < len(names):
            self._send(peer, LedgerWanted(job.id, job.ledger.vector()))
        return whole

    def _merge(self, job: Job, signed: Signed) -> SegmentId | None:
        """Take in one segment; its name if we have it now."""
        segment = decode(Segment, signed.body)
        name = (NodeId(signed.author), segment.boot, segment.sequence)
        if name in job.ledger:
            return name
        if not self.desk.near.is_certified(name[0]):
            return None  # not yet: it will be sent again, and the author's record is on its way
        entry = open_segment(self.desk.crypto, self.desk.place.cluster, signed)
        job.ledger.add(entry)
        self.desk.heard(job, entry)
        return name

    def _delivered(self, peer: NodeId, message: Delivered) -> None:
        names = tuple((NodeId(author), boot, sequence) for author, boot, sequence in message.segments)
        self.desk.delivery.arrived(peer, JobId(message.job), names)
        job = self.desk.jobs.get(JobId(message.job))
        if job is not None:
            self._note_end(peer, job, names)

    def _note_end(self, peer: NodeId, job: Job, names: Iterable[SegmentId]) -> None:
        """A peer has these segments: does it know that the job is over?"""
        if job.endings and any(name in job.endings for name in names):
            job.informed_of_end[peer] = None

    def _spec_wanted(self, peer: NodeId, job_id_: JobId) -> None:
        job = self.desk.jobs.get(job_id_)
        if job is not None:
            job.informed.pop(peer, None)
            self.desk.delivery.again(peer)

    def _show_ledger(self, peer: NodeId, message: LedgerWanted) -> None:
        job = self.desk.jobs.get(JobId(message.job))
        if job is None:
            return
        for entry in job.ledger.beyond(_vector(message.vector)):
            self.desk.offer(job, peer, entry.id)
        if message.follow:
            job.watchers[peer] = None
            self._send(peer, LedgerShown(job.id, job.signed, job.ledger.vector()))


def _vector(wire: tuple[tuple[bytes, int, int], ...]) -> Vector:
    return tuple((NodeId(author), boot, whole) for author, boot, whole in wire)
