"""Applications: a DAG file with everything that belongs to it, found on the disk and checked before it is submitted.

An application is the directory that the DAG file lies in (its parent, if the file lies in one called `DAG`). Of
Jupiter's files are read where present: `config.json`, `name_convert.txt`, `input_node.txt` and `nodes.txt`, in
`scripts`, beside the DAG file or at the top. A file that ends in `.toml` is in the native form. What travels is
`scripts`; if a task's program lies elsewhere in the directory, all of the directory does.

All functions block on the disk; none runs anything of the application.
"""

import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pnode.protocol.companions import (
    Config,
    NameConvert,
    parse_config,
    parse_input_nodes,
    parse_name_convert,
    parse_nodes,
)
from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.jobspec import FileRef, Item
from pnode.protocol.jupiter import parse_configuration, to_dag
from pnode.protocol.native import parse_native
from pnode.protocol.routing import RoutingError, make_items
from pnode.protocol.textfile import CHARACTERS_MAX, FormatError, decode_text, listed, shown
from pnode.protocol.values import dataclass

from .archive import ArchiveError, ShippedFile, collect, pack
from .inputs import INPUT_MAKER, SAMPLE_INPUT, find_inputs
from .programs import SCRIPTS, check_module, find_program, has_interpreter, is_program_file, is_runnable


class ApplicationError(Exception):
    """The application or its input is not as it should be; the message is one line for its author."""


@dataclass(frozen=True, slots=True)
class Application:
    """Everything about a job that lies on the submitter's disk."""

    name: str
    dag: Dag
    inputs: tuple[Path, ...]
    """Regular files; their base names are what tasks see."""
    files: tuple[ShippedFile, ...]
    """What travels with the job."""
    convert: NameConvert | None
    notices: tuple[str, ...]
    """What a person who submits this should know, a line each."""

    def items(self, files: Sequence[FileRef]) -> tuple[Item, ...]:
        """The job's items, `files` being the inputs in order. Raises RoutingError."""
        if self.convert is None:
            return make_items(self.dag, files)
        return make_items(self.dag, files, self.convert.key_of(self.dag.entries[0]))


def load_application(dag_path: Path, inputs: Sequence[Path] = ()) -> Application:
    """Find and check what belongs to a DAG file. Raises ApplicationError.

    `inputs` are files and directories, of which all visible files are taken; none stands for the application's sample
    input.
    """
    try:
        application = _load(dag_path, inputs)
        # The same rules again with the real digests when the job is made; here an error costs nothing yet.
        application.items([FileRef(path.name, path.stat().st_size, bytes(32)) for path in application.inputs])
    except (FormatError, RoutingError, ArchiveError) as error:
        raise ApplicationError(str(error)) from error
    except OSError as error:
        raise ApplicationError(f"{error.filename or dag_path}: cannot be read: {error.strerror}") from error
    return application


def pack_application(application: Application, target: Path) -> int:
    """Write what travels into one archive; returns its size in bytes. Raises ApplicationError, and OSError where the
    target's disk fails."""
    try:
        return pack(application.files, target)
    except ArchiveError as error:
        raise ApplicationError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Graph:
    name: str
    dag: Dag
    convert: NameConvert | None
    notices: list[str]


def _load(dag_path: Path, inputs: Sequence[Path]) -> Application:
    text = _text(dag_path, str(dag_path))
    directory = dag_path.absolute().parent.resolve()
    root = directory.parent if directory.name == "DAG" else directory
    is_native = dag_path.suffix.lower() == ".toml"
    graph = _native(root, dag_path.name, text) if is_native else _jupiter(root, directory, dag_path.name, text)
    found, input_notices = find_inputs(root, inputs)
    if not found:
        _check_without_input(graph.dag, dag_path.name, root / INPUT_MAKER)
    files, file_notices = _shipped(root, graph.dag)
    notices = (*graph.notices, *input_notices, *file_notices)
    name = graph.name or root.name or dag_path.stem
    return Application(name, graph.dag, found, files, graph.convert, notices)


def _jupiter(root: Path, directory: Path, file: str, text: str) -> _Graph:
    places = (root / SCRIPTS, directory, root)
    config = _companion(root, places, "config.json", parse_config) or Config({}, {})
    outside = [name for name, task in config.tasks.items() if not task.inside]
    configuration = parse_configuration(file, text, outside)
    notices = list(configuration.notices)
    programs: dict[str, Program] = {}
    for entry in configuration.entries:
        configured = config.tasks.get(entry.name)
        wanted = configured.module if configured else entry.name
        programs[entry.name] = find_program(root, entry.name, wanted, file, entry.line)
    hosts = _companion(root, places, "nodes.txt", parse_nodes) or {}
    wishes = _companion(root, places, "input_node.txt", parse_input_nodes) or {}
    hints = {name: (*wishes.get(name, ()), *configuration.hints.get(name, ())) for name in programs}
    notices += _hint_notices(hints, [name for name in wishes if name not in programs], hosts)
    dag = to_dag(configuration, programs, {name: _with_hosts(asked, hosts) for name, asked in hints.items()})
    notices += _check_modules(root, dag)
    return _Graph("", dag, _companion(root, places, "name_convert.txt", parse_name_convert), notices)


def _native(root: Path, file: str, text: str) -> _Graph:
    graph = parse_native(file, text)
    for task in graph.dag.tasks:
        _check_native_program(root, file, graph.lines[task.name], task)
    return _Graph(graph.name, graph.dag, None, _check_modules(root, graph.dag))


def _check_native_program(root: Path, file: str, line: int, task: Task) -> None:
    first = task.program.arguments[0]
    is_module = task.program.kind == ProgramKind.MODULE
    if is_program_file(root, first):
        if not is_module and not first.endswith(".sh") and not is_runnable(root / first):
            raise FormatError(
                file, line, f"{task.name} runs {first}, which cannot be executed", "a program (chmod +x)"
            )
    elif is_module or ("/" in first and not Path(first).is_absolute()):
        key = "module" if is_module else "command"
        found = f"task.{task.name}.{key} names {shown(first)}, which is not in {root}"
        raise FormatError(file, line, found, "a file of the application")


def _check_modules(root: Path, dag: Dag) -> list[str]:
    modules = dict.fromkeys(
        task.program.arguments[0] for task in dag.tasks if task.program.kind == ProgramKind.MODULE
    )
    return [notice for module in modules for notice in check_module(root, module)]


# Hints


def _with_hosts(asked: Sequence[str], hosts: Mapping[str, str]) -> tuple[str, ...]:
    """Each name that `nodes.txt` knows is followed by its host: either may be what the node is called here."""
    names = (name for node in asked for name in (node, hosts.get(node, node)))
    return tuple(dict.fromkeys(names))


def _hint_notices(
    hints: Mapping[str, Sequence[str]], strangers: Sequence[str], hosts: Mapping[str, str]
) -> list[str]:
    notices = []
    asked = [f"{task} on {' or '.join(nodes)}" for task, nodes in hints.items() if nodes]
    if asked:
        notices.append(f"asked for by the application's files, and a hint to the mapper: {', '.join(asked[:8])}")
    if strangers:
        notices.append(f"input_node.txt: ignored, because they are no tasks of the DAG: {listed(strangers)}")
    if hosts and not asked:
        notices.append("nodes.txt: not needed, nodes find each other by themselves")
    return notices


def _check_without_input(dag: Dag, file: str, maker: Path) -> None:
    """A program may do without input; Jupiter's `task` function cannot be called without a file."""
    for name in dag.entries:
        if dag.by_name[name].program.kind == ProgramKind.MODULE:
            found = f"there is no input for {name}"
            made = f" ('{maker} DIR' makes one)" if maker.is_file() else ""
            raise FormatError(file, 0, found, f"--input FILE or a directory {SAMPLE_INPUT} with files in it{made}")


# What travels


def _shipped(root: Path, dag: Dag) -> tuple[tuple[ShippedFile, ...], list[str]]:
    programs = _program_files(root, dag)
    is_scattered = any(not name.startswith(f"{SCRIPTS}/") for name in programs)
    start = root if is_scattered else root / SCRIPTS
    files, notices = collect(root, start) if start.is_dir() else ([], [])
    shipped = {file.name: file for file in files}
    for name, task in programs.items():
        if name not in shipped:
            why = next((notice for notice in notices if notice.startswith(f"{name} ")), f"{name} is not shipped")
            raise FormatError(name, 0, f"{task.name} runs it, but {why}", "a file that can travel with the job")
        if task.program.arguments[0] == name and task.program.kind == ProgramKind.COMMAND:
            # What is to be executed gets the mode for it; a script that does not say how is run by a shell instead.
            is_plain_script = name.endswith(".sh") and not has_interpreter(root / name)
            shipped[name] = ShippedFile(name, shipped[name].source, not is_plain_script)
    return tuple(shipped.values()), notices


def _program_files(root: Path, dag: Dag) -> dict[str, Task]:
    """The files of the application that tasks name, each with the first task that does."""
    named: dict[str, Task] = {}
    for task in dag.tasks:
        for word in task.program.arguments:
            if is_program_file(root, word):
                named.setdefault(word, task)
    return named


# Files


T = TypeVar("T")


def _companion(root: Path, places: Sequence[Path], name: str, parse: Callable[[str, str], T]) -> T | None:
    """What the first file of this name says; None if there is none. Raises FormatError."""
    for path in (place / name for place in places):
        if path.is_file():
            relative = path.relative_to(root).as_posix()
            return parse(relative, _text(path, relative))
    return None


def _text(path: Path, name: str) -> str:
    """The text of a file, within bounds. Raises FormatError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError(name, 0, "it is no regular file", "a text file")
        with path.open("rb") as file:
            data = file.read(CHARACTERS_MAX + 1)
    except OSError as error:
        raise FormatError(name, 0, f"it cannot be read ({error.strerror})", "a text file") from None
    if len(data) > CHARACTERS_MAX:
        raise FormatError(name, 0, f"it has more than {CHARACTERS_MAX} bytes", "a text file of fewer")
    return decode_text(name, data)
