"""The office: where a node's user gets answers. It implements `contract.NodeApi` over the running node.

Questions about the cluster read the core's state, which this thread owns together with the driver; everything that
changes something goes through the driver as an event, like what comes from the network.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import trio

from pnode.mappers.imagine import UnplaceableError, imagine
from pnode.protocol.effects import Fetch
from pnode.protocol.events import CancelJob, FindJobs, ResultsPulled, WatchJob
from pnode.protocol.ids import JobId, NodeId, cluster_id, job_text, node_text
from pnode.protocol.job import Job
from pnode.protocol.jobs import Jobs
from pnode.protocol.jobspec import REPLICAS, FileRef
from pnode.protocol.jobstate import Attempt, Phase, UnitKey
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.record import NodeRecord

from .api import (
    CandidateScore,
    Explanation,
    Invitation,
    JobDetail,
    JobStatus,
    LogChunk,
    Mapped,
    NodeState,
    NodeStatus,
    NotReadyError,
    PeerStatus,
    Placement,
    Pulled,
    PulledFile,
    Recorded,
    RefusedError,
    Stream,
    Submitted,
    match_job,
)
from .api_links import LinkStatus, Probed
from .api_trials import Profiled
from .directory import Directory
from .driver import Driver, either
from .enrolment import EnrolmentError, invite
from .explanations import explanations
from .installation import DISTRIBUTION, version
from .keepers import holders_of, why_nowhere
from .linkreport import link_statuses
from .plain import Instant
from .recording import recording, write_recording
from .reports import job_detail, job_status, listed_status, peer_status, role_names, units_called
from .results import Result, check_places, place_results
from .submission import Submission, load, mapper_called
from .transfer import FetchError
from .trials import Trials
from .trouble import MissingContentError
from .wayreport import with_reach, with_ways

if TYPE_CHECKING:
    from .node import Node

FOLLOWED_PAUSE = 9.0
"""Times as long as it took to tell how far a job is, before it is told again: a large one changes all the time."""

SCORES_MAX = 10
"""Candidates shown for a placement."""

LOG_CHUNK_BYTES = 100_000
"""Of a task's output in one piece."""

LOG_FILE_BYTES_MAX = 64 * 1024 * 1024
"""What the executor lets a task print at most."""


class Office:
    """`contract.NodeApi` for one node."""

    def __init__(self, node: "Node") -> None:
        self.node = node

    async def status(self) -> NodeStatus:
        node = self.node
        member = node.peer is not None and node.peer.is_member
        record = self._neighbours().membership.record if member else None
        state: NodeState = "ready" if node.ready else ("starting" if node.peer is None else "joining")
        waits_for = "a member of the cluster to answer" if state == "joining" else "its journal to be taken up"
        reason = "" if node.ready else f"waiting for {waits_for}"
        status = NodeStatus(
            state=state,
            reason=reason,
            name=node.name,
            id=node_text(node.me),
            key=node.me.hex(),
            cluster=cluster_id(node.enrolment.cluster.authority_key).hex(),
            founded=bool(node.enrolment.cluster.authority_seed),
            addresses=() if node.peer is None else tuple(map(str, node.peer.facts.addresses)),
            roles=() if record is None else role_names(record.roles),
            peers=len(self._neighbours().membership.alive()) if member else 0,
            version=version(DISTRIBUTION),
            pid=os.getpid(),
            started_at=Instant(node.started_s),
            uptime_s=node.clock() - node.started_s,
            home=node.options.home,
            emulated_speed=node.options.emulated_speed,
            resumed=node.resumed,
            sent_datagrams=node.transport.sent_datagrams,
            sent_bytes=node.transport.sent_bytes,
        )
        return with_reach(status, node)

    async def peers(self) -> tuple[PeerStatus, ...]:
        membership = self._neighbours().membership
        known = [(member.node, member.record) for member in membership.members.values()]
        known.sort(key=lambda pair: (pair[1].name, pair[0]))
        return tuple(self._peer(node, record) for node, record in [(self.node.me, membership.record), *known])

    async def links(self) -> tuple[LinkStatus, ...]:
        return link_statuses(self._neighbours(), self.node.profile, self.node.clock())

    def profile_network(self) -> AsyncGenerator[Probed, None]:
        return self.node.probing.probe_all(self._neighbours(), self._driver().deliver)

    def submit(
        self, dag: Path, inputs: tuple[Path, ...], mapper: str, name: str | None, replicas: int | None
    ) -> AsyncGenerator[Submitted, None]:
        submission = Submission(self.node, self._driver(), self._jobs(), self._neighbours())
        return submission.submit(dag, inputs, mapper, name, REPLICAS if replicas is None else replicas)

    async def map(self, dag: Path, inputs: tuple[Path, ...], mapper: str) -> Mapped:
        chosen = mapper_called(mapper)
        neighbours = self._neighbours()
        application = await load(dag, inputs)
        sizes = [(await trio.Path(path).stat()).st_size for path in application.inputs]
        view = neighbours.view_of(application.name, application.dag, None, self.node.clock())
        try:
            placed = imagine(application.dag, view, chosen, Random(0), input_bytes=float(sum(sizes)))  # noqa: S311
        except UnplaceableError as error:
            raise RefusedError(str(error)) from None
        placements = tuple(
            Placement(
                task,
                neighbours.name_of(place.node),
                node_text(place.node),
                tuple(
                    CandidateScore(
                        neighbours.name_of(score.node), score.total, score.inputs_s, score.queue_s, score.run_s
                    )
                    for score in place.choice.ranking[:SCORES_MAX]
                ),
            )
            for task, place in placed.items()
        )
        return Mapped(mapper, placements, application.notices)

    def profile(
        self, dag: Path, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int
    ) -> AsyncGenerator[Profiled, None]:
        return Trials(self.node, self._driver(), self._jobs(), self._neighbours()).run(dag, inputs, nodes, rounds)

    async def jobs(self) -> tuple[JobStatus, ...]:
        await self._driver().ask(FindJobs)
        jobs, directory, now = self._jobs(), self._directory(), self.node.clock()
        listed = {
            JobId(summary.job): listed_status(summary, directory, now) for summary in jobs.enquiries.listed.values()
        }
        own = {job.id: job_status(job, directory, now) for job in jobs.desk.jobs.values() if self._is_whole(job)}
        return tuple(sorted((listed | own).values(), key=lambda status: (status.submitted_at, status.id)))

    async def job(self, job: str) -> JobDetail:
        return self._detail(await self._find(job))

    async def follow(self, job: str) -> AsyncIterator[JobDetail]:
        found = await self._find(job)
        while True:
            changed, others = self._driver().change("job", found.id), self._driver().change("members", b"")
            began = trio.current_time()
            detail = self._detail(found)
            pause_s = FOLLOWED_PAUSE * (trio.current_time() - began)
            yield detail
            if detail.state != "running":  # what was shown, not what has become of it since
                return
            await either(changed, others)
            with trio.move_on_after(pause_s):
                while not found.state.is_over:
                    await self._driver().change("job", found.id).wait()
            if others.is_set():  # perhaps the one that had shown us the job is gone
                found = await self._watched_again(found)

    async def logs(self, job: str, task: str | None) -> AsyncIterator[LogChunk]:
        found = await self._find(job)
        wanted = units_called(found, task)
        for key in sorted(wanted):
            for _, attempt in sorted(found.state.unit(key).attempts.items()):
                if attempt.outcome is not None:
                    async for chunk in self._printed(found, key, attempt):
                        yield chunk

    async def explain(self, job: str, task: str) -> tuple[Explanation, ...]:
        found = await self._find(job)
        return explanations(found, units_called(found, task), self._jobs().desk, self._neighbours())

    async def pull(self, job: str, directory: Path) -> Pulled:
        found = await self._find(job)
        if found.state.phase is not Phase.DONE:
            how = {"running": "is still running", "failed": "has failed"}.get(
                found.state.phase.value, "was cancelled"
            )
            raise RefusedError(f"job {job_text(found.id)} {how}: there are results when it is done")
        results = place_results(found)
        check_places(results)
        with self._pinned(result.file.digest for result in results):
            for result in results:
                await self._get(result.file, found, result.attempt, f"the result {result.file.name}")
            written = await trio.to_thread.run_sync(self._write_all, results, directory)
        self.node.deliver(ResultsPulled(found.id))
        return Pulled(directory, written)

    async def record(self, job: str, path: Path) -> Recorded:
        found = await self._find(job)
        document = recording(found, self._neighbours(), self.node.profile, self.node.clock())
        await trio.to_thread.run_sync(write_recording, document, path)
        state = job_status(found, self._directory(), self.node.clock()).state
        return Recorded(path, document.job, state, len(document.attempts))

    async def cancel(self, job: str) -> JobStatus:
        found = await self._find(job)
        if found.state.phase is Phase.RUNNING:
            await self._driver().ask(lambda request: CancelJob(request, found.id))
        return job_status(found, self._directory(), self.node.clock())

    async def token(self, hours: float) -> Invitation:
        neighbours = self._neighbours()
        addresses = list(neighbours.membership.record.addresses)
        for node in neighbours.membership.alive():
            record = neighbours.membership.record_of(node)
            if record is not None:
                addresses.append(record.addresses[0])
        cluster = self.node.enrolment.cluster
        try:
            token = invite(self.node.crypto, cluster, tuple(dict.fromkeys(addresses))[:8], hours, self.node.clock())
        except EnrolmentError as error:
            raise RefusedError(str(error)) from None
        return Invitation(token.text, token.cluster.hex(), Instant(float(token.invite.admits_until_s)))

    async def stop(self) -> None:
        self.node.stopping.set()

    # -- the node's parts --------------------------------------------------------------------------------------------

    def _neighbours(self) -> Neighbours:
        peer = self.node.peer
        if peer is None or peer.neighbours is None:
            raise NotReadyError("this node is still joining its cluster: try again in a moment")
        return peer.neighbours

    def _jobs(self) -> Jobs:
        peer = self.node.peer
        if peer is None or peer.jobs is None:
            raise NotReadyError("this node is still joining its cluster: try again in a moment")
        return peer.jobs

    def _directory(self) -> Directory:
        return Directory(self._neighbours(), self._jobs().desk, self.node.shortages, self.node.detours)

    def _driver(self) -> Driver:
        self._neighbours()
        assert self.node.driver is not None, "a member is driven"
        return self.node.driver

    def _peer(self, node: NodeId, record: NodeRecord) -> PeerStatus:
        now = self.node.clock()
        estimate = self.node.profile.round_trips.estimate(node, now)
        delay = None if estimate is None else (estimate.rtt_s, estimate.age_s)
        return with_ways(peer_status(self._neighbours(), node, record, delay, now), self.node, node)

    def _detail(self, job: Job) -> JobDetail:
        return job_detail(job, self._directory(), self.node.clock())

    def _is_whole(self, job: Job) -> bool:
        """Whether this node sees all of a job, not only its own part in it."""
        jobs = self._jobs()
        return jobs.desk.keeps(job) or jobs.is_watching(job.id)

    async def _find(self, prefix: str) -> Job:
        """The job of that name, with its whole ledger here from now on."""
        jobs = self._jobs()
        known = {job_text(job.id): job.id for job in jobs.desk.jobs.values() if self._is_whole(job)}
        if not any(name.startswith(prefix.strip().lower()) for name in known):
            await self._driver().ask(FindJobs)
        known.update({job_text(JobId(summary.job)): JobId(summary.job) for summary in jobs.enquiries.listed.values()})
        found = known[match_job(prefix, known)]
        await self._driver().ask(lambda request: WatchJob(request, found))
        return jobs.desk.jobs[found]

    async def _watched_again(self, job: Job) -> Job:
        """The same job, shown by somebody else if whoever showed it is gone."""
        try:
            await self._driver().ask(lambda request: WatchJob(request, job.id))
        except RefusedError:
            return job  # nobody can at the moment: what is known is shown until the members change again
        return self._jobs().desk.jobs[job.id]

    # -- content -----------------------------------------------------------------------------------------------------

    async def _get(self, file: FileRef, job: Job, attempt: Attempt, what: str) -> None:
        """Have what an attempt wrote here. Raises RefusedError if that cannot be."""
        if self.node.store.has(file.digest):
            return
        directory = self._directory()
        holders = tuple(node for node in holders_of(job, attempt, directory) if node != self.node.me)
        try:
            await self.node.fetch(Fetch(file, holders))
        except FetchError as error:
            reason = str(error) if holders else why_nowhere(attempt, directory)
            if job.released:
                reason = "what the job has made was kept until its results had been fetched, or for a week"
            raise RefusedError(f"{what} cannot be had: {reason}") from None

    async def _printed(self, job: Job, key: UnitKey, attempt: Attempt) -> AsyncIterator[LogChunk]:
        assert attempt.outcome is not None
        name = self._directory().name_of(attempt.node)
        chunk = LogChunk(job.task(key).name, key[1], attempt.number, name, "stdout", "", "")
        streams: tuple[tuple[Stream, FileRef], ...] = (
            ("stdout", attempt.outcome.stdout),
            ("stderr", attempt.outcome.stderr),
        )
        for stream, file in streams:
            if not 0 < file.size_bytes <= LOG_FILE_BYTES_MAX:
                continue
            try:
                text = await self._text(job, attempt, file, f"{stream} of {chunk.task}")
            except RefusedError as error:
                yield replace(chunk, stream=stream, missing=str(error))
                continue
            for at in range(0, len(text), LOG_CHUNK_BYTES):
                yield replace(chunk, stream=stream, text=text[at : at + LOG_CHUNK_BYTES])

    async def _text(self, job: Job, attempt: Attempt, file: FileRef, what: str) -> str:
        """What an attempt has printed. Raises RefusedError if it cannot be had."""
        with self._pinned([file.digest]):
            try:
                await self._get(file, job, attempt, what)
            except RefusedError:
                directory = self._directory()
                if job.released or not directory.is_gone(attempt.node):
                    raise
                # Nobody copies it. That those who keep the job have not got it explains nothing.
                raise RefusedError(
                    f"{what} cannot be had: {directory.name_of(attempt.node)} had it and is gone"
                ) from None
            with _here(file):
                return (await trio.to_thread.run_sync(self.node.store.read, file.digest)).decode(errors="replace")

    @contextmanager
    def _pinned(self, digests: Iterable[bytes]) -> Iterator[None]:
        """Content that is about to be read stays until that is done."""
        owner = os.urandom(16)
        self.node.store.pin(owner, digests)
        try:
            yield
        finally:
            self.node.store.unpin(owner)

    def _write_all(self, results: list[Result], directory: Path) -> tuple[PulledFile, ...]:
        """Raises RefusedError and OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        written = []
        for result in results:
            target = directory / result.place / result.file.name
            self._write(result.file, target)
            written.append(PulledFile(target, result.file.size_bytes))
        return tuple(written)

    def _write(self, file: FileRef, target: Path) -> None:
        """Put a result where a person wants it, in one step, over whatever an earlier pull has left. Raises
        RefusedError and OSError."""
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming = target.with_name(f".{target.name}.pnode")
        incoming.unlink(missing_ok=True)
        with _here(file):
            self.node.store.materialise(file.digest, incoming)
        incoming.replace(target)


@contextmanager
def _here(file: FileRef) -> Iterator[None]:
    """What the store says when somebody has been in its directory, to the person who asked. Raises RefusedError."""
    try:
        yield
    except MissingContentError:
        raise RefusedError(f"{file.name} has just gone from this node's store: try again") from None
