"""The executor: runs units, each call in a fresh process, and brings what they wrote into the store.

A unit's calls run one after the other in its workplace, a private directory (see `workplace`, `rooms`). The
application is unpacked once, shared by all units and read-only (see `unpacked`). A call is complete when its process
has ended, and then the rest of its process tree is ended, too (see `processes`). What it prints goes straight into
files, with no pipe through the node (see `printout`); how much that is, and how much the outputs are, is looked at
every `poll_s`, and the kernel's limit on file sizes is the backstop.

What is copied, hashed or synced for a unit is so in a thread, once before a call and once in the end. Where there is
nothing of the kind, as with most short commands, there is no thread either: to go there and back costs more than
what a look at an empty directory does, and beside a busy event loop many times more.

Whatever a task does to its own workplace ends in a stated failure of the unit, or is of no importance: see `held`.

Nothing here has an opinion on how many units run at a time: the core starts them as cores get free.
"""

import errno
import itertools
import logging
import os
import re
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

import trio

from pnode.protocol.dag import ProgramKind, Task
from pnode.protocol.effects import Run, Unit
from pnode.protocol.events import RunEnded
from pnode.protocol.ids import job_text
from pnode.protocol.jobspec import FileRef
from pnode.protocol.values import dataclass, field

from .allowance import Allowance, ExecutorSettings
from .crew import Crew
from .held import DisplacedError, HeldDirectory, remove_tree
from .outputs import find_outputs
from .printout import Printout
from .processes import Command, Ended, Processes, end_leftovers
from .room import Room
from .rooms import Rooms, try_to_remove
from .store import Store, StoreError, StoreFullError
from .unpacked import Unpacked, UnpackError
from .workplace import NOT_EXECUTABLE, NOT_FOUND, UnitError, Workplace

logger = logging.getLogger(__name__)

REASON_CHARACTERS_MAX = 1000
"""Of a failure: a text in a statement has at most 4,096 bytes, and names in it may be long."""

TROUBLES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""Of a machine: another one may not have them."""

WORKPLACE_NAME = re.compile(r"[0-9]+-[0-9a-f]{8}")
"""Nothing else is ever cleared away."""


class Executor:
    """Runs units for one node."""

    def __init__(
        self,
        home: Path,
        store: Store,
        settings: ExecutorSettings | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Workplaces are made in `<home>/work`, applications unpacked in `<home>/apps`.

        What an earlier process of this node left in its workplaces, and what of it still runs, is cleared away, which
        may block for a second.
        """
        (home / "work").mkdir(mode=0o700, exist_ok=True)
        self._work = HeldDirectory.find(home / "work")
        self._store = store
        self._unpacked = Unpacked(home / "apps", store)
        self._settings = settings or ExecutorSettings()
        self._environment = {name: value for name, value in environment.items() if not name.startswith("PNODE_")}
        self._processes = Processes()
        self._scopes: dict[Unit, trio.CancelScope] = {}
        self._numbers = itertools.count(1)
        self._nothing = store.add_bytes(b"", "nothing", owner=b"executor")
        end_leftovers(self._work.path)
        for name in os.listdir(self._work.file):  # noqa: PTH208  # pathlib knows no directory that is held
            if WORKPLACE_NAME.fullmatch(name):
                try_to_remove(partial(remove_tree, name, self._work.file), name)
        self._rooms = Rooms(self._work, keep=self._settings.keep)
        self._crew = Crew(home, store, self._processes, self._settings, environment)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Keep what is kept from one unit to the next: processes (see `crew`), and rooms (see `rooms`). Without it
        there is nothing of the kind."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._rooms.serve)
            await self._crew.serve(task_status=task_status)

    async def run(self, run: Run) -> RunEnded:
        """Run a unit to its end, whatever that is; its inputs and its application are in the store.

        What it wrote and printed is in the store afterwards, pinned for its job. If the caller is cancelled, the
        unit's processes are ended before that gets through.
        """
        if run.task.program.kind == ProgramKind.CALLS:
            return await self._crew.run(run)
        progress = _Progress()
        failure: UnitError | None = None
        pins = f"unit-{next(self._numbers)}".encode()
        self._store.pin(pins, [file.digest for call in run.calls for file in call])
        try:
            with trio.CancelScope() as scope:
                self._scopes[run.unit] = scope
                try:
                    progress.place = Workplace(await self._take_room(), run)
                    await self._work_at(progress.place, run, progress)
                except UnitError as error:
                    failure = error
            if scope.cancelled_caught:
                failure = UnitError("cancelled", -signal.SIGTERM)
            if _is_bare(progress.place):
                return self._collect(run, progress, failure)
            return await trio.to_thread.run_sync(self._collect, run, progress, failure)
        finally:
            with trio.CancelScope(shield=True):
                if progress.place is not None:
                    progress.place.close()
                    await self._rooms.leave(progress.place.room)
            del self._scopes[run.unit]
            self._store.unpin(pins)

    def cancel(self, unit: Unit) -> None:
        """End a unit that is being run; its `run` returns soon, with what it has printed."""
        if unit in self._scopes:
            self._scopes[unit].cancel()

    async def _work_at(self, place: Workplace, run: Run, progress: "_Progress") -> None:
        """All calls of the unit. Raises UnitError."""
        async with AsyncExitStack() as stack:
            application = None
            try:
                if run.application is not None:
                    application = await stack.enter_async_context(self._unpacked.use(run.application))
            except UnpackError as error:
                raise UnitError(str(error)) from None
            furnish = partial(self._furnish, place, application)
            watch = Allowance(self._settings, run.task.walltime_s, place)
            for number, call in enumerate(run.calls, 1):
                try:
                    if place.needs_little(application, call):
                        environment = furnish(call)
                    else:
                        environment = await trio.to_thread.run_sync(furnish, call)
                    await self._call(place, environment, watch, progress)
                except UnitError as error:
                    told = f" (call {number} of {len(run.calls)})" if len(run.calls) > 1 else ""
                    raise UnitError(f"{error}{told}", error.exit_status, ours=error.ours) from None

    async def _take_room(self) -> Room:
        """Raises UnitError."""
        try:
            return await self._rooms.take()
        except OSError as error:
            raise UnitError(f"cannot make its directory: {error}", ours=_is_ours(error)) from None

    def _furnish(self, place: Workplace, application: Path | None, call: tuple[FileRef, ...]) -> dict[str, str]:
        """Make the workplace ready for a call; the environment of its process. Raises UnitError."""
        try:
            if place.is_unused:
                place.furnish(application)
            return place.environment(self._environment) | place.put_inputs(self._store, call)
        except OSError as error:
            raise UnitError(f"cannot prepare its directory: {error}", ours=_is_ours(error)) from None

    async def _call(
        self, place: Workplace, environment: dict[str, str], watch: Allowance, progress: "_Progress"
    ) -> None:
        """One call. Raises UnitError unless it ended well and within its limits."""
        stdout, stderr = place.logs
        words = _words(place, self._settings.python, environment)
        ended = await self._start(Command(words, place.here, environment, stdout.file, stderr.file), watch)
        progress.seconds += ended.seconds
        progress.timed_out = watch.timed_out
        raised, returned = place.result()
        progress.returned += returned
        reason = ended.reason or raised or watch.blame(ended.status) or watch.size() or _displaced(place)
        if reason:
            raise UnitError(reason, ended.status)

    async def _start(self, command: Command, watch: Allowance) -> Ended:
        settings = self._settings
        problem = command.problem()
        if problem:
            raise UnitError(f"cannot start {command.words[0]!r}: {problem}", NOT_EXECUTABLE)
        try:
            return await self._processes.run(
                command,
                watch,
                file_bytes_max=settings.output_bytes_max,
                poll_s=settings.poll_s,
                grace_s=settings.grace_s,
            )
        except PermissionError:
            raise UnitError(f"the command {command.words[0]} is not executable", NOT_EXECUTABLE) from None
        except OSError as error:
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            hint = "; does it begin with #! and the path of its interpreter?"
            raise UnitError(f"cannot start {command.words[0]}: {error.strerror}{hint}", status) from None

    def _collect(self, run: Run, progress: "_Progress", failure: UnitError | None) -> RunEnded:
        """Bring what the unit wrote into the store, and tell how it ended."""
        outputs: tuple[FileRef, ...] = ()
        place = progress.place
        if failure is None and place is not None:
            try:
                outputs = self._keep_outputs(place, run, progress)
            except UnitError as error:
                failure = error
        stdout, stderr = place.logs if place else (None, None)
        return RunEnded(
            unit=run.unit,
            failure=_shortened(str(failure)) if failure else "",
            exit_status=failure.exit_status if failure else 0,
            outputs=outputs,
            stdout=self._keep_log(stdout, run) if stdout else self._no_log("stdout"),
            stderr=self._keep_log(stderr, run) if stderr else self._no_log("stderr"),
            stderr_tail=stderr.tail() if stderr else "",
            seconds=progress.seconds,
            timed_out=progress.timed_out,
            ours=failure.ours if failure else False,
        )

    def _keep_outputs(self, place: Workplace, run: Run, progress: "_Progress") -> tuple[FileRef, ...]:
        """Raises UnitError when there is nothing for those who wait for it, or no room for what there is."""
        try:
            place.room.check()
            found, notices = find_outputs(place.outputs.file, progress.returned, place.room.order.names())
            place.logs[1].note(notices)
        except OSError as error:
            raise UnitError(f"cannot look for its outputs: {error}") from None
        waiting = ", ".join(dict.fromkeys(run.task.children))
        if not found and waiting:
            raise UnitError(f"wrote no output although {waiting} {_has(run.task)} to be fed")
        if not found and run.task.final:
            raise UnitError("wrote no output although its outputs are results of the job")
        try:
            return tuple(
                self._store.take_file(place.outputs.file, output.name, owner=run.unit.job, lasting=run.task.final)
                for output in found
            )
        except (OSError, StoreError) as error:
            raise UnitError(f"cannot keep its outputs: {error}", ours=_is_ours(error)) from None

    def _keep_log(self, log: Printout, run: Run) -> FileRef:
        """A log without what is beyond its bound; nothing if there is no room even for that."""
        size = min(log.size_bytes, self._settings.log_bytes_max)
        if size == 0:
            return self._no_log(log.name)
        try:
            with log.reader() as content:
                return self._store.add_open(content, log.name, size, owner=run.unit.job, lasting=False)
        except (OSError, StoreError) as error:
            logger.warning(
                "job=%s task=%s cannot keep %s: %s", job_text(run.unit.job), run.unit.task, log.name, error
            )
            return self._no_log(log.name)

    def _no_log(self, name: str) -> FileRef:
        return FileRef(name, 0, self._nothing.digest)


@dataclass(slots=True)
class _Progress:
    """What is known of a unit while it runs."""

    place: Workplace | None = None
    seconds: float = 0.0
    returned: list[str] = field(default_factory=list)
    """Paths that its calls returned."""
    timed_out: bool = False


def _words(place: Workplace, python: str, environment: Mapping[str, str]) -> list[str]:
    """Raises UnitError."""
    try:
        return place.words(python, environment)
    except OSError as error:  # a name that no file can have, or a disk that fails
        raise UnitError(f"cannot find its program: {error}", NOT_FOUND) from None


def _is_ours(error: OSError | StoreError) -> bool:
    """Whether the machine is to blame, and not what the unit has done to its directory."""
    return isinstance(error, StoreFullError) or (isinstance(error, OSError) and error.errno in TROUBLES)


def _displaced(place: Workplace) -> str:
    try:
        place.room.check()
    except DisplacedError as error:
        return str(error)
    return ""


def _is_bare(place: Workplace | None) -> bool:
    """Whether there is nothing to keep of what a unit has left."""
    try:
        return place is None or place.room.is_bare
    except OSError:  # `_collect` will say so
        return False


def _shortened(reason: str) -> str:
    text = reason.encode(errors="backslashreplace").decode()
    return text if len(text) <= REASON_CHARACTERS_MAX else text[: REASON_CHARACTERS_MAX - 4] + " ..."


def _has(task: Task) -> str:
    return "has" if len(set(task.children)) == 1 else "have"
