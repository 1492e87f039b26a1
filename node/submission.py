"""Submission: a job on its way from a person's files to the nodes that keep it.

    files --read, checked, put into the store--> specification --Submit--> taken in: its tasks may begin
    taken in --the guardians say that they have it, or are too late--> settled

From the moment it is taken in the job runs by itself. Whoever goes away before it is settled only learns less.
"""

import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import trio

from pnode.mappers.catalogue import UnknownMapperError, by_name
from pnode.protocol.codec import decode, encode
from pnode.protocol.events import Submit
from pnode.protocol.ids import job_text
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Receipt
from pnode.protocol.jobs import Jobs
from pnode.protocol.jobspec import SPEC_BYTES_MAX, FileRef, JobSpec
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.routing import RoutingError
from pnode.protocol.view import Mapper

from .api import RefusedError, Submitted
from .application import Application, ApplicationError, load_application, pack_application
from .driver import REPLY_S_MAX, Driver, Request, either
from .housekeeping import content_of
from .planning import with_plan
from .store import Store
from .trouble import StoreError

if TYPE_CHECKING:
    from .node import Node

UNSETTLED_S = 1.0
"""When a person is told what is waited for: small jobs are settled long before."""


class Submission:
    """One job that somebody hands in at this node."""

    def __init__(
        self, node: "Node", driver: Driver, jobs: Jobs, neighbours: Neighbours, nonce: bytes | None = None
    ) -> None:
        self._node = node
        self._driver = driver
        self._jobs = jobs
        self._near = neighbours
        self._nonce = nonce or os.urandom(16)
        """Names the job before it has an id, and pins what it brings along."""

    async def submit(
        self, dag: Path, inputs: tuple[Path, ...], mapper: str, name: str | None, replicas: int
    ) -> AsyncGenerator[Submitted, None]:
        """As `contract.NodeApi.submit`. Raises RefusedError."""
        application = await load(dag, inputs)
        async with aclosing(self.hand_in(application, mapper_called(mapper), name, replicas)) as steps:
            async for submitted in steps:
                yield submitted

    async def hand_in(
        self, application: Application, mapper: Mapper, name: str | None, replicas: int
    ) -> AsyncGenerator[Submitted, None]:
        """The same for an application that has been read. Raises RefusedError."""
        try:
            await self._node.pins.restored.wait()
            encoded = await self._specification(application, mapper, name, replicas)
            with self._driver.request(lambda number: Submit(number, encoded)) as request:
                job = await self._taken_in(request)
                notices = (*application.notices, *self._unplaceable(application))
                taken_in = Submitted(job_text(job.id), job.id.hex(), notices, 0, 0, replicas, False)
                yield taken_in
                if not await _answered(request, UNSETTLED_S):
                    yield taken_in
                    await _answered(request, REPLY_S_MAX)
                yield _settled(taken_in, request)
        finally:
            self._node.store.unpin(self._nonce)

    async def _specification(
        self, application: Application, mapper: Mapper, name: str | None, replicas: int
    ) -> bytes:
        """The job in signable form; its files are in the store."""
        store, home, nonce = self._node.store, self._node.options.home, self._nonce
        try:
            files = await trio.to_thread.run_sync(_take_in, store, application, nonce)
            archive = await trio.to_thread.run_sync(_pack, store, home, application, nonce)
            items = application.items(files)
        except (RoutingError, StoreError) as error:
            raise RefusedError(str(error)) from None
        named, now = name or application.name, self._node.clock()
        try:
            spec = JobSpec(named, application.dag, items, mapper.name, now, nonce, archive, replicas=replicas)
        except ValueError as error:
            raise RefusedError(f"this cannot be a job: {error}") from None
        return await self._encoded(spec, mapper)

    async def take_in(self, spec: JobSpec, mapper: Mapper) -> Job:
        """The same for a specification whose files are in the store, pinned for its nonce: the job, which is not in
        the journal yet. Raises RefusedError."""
        encoded = await self._encoded(spec, mapper)
        with self._driver.request(lambda number: Submit(number, encoded)) as request:
            return await self._made(request)

    async def _encoded(self, spec: JobSpec, mapper: Mapper) -> bytes:
        """In signable form, with the mapper's plan. Raises RefusedError."""
        view = self._near.view_of(spec.name, spec.dag, None, self._node.clock())
        with_hint = await with_plan(mapper, spec, view, Random(self._nonce))  # noqa: S311  # to be repeatable
        # A plan begins when the job does, however long it took to make: the first one has numpy to load.
        encoded = encode(replace(with_hint, created_s=self._node.clock()))
        if len(encoded) > SPEC_BYTES_MAX:
            raise RefusedError(
                f"the specification of this job takes {len(encoded)} bytes, at most {SPEC_BYTES_MAX} are possible: "
                "submit it in parts"
            )
        return encoded

    async def _taken_in(self, request: Request) -> Job:
        """The job, once it is in the journal. Raises RefusedError, with the core's reason if it does not take it."""
        job = await self._made(request)
        await self._driver.written()
        return job

    async def _made(self, request: Request) -> Job:
        """The job, of which a crash may still leave nothing. Raises RefusedError as above."""
        while True:
            changed = self._driver.change("job", b"")
            job = self.known()
            if job is not None:
                self._node.pins.pin(job.id, content_of(job, self._node.me))
                return job
            if request.answered.is_set():
                request.value()
            await either(changed, request.answered)

    def known(self) -> Job | None:
        """The job, if it was submitted already."""
        return next((job for job in reversed(self._jobs.desk.jobs.values()) if job.spec.nonce == self._nonce), None)

    def _unplaceable(self, application: Application) -> tuple[str, ...]:
        """A notice for every task that has to wait for another kind of node."""
        reasons = [(task.name, self._near.why_nobody(task)) for task in application.dag.tasks]
        return tuple(f"{name} will wait: {reason}" for name, reason in reasons if reason)


async def load(dag: Path, inputs: tuple[Path, ...]) -> Application:
    """The application of a DAG. Raises RefusedError."""
    try:
        return await trio.to_thread.run_sync(load_application, dag, list(inputs))
    except ApplicationError as error:
        raise RefusedError(str(error)) from None


def mapper_called(name: str) -> Mapper:
    """Raises RefusedError if there is none."""
    try:
        return by_name(name)
    except UnknownMapperError as error:
        raise RefusedError(str(error)) from None


def _settled(taken_in: Submitted, request: Request) -> Submitted:
    """What the receipt says. A core that is too busy to write one still has the job."""
    if not request.answered.is_set():
        return replace(taken_in, settled=True)
    receipt = decode(Receipt, request.value())
    return replace(taken_in, guarded=receipt.guarded, wanted=receipt.wanted, settled=True)


async def _answered(request: Request, patience_s: float) -> bool:
    with trio.move_on_after(patience_s):
        await request.answered.wait()
    return request.answered.is_set()


def _take_in(store: Store, application: Application, owner: bytes) -> tuple[FileRef, ...]:
    return tuple(store.add_file(path, owner=owner) for path in application.inputs)


def _pack(store: Store, home: Path, application: Application, owner: bytes) -> FileRef:
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        archive = Path(scratch) / "application.tar"
        pack_application(application, archive)
        return store.add_file(archive, move=True, owner=owner)
