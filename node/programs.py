"""Programs: what is run for a task, found among the files of an application and checked before anything is sent.

A task's program is a file named after the task, or after what `config.json` says: `NAME.py` with Jupiter's `task`
function, else an executable `NAME`, else a shell script `NAME.sh`; first in `scripts`, then beside it.
"""

import ast
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from pnode.protocol.dag import Program, ProgramKind
from pnode.protocol.textfile import FormatError, shown

from .archive import is_inner_path

SCRIPTS = "scripts"

MODULE_BYTES_MAX = 4 * 1024 * 1024
"""No module that a person wrote is longer."""

ABI = "`def task(file_or_list, pathin, pathout)` at the top level"

JUPITER_ROOT = b"/centralized_scheduler"


def find_program(root: Path, task: str, name: str, file: str, line: int) -> Program:
    """The program of a Jupiter task called `name` in an application. Raises FormatError at the DAG file's line."""
    unfit = ""
    for directory in (f"{SCRIPTS}/", ""):
        for suffix in (".py", "", ".sh"):
            relative = f"{directory}{name}{suffix}"
            if not is_program_file(root, relative):
                continue
            if suffix == ".py":
                return Program(ProgramKind.MODULE, (relative,))
            if suffix == ".sh" or is_runnable(root / relative):
                return Program(ProgramKind.COMMAND, (relative,))
            unfit = f"; {relative} is there but cannot be executed (chmod +x)"
    expected = f"one of {SCRIPTS}/{name}.py, {name}.py, {SCRIPTS}/{name}, {name}, {SCRIPTS}/{name}.sh, {name}.sh"
    raise FormatError(file, line, f"{task} has no program in {root}{unfit}", expected)


def is_program_file(root: Path, relative: str) -> bool:
    """Whether an application has a regular file of this name."""
    try:
        return is_inner_path(relative) and (root / relative).is_file()
    except OSError:  # a name that is too long for the file system
        return False


def is_runnable(path: Path) -> bool:
    """Whether a file can be started as it is: it has a mode for that, or says by what it is to be run."""
    return os.access(path, os.X_OK) or has_interpreter(path)


def has_interpreter(path: Path) -> bool:
    """Whether a script's first line names its interpreter."""
    with path.open("rb") as script:
        return script.read(2) == b"#!"


def check_module(root: Path, relative: str) -> list[str]:
    """Read a module without running it; returns notices. Raises FormatError unless it defines a fit `task`."""
    with (root / relative).open("rb") as module:
        source = module.read(MODULE_BYTES_MAX + 1)
    if len(source) > MODULE_BYTES_MAX:
        raise FormatError(
            relative, 0, f"more than {MODULE_BYTES_MAX} bytes", "a Python module; data may lie beside it"
        )
    binding = _binding(_parsed(relative, source))
    if binding is None:
        raise FormatError(relative, 0, "the module defines no `task`", ABI)
    _check_signature(relative, binding)
    if JUPITER_ROOT in source:
        return [f"{relative} speaks of {JUPITER_ROOT.decode()}, which was a directory of Jupiter's containers"]
    return []


def _parsed(relative: str, source: bytes) -> ast.Module:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in strings are none of our business
            return ast.parse(source, relative)
    except SyntaxError as error:
        found = f"{version} cannot read it: {shown(error.msg)}"
        raise FormatError(relative, error.lineno or 0, found, f"a module for {version}") from None
    except (ValueError, RecursionError, MemoryError):  # zero bytes; brackets or operators nested without end
        raise FormatError(relative, 0, f"{version} cannot read it", f"a module for {version}") from None


def _binding(module: ast.Module) -> ast.stmt | None:
    """The last statement at the top level that may give `task` its value."""
    found = [statement for statement in _top_level(module) if _binds_task(statement)]
    return found[-1] if found else None


def _top_level(module: ast.Module) -> Iterator[ast.stmt]:
    """All statements outside functions and classes, those under `if` and `try` included, in order."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _binds_task(statement: ast.stmt) -> bool:
    match statement:
        case ast.FunctionDef(name="task") | ast.AsyncFunctionDef(name="task") | ast.ClassDef(name="task"):
            return True
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return any((alias.asname or alias.name) in ("task", "*") for alias in names)
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Name) and target.id == "task" for target in targets)
        case ast.AnnAssign(target=ast.Name(id="task"), value=ast.expr()):
            return True
    return False


def _check_signature(relative: str, binding: ast.stmt) -> None:
    """Refuse a function that cannot take Jupiter's three arguments. What a decorator or a call returns may."""
    if isinstance(binding, ast.AsyncFunctionDef):
        raise FormatError(relative, binding.lineno, "`task` is an asynchronous function", ABI)
    if not isinstance(binding, ast.FunctionDef) or binding.decorator_list:
        return
    arguments = binding.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults) + sum(default is None for default in arguments.kw_defaults)
    if required > 3 or (positional < 3 and arguments.vararg is None) or None in arguments.kw_defaults:
        found = f"`task` takes {positional} arguments"
        queue = " (Jupiter's fifth version, with its queue, is another interface)" if positional == 4 else ""
        raise FormatError(relative, binding.lineno, found + queue, ABI)
