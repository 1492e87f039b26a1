"""The native form of a task graph: a TOML file with a table per task.

    name = "survey"                          # optional: what the job is called

    [task.split]
    command = ["sh", "scripts/split.sh"]     # an argument vector, or
    # module = "scripts/split.py"            # a Python file with `task(file_or_list, pathin, pathout)`
    children = ["left", "right"]             # or, at the other end: after = ["split"]
    inputs_per_call = 1                      # else: one file from each parent
    broadcast = true                         # else: the i-th output to the i-th child
    final = false                            # else: only tasks without children are
    cores = 1
    memory = "512 MiB"                       # or bytes
    walltime = 60                            # seconds
    retries = 2                              # of failures; or { lost = 3, failed = 2, timeout = 1 }
    environment = { LANG = "C" }

Where files are named, they are relative to the directory of the TOML file. The rules of `jupiter` hold here too: a
task that no other feeds gets the job's input, and a parent that has finished sends each child at least one file.
"""

import re
import tomllib
from collections.abc import Mapping

from .dag import RETRIES_LOST, TASKS_MAX, Dag, DagError, Program, ProgramKind, Task
from .jobspec import FILES_MAX
from .jupiter import SINKS
from .textfile import FormatError, check_name, check_text, listed, shown
from .values import dataclass

ARGUMENTS_MAX = 256
ARGUMENT_BYTES_MAX = 4096
"""Both as `dag.Program` has them."""

ENVIRONMENT_MAX = 256

RETRIES_MAX = 255
"""As `dag.Task` has it; pauses between them are a minute by then."""

RETRIES = {"lost": RETRIES_LOST, "failed": 0, "timeout": 0}
"""What may be tried again, and how often it is when nothing is said of it."""

SECONDS_MAX = 1e9
"""Thirty years."""

KEYS = (
    "command", "module", "children", "after", "inputs_per_call", "broadcast", "final", "cores", "memory", "walltime",
    "retries", "environment",
)  # fmt: skip

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
"""Powers of 1,024 in any spelling: what is meant is a limit, not a measurement."""


@dataclass(frozen=True, slots=True)
class NativeGraph:
    """What a file of the native form says."""

    name: str
    """Empty when it does not say."""
    dag: Dag
    lines: Mapping[str, int]
    """Where each task's table begins; 0 when that cannot be told."""


def parse_native(file: str, text: str) -> NativeGraph:
    """Read and check a task graph in the native form. Raises FormatError."""
    plain = _toml(file, check_text(file, text))
    unknown = [key for key in plain if key not in ("name", "task")]
    if unknown:
        raise FormatError(file, 0, f"the key {listed(unknown)}", "`name` and tables [task.NAME]")
    name = plain.get("name", "")
    if not isinstance(name, str) or not name.isprintable() or len(name.encode()) > 255:
        raise FormatError(file, 0, "a `name` that is no short text", "what the job is called, at most 255 bytes")
    tables = plain.get("task")
    if not isinstance(tables, dict) or not 1 <= len(tables) <= TASKS_MAX:
        raise FormatError(file, 0, "no table [task.NAME]", f"1 to {TASKS_MAX} of them")
    lines = _lines(text)
    readers = [_Table(file, lines.get(task, 0), task, table) for task, table in tables.items()]
    return NativeGraph(name, _graph(file, readers), {reader.task: reader.line for reader in readers})


def _toml(file: str, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        raise FormatError(file, line, f"no TOML: {_PLACE.sub('', str(error))}", "tables [task.NAME]") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of nested lists
        raise FormatError(file, 0, "TOML that is too deep or has too long numbers", "tables [task.NAME]") from None


def _lines(text: str) -> dict[str, int]:
    """The line of each table by its spelling, since the TOML parser does not tell."""
    found: dict[str, int] = {}
    for at, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            found.setdefault(header[1], at)
    return found


def _graph(file: str, readers: list["_Table"]) -> Dag:
    children = {reader.task: list(reader.names("children")) for reader in readers}
    for reader in readers:
        for parent in reader.names("after"):
            if parent not in children:
                raise reader.error(
                    "after", f"names {shown(parent)}, which has no table", f"one of {listed(children)}"
                )
            if reader.task not in children[parent]:
                children[parent].append(reader.task)
    for reader in readers:
        for child in children[reader.task]:
            if child not in children:
                raise reader.error(
                    "children", f"names {shown(child)}, which has no table", f"one of {listed(children)}"
                )
    parents = dict.fromkeys(children, 0)
    for below in children.values():
        for child in below:
            parents[child] += 1
    try:
        dag = Dag(tuple(reader.read(tuple(children[reader.task]), parents[reader.task]) for reader in readers))
    except DagError as error:
        raise FormatError(file, 0, str(error), "a graph in which no task waits for itself") from None
    if not any(task.final for task in dag.tasks):
        raise FormatError(file, 0, "no task is final", "at least one whose outputs are the job's results")
    return dag


class _Table:
    """One task's table, read key by key; every error names the key."""

    def __init__(self, file: str, line: int, task: str, table: object) -> None:
        self.file, self.line, self.task = file, line, check_name(file, line, task, "a task")
        if task in SINKS:
            raise FormatError(file, line, f"a task is called {task}", "another name: this is where results go")
        if not isinstance(table, dict):
            raise FormatError(file, line, f"task.{shown(task)} is a {type(table).__name__}", "a table")
        self._table: dict[str, object] = table
        for key in table:
            if key not in KEYS:
                raise self.error(key, "is no key of a task", f"one of {', '.join(KEYS)}")

    def error(self, key: str, found: str, expected: str) -> FormatError:
        return FormatError(self.file, self.line, f"task.{shown(self.task)}.{shown(key)} {found}", expected)

    def read(self, children: tuple[str, ...], parents: int) -> Task:
        inputs_per_call = self._whole("inputs_per_call", max(1, parents), 1, FILES_MAX)
        if inputs_per_call < parents:
            found = f"is {inputs_per_call}, and each of {parents} parents sends at least one file"
            raise self.error("inputs_per_call", found, f"{parents} or more")
        retries = self._retries()
        return Task(
            self.task,
            children,
            self._program(),
            final=self._truth("final", not children),
            inputs_per_call=inputs_per_call,
            broadcast=self._truth("broadcast", True),
            cores=self._whole("cores", 1, 1, 2**16 - 1),
            memory_bytes=self._bytes("memory"),
            walltime_s=self._seconds("walltime"),
            environment=self._environment(),
            retries_lost=retries["lost"],
            retries_failed=retries["failed"],
            retries_timeout=retries["timeout"],
        )

    def names(self, key: str) -> tuple[str, ...]:
        value = self._table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self.error(key, "is no list of texts", "a list of task names")
        if len(dict.fromkeys(value)) != len(value):
            raise self.error(key, "names a task twice", "each task once")
        return tuple(value)

    def _program(self) -> Program:
        command, module = self._table.get("command"), self._table.get("module")
        if (command is None) == (module is None):
            found = "has neither `command` nor `module`" if command is None else "has both `command` and `module`"
            raise FormatError(self.file, self.line, f"task.{shown(self.task)} {found}", "one of the two")
        if module is not None:
            return Program(ProgramKind.MODULE, (self._text("module", module),))
        if not isinstance(command, list) or not 1 <= len(command) <= ARGUMENTS_MAX:
            raise self.error(
                "command", "is no list of texts", f"a program and its arguments, at most {ARGUMENTS_MAX}"
            )
        words = tuple(self._text("command", word) for word in command)
        if not words[0]:
            raise self.error("command", "begins with an empty text", "a program")
        return Program(ProgramKind.COMMAND, words)

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or "\0" in value or len(value.encode()) > ARGUMENT_BYTES_MAX:
            expected = f"texts of at most {ARGUMENT_BYTES_MAX} bytes without the character 0"
            raise self.error(key, "has something other than a text or too long a one", expected)
        return value

    def _whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self._table.get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.error(key, f"is {_worth(value)}", f"a whole number from {low} to {high}")
        return value

    def _truth(self, key: str, default: bool) -> bool:
        value = self._table.get(key, default)
        if type(value) is not bool:
            raise self.error(key, f"is {_worth(value)}", "true or false")
        return value

    def _seconds(self, key: str) -> float:
        value = self._table.get(key, 0)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= SECONDS_MAX:
            raise self.error(key, f"is {_worth(value)}", "seconds, 0 for no limit")
        return float(value)

    def _bytes(self, key: str) -> int:
        value = self._table.get(key, 0)
        size = _SIZE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        number = int(size[1]) * UNITS[size[2]] if size else value
        if type(number) is not int or not 0 <= number < 2**63:
            raise self.error(key, f"is {_worth(value)}", 'bytes, or a text such as "512 MiB"')
        return number

    def _retries(self) -> dict[str, int]:
        """A number means failures: a node that is lost is nobody's fault, and time that was not enough seldom is."""
        value = self._table.get("retries", {})
        told: dict[str, object] = dict(value) if isinstance(value, dict) else {"failed": value}
        for name, number in told.items():
            if name not in RETRIES:
                raise self.error("retries", f"has the key {shown(name)}", f"one of {', '.join(RETRIES)}")
            if type(number) is not int or not 0 <= number <= RETRIES_MAX:
                key = f"retries.{name}" if isinstance(value, dict) else "retries"
                expected = f"a whole number from 0 to {RETRIES_MAX}, or a table such as {{ lost = 3, failed = 2 }}"
                raise self.error(key, f"is {_worth(number)}", expected)
        return RETRIES | {name: number for name, number in told.items() if isinstance(number, int)}

    def _environment(self) -> tuple[tuple[str, str], ...]:
        value = self._table.get("environment", {})
        if not isinstance(value, dict) or len(value) > ENVIRONMENT_MAX:
            raise self.error("environment", f"is {_worth(value)}", f"a table of at most {ENVIRONMENT_MAX} texts")
        for name in value:
            if not _VARIABLE.fullmatch(name) or name.startswith("PNODE_"):
                expected = "names of letters, digits and '_' that do not begin with PNODE_"
                raise self.error("environment", f"sets {shown(name)}", expected)
        return tuple((name, self._text("environment", text)) for name, text in value.items())


def _worth(value: object) -> str:
    """A value for a message: numbers and texts as they are, of others only the type."""
    return shown(str(value)) if isinstance(value, str | int | float) else f"a {type(value).__name__}"


_PLACE = re.compile(r" \(at line (\d+), column \d+\)")
_HEADER = re.compile(r"""\s*\[\s*task\s*\.\s*["']?([^"'\]]*?)["']?\s*\]""")
_SIZE = re.compile(r"([0-9]{1,15})\s*([kmgt]?)i?b?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
