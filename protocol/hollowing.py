"""Hollowing: this node's ledgers of long streams lose the segments that say nothing any more (`hollows`).

    whole --all its statements are about settled items, and the next segment is here--> hollow

What is hollow cannot be sent to anybody. Whoever is sent the segment that follows a run is told the run with it, and
adopts it if that segment names its end, and it replaces nothing but void segments: what a node has of an item that is
not settled in its own eyes stays, and it asks again when it is. That a run says nothing any more is believed of those
who keep the job; how long it is need not be.
In the journal the row of a run takes the place of its segments' rows. It is written before they are taken out, so
that whatever is lost by a crash, each segment is in one or in both.
"""

from collections.abc import Iterable

from .codec import encode
from .desk import Desk, hollow_row, segment_row
from .effects import Erase, Save
from .hollows import Changes, Run
from .ids import JobId, NodeId
from .job import Job
from .jobmessages import Hollow, WireRun
from .ledger import FeedId, ForkError, SegmentId


class Hollowing:
    """The ledgers of all streams."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def sweep(self) -> None:
        """Hollow what has become void since the last time."""
        due, self.desk.voided = self.desk.voided, {}
        for job in filter(None, map(self.desk.jobs.get, due)):
            segments = job.mentions.take(job.ledger)
            entries = [job.ledger[segment] for segment in segments]
            for feed, changes in job.ledger.hollow(segments).items():
                self._journal(job.id, feed, changes)
            self.desk.effects += [Erase("segment", segment_row(job.id, entry)) for entry in entries]

    def before(self, job: Job, segments: Iterable[SegmentId]) -> tuple[WireRun, ...]:
        """What has to be told with these segments."""
        runs = ((segment, job.ledger.run_before(segment)) for segment in segments)
        return tuple(_wire((author, boot), run) for (author, boot, _), run in runs if run is not None)

    def adopt(self, job: Job, runs: Iterable[WireRun]) -> None:
        """Somebody who keeps the job says what it has hollowed. Raises RemoteProtocolError if that is too much."""
        for wire in runs if job.state.settlement.possible else ():
            feed, run = _read(wire)
            if feed == (self.desk.me, self.desk.place.boot):
                continue  # there is nothing in it that we have not written, and what follows is for us to write
            if not job.ledger.proves(feed, run):
                continue
            try:
                changes, replaced = job.ledger.adopt(feed, run, job.mentions.void.__contains__)
            except ForkError:
                continue  # whoever passes it on is not to blame, and what came first counts here
            self._journal(job.id, feed, changes)
            for entry in replaced:
                job.mentions.forget(entry.id)
                self.desk.effects.append(Erase("segment", segment_row(job.id, entry)))

    def restore(self, rows: list[Hollow]) -> None:
        """Take up what the journal of an earlier run of this node holds, before its segments."""
        for row in rows:
            job = self.desk.jobs.get(JobId(row.job))
            if job is not None:
                for wire in row.runs:
                    job.ledger.adopt(*_read(wire))

    def strays(self, rows: list[Hollow]) -> list[Erase]:
        """Rows that a crash has left although they are a part of others, or their job is forgotten."""
        jobs = self.desk.jobs
        firsts = {(job.id, feed, run.first): None for job in jobs.values() for feed, run in job.ledger.runs()}
        read = [(JobId(row.job), *_read(wire)) for row in rows for wire in row.runs]
        stray = [(job, feed, run.first) for job, feed, run in read if (job, feed, run.first) not in firsts]
        return [Erase("hollow", hollow_row(*each)) for each in stray]

    def _journal(self, job: JobId, feed: FeedId, changes: Changes) -> None:
        for first, run in changes.items():
            if run is not None:
                row = encode(Hollow(job, (_wire(feed, run),)))
                self.desk.effects.append(Save("hollow", hollow_row(job, feed, first), row))
        gone = [first for first, run in changes.items() if run is None]
        self.desk.effects += [Erase("hollow", hollow_row(job, feed, first)) for first in gone]


def _wire(feed: FeedId, run: Run) -> WireRun:
    author, boot = feed
    return WireRun(author, boot, run.first, run.count, run.fingerprint.to_bytes(8, "big"), run.previous, run.last)


def _read(wire: WireRun) -> tuple[FeedId, Run]:
    run = Run(wire.first, wire.count, int.from_bytes(wire.fingerprint, "big"), wire.previous, wire.last)
    return (NodeId(wire.author), wire.boot), run
