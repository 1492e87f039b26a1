"""Mail: the messages about jobs that nodes exchange (`jobmessages`), in and out.

What is delivered becomes news on the desk; what the desk has put on the way (`delivery`) is sent here. A replica
wants whole feeds: it confirms a segment when it has everything before it, and asks for what is missing. Confirmations
of all that has come since the last tick go together.
"""

import math
from collections.abc import Iterable
from typing import assert_never

from . import hearsay
from .codec import decode
from .comparing import Comparing
from .desk import Desk
from .effects import Save, Send
from .enquiries import Enquiries
from .frames import Frames
from .guarding import Guarding
from .hollowing import Hollowing
from .ids import JobId, NodeId
from .job import Job
from .jobmessages import (
    CREDENTIALS_MAX,
    FRAMES,
    SEGMENTS_PER_MESSAGE_MAX,
    Compare,
    Deliver,
    Delivered,
    JobsAnswer,
    JobsWanted,
    LedgerShown,
    LedgerWanted,
    ShownCredential,
    SpecWanted,
)
from .jobstate import ENDINGS, Phase
from .ledger import Entry, ForkError, FullLedgerError, Segment, SegmentId, Vector, segment_digest
from .register import FullError, Register
from .signed import Kind, Signed, verify
from .strangers import Strangers

CONFIRM_S = 0.05
"""What comes within this time is confirmed together: half of all messages were confirmations. Who has sent it waits
forty times as long before it sends it again (`delivery.RESEND_S`)."""

MESSAGE_BYTES = 1024 * 1024
"""Segments are put into one message up to this size; a session carries four times as much."""

Message = Deliver | Delivered | SpecWanted | JobsWanted | JobsAnswer | LedgerWanted | LedgerShown | Compare


class Mail:
    """Reads and writes what concerns jobs."""

    def __init__(
        self,
        desk: Desk,
        register: Register,
        enquiries: Enquiries,
        strangers: Strangers,
        comparing: Comparing,
        guarding: Guarding,
        hollowing: Hollowing,
    ) -> None:
        self.desk = desk
        self.strangers = strangers
        self.register = register
        self.enquiries = enquiries
        self.comparing = comparing
        self.guarding = guarding
        self.hollowing = hollowing
        self._frames = Frames(FRAMES)
        self._arrived: dict[tuple[NodeId, JobId], dict[SegmentId, None]] = {}
        """What is still to be confirmed."""
        self.confirm_within_s = CONFIRM_S
        self._confirm_s = math.inf
        """When it is to be."""
        self._remembered: dict[NodeId, None] = {}
        """Authors of whom the journal says what they are certified by; as many at most as there are members."""

    @property
    def deadline(self) -> float:
        return min(self._confirm_s, self.desk.delivery.deadline)

    def read(self, peer: NodeId, message: Message, now: float) -> None:
        """A message came over a session. Raises RemoteProtocolError if it cannot be believed."""
        match message:
            case Deliver():
                self._deliver(peer, message, now)
            case Delivered():
                self._delivered(peer, message)
            case SpecWanted():
                self._spec_wanted(peer, JobId(message.job))
            case JobsWanted():
                self.enquiries.asked(peer, message)
            case JobsAnswer():
                self.enquiries.answered(peer, message)
            case LedgerWanted():
                self._show_ledger(peer, message, now)
            case LedgerShown():
                self._shown(peer, message, now)
            case Compare():
                self.comparing.read(peer, message, now)
            case _:
                assert_never(message)

    def send_due(self, now: float) -> None:
        """Confirm what has come, and send what is due."""
        if now >= self._confirm_s:
            self._confirm()
        for peer, job_id_, names in self.desk.delivery.collect(now):
            self.strangers.meet(peer, now)
            self._send_named(peer, self.desk.jobs[job_id_], names)

    def _confirm_soon(self, peer: NodeId, job: JobId, names: Iterable[SegmentId], now: float) -> None:
        self._arrived.setdefault((peer, job), {}).update(dict.fromkeys(names))
        self._confirm_s = min(self._confirm_s, now + self.confirm_within_s)

    def _confirm(self) -> None:
        for (peer, job_id_), segments in self._arrived.items():
            arrived = tuple(segments)
            for at in range(0, len(arrived), SEGMENTS_PER_MESSAGE_MAX):
                self._send(peer, Delivered(job_id_, arrived[at : at + SEGMENTS_PER_MESSAGE_MAX]))
        self._arrived.clear()
        self._confirm_s = math.inf

    def _send_named(self, peer: NodeId, job: Job, names: list[SegmentId]) -> None:
        batch: list[Entry] = []
        size = 0
        for name in names:
            entry = job.ledger.get(name)
            if entry is None:
                self._skip_hollow(peer, job, name)
                continue
            batch.append(entry)
            size += len(entry.signed.body)
            if size >= MESSAGE_BYTES:
                self._send_segments(peer, job, batch)
                batch, size = [], 0
        if batch:
            self._send_segments(peer, job, batch)

    def _skip_hollow(self, peer: NodeId, job: Job, name: SegmentId) -> None:
        """A segment was hollowed since it was put on the way: it says nothing any more. A replica gets the one that
        follows, and is told with it what there was."""
        self.desk.delivery.arrived(peer, job.id, (name,))
        follower = job.ledger.follower(name)
        if follower is not None and peer in job.replicas:
            self.desk.delivery.offer(peer, job.id, follower.id)

    def _send_segments(self, peer: NodeId, job: Job, batch: list[Entry]) -> None:
        spec = None if peer in job.informed else job.signed
        job.informed[peer] = None
        news = hearsay.news_for(job, peer) if job.changes and self.desk.leads(job) else ()
        segments = tuple(entry.signed for entry in batch)
        runs = self.hollowing.before(job, (entry.id for entry in batch))
        self._send(peer, Deliver(job.id, segments, spec, news, self._credentials(segments), runs))

    def _credentials(self, batch: tuple[Signed, ...]) -> tuple[ShownCredential, ...]:
        """What authors that are gone were certified by: newcomers are told of nobody who is dead (`push_pull`). Nor
        is whoever was restarted since; it remembers the certificate all the same."""
        authors = (NodeId(author) for author in dict.fromkeys(signed.author for signed in batch))
        gone = (author for author in authors if author != self.desk.me and not self._is_there(author))
        shown = (each for author in gone for each in self.desk.near.credentials_of(author))
        return tuple(dict.fromkeys(shown))[:CREDENTIALS_MAX]

    def _is_there(self, node: NodeId) -> bool:
        """Whether everybody has met it, or is about to."""
        return self.desk.near.is_known(node) and not self.desk.is_gone(node)

    def _send(self, peer: NodeId, message: object) -> None:
        self.desk.effects.append(Send(peer, self._frames.encode(message)))

    def _deliver(self, peer: NodeId, message: Deliver, now: float) -> None:
        self.desk.near.hear_of(tuple((NodeId(node), shown) for node, shown in message.credentials), now)
        job = self.desk.jobs.get(JobId(message.job))
        if job is None:
            if message.job in self.desk.released:
                self._let_go(peer, message, now)
                return
            if message.spec is None:
                self._send(peer, SpecWanted(message.job))
                return
            job = self._known(peer, message.job, message.spec)
            if job is None:
                return
        job.informed[peer] = None
        if peer in self.desk.replicas(job):
            hearsay.hear(job, message.news)
        merged = (self._merge(peer, job, signed) for signed in message.segments)
        names = [name for name in merged if name is not None]
        if message.runs and (peer in job.replicas or job.has_asked(peer)):
            self.hollowing.adopt(job, message.runs)
        if self.desk.keeps(job):
            names = self._ask_for_gaps(peer, job, names, now)
        if names:
            self._confirm_soon(peer, job.id, names, now)
        self._note_end(peer, job, names)
        if job.state.is_over and peer not in job.informed_of_end:
            self.desk.tell_end(job, peer)
        self.enquiries.check(job, now)
        self.guarding.check(job)

    def _let_go(self, peer: NodeId, message: Deliver, now: float) -> None:
        """The job was released here: take nothing in, but let nobody go on telling us about it."""
        segments = [decode(Segment, signed.body) for signed in message.segments]
        authors = (NodeId(signed.author) for signed in message.segments)
        names = ((author, each.boot, each.sequence) for author, each in zip(authors, segments, strict=True))
        self._confirm_soon(peer, JobId(message.job), names, now)
        # whoever has released it, too, may have kept another segment that says so, and would answer for ever
        if not any(statement.kind in ENDINGS for each in segments for statement in each.statements):
            self.comparing.tell_end(peer, JobId(message.job))

    def _known(self, peer: NodeId, name: bytes, spec: Signed) -> Job | None:
        """The job of that name, of whose specification the origin need not be told: it may be 2 MB. None if there is
        no room for it: then nothing is confirmed, and it is offered again."""
        try:
            job = self.register.known(JobId(name), spec, peer)
        except FullError:
            return None
        job.informed[job.origin] = None
        return job

    def _ask_for_gaps(self, peer: NodeId, job: Job, names: list[SegmentId], now: float) -> list[SegmentId]:
        """A replica confirms a segment to its author when it has the whole feed up to it; so it is offered again
        until it has. Of others' feeds a peer may have no more than that, but if that run of its author is over it is
        asked. Nor need it have more of what it said in an earlier run: its journal may have lost that, or be an old
        copy.

        One that hears of an end without seeing how it came has lost the last rows of its journal.
        """
        missing = (name for name in names if name in job.ledger and not job.ledger.is_whole_up_to(name))
        gaps = dict.fromkeys(missing)
        theirs = self.desk.near.boot_of(peer)
        whole = [name for name in names if name not in gaps or name[0] != peer or name[1] < theirs]
        has_forgotten = job.state.concluded and job.state.phase is Phase.RUNNING
        if has_forgotten or any(author == peer or self.desk.is_past(author, boot) for author, boot, _ in gaps):
            self.comparing.want(job, peer, now)
        return whole

    def _merge(self, peer: NodeId, job: Job, signed: Signed) -> SegmentId | None:
        """Take in one segment; its name if it need not be sent again."""
        segment = decode(Segment, signed.body)
        name = (NodeId(signed.author), segment.boot, segment.sequence)
        known = job.ledger.get(name)
        if name in job.ledger and (known is None or known.signed.signature == signed.signature):
            return name
        if not self.desk.near.is_certified(name[0]):
            return None  # not yet: it will be sent again, and the author's record is on its way
        verify(self.desk.crypto, signed, Kind.SEGMENT, self.desk.place.cluster)
        entry = Entry(signed, segment, segment_digest(signed))
        try:
            job.ledger.add(entry)
        except ForkError:
            self.comparing.refused(job, peer, name)
            if name[0] == peer:
                raise
            return name  # whoever passes it on is not to blame, and what came first counts here
        except FullLedgerError:
            return None
        self._remember(name[0])
        self.desk.heard(job, entry)
        return name

    def _remember(self, author: NodeId) -> None:
        """Journal what an author is certified by whom this node has never met: after a restart it could not show it.
        The others are remembered as members."""
        if author not in self._remembered:
            self._remembered[author] = None
            if not self.desk.near.is_known(author):
                shown = self.desk.near.credentials_of(author)
                self.desk.effects += [Save("credential", *each) for each in shown]

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

    def _show_ledger(self, peer: NodeId, message: LedgerWanted, now: float) -> None:
        job = self.desk.jobs.get(JobId(message.job))
        if job is None:
            if message.job in self.desk.released:
                self.comparing.tell_end(peer, JobId(message.job))
            return
        vector = _vector(message.vector)
        if not vector and not self.desk.delivery.is_showing(peer, job.id):
            job.informed.pop(peer, None)  # it asks for everything
        if not self.desk.is_gone(peer):
            self.desk.delivery.show(peer, job.id, job.ledger.beyond(vector + _vector(message.refused)))
        self.guarding.shown(job, vector)
        if message.mutual:
            self.comparing.want(job, peer, now)
        self.comparing.asked(job, peer, now)
        if message.follow:
            job.watchers[peer] = None
            self._send(peer, LedgerShown(job.id, None if vector else job.signed, job.ledger.vector()))

    def _shown(self, peer: NodeId, message: LedgerShown, now: float) -> None:
        spec, job = message.spec, self.desk.jobs.get(JobId(message.job))
        if job is None and spec is not None:
            job = self._known(peer, message.job, spec)
        if job is not None:
            self.enquiries.shown(peer, job, _vector(message.vector), now)


def _vector(wire: tuple[tuple[bytes, int, int], ...]) -> Vector:
    return tuple((NodeId(author), boot, whole) for author, boot, whole in wire)
