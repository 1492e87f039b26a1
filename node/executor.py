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
from collections.abc import Callable, Mapping
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

from .allowance import Allowance, ExecutorSettings, blame
from .attention import Attention
from .crew import Crew
from .following import Following, check_startable, displaced, start_trouble, went_well
from .held import HeldDirectory, remove_tree
from .lanes import Errand, Lanes
from .outputs import find_outputs
from .printout import Printout
from .processes import Command, Ended, Processes, end_leftovers
from .room import Room
from .rooms import Rooms, try_to_remove
from .store import Store
from .trouble import StoreError, StoreFullError
from .unpacked import Unpacked, UnpackError
from .waiting import Waiting
from .workplace import NOT_FOUND, UnitError, Workplace

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
        *,
        has_lanes: bool = True,
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
        self._has_lanes = has_lanes
        self._deliver: Callable[[RunEnded], None] = lambda _: None
        self._carry_out: Callable[[Run], None] = lambda _: None
        self._waiting = Waiting()
        self._numbers = itertools.count(1)
        self._nothing = store.add_bytes(b"", "nothing", owner=b"executor")
        end_leftovers(self._work.path)
        for name in os.listdir(self._work.file):  # noqa: PTH208  # pathlib knows no directory that is held
            if WORKPLACE_NAME.fullmatch(name):
                try_to_remove(partial(remove_tree, name, self._work.file), name)
        self._rooms = Rooms(self._work, keep=self._settings.keep)
        self._lanes = Lanes(self._work, self._rooms, self._processes, self._environment)
        self._following = Following(self._lanes, self._unpacked, self._settings, self._environment)
        self._crew = Crew(home, store, self._processes, self._settings, environment)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Keep what is kept from one unit to the next: processes (see `crew`), and rooms (see `rooms`). Without it
        there is nothing of the kind."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._rooms.serve)
            await nursery.start(self._lanes.serve, self._settings.output_bytes_max, self._settings.grace_s)
            await self._crew.serve(task_status=task_status)

    async def run(self, run: Run) -> RunEnded:
        """Run a unit to its end, whatever that is; its inputs and its application are in the store.

        What it wrote and printed is in the store afterwards, pinned for its job. If the caller is cancelled, the
        unit's processes are ended before that gets through.
        """
        if run.task.program.kind == ProgramKind.CALLS:
            return await self._crew.run(run)
        if self._lanes.has(run.unit):
            return await self._run_in_lane(run)
        if not await self._waiting.is_its_turn(run):
            return self._not_begun(run)
        return await self._run_alone(run)

    def attach(self, deliver: Callable[[RunEnded], None], carry_out: Callable[[Run], None]) -> None:
        """Who hears of the ends of units that were taken on, and who has others carried out by `run`."""
        self._deliver, self._carry_out = deliver, carry_out

    def announce(self, run: Run) -> bool:
        """A unit is to be run; said of all, in their order. Tells whether it is taken on: then its end is told,
        unless it takes longer, or has done more, than can be dealt with in passing. What is not is to be `run`."""
        before = self._waiting.enter(run)
        if run.behind is None or not self._has_lanes or not self._lanes.are_there:
            return False
        self._lanes.reserve(run, before)
        return not _lack(run.task) and self._following.send(run, partial(self._heard, run))

    def _heard(self, run: Run, errand: Errand) -> None:
        """A unit that was taken on has ended, or takes its time."""
        self._following.let_go(run)
        if went_well(errand):
            assert errand.answer is not None, "it is through"
            nothing = (self._no_log("stdout"), self._no_log("stderr"))
            self.leave(run.unit)
            self._deliver(RunEnded(run.unit, "", 0, (), *nothing, "", errand.answer["seconds"]))
        else:
            self._carry_out(run)

    def leave(self, unit: Unit) -> None:
        """Of a unit that was announced nobody wants to know any more: it has ended, or will not be run."""
        self._lanes.leave(unit)
        self._waiting.leave(unit)

    def recall(self, unit: Unit) -> None:
        """Do not start a unit that waits behind another; if it does, its `run` returns soon."""
        self._lanes.recall(unit)
        self._waiting.recall(unit)

    async def _run_in_lane(self, run: Run) -> RunEnded:
        progress, failure = _Progress(), None
        try:
            followed = await self._following.run(run)
        except UnitError as error:
            failure = error
        else:
            if not followed.begun:
                return self._not_begun(run)
            failure = followed.failure or (UnitError(_lack(run.task)) if _lack(run.task) else None)
            progress.seconds, progress.timed_out = followed.seconds, followed.timed_out
            if followed.room is not None:
                progress.place, failure = Workplace(followed.room, run), followed.failure
        try:
            return await self._conclude(run, progress, failure)
        finally:
            await self._leave_place(progress)

    def _not_begun(self, run: Run) -> RunEnded:
        return RunEnded(run.unit, "", 0, (), self._no_log("stdout"), self._no_log("stderr"), "", 0.0, begun=False)

    async def _run_alone(self, run: Run) -> RunEnded:
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
            return await self._conclude(run, progress, failure)
        finally:
            await self._leave_place(progress)
            del self._scopes[run.unit]
            self._store.unpin(pins)

    async def _conclude(self, run: Run, progress: "_Progress", failure: UnitError | None) -> RunEnded:
        """Nothing of the unit runs any more: keep what is worth it."""
        if _is_bare(progress.place):
            return self._collect(run, progress, failure)
        return await trio.to_thread.run_sync(self._collect, run, progress, failure)

    async def _leave_place(self, progress: "_Progress") -> None:
        """Whatever happens to the caller."""
        with trio.CancelScope(shield=True):
            if progress.place is not None:
                progress.place.close()
                await self._rooms.leave(progress.place.room)

    def cancel(self, unit: Unit) -> None:
        """End a unit that is being run; its `run` returns soon, with what it has printed. One that was taken on is
        carried out to its end."""
        if unit in self._scopes:
            self._scopes[unit].cancel()
        else:
            self._lanes.cancel(unit)

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
        reason = ended.reason or raised or blame(ended.status, self._settings) or watch.size() or displaced(place)
        if reason:
            raise UnitError(reason, ended.status)

    async def _start(self, command: Command, watch: Allowance) -> Ended:
        settings = self._settings
        check_startable(command)
        try:
            return await self._processes.run(
                command,
                watch,
                Attention(settings.poll_s),
                file_bytes_max=settings.output_bytes_max,
                grace_s=settings.grace_s,
            )
        except OSError as error:
            raise start_trouble(command.words[0], error) from None

    def _collect(self, run: Run, progress: "_Progress", failure: UnitError | None) -> RunEnded:
        """Bring what the unit wrote into the store, and tell how it ended."""
        outputs: tuple[FileRef, ...] = ()
        place = progress.place
        if failure is None and place is not None:
            try:
                outputs = self._keep_outputs(place, run, progress)
            except UnitError as error:
                failure = error
        if failure is not None and not progress.timed_out and self._store.is_disk_full:
            failure = failure.for_want_of_room()
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
        lack = "" if found else _lack(run.task)
        if lack:
            raise UnitError(lack)
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


def _is_bare(place: Workplace | None) -> bool:
    """Whether there is nothing to keep of what a unit has left."""
    try:
        return place is None or place.room.is_bare
    except OSError:  # `_collect` will say so
        return False


def _shortened(reason: str) -> str:
    text = reason.encode(errors="backslashreplace").decode()
    return text if len(text) <= REASON_CHARACTERS_MAX else text[: REASON_CHARACTERS_MAX - 4] + " ..."


def _lack(task: Task) -> str:
    """What is wrong if a task has written nothing; empty if nothing is."""
    if task.children:
        waiting = dict.fromkeys(task.children)
        return f"wrote no output although {', '.join(waiting)} {'has' if len(waiting) == 1 else 'have'} to be fed"
    return "wrote no output although its outputs are results of the job" if task.final else ""
