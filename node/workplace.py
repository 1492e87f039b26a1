"""A workplace: the private directory of one unit, and what a task finds there and in its environment.

    in/      the inputs of one call under their own names, as copies that the task may do with what it likes; made
             anew for every call
    out/     where all calls of the unit write their outputs (see `outputs`)
    here/    the current directory. It is the unit's own and begins with links to what lies beside the module (for a
             command: at the top of the application), so that data files are found by their relative names, as they
             were when Jupiter ran tasks in their scripts directory
    stdout, stderr, inputs (one path per line), result (of the worker)

The node holds the directories and the files that it reads open from their making on (see `room`), since a task may
put anything in their places. What a task does there to names is either of no importance, or ends the unit with a
statement.

Beside the node's own environment without PNODE_ variables, facts about the job (PNODE_JOB, PNODE_NODE and others) and
the task's own variables, a task finds:

    PNODE_TASK, PNODE_ITEM, PNODE_ATTEMPT   which unit this is
    PNODE_APP_DIR       the application's directory; empty if the job has none
    PNODE_INPUT_DIR     where the inputs are
    PNODE_INPUTS        how many there are
    PNODE_INPUT         the path of the one input; empty if there is another number of them
    PNODE_INPUT_LIST    a file with one input path per line, in order
    PNODE_OUTPUT_DIR    where outputs belong
    PNODE_WORK_DIR      the workplace
    TASK, NODE_NAME     as Jupiter had them
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pnode.protocol.dag import ProgramKind
from pnode.protocol.effects import Run
from pnode.protocol.ids import job_text
from pnode.protocol.jobspec import FileRef

from .held import remove_tree
from .outputs import base_name_problem
from .processes import MARK
from .room import Room
from .store import Store
from .trouble import MissingContentError
from .unpacked import make_executable

WORKER = Path(__file__).with_name("worker.py")

RESULT_BYTES_MAX = 16 * 2**20
"""As many paths as there may be outputs, and long ones; what is beyond it is not looked at."""

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""Exit statuses, as POSIX shells have them."""


FEW = 8
"""Links that take no longer to make than a way to a thread and back."""


class UnitError(Exception):
    """The unit has failed; the message says why, to the person who submitted the job."""

    def __init__(self, reason: str, exit_status: int = 0, *, ours: bool = False) -> None:
        """`ours`: this node is to blame, and no other may be."""
        super().__init__(reason)
        self.exit_status = exit_status
        self.ours = ours

    def for_want_of_room(self) -> "UnitError":
        """The same where the disk is full: who ends by itself then, or leaves nothing, may have found no room."""
        if self.ours or self.exit_status < 0:
            return self
        return UnitError(f"{self}; the disk of this node is full", self.exit_status, ours=True)


class Workplace:
    """A room as the workplace of one unit. Methods block on the disk."""

    def __init__(self, room: Room, run: Run) -> None:
        """Takes over a room that nobody has used."""
        self.room = room
        self._run = run
        self._application: Path | None = None
        self._result: BinaryIO | None = None
        self.is_unused = True
        self.outputs = room.outputs
        self.logs = room.logs
        self.path = room.root.path
        self.here = room.here.path
        self.inputs = self.path / "in"
        self._list = self.path / "inputs"

    def is_ready_for(self, call: tuple[FileRef, ...]) -> bool:
        """Whether nothing has to be written or copied before this call, since there is nothing that it needs."""
        return self.is_unused and not call and self._run.task.program.kind == ProgramKind.COMMAND

    def needs_little(self, application: Path | None, call: tuple[FileRef, ...]) -> bool:
        """Whether it is ready for a first call as soon as a few links were made, if any."""
        if not self.is_ready_for(call):
            return False
        if application is None:
            return True
        with suppress(OSError), os.scandir(application) as found:  # `furnish` will say so
            return sum(1 for _ in islice(found, FEW + 1)) <= FEW
        return False

    def furnish(self, application: Path | None) -> None:
        """Put into the current directory what belongs there for a job with this application or none."""
        self._application = application
        if application is not None:
            module = self._run.task.program.kind == ProgramKind.MODULE
            beside = _in_application(application, self._run.task.program.arguments[0]) if module else None
            for path in (beside.parent if beside else application).iterdir():
                os.symlink(path, path.name, dir_fd=self.room.here.file)

    def put_inputs(self, store: Store, call: tuple[FileRef, ...]) -> dict[str, str]:
        """Lay out the inputs of one call; the variables that tell the task about them.

        Raises UnitError and OSError.
        """
        if not self.is_ready_for(call):
            self._put(store, call)
        self.is_unused = False
        paths = [str(self.inputs / file.name) for file in call]
        return {
            "PNODE_INPUT_DIR": str(self.inputs),
            "PNODE_INPUTS": str(len(paths)),
            "PNODE_INPUT": paths[0] if len(paths) == 1 else "",
            "PNODE_INPUT_LIST": str(self._list),
        }

    def _put(self, store: Store, call: tuple[FileRef, ...]) -> None:
        """Raises UnitError and OSError."""
        self.room.check()
        inputs = self.room.renew_inputs()
        files: dict[str, bytes] = {}
        for file in call:
            problem = base_name_problem(file.name)
            if problem:
                raise UnitError(f"the input {file.name!r} {problem}")
            if files.setdefault(file.name, file.digest) != file.digest:
                raise UnitError(f"two different inputs are called {file.name!r}")
        for name, digest in files.items():
            try:
                store.materialise(digest, name, inputs.file)
            except MissingContentError as error:
                raise UnitError(f"the input {name!r} is gone: {error}") from None
        with os.fdopen(self.room.root.make_file("inputs"), "wb") as listing:
            listing.writelines(os.fsencode(f"{self.inputs / file.name}\n") for file in call)
        self._renew_result()

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """What the task finds in its environment but for its inputs; `own` is the node's without PNODE_ variables."""
        return {
            **own,
            **facts_for(self._run),
            "PNODE_APP_DIR": str(self._application or ""),
            "PNODE_OUTPUT_DIR": str(self.outputs.path),
            MARK: str(self.path),
        }

    def words(self, python: str, environment: Mapping[str, str]) -> list[str]:
        """The command for one call. Raises UnitError if there is nothing that could be run."""
        program = self._run.task.program
        if program.kind == ProgramKind.COMMAND:
            start = start_of(program.arguments[0], self._application, environment.get("PATH"))
            return [*start, *program.arguments[1:]]
        if program.kind != ProgramKind.MODULE:
            raise UnitError(f"this node does not know programs of kind {program.kind}", NOT_EXECUTABLE)
        module = _in_application(self._application, program.arguments[0])
        if module is None:
            raise UnitError(f"the application has no file {program.arguments[0]}", NOT_FOUND)
        shape = "string" if self._run.task.inputs_per_call == 1 else "list"
        paths = (module, self._application, self.inputs, self.outputs.path, self._list)
        # -P: the worker's own directory, which is the node's code, must not be on the task's path.
        return [python, "-P", str(WORKER), *map(str, paths), shape, str(self.path / "result")]

    def result(self) -> tuple[str, list[str]]:
        """What the worker, which a command has not, tells of the call: (exception or empty, paths that the task
        returned)."""
        if self._result is None:
            return "", []
        kind, *fields = self._result.read(RESULT_BYTES_MAX).split(b"\0")
        if kind == b"raised":
            return b" ".join(fields).decode(errors="replace"), []
        return "", [os.fsdecode(field) for field in fields]

    def close(self) -> None:
        """Let go of what is not the room's."""
        if self._result is not None:
            self._result.close()

    def _renew_result(self) -> None:
        """An empty file for the result of the next call of a module, which is ours to read whatever becomes of its
        name."""
        if self._run.task.program.kind != ProgramKind.MODULE:
            return
        if self._result is not None:
            self._result.close()
        remove_tree("result", self.room.root.file)
        self._result = os.fdopen(self.room.root.make_file("result"), "rb")


def facts_for(run: Run) -> dict[str, str]:
    """What a task finds in its environment wherever it runs."""
    facts = {"PNODE_JOB": job_text(run.unit.job), **dict(run.environment)}
    return {
        "TASK": run.unit.task,
        "NODE_NAME": facts.get("PNODE_NODE", ""),
        **facts,
        **dict(run.task.environment),
        "PNODE_TASK": run.unit.task,
        "PNODE_ITEM": str(run.unit.item),
        "PNODE_ATTEMPT": str(run.unit.attempt),
    }


def start_of(name: str, application: Path | None, path: str | None) -> list[str]:
    """How to start a command's first word, a file of the application or found along a PATH. Raises UnitError, and
    OSError for a name that no file can have."""
    file = _in_application(application, name)
    if file is None:
        return [_installed(name, application, path)]
    if os.access(file, os.X_OK):
        return [str(file)]
    if file.suffix == ".sh":
        return ["/bin/sh", str(file)]
    # It lost its mode on the way, or never had it: to be named as a command says enough.
    make_executable(file)
    return [str(file)]


def _installed(name: str, application: Path | None, path: str | None) -> str:
    found = shutil.which(name, path=path)
    if found is not None and ("/" not in name or Path(name).is_absolute()):
        return found
    if Path(name).is_absolute() and Path(name).exists():
        raise UnitError(f"the command {name} is not executable", NOT_EXECUTABLE)
    place = "neither a file of the application nor" if application else "not"
    raise UnitError(f"the command {name!r} is {place} on this node's PATH", NOT_FOUND)


def _in_application(application: Path | None, name: str) -> Path | None:
    """A file of the application; None if it has none of that name."""
    path = PurePosixPath(name)
    if application is None or path.is_absolute() or ".." in path.parts:
        return None
    file = application / path
    # An application has no links. Where there is one now, a task has put it there.
    return file if file.is_file() and file.resolve() == application.resolve() / path else None
