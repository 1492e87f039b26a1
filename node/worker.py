"""The worker: one call of a Python task, in a process of its own.

Run by path, never imported by the node, and imports next to nothing, since every call of every task pays for it. It
calls `task(file_or_list, pathin, pathout)` of one module, as Jupiter did (reference: jupiter.md 5.4), with the
module's directory first on `sys.path` and the application's behind it. `if __name__ == "__main__"` blocks do not run,
and module globals are fresh, since the process is.

Arguments: the module's file, the application's directory, the input directory, the output directory, a file with one
input path per line, `string` or `list`, and the file for the result. What the task returned or raised goes there, as
fields that are separated by zero bytes: `returned` and the paths it named, or `raised` and the exception.
"""

import os
import sys
from io import BufferedWriter
from types import ModuleType, TracebackType

REASON_CHARACTERS_MAX = 500


def load(path: str, application: str) -> ModuleType:
    """Import the module by its name, as other modules of the application would."""
    directory, name = os.path.split(path)
    name = name.removesuffix(".py")
    sys.path[:0] = dict.fromkeys((directory, application))
    if "." not in name and name not in sys.modules:
        module: ModuleType = __import__(name)
        if getattr(module, "__file__", None) == path:
            return module
    # A task called like a module that is loaded already, or with a dot in its name: it is still the one to run.
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def call(path: str, application: str, inputs: str, outputs: str, listing: str, shape: str) -> list[str]:
    """Load the module and call its task; the paths that it returned, none if it returned anything else."""
    module = load(path, application)
    task = getattr(module, "task", None)
    if not callable(task):
        raise TypeError(f"{path} has no function task(file, pathin, pathout)")
    with open(listing, encoding="utf-8") as file:  # noqa: PTH123  # pathlib would double the imports
        names = [os.path.basename(line.rstrip("\n")) for line in file]  # noqa: PTH119  # as above
    returned = task(names if shape == "list" else "".join(names), inputs, outputs)
    paths = [returned] if isinstance(returned, str | os.PathLike) else returned
    if not isinstance(paths, list | tuple) or not all(isinstance(item, str | os.PathLike) for item in paths):
        return []
    return [os.fsdecode(item) for item in paths]


def write_result(file: BufferedWriter, *fields: str) -> None:
    content = b"\0".join(os.fsencode(field) for field in fields)
    with file:
        file.write(content)


def main() -> None:
    *arguments, result_path = sys.argv[1:]
    result = open(result_path, "wb")  # noqa: PTH123, SIM115  # as above; before the task can put a pipe in its place
    sys.argv[:] = arguments[:1]

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        from traceback import format_exception_only, print_exception

        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next  # what the task did matters, not how it was called
        print_exception(kind, error, trace)
        reason = " ".join(format_exception_only(kind, error)[-1].split())[:REASON_CHARACTERS_MAX]
        write_result(result, "raised", reason.encode(errors="backslashreplace").decode())

    sys.excepthook = report
    sys.dont_write_bytecode = True  # the application's directory is shared and read-only
    # Whole lines reach the log also when the task is killed, and an odd file name in a message is no reason to fail.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]  # a text file
    write_result(result, "returned", *call(*arguments))


if __name__ == "__main__":  # a task that spawns processes has this file loaded in them under another name
    main()
