"""Routing: which files make an item of a job, which outputs go to which child, and which inputs make a call.

These are the rules of Jupiter's files (reference: jupiter.md 5.1 to 5.3), used by node and simulator alike:

- A file's *key* is its name up to the first `_`, or else up to the first `.`; files of one key belong together.
- The job's input is cut into *items*, which flow through the graph apart from each other. Where the entry task takes
  one file per call, each file is an item; where it takes n, the n files of one key are.
- FLAG true sends every output to every child; FLAG false deals the outputs to the children in turn, in any number of
  full rounds, the i-th to the i-th.
- A task that takes n files per call is called once when an item brings it n files, whatever their names: the item has
  said that they belong together. When it brings more, the files of one key make calls, n at a time; if they all have
  one key, or n is 1, the order alone decides. What is left over is a failure with numbers, where Jupiter would wait
  for ever.
- The order of a call's files is the order of the parents in the DAG file and, within a parent, of its outputs.

A file of no bytes is a file. Python calls are no task of Jupiter's: each gets those of the job's files that it names,
also where it has parents, and all that they wrote, in one call.
"""

from collections.abc import Callable, Iterable, Sequence

from .dag import Dag, ProgramKind, Task
from .dag import is_base_name as is_base_name  # one of the rules for files, though it holds for tasks too
from .jobspec import FILES_MAX, ITEMS_MAX, FileRef, Item

NAMES_SHOWN_MAX = 8
"""File names that a message lists; the rest is a number."""

KeyOf = Callable[[str], str]


class RoutingError(ValueError):
    """Files and graph do not fit together; the message says which and by how much."""


def key_of(name: str) -> str:
    """What the names of files that belong together begin with; the whole name where that would be none."""
    key = name.partition("_" if "_" in name else ".")[0]
    return name if key in ("", ".", "..") else key


def make_items(dag: Dag, files: Sequence[FileRef], key_of: KeyOf = key_of) -> tuple[Item, ...]:
    """Cut a job's input into items, in the order in which their first files stand.

    A job without input has one item without files. `key_of` may follow a `name_convert.txt`. Raises RoutingError.
    """
    _check_names(files, "the job's input")
    size = _files_per_item(dag)
    if not files:
        return (Item("input", ()),)
    groups = _singles(files, key_of) if size == 1 else _by_key(files, key_of)
    for key, group in groups.items():
        if not is_base_name(key):
            raise RoutingError(
                f"{key!r} is the key of {_names(group)}, expected one without '/' and control characters"
            )
        if len(group) != size:
            raise RoutingError(
                f"the job's input has {_count(len(group), 'file')} with the key {key!r} ({_names(group)}), expected "
                f"{size}, which {dag.entries[0]} takes per call; the key is the name up to the first '_' or else '.'"
            )
    if len(groups) > ITEMS_MAX:
        raise RoutingError(
            f"the job's input makes {len(groups)} items, at most {ITEMS_MAX} fit one job; submit several"
        )
    return tuple(Item(key, tuple(group)) for key, group in groups.items())


def check_outputs(task: Task, outputs: Sequence[FileRef]) -> None:
    """Raise RoutingError unless a task's outputs can go where the graph sends them."""
    if not outputs:
        raise RoutingError(f"{task.name} wrote no file into its output directory, expected at least one")
    _check_names(outputs, f"the output of {task.name}")
    if not task.broadcast and task.children and len(outputs) % len(task.children):
        raise RoutingError(
            f"{task.name} wrote {_count(len(outputs), 'file')} ({_names(outputs)}) and deals them to its "
            f"{_count(len(task.children), 'child', 'children')} ({', '.join(task.children[:NAMES_SHOWN_MAX])}) in "
            f"turn, expected a multiple of {len(task.children)}"
        )


def outputs_for(task: Task, outputs: Sequence[FileRef], child: str) -> tuple[FileRef, ...]:
    """The outputs of a task that one of its children gets, in order. Raises RoutingError as `check_outputs` does."""
    check_outputs(task, outputs)
    if task.broadcast:
        return tuple(outputs)
    return tuple(file for at, file in enumerate(outputs) if task.children[at % len(task.children)] == child)


ALL_GIVEN = "*"
"""Among the files that calls name: all there are."""


def takes_given(task: Task, parents: int) -> bool:
    """Whether a task with so many parents gets something of the job's own input."""
    return not parents or task.program.kind == ProgramKind.CALLS


def given_to(task: Task, files: Sequence[FileRef]) -> tuple[FileRef, ...]:
    """What an entry, or any task of calls, gets of an item's files: calls those they name, an entry all."""
    if task.program.kind != ProgramKind.CALLS:
        return tuple(files)
    named = frozenset(task.program.arguments[3:])
    return tuple(file for file in files if file.name in named or ALL_GIVEN in named)


def calls_for(task: Task, inputs: Sequence[FileRef], item: str = "") -> tuple[tuple[FileRef, ...], ...]:
    """The calls of a task for one item (`item` is its key, for messages), each with its files in order.

    Without any file, as for the entry of a job without input, it is one call. Raises RoutingError for leftovers and
    for two files of one name in one call.
    """
    size = task.inputs_per_call
    if size < 1:
        raise RoutingError(f"{task.name} takes {size} files per call, expected at least 1")
    if len(inputs) in (0, size) or task.program.kind == ProgramKind.CALLS:
        calls = [tuple(inputs)]
    else:
        groups = list(_by_key(inputs, key_of).items()) if size > 1 else [("", list(inputs))]
        calls = []
        for key, group in groups:
            if len(group) % size:
                raise RoutingError(_leftover(task, group, item, f" with the key {key!r}" if len(groups) > 1 else ""))
            calls += [tuple(group[at : at + size]) for at in range(0, len(group), size)]
    for call in calls:
        _check_names(call, f"one call of {task.name}{_of_item(item)}")
    return tuple(calls)


def _files_per_item(dag: Dag) -> int:
    """The largest number that an entry takes per call; the other entries are called several times per item."""
    entries = [dag.by_name[name] for name in dag.entries]
    most = max(entries, key=lambda task: task.inputs_per_call)
    for task in entries:
        if task.inputs_per_call < 1:
            raise RoutingError(f"{task.name} takes {task.inputs_per_call} files per call, expected at least 1")
        if most.inputs_per_call % task.inputs_per_call:
            raise RoutingError(
                f"the entry tasks {most.name} and {task.name} take {most.inputs_per_call} and {task.inputs_per_call} "
                "files per call and both get all files of an item, expected one number to be a multiple of the other"
            )
    if most.inputs_per_call > FILES_MAX:
        raise RoutingError(
            f"{most.name} takes {most.inputs_per_call} files per call, an item has at most {FILES_MAX}"
        )
    return most.inputs_per_call


def _singles(files: Sequence[FileRef], key_of: KeyOf) -> dict[str, list[FileRef]]:
    """Each file by itself, under its key or, where two have one key, all under their full names."""
    by_key = {key_of(file.name): [file] for file in files}
    return by_key if len(by_key) == len(files) else {file.name: [file] for file in files}


def _by_key(files: Iterable[FileRef], key_of: KeyOf) -> dict[str, list[FileRef]]:
    groups: dict[str, list[FileRef]] = {}
    for file in files:
        groups.setdefault(key_of(file.name), []).append(file)
    return groups


def _check_names(files: Sequence[FileRef], where: str) -> None:
    seen: dict[str, None] = {}
    for file in files:
        if not is_base_name(file.name):
            raise RoutingError(
                f"{where} has a file called {file.name!r}, expected one without '/' and control characters"
            )
        if file.name in seen:
            raise RoutingError(
                f"{where} has two files called {file.name!r}, expected different names: files keep their names and "
                "lie in one directory"
            )
        seen[file.name] = None


def _leftover(task: Task, files: Sequence[FileRef], item: str, which: str) -> str:
    return (
        f"{task.name} got {_count(len(files), 'file')}{which}{_of_item(item)} ({_names(files)}) and needs "
        f"{task.inputs_per_call} per call"
    )


def _of_item(item: str) -> str:
    return f" for item {item}" if item else ""


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def _names(files: Sequence[FileRef]) -> str:
    shown = [file.name for file in files[:NAMES_SHOWN_MAX]]
    more = len(files) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more else shown)


def misfit(task: Task, outputs: tuple[FileRef, ...]) -> str:
    """Why the outputs cannot go where the graph sends them; empty when they can, or when nobody waits for them."""
    if not task.children and not task.final:
        return ""
    try:
        check_outputs(task, outputs)
    except RoutingError as error:
        return str(error)
    return ""
