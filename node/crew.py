"""The crew: processes that carry out Python calls, kept from one unit to the next.

    starting -> idle <-> busy
                 |         |
                 |         +-- its unit is cancelled, its call is out of time, or it dies --> gone
                 +-- unused for IDLE_S, or others are wanted in its place --> gone

A worker serves one session of one client (the key of the unit's item), so that what one program does to its process
is nobody else's business, and what it keeps there, modules and caches, is there for its next call. What it runs is in
`callee`; how a unit's calls and outcomes lie in files, too.

A process that dies takes nothing with it but the call that it was at: the outcomes of the others are in the file, and
the next process goes on behind them. The call is made again, CALLS_DIED_MAX times in all; then its outcome is that.
That holds at once for a call that runs longer than its walltime. So a unit does not fail by what its calls do, and
the others of its job have their values. It fails by the machine's fault.
"""

import base64
import itertools
import logging
import math
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import trio

from pnode.protocol.effects import Run
from pnode.protocol.events import RunEnded
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.statements import CONTENT_BYTES_MAX
from pnode.protocol.values import dataclass, field

from .allowance import ExecutorSettings
from .callee import DIED, HEADER, NOT_MADE_S, SPILLED, THROUGH
from .held import HeldDirectory
from .printout import Printout
from .processes import Processes
from .store import Store
from .trouble import StoreError
from .warmworker import Worker, WorkerDiedError

logger = logging.getLogger(__name__)

CALLS_DIED_MAX = 3
"""A process may be killed for want of memory that others took; three in a row are the call's own doing."""

IDLE_S = 60.0
"""An idle worker holds some 10 MB, and whatever its calls have left there; starting one takes 20 to 70 ms."""

SPARE_WORKERS_MAX = 2
"""Idle ones beyond the node's cores: two clients that take turns need not start them anew each time."""


@dataclass(slots=True)
class _Part:
    """A unit that is being worked at."""

    run: Run
    name: str
    """Of the file of outcomes, if there is to be one."""
    worker: Worker
    short: bytearray = field(default_factory=bytearray)
    """All outcomes so far, unless they are in the file."""
    spilled: bool = False
    seconds: float = 0.0
    done: int = 0
    """Calls that have outcomes."""
    died: int = 0
    """How often in a row a process has died,"""
    died_at: int = -1
    """of the call behind so many others."""
    notices: list[str] = field(default_factory=list)

    @property
    def first(self) -> int:
        return int(self.run.task.program.arguments[1])

    @property
    def count(self) -> int:
        return int(self.run.task.program.arguments[2])


class Crew:
    """The workers of one node."""

    def __init__(
        self,
        home: Path,
        store: Store,
        processes: Processes,
        settings: ExecutorSettings | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Their directories are made in `<home>/work`, which the executor keeps clean."""
        self._work = HeldDirectory.find(home / "work")
        self._outcomes: HeldDirectory | None = None
        self._store = store
        self._processes = processes
        self._settings = settings or ExecutorSettings()
        self._environment = {name: value for name, value in environment.items() if not name.startswith("PNODE_")}
        self._idle: list[Worker] = []
        """The one that was busy last stands last."""
        self._numbers = itertools.count(1)
        self._nothing = store.add_bytes(b"", "nothing", owner=b"crew")
        self._nursery: trio.Nursery | None = None

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Keep workers; they end with this."""
        self._outcomes = self._work.make(f"0-{secrets.token_hex(4)}")
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            while True:
                await trio.sleep(IDLE_S / 4)
                for worker in self._idle:
                    if trio.current_time() > worker.idle_since_s + IDLE_S:
                        worker.dismiss()
                self._idle = [worker for worker in self._idle if not worker.is_gone]

    async def run(self, run: Run) -> RunEnded:
        """Make the calls of a unit, whose files are in the store. Their outcomes are in one file that is in the store
        afterwards, pinned for the job and called after the task."""
        pins = f"crew-{next(self._numbers)}".encode()
        self._store.pin(pins, [file.digest for file in run.calls[0]])
        try:
            async with self._begun(run) as part:
                await self._work_at(part)
                return await self._keep(part)
        except (OSError, StoreError) as error:  # this machine's fault: another one may do better
            nothing = FileRef("nothing", 0, self._nothing.digest)
            return RunEnded(run.unit, f"cannot make calls: {error}", 0, (), nothing, nothing, "", 0.0, ours=True)
        finally:
            self._store.unpin(pins)

    @asynccontextmanager
    async def _begun(self, run: Run) -> AsyncIterator[_Part]:
        """A unit with its worker, which is kept if it has done all of it; else it has ended afterwards. Raises
        OSError."""
        worker = self._take(dict(run.environment).get("PNODE_ITEM_KEY", ""))
        part = _Part(run, f"outcomes-{next(self._numbers)}", worker)
        try:
            yield part
        finally:
            if part.done == part.count:
                self._give_back(part.worker)
            else:  # cancelled, or worse: it may be busy for ever
                await part.worker.end()
            if part.spilled:
                with suppress(FileNotFoundError):
                    os.unlink(part.name, dir_fd=self._place.file)

    async def _work_at(self, part: _Part) -> None:
        """Raises OSError."""
        walltime_s = part.run.task.walltime_s
        while part.done < part.count:
            try:
                with trio.move_on_after(walltime_s or math.inf) as limit:
                    await self._listen(part)
                if limit.cancelled_caught and part.done < part.count:
                    await part.worker.end()
                    self._go_on(part, f"ran longer than its walltime of {walltime_s:g} s", for_good=True)
            except WorkerDiedError as error:
                self._go_on(part, str(error))

    async def _listen(self, part: _Part) -> None:
        """To the worker of a unit, until that is through. Raises WorkerDiedError and OSError."""
        async with aclosing(part.worker.carry_out(self._order(part))) as saying:
            async for kind, outcome, seconds in saying:
                if kind == THROUGH:
                    part.seconds += seconds
                    part.done = part.count
                elif kind == SPILLED:
                    part.spilled = True
                else:
                    part.short += outcome
                    part.done += 1

    @property
    def _place(self) -> HeldDirectory:
        """Where outcomes are written."""
        assert self._outcomes is not None, "the crew is served"
        return self._outcomes

    def _order(self, part: _Part) -> dict[str, object]:
        run, store = part.run, self._store
        parcel = run.task.program.arguments[3]
        values: dict[str, str] = {}
        files: dict[str, str] = {}
        for file in run.calls[0]:
            if file.size_bytes <= CONTENT_BYTES_MAX and file.name != parcel:
                values[file.name] = base64.b64encode(store.read(file.digest)).decode()
            else:
                files[file.name] = str(store.path(file.digest))
        facts = {"PNODE_TASK": run.unit.task, "PNODE_ATTEMPT": str(run.unit.attempt)}
        return {
            "parcel": files.pop(parcel, ""),
            "first": part.first + part.done,
            "count": part.count - part.done,
            "done": part.done,
            "files": files,
            "values": values,
            "result": str(self._place.path / part.name),
            "short": 0 if part.spilled else CONTENT_BYTES_MAX,
            "environment": {**dict(run.environment), **dict(run.task.environment), **facts},
        }

    def _go_on(self, part: _Part, how: str, *, for_good: bool = False) -> None:
        """A process has died: with another one, behind what it has done; if it was `for_good`, behind the call it
        died of. From now on outcomes are in the file, since the next does not know those before. Raises OSError."""
        done = part.done
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(part.name, flags, 0o600, dir_fd=self._place.file)
        try:
            if part.spilled:
                done, end = _complete(file)
                os.ftruncate(file, end)
            else:
                os.ftruncate(file, 0)
                os.write(file, part.short)
            part.spilled = True
            part.died = part.died + 1 if done == part.died_at else 1
            part.died_at = done
            part.notices.append(f"the process for call {done + 1} of {part.count} {how}")
            logger.warning("task=%s %s", part.run.unit.task, part.notices[-1])
            if for_good or part.died == CALLS_DIED_MAX:
                text = f"the process {how}{'' if for_good else f', {CALLS_DIED_MAX} times in a row'}".encode()
                os.write(file, HEADER.pack(DIED, len(text), NOT_MADE_S) + text)
                done += 1
        finally:
            os.close(file)
        part.done = done
        last, part.worker = part.worker, self._take(part.worker.session)
        part.worker.take_over(last)

    async def _keep(self, part: _Part) -> RunEnded:
        """Bring what a unit has come to into the store. Raises OSError and StoreError."""
        run, (stdout, stderr) = part.run, part.worker.logs
        stderr.note(part.notices)
        tail = stderr.tail()
        out, err = [await self._keep_log(log, run.unit.job) for log in (stdout, stderr)]
        if part.spilled:
            file = await trio.to_thread.run_sync(self._take_outcomes, part)
            return RunEnded(run.unit, "", 0, (file,), out, err, tail, part.seconds)
        content = bytes(part.short)
        file = FileRef(run.task.name, len(content), digest_of(content))
        self._store.hold(content, file.digest, run.unit.job)
        return RunEnded(run.unit, "", 0, (file,), out, err, tail, part.seconds, contents=(content,))

    def _take_outcomes(self, part: _Part) -> FileRef:
        task, job = part.run.task, part.run.unit.job
        return self._store.take_file(self._place.file, part.name, task.name, owner=job, lasting=task.final)

    async def _keep_log(self, log: Printout, job: bytes) -> FileRef:
        """What was printed since the last unit."""
        size = log.size_bytes
        if not size:
            return FileRef(log.name, 0, self._nothing.digest)
        with log.reader() as content:
            add = partial(self._store.add_open, content, log.name, size, owner=job, lasting=False)
            kept = await trio.to_thread.run_sync(add)
        log.clear()
        return kept

    def _take(self, session: str) -> Worker:
        """An idle worker of the session, or a new one. Raises OSError."""
        for worker in reversed(self._idle):
            if worker.session == session and not worker.is_gone:
                self._idle.remove(worker)
                worker.begin()
                return worker
        assert self._nursery is not None, "the crew is served"
        worker = Worker(session, self._work, self._settings)
        self._nursery.start_soon(self._employ, worker)
        return worker

    async def _employ(self, worker: Worker) -> None:
        try:
            await worker.serve(self._processes, self._environment)
        finally:
            try:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(worker.remove)
            except OSError as error:
                logger.warning("cannot remove the directory of a worker: %s", error)

    def _give_back(self, worker: Worker) -> None:
        worker.rest()
        self._idle.append(worker)
        others = [idle for idle in self._idle if idle.session != worker.session]
        for idle in others[: max(0, len(self._idle) - (os.cpu_count() or 1) - SPARE_WORKERS_MAX)]:
            idle.dismiss()
            self._idle.remove(idle)


def _complete(file: int) -> tuple[int, int]:
    """(how many outcomes are complete in a file, where the last of them ends)."""
    size, at, count = os.fstat(file).st_size, 0, 0
    while at + HEADER.size <= size:
        _, length, _ = HEADER.unpack(os.pread(file, HEADER.size, at))
        if at + HEADER.size + length > size:
            break
        at += HEADER.size + length
        count += 1
    return count, at
