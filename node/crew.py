"""The crew: processes that carry out Python calls, kept from one unit to the next.

    starting -> idle <-> busy
                 |         |
                 |         +-- its unit is cancelled or out of time, or it dies --> gone
                 +-- unused for IDLE_S, or others are wanted in its place --> gone

A worker serves one session of one client (the key of the unit's item), so that what one program does to its process
is nobody else's business, and what it keeps there, modules and caches, is there for its next call. What it runs is in
`callee`; how a unit's calls and outcomes lie in files, too.

A process that dies takes nothing with it but the call that it was at: the outcomes of the others are in the file, and
the next process goes on behind them. The call is made again, CALLS_DIED_MAX times in all; then its outcome is that.
So a unit does not fail by what its calls do. It fails if it runs out of time, or by the machine's fault.
"""

import itertools
import json
import logging
import math
import os
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import trio

from pnode.protocol.effects import Run
from pnode.protocol.events import RunEnded
from pnode.protocol.jobspec import FileRef

from .allowance import ExecutorSettings
from .callee import DIED, HEADER
from .held import HeldDirectory, remove_tree
from .printout import Printout
from .processes import MARK, Command, Processes
from .store import Store, StoreError

logger = logging.getLogger(__name__)

CALLEE = Path(__file__).with_name("callee.py")

CALLS_DIED_MAX = 3
"""A process may be killed for want of memory that others took; three in a row are the call's own doing."""

IDLE_S = 60.0
"""An idle worker holds some 15 MB; starting one takes 20 ms."""

SPARE_WORKERS_MAX = 2
"""Idle ones beyond the node's cores: two clients that take turns need not start them anew each time."""

ANSWER_BYTES_MAX = 4096


class WorkerDiedError(Exception):
    """The process ended, or was ended, before it had answered."""


class Worker:
    """One process and its private directory."""

    def __init__(self, session: str, work: HeldDirectory, settings: ExecutorSettings) -> None:
        """Raises OSError."""
        self.session = session
        self.idle_since_s = 0.0
        self._settings = settings
        self._name = f"0-{secrets.token_hex(4)}"
        self.root = work.make(self._name)
        self._work = work
        self.logs = tuple(Printout(log, self.root.make_file(log)) for log in ("stdout", "stderr"))
        ours, self._theirs = socket.socketpair()
        ours.setblocking(False)
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self.how = ""
        """How it ended."""

    async def serve(self, processes: Processes, environment: Mapping[str, str]) -> None:
        """Run the process to its end, whatever that is."""
        words = [self._settings.python, "-P", str(CALLEE)]
        stdout, stderr = self.logs
        marked = {**environment, MARK: str(self.root.path)}
        command = Command(words, self.root.path, marked, stdout.file, stderr.file, self._theirs.detach())
        settings = self._settings
        try:
            with self._scope:
                ended = await processes.run(
                    command,
                    self._look,
                    file_bytes_max=settings.output_bytes_max,
                    poll_s=settings.poll_s,
                    grace_s=settings.grace_s,
                )
                self.how = ended.reason or _manner(ended.status)
        except OSError as error:
            self.how = f"could not be started: {error.strerror}"
        finally:
            self._ended.set()
            with trio.CancelScope(shield=True):
                await self._stream.aclose()

    async def carry_out(self, order: Mapping[str, object]) -> float:
        """Have it make the calls of a unit; the seconds they took. Raises WorkerDiedError."""
        answer = bytearray()
        try:
            await self._stream.send_all(json.dumps(order).encode() + b"\n")
            while not answer.endswith(b"\n") and len(answer) < ANSWER_BYTES_MAX:
                received = await self._stream.receive_some(ANSWER_BYTES_MAX)
                if not received:
                    break
                answer += received
            return float(json.loads(answer)["seconds"])
        except (trio.BrokenResourceError, trio.ClosedResourceError, ValueError, KeyError, TypeError):
            await self._ended.wait()
            raise WorkerDiedError(self.how or "was ended") from None

    @property
    def is_gone(self) -> bool:
        return self._ended.is_set() or self._scope.cancel_called

    def dismiss(self) -> None:
        """End it and all it has started."""
        self._scope.cancel()

    def remove(self) -> None:
        """Remove its directory; blocks. Raises OSError if something must stay."""
        remove_tree(self._name, self._work.file)

    def _look(self) -> str:
        most = self._settings.log_bytes_max
        too_long = next((log.name for log in self.logs if log.size_bytes > most), "")
        return f"printed more than {most >> 20} MiB to {too_long}" if too_long else ""


@dataclass(slots=True)
class _Part:
    """A unit that is being worked at."""

    run: Run
    name: str
    """Of the file of outcomes."""
    worker: Worker
    file: int
    seconds: float = 0.0
    done: int = 0
    """Calls that have outcomes."""
    died: int = 0
    """How often a process has died of the call that comes next."""
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
            with self._begun(run) as part:
                with trio.move_on_after(run.task.walltime_s or math.inf) as limit:
                    await self._work_at(part)
                return await trio.to_thread.run_sync(self._keep, part, limit.cancelled_caught)
        except (OSError, StoreError) as error:  # this machine's fault: another one may do better
            nothing = FileRef("nothing", 0, self._nothing.digest)
            return RunEnded(run.unit, f"cannot make calls: {error}", 0, (), nothing, nothing, "", 0.0, ours=True)
        finally:
            self._store.unpin(pins)

    @contextmanager
    def _begun(self, run: Run) -> Iterator[_Part]:
        """A unit with its worker, which is kept if it has done all of it. Raises OSError."""
        worker = self._take(dict(run.environment).get("PNODE_ITEM_KEY", ""))
        name = f"outcomes-{next(self._numbers)}"
        part = _Part(run, name, worker, self._place.make_file(name))
        try:
            yield part
        finally:
            if part.done == part.count:
                self._give_back(part.worker)
            else:  # cancelled, or worse: it may be busy for ever
                part.worker.dismiss()
            os.close(part.file)
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._place.file)

    async def _work_at(self, part: _Part) -> None:
        result = self._place.path / part.name
        while part.done < part.count:
            try:
                part.seconds += await part.worker.carry_out(self._order(part, result))
                part.done = part.count
            except WorkerDiedError as error:
                self._go_on(part, str(error))

    @property
    def _place(self) -> HeldDirectory:
        """Where outcomes are written."""
        assert self._outcomes is not None, "the crew is served"
        return self._outcomes

    def _order(self, part: _Part, result: Path) -> dict[str, object]:
        run = part.run
        paths = {file.name: str(self._store.path(file.digest)) for file in run.calls[0]}
        facts = {"PNODE_TASK": run.unit.task, "PNODE_ATTEMPT": str(run.unit.attempt)}
        return {
            "parcel": paths.pop(run.task.program.arguments[3], ""),
            "first": part.first + part.done,
            "count": part.count - part.done,
            "files": paths,
            "result": str(result),
            "environment": {**dict(run.environment), **dict(run.task.environment), **facts},
        }

    def _go_on(self, part: _Part, how: str) -> None:
        """A process has died: with another one, behind what it has done."""
        done, end = _complete(part.file)
        os.ftruncate(part.file, end)
        part.died = part.died + 1 if done == part.done else 1
        part.done = done
        part.notices.append(f"the process for call {done + 1} of {part.count} {how}")
        logger.warning("task=%s %s", part.run.unit.task, part.notices[-1])
        if part.died == CALLS_DIED_MAX:
            text = f"the process {how}, {CALLS_DIED_MAX} times in a row".encode()
            os.write(part.file, HEADER.pack(DIED, len(text), 0.0) + text)
            part.done, part.died = part.done + 1, 0
        part.worker = self._take(part.worker.session)

    def _keep(self, part: _Part, timed_out: bool) -> RunEnded:
        """Bring what a unit has come to into the store. Raises OSError and StoreError."""
        run, job = part.run, part.run.unit.job
        stdout, stderr = part.worker.logs
        stderr.note(part.notices)
        tail = stderr.tail()
        out, err = (self._keep_log(log, job) for log in (stdout, stderr))
        if timed_out:
            reason = f"ran longer than its walltime of {run.task.walltime_s:g} s"
            return RunEnded(run.unit, reason, -signal.SIGTERM, (), out, err, tail, part.seconds, timed_out=True)
        outcomes = self._store.take_file(self._place.file, part.name, run.task.name, owner=job)
        return RunEnded(run.unit, "", 0, (outcomes,), out, err, tail, part.seconds)

    def _keep_log(self, log: Printout, job: bytes) -> FileRef:
        """What was printed since the last unit."""
        size = log.size_bytes
        if not size:
            return FileRef(log.name, 0, self._nothing.digest)
        with log.reader() as content:
            kept = self._store.add_open(content, log.name, size, owner=job)
        os.ftruncate(log.file, 0)
        return kept

    def _take(self, session: str) -> Worker:
        """An idle worker of the session, or a new one. Raises OSError."""
        for worker in reversed(self._idle):
            if worker.session == session and not worker.is_gone:
                self._idle.remove(worker)
                return worker
        assert self._nursery is not None, "the crew is served"
        worker = Worker(session, self._work, self._settings)
        self._nursery.start_soon(self._employ, worker)
        return worker

    async def _employ(self, worker: Worker) -> None:
        await worker.serve(self._processes, self._environment)
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(worker.remove)
        except OSError as error:
            logger.warning("cannot remove the directory of a worker: %s", error)

    def _give_back(self, worker: Worker) -> None:
        worker.idle_since_s = trio.current_time()
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


def _manner(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-status}"
