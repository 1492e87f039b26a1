"""Jupiter's DAG file, `configuration.txt` or `dag.txt`: text in, task graph out.

    4                              the number of lines that follow
    task0 1 true task1 task2       task, NUM_INPUTS, FLAG, children
    task1 1 true task3
    task2 1 true task3
    task3 2 true home              `home` (CIRCE v1: `scheduler`): its outputs are results
    watcher 1 false watcher        its own only child: outside the DAG, neither fed nor waited for
    task0 node1                    after the DAG, optional: where a task should run, a hint

Reference: jupiter.md 5.1. Accepted as found in the wild: blanks and tabs anywhere between words, blank lines, CRLF, a
missing final newline, a byte order mark, `True` and `FALSE`. What the format leaves open is decided like this:

- A task that no other feeds is an entry and gets the job's input, wherever it stands; Jupiter's own files have one,
  on the first line.
- An edge to or from a task outside the DAG is left out. A task of the DAG that only such tasks would feed can never
  start and is refused; one that would feed only such tasks is final.
- NUM_INPUTS counts files, and a parent that has finished sends each child at least one. So it must be at least the
  number of parents. How many files a parent writes is known only when it has run: `routing` then demands a multiple.
- Jupiter looks at the first child only to see `home`; here `home` may stand anywhere among the children and makes the
  task final as well, except with FLAG false, which would have to deal some outputs to nobody's task.

The parser raises FormatError for everything else, and nothing but FormatError.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .dag import TASKS_MAX, CycleError, Dag, Program, Task, topological
from .jobspec import FILES_MAX
from .textfile import FormatError, check_name, listed, rows, shown
from .values import dataclass

SINKS = ("home", "scheduler")

CCDAG_FLAGS = ("ordered", "exclusive", "none")
"""FLAGs of one application of Jupiter's fourth version, for tasks that loop over a queue."""

DAG_LINE = "`task NUM_INPUTS FLAG child...`, with the child `home` for a result"


@dataclass(frozen=True, slots=True)
class Entry:
    """One DAG line."""

    line: int
    name: str
    inputs_per_call: int
    broadcast: bool
    children: tuple[str, ...]
    """As they stand there, sinks and tasks outside the DAG included."""

    @property
    def final(self) -> bool:
        """Its outputs are results."""
        return any(child in SINKS for child in self.children)


@dataclass(frozen=True, slots=True)
class Placement:
    """A line `task node` after the DAG."""

    line: int
    task: str
    node: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a DAG file says, checked as a whole."""

    file: str
    entries: tuple[Entry, ...]
    """The lines of the DAG, in order."""
    outside: tuple[Entry, ...]
    """The lines of tasks that are not part of it."""
    placements: tuple[Placement, ...]
    notices: tuple[str, ...]
    """What was understood in a way that the author may not expect, for people, a line each."""

    @property
    def hints(self) -> dict[str, tuple[str, ...]]:
        """The nodes that the placements name for each task, in order."""
        hints: dict[str, tuple[str, ...]] = {}
        for placement in self.placements:
            hints[placement.task] = (*hints.get(placement.task, ()), placement.node)
        return hints


def parse_configuration(file: str, text: str, outside: Collection[str] = ()) -> Configuration:
    """Read and check a DAG file. Raises FormatError.

    `file` is its name for messages; `outside` names further tasks that are no part of the DAG, as `config.json` does.
    """
    dag_lines, mapping_lines = _divide(file, rows(file, text))
    entries = tuple(_entry(file, line, words) for line, words in dag_lines)
    by_name = _named(file, entries)
    left_out = {entry.name: entry for entry in entries if entry.children == (entry.name,) or entry.name in outside}
    inside = {name: entry for name, entry in by_name.items() if name not in left_out}
    parents = _check_graph(file, entries[0].line, inside, left_out)
    placements = tuple(
        _placement(file, line, words, by_name) for line, words in mapping_lines if words[0] not in SINKS
    )
    notices = _notices(file, parents, left_out)
    return Configuration(file, tuple(inside.values()), tuple(left_out.values()), placements, notices)


def to_dag(
    configuration: Configuration,
    programs: Mapping[str, Program],
    hints: Mapping[str, tuple[str, ...]] | None = None,
) -> Dag:
    """The graph that a checked file describes.

    `programs` has what is run for each task of the DAG; `hints` has the nodes asked for, by default those of the
    placements.
    """
    asked = configuration.hints if hints is None else hints
    inside = {entry.name: entry for entry in configuration.entries}
    tasks = []
    for entry in configuration.entries:
        children = tuple(child for child in entry.children if child in inside)
        task = Task(
            entry.name,
            children,
            programs[entry.name],
            final=entry.final or not children,
            inputs_per_call=entry.inputs_per_call,
            broadcast=entry.broadcast,
            hint=asked.get(entry.name, ()),
        )
        tasks.append(task)
    return Dag(tuple(tasks))


def mapping_text(placed: Iterable[tuple[str, str]]) -> str:
    """A mapping as Jupiter writes it: `task<TAB>node`, a line each."""
    return "".join(f"{task}\t{node}\n" for task, node in placed)


_NUMBER = re.compile(r"[0-9]{1,9}")

Rows = list[tuple[int, list[str]]]


def _divide(file: str, lines: Iterator[tuple[int, list[str]]]) -> tuple[Rows, Rows]:
    """The DAG lines and the mapping lines, by the count on the first line."""
    head, words = next(lines, (0, []))
    if not words:
        raise FormatError(file, 0, "the file is empty", "the number of DAG lines on its first line")
    if len(words) > 1 or not _NUMBER.fullmatch(words[0]):
        found = f"the first line is {shown(' '.join(words))}"
        raise FormatError(file, head, found, "the number of DAG lines that follow, nothing else")
    count = int(words[0])
    if not 1 <= count <= TASKS_MAX:
        raise FormatError(file, head, f"{count} DAG lines are announced", f"1 to {TASKS_MAX}")
    body = list(lines)
    _check_count(file, head, count, body)
    return body[:count], body[count:]


def _check_count(file: str, head: int, count: int, body: Rows) -> None:
    """Tell a count that is wrong from a line that is: mapping lines have two words and follow the DAG lines."""
    long = [at for at, (_, words) in enumerate(body) if len(words) > 2]
    if long and long[-1] >= count:
        line = next(body[at][0] for at in long if at >= count)
        found = f"another DAG line after the {count} that were announced"
        raise FormatError(file, line, found, f"{long[-1] + 1} on the first line, or only lines `task node` from here")
    follow = long[-1] + 1 if long else 0
    names = {words[0]: None for _, words in body[:follow]}
    if len(body) < count or (follow < count and body[follow][1][0] in names):
        expected = f"{follow} there, or the missing lines"
        raise FormatError(file, head, f"{count} DAG lines are announced and {follow} follow", expected)


def _entry(file: str, line: int, words: Sequence[str]) -> Entry:
    if len(words) < 4:
        raise FormatError(file, line, f"the line is {shown(' '.join(words))}", DAG_LINE)
    name, number, flag, *children = words
    check_name(file, line, name, "a task")
    if name in SINKS:
        raise FormatError(file, line, f"a task is called {name}", "another name: this is where results go")
    if not _NUMBER.fullmatch(number) or not 1 <= int(number) <= FILES_MAX:
        found = f"{name} has the NUM_INPUTS {shown(number)}"
        raise FormatError(file, line, found, f"a whole number from 1 to {FILES_MAX}")
    if flag.lower() in CCDAG_FLAGS:
        found = f"{name} has the FLAG {flag}, which is for tasks that loop over a queue"
        raise FormatError(file, line, found, "true or false")
    if flag.lower() not in ("true", "false"):
        raise FormatError(file, line, f"{name} has the FLAG {shown(flag)}", "true or false")
    entry = Entry(line, name, int(number), flag.lower() == "true", tuple(children))
    _check_children(file, entry)
    return entry


def _check_children(file: str, entry: Entry) -> None:
    seen: dict[str, None] = {}
    for child in entry.children:
        if child in seen:
            raise FormatError(file, entry.line, f"{entry.name} names the child {shown(child)} twice", "it once")
        seen[child] = None
    if entry.name in seen and len(seen) > 1:
        expected = f"other tasks, or {entry.name} alone for a task outside the DAG"
        raise FormatError(file, entry.line, f"{entry.name} is one of its own children", expected)
    if not entry.broadcast and len(seen) > 1 and any(sink in seen for sink in SINKS):
        found = f"{entry.name} has the FLAG false and would deal its outputs to home and to tasks in turn"
        raise FormatError(file, entry.line, found, "the FLAG true, or home as the only child")


def _named(file: str, entries: tuple[Entry, ...]) -> dict[str, Entry]:
    by_name: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in by_name:
            expected = f"one, as on line {by_name[entry.name].line}"
            raise FormatError(file, entry.line, f"{entry.name} has a second line", expected)
        by_name[entry.name] = entry
    for entry in entries:
        for child in entry.children:
            if child not in by_name and child not in SINKS:
                found = f"{entry.name} names the child {shown(child)}, which has no line of its own"
                others = (name for name in (*by_name, SINKS[0]) if name != entry.name)
                raise FormatError(file, entry.line, found, f"one of {listed(others)}")
    return by_name


Parents = dict[str, list[str]]


def _check_graph(file: str, first: int, inside: Mapping[str, Entry], outside: Mapping[str, Entry]) -> Parents:
    """The parents of each task. Raises FormatError unless the tasks form a DAG in which each can run."""
    if not inside:
        raise FormatError(file, first, f"all tasks stand outside the DAG ({listed(outside)})", "one inside it")
    children = {name: tuple(child for child in entry.children if child in inside) for name, entry in inside.items()}
    try:
        topological(children)
    except CycleError as error:
        line = inside[error.cycle[0]].line
        raise FormatError(file, line, f"a cycle, {error.text}", "a graph in which no task waits for itself") from None
    parents = _parents(inside, children)
    outsiders = _parents(inside, {name: entry.children for name, entry in outside.items()})
    for name, entry in inside.items():
        _check_feeding(file, entry, parents[name], outsiders[name])
    return parents


def _parents(tasks: Iterable[str], children: Mapping[str, Sequence[str]]) -> Parents:
    parents: Parents = {name: [] for name in tasks}
    for name, below in children.items():
        for child in below:
            if child in parents:
                parents[child].append(name)
    return parents


def _check_feeding(file: str, entry: Entry, parents: Sequence[str], outsiders: Sequence[str]) -> None:
    if outsiders and not parents:
        found = f"{entry.name} cannot be reached: only {listed(outsiders)} would feed it, outside the DAG"
        raise FormatError(file, entry.line, found, "a parent inside the DAG, or none at all")
    if entry.inputs_per_call < len(parents):
        found = f"{entry.name} has the NUM_INPUTS {entry.inputs_per_call} and {len(parents)} parents "
        found += f"({listed(parents)}), each of which sends it at least one file"
        raise FormatError(file, entry.line, found, f"{len(parents)} or more")


def _notices(file: str, parents: Parents, outside: Mapping[str, Entry]) -> tuple[str, ...]:
    notices = []
    if outside:
        notices.append(f"{file}: left out, because they stand outside the DAG: {listed(outside)}")
    entries = [name for name, above in parents.items() if not above]
    first, above = next(iter(parents.items()))
    if above:
        notices.append(f"{file}: {first} stands first but has parents; the job's input goes to {listed(entries)}")
    elif len(entries) > 1:
        notices.append(
            f"{file}: nobody feeds {listed(entries[1:])}: the job's input goes there as well as to {first}"
        )
    return tuple(notices)


def _placement(file: str, line: int, words: Sequence[str], tasks: Mapping[str, Entry]) -> Placement:
    if len(words) != 2:
        raise FormatError(file, line, f"the line is {shown(' '.join(words))}", "`task node`, as after the DAG lines")
    task, node = words
    if task not in tasks:
        found = f"{shown(task)} is to run on {shown(node)} and has no DAG line"
        raise FormatError(file, line, found, f"one of {listed(tasks)}")
    return Placement(line, task, check_name(file, line, node, "a node"))
