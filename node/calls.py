"""The socket for calls: where Python clients hand in calls, and hear what came of them (see `client`).

A Unix socket of mode 0600 in the node's home. One connection is one client; it hands in batches, each of which
becomes one job, and is told the outcomes of each task whose results are kept as soon as they are at this node:

    handed in --its job is made--> under way --every outcome is told--> ended: done
        |                             \\--the job says so--> ended: failed, cancelled
        +--> ended: refused

When the job is in the journal the client is told that it is taken, and what it is called. Outcomes of short calls
come before that: whoever has these does not need the job any more, and what a crash leaves nothing of is handed in
again.

A client that goes away stops nothing: what it has handed in is taken in, and its jobs go on. If it comes back, or the
node does, it hands its open batches in again; their nonces say which jobs they are, and all outcomes are told again.
A client's misbehaviour ends its connection and nothing else.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import trio

from pnode.protocol.dag import Dag
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.events import CancelJob, ResultsPulled
from pnode.protocol.ids import digest_of, job_text
from pnode.protocol.job import Job
from pnode.protocol.jobs import Jobs
from pnode.protocol.jobspec import GIVEN_BYTES_MAX, FileRef, Item, JobSpec
from pnode.protocol.jobstate import Phase, UnitKey
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.values import dataclass, field

from .api import RefusedError
from .callmessages import (
    INLINE_BYTES_MAX,
    PARCEL,
    VALUES,
    Abandon,
    Batch,
    Came,
    Ended,
    Full,
    Message,
    Taken,
    Unpacker,
    Welcome,
    pack,
)
from .directory import Directory
from .driver import Driver
from .home import parcel_file
from .reports import job_reason
from .submission import Submission, mapper_called
from .trouble import MissingContentError, StoreError
from .unixsocket import listen_at

if TYPE_CHECKING:
    from .node import Node

logger = logging.getLogger(__name__)

CLIENTS_MAX = 64
"""Programs of one person on one machine; one more is told that there is no room."""

BATCHES_MAX = 1024
"""Of one client that are not over; its next waits until one is."""

MAPPER = "wave-greedy"
"""Calls are many and small: a plan for all of them would take longer than they do."""

RECEIVE_BYTES = 1 << 18

SEND_S_MAX = 600.0
"""A client may be stopped (Ctrl-Z) for this long before its connection is cut."""

SHARE = 4
"""After looking through a job's tasks for news, so many times as long is spent on other things."""


async def serve_calls(
    path: Path, node: "Node", *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> NoReturn:
    """Take calls at this socket until cancelled. Raises OSError if it cannot be made; what clients do wrong ends
    their own connection."""
    listener = listen_at(path)
    task_status.started()
    limit = trio.CapacityLimiter(CLIENTS_MAX)
    try:
        async with trio.open_nursery() as nursery:
            arrivals = _Arrivals(nursery)

            async def serve(stream: trio.SocketStream) -> None:
                async with stream:
                    if limit.available_tokens:
                        async with limit:
                            await _Client(node, stream, arrivals).serve()
                    else:
                        await _refuse(stream)

            await trio.serve_listeners(serve, [listener])
    finally:
        path.unlink(missing_ok=True)


async def _refuse(stream: trio.SocketStream) -> None:
    with contextlib.suppress(trio.BrokenResourceError), trio.move_on_after(SEND_S_MAX):
        await stream.send_all(pack(Full(CLIENTS_MAX)))


@dataclass(slots=True)
class _Arrival:
    """A batch on its way to being a job."""

    over: trio.Event = field(default_factory=trio.Event)
    job: Job | None = None
    refusal: str = ""


class _Arrivals:
    """All of them, each once, however often it is handed in meanwhile, and to its end, whoever goes away."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._arrivals: dict[bytes, _Arrival] = {}

    async def job(self, nonce: bytes, submit: Callable[[], Awaitable[Job]]) -> Job:
        """The job of this nonce, which `submit` makes if that is not under way. Raises RefusedError."""
        arrival = self._arrivals.get(nonce)
        if arrival is None:
            arrival = self._arrivals[nonce] = _Arrival()
            self._nursery.start_soon(self._arrive, nonce, submit, arrival)
        await arrival.over.wait()
        if arrival.job is None:
            raise RefusedError(arrival.refusal)
        return arrival.job

    async def _arrive(self, nonce: bytes, submit: Callable[[], Awaitable[Job]], arrival: _Arrival) -> None:
        try:
            arrival.job = await submit()
        except RefusedError as error:
            arrival.refusal = str(error)
        finally:
            del self._arrivals[nonce]
            arrival.over.set()


class _Outstanding:
    """The tasks of a job of which its client has still to hear. Each is looked at when it has a result, not whenever
    another has: with thousands of them up to a fifth of a core went into that."""

    def __init__(self, job: Job) -> None:
        self._state = job.state
        self._left = {at: None for at, task in enumerate(job.spec.dag.tasks) if task.final}
        self._finished: dict[int, None] = {}
        self._latest: UnitKey | None = None
        """The last result that was seen."""

    def finished(self) -> Collection[int]:
        """Those that have, or have had, a result: its content may not be here yet."""
        fresh = list(takewhile(lambda key: key != self._latest, self._state.latest_results()))
        self._latest = fresh[0] if fresh else self._latest
        self._finished |= {task: None for task, _ in reversed(fresh) if task in self._left}
        return self._finished

    def told(self, tasks: Iterable[int]) -> int:
        """The client hears of these; how many are left."""
        for task in tasks:
            del self._finished[task], self._left[task]
        return len(self._left)


class _Client:
    """One connection."""

    def __init__(self, node: "Node", stream: trio.SocketStream, arrivals: _Arrivals) -> None:
        self._node = node
        self._stream = stream
        self._arrivals = arrivals
        self._sending = trio.Lock()
        self._abandoned: dict[int, trio.Event] = {}
        """Of the batches that are not over."""
        self._room = trio.Semaphore(BATCHES_MAX)
        self._all = trio.CancelScope()

    async def serve(self) -> None:
        """Until the client leaves."""
        async with trio.open_nursery() as nursery:
            self._all = nursery.cancel_scope
            await self._send(Welcome(self._node.name, self._cores()))
            async for message in self._messages():
                if isinstance(message, Batch) and message.number not in self._abandoned:
                    await self._room.acquire()
                    self._abandoned[message.number] = trio.Event()
                    nursery.start_soon(self._serve_batch, message)
                elif isinstance(message, Abandon) and message.number in self._abandoned:
                    self._abandoned[message.number].set()
            nursery.cancel_scope.cancel()

    async def _messages(self) -> AsyncIterator[Message]:
        unpacker = Unpacker()
        try:
            while received := await self._stream.receive_some(RECEIVE_BYTES):
                for message in unpacker.feed(received):
                    yield message
        except trio.BrokenResourceError:
            return
        except RemoteProtocolError as error:
            logger.warning("a client of the calls' socket is hung up on: %s", error)

    async def _send(self, *messages: Message) -> None:
        """If the client is gone, or has stopped listening, everything that is done for it ends."""
        async with self._sending:
            try:
                with trio.fail_after(SEND_S_MAX):
                    await self._stream.send_all(b"".join(map(pack, messages)))
            except (trio.BrokenResourceError, trio.TooSlowError):
                self._all.cancel()
                await trio.lowlevel.checkpoint()

    async def _serve_batch(self, batch: Batch) -> None:
        """A batch, from its job's submission to its last outcome."""
        try:
            try:
                job = await self._arrivals.job(batch.nonce, partial(self._submit, batch))
            except RefusedError as error:
                await self._send(Ended(batch.number, "refused", str(error)))
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._say_that_it_is_taken, batch.number, job)
                state, reason = await self._follow(batch.number, job)
            await self._send(Ended(batch.number, state, reason))
        finally:
            del self._abandoned[batch.number]
            self._room.release()

    async def _follow(self, number: int, job: Job) -> tuple[str, str]:
        """How a job has ended that the client may call off, and why."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_abandoned, number, job)
            ended = await self._tell(number, job)
            nursery.cancel_scope.cancel()
        return ended

    async def _say_that_it_is_taken(self, number: int, job: Job) -> None:
        with contextlib.suppress(RefusedError):  # the journal has failed: the node ends, others go on with the job
            await self._driver().written()
            await self._send(Taken(number, job.id))

    async def _submit(self, batch: Batch) -> Job:
        """The batch's job. Raises RefusedError."""
        node, driver = self._node, self._driver()
        await node.pins.restored.wait()
        submission = Submission(node, driver, self._jobs(), self._neighbours(), batch.nonce)
        parcel = parcel_file(node.options.home, batch.nonce)
        known = submission.known()
        if known is not None:
            parcel.unlink(missing_ok=True)  # it was left once more
            return known
        mapper = mapper_called(MAPPER)
        try:
            short = dict(_short(batch))
            files = [FileRef(name, len(content), digest_of(content)) for name, content in short.items()]
            if len(short) < 1 + bool(batch.values) or batch.files:
                files += await trio.to_thread.run_sync(self._take_in, batch)
            item = Item(batch.session, (*files, *batch.files))
            spec = JobSpec(
                batch.name,
                Dag(batch.tasks),
                (item,),
                mapper.name,
                node.clock(),
                batch.nonce,
                replicas=batch.replicas,
                contents=tuple(short.values()),
            )
            return await submission.take_in(spec, mapper)
        except (ValueError, StoreError, OSError) as error:
            raise RefusedError(f"these calls cannot be a job: {error}") from None
        finally:
            node.store.unpin(batch.nonce)
            parcel.unlink(missing_ok=True)

    def _take_in(self, batch: Batch) -> list[FileRef]:
        """What comes with the batch and is too long for its specification, in the store, pinned for its nonce. Raises
        StoreError and OSError."""
        store, owner = self._node.store, batch.nonce
        store.pin(owner, [file.digest for file in batch.files])
        for file in batch.files:
            store.size_bytes(file.digest)
            store.settle(file.digest)
        files = []
        if not batch.parcel:
            path = parcel_file(self._node.options.home, batch.nonce)
            files.append(store.add_file(path, PARCEL, move=True, owner=owner))
        for name, content in ((PARCEL, batch.parcel), (VALUES, batch.values)):
            if len(content) > GIVEN_BYTES_MAX:
                files.append(store.add_bytes(content, name, owner=owner))
        return files

    async def _tell(self, number: int, job: Job) -> tuple[str, str]:
        """Tell the outcomes of all tasks whose results are kept as they come; how the job has ended, and why."""
        driver, outstanding = self._driver(), _Outstanding(job)
        while True:
            changed, began_s = driver.change("job", job.id), time.monotonic()
            news = {at: came for at in outstanding.finished() if (came := self._came(number, job, at)) is not None}
            left = outstanding.told(news)
            looked_s = time.monotonic() - began_s
            if news:
                await self._send(*news.values())
            if not left and job.state.phase is Phase.DONE:
                self._node.deliver(ResultsPulled(job.id))
                return "done", ""
            if left and job.released:
                return "failed", "its results are not kept any more"
            if job.state.phase in (Phase.FAILED, Phase.CANCELLED):
                return job.state.phase.value, job_reason(job, self._directory())
            await trio.sleep(SHARE * looked_s)
            await changed.wait()

    def _came(self, number: int, job: Job, task: int) -> Came | None:
        """The outcomes of a task's calls, if they are here."""
        result = job.state.unit((task, 0)).result
        if result is None or result.outcome is None or not result.outcome.outputs:
            return None
        file = result.outcome.outputs[0]
        if not self._node.store.has(file.digest):
            return None
        try:
            content = self._node.store.read(file.digest) if file.size_bytes <= INLINE_BYTES_MAX else b""
        except MissingContentError:
            return None
        return Came(number, task, file, content, "" if content else str(self._node.store.path(file.digest)))

    async def _cancel_when_abandoned(self, number: int, job: Job) -> None:
        await self._abandoned[number].wait()
        logger.info("job=%s is cancelled: its client wants nothing of it any more", job_text(job.id))
        with contextlib.suppress(RefusedError):  # it is over by now
            await self._driver().ask(lambda request: CancelJob(request, job.id))

    def _driver(self) -> Driver:
        driver = self._node.driver
        assert driver is not None, "the socket is opened when the node is ready"
        return driver

    def _jobs(self) -> Jobs:
        jobs = None if self._node.peer is None else self._node.peer.jobs
        assert jobs is not None, "as above"
        return jobs

    def _neighbours(self) -> Neighbours:
        neighbours = None if self._node.peer is None else self._node.peer.neighbours
        assert neighbours is not None, "as above"
        return neighbours

    def _directory(self) -> Directory:
        return Directory(self._neighbours(), self._jobs().desk, self._node.shortages, self._node.detours)

    def _cores(self) -> int:
        members = self._neighbours().membership
        records = [members.record, *filter(None, map(members.record_of, members.alive()))]
        return sum(record.cores for record in records)


def _short(batch: Batch) -> Iterator[tuple[str, bytes]]:
    """(name, content) of what travels in the specification."""
    for name, content in ((PARCEL, batch.parcel), (VALUES, batch.values)):
        if 0 < len(content) <= GIVEN_BYTES_MAX:
            yield name, content
