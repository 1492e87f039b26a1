"""Following: what becomes of one brief command in a lane (see `lanes`), as any other command would have it."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import trio

from pnode.protocol.effects import Run
from pnode.protocol.values import dataclass

from .allowance import Allowance, ExecutorSettings, blame
from .held import DisplacedError
from .lanes import Errand, Lanes, Order
from .processes import Command
from .room import Room
from .unpacked import Unpacked, UnpackError
from .workplace import NOT_EXECUTABLE, NOT_FOUND, UnitError, Workplace, facts_for, start_of


@dataclass(frozen=True, slots=True)
class Followed:
    """How it went."""

    begun: bool
    seconds: float = 0.0
    failure: UnitError | None = None
    timed_out: bool = False
    room: Room | None = None
    """Where it was, if it has changed anything there; whoever has this looks after it."""


def went_well(errand: Errand) -> bool:
    """Whether a command is through with nothing to be said of it but how long it took."""
    answer = errand.answer
    return answer is not None and not (
        answer.get("touched", True) or answer["error"] or answer["status"] or errand.room is not None
    )


class Following:
    """Sends commands to lanes."""

    def __init__(
        self, lanes: Lanes, unpacked: Unpacked, settings: ExecutorSettings, environment: Mapping[str, str]
    ) -> None:
        self._lanes = lanes
        self._unpacked = unpacked
        self._settings = settings
        self._environment = environment

    def send(self, run: Run, heard: Callable[[Errand], None]) -> bool:
        """Have a command without inputs, that has a place in a lane, carried out; `heard` is called as `Lanes.give`
        does. Tells whether that goes without waiting for anything."""
        application = None if run.application is None else self._unpacked.hold(run.application)
        if run.application is not None and application is None:
            return False
        try:
            order = self._order(run, application)
        except UnitError:  # `run` will say so
            self.let_go(run)
            return False
        self._lanes.give(run.unit, order, heard)
        return True

    def let_go(self, run: Run) -> None:
        """One that was sent has ended."""
        if run.application is not None:
            self._unpacked.let_go(run.application)

    async def run(self, run: Run) -> Followed:
        """Run a command without inputs that has a place in a lane. Raises UnitError. If the caller is cancelled it is
        ended before that gets through."""
        try:
            if run.application is None:
                return await self._run(run, None)
            async with self._unpacked.use(run.application) as application:
                return await self._run(run, application)
        except UnpackError as error:
            await self._lanes.abort(run.unit)  # it may have begun while its application was there
            raise UnitError(str(error)) from None
        except trio.Cancelled:
            await self._lanes.abort(run.unit)
            raise

    async def _run(self, run: Run, application: Path | None) -> Followed:
        errand = await self._lanes.run(run.unit, self._order(run, application))
        reason, timed_out = "", False
        if errand.answer is None and errand.room is not None:
            watch = Allowance(self._settings, run.task.walltime_s, Workplace(errand.room, run), errand.ago_s)
            reason = await self._watch(errand, watch)
            timed_out = watch.timed_out
        answer = errand.answer
        assert answer is not None, "it has ended"
        if "recalled" in answer:
            return Followed(begun=False)
        failure = self._failure(errand, run, reason)
        return Followed(True, answer.get("seconds", 0.0), failure, timed_out, errand.room)

    def _order(self, run: Run, application: Path | None) -> Order:
        """Raises UnitError."""
        name, *arguments = run.task.program.arguments
        variables = facts_for(run)
        variables |= {"PNODE_APP_DIR": str(application or ""), "PNODE_INPUTS": "0", "PNODE_INPUT": ""}
        try:
            start = start_of(name, application, variables.get("PATH", self._environment.get("PATH")))
        except OSError as error:  # a name that no file can have, or a disk that fails
            raise UnitError(f"cannot find its program: {error}", NOT_FOUND) from None
        words = [*start, *arguments]
        check_startable(Command(words, Path(), variables, -1, -1))
        return Order(words, variables, str(application or ""), waits=bool(run.task.children))

    async def _watch(self, errand: Errand, watch: Allowance) -> str:
        """A command that takes its time, until it ends; why it had to, if it had."""
        while True:
            with trio.move_on_after(self._settings.poll_s):
                await errand.ended.wait()
                return ""
            reason = watch()
            if reason:
                await self._lanes.end(errand)
                return reason

    def _failure(self, errand: Errand, run: Run, reason: str) -> UnitError | None:
        answer = errand.answer or {}
        if "died" in answer:
            return UnitError("the process that had started it was killed", ours=True)
        if answer.get("error"):
            error = OSError(answer["error"], os.strerror(answer["error"]))
            return start_trouble(run.task.program.arguments[0], error)
        status = answer.get("status", 0)
        reason = reason or blame(status, self._settings)
        if errand.room is not None:
            place = Workplace(errand.room, run)
            reason = reason or Allowance(self._settings, 0.0, place).size() or displaced(place)
        return UnitError(reason, status) if reason else None


def check_startable(command: Command) -> None:
    """Raises UnitError if no process can be given its words or variables."""
    problem = command.problem()
    if problem:
        raise UnitError(f"cannot start {command.words[0]!r}: {problem}", NOT_EXECUTABLE)


def start_trouble(name: str, error: OSError) -> UnitError:
    """A command that could not be started."""
    if isinstance(error, PermissionError):
        return UnitError(f"the command {name} is not executable", NOT_EXECUTABLE)
    status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    hint = "; does it begin with #! and the path of its interpreter?"
    return UnitError(f"cannot start {name}: {error.strerror}{hint}", status)


def displaced(place: Workplace) -> str:
    """What a unit has put in the place of a directory of its own."""
    try:
        place.room.check()
    except DisplacedError as error:
        return str(error)
    return ""
