"""STG: the Standard Task Graph Set of Kasahara's laboratory (kasahara.cs.waseda.ac.jp/schedule).

    3                       number of tasks, without the two dummies
    0   0   0               task, processing time, number of parents, parents
    1   2   1   0
    2   3   1   0
    3   1   2   1   2
    4   0   1   3
    # Whatever follows is information for people.

The first and the last task are dummies of no cost that make the graph begin and end in one point; they are kept.
Units of time are read as seconds. There are no communication costs: all edges have size 0. The set's other formats,
with communication costs and the older one that begins with two numbers, are refused.
"""

from collections.abc import Iterator
from pathlib import PurePath

from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import Graph, Vertex

from .errors import Blame, on_line, whole_file
from .graph_draft import TASKS_MAX, GraphDraft
from .numeral import numeral
from .source import Place, read_text

DUMMIES = 2


def read_stg(path: Place) -> Graph:
    """The graph of a file, called after it; tasks are called by their numbers. Raises FormatError."""
    return parse_stg(str(path), read_text(path))


def parse_stg(file: str, text: str) -> Graph:
    """That of a text; `file` is its name for messages. Raises FormatError."""
    lines = _lines(file, text)
    words, blame = next(lines, ([], whole_file(file)))
    if len(words) != 1:
        raise blame("expected the number of tasks alone on the first line")
    count = _whole(words[0], "the number of tasks", TASKS_MAX - DUMMIES, blame) + DUMMIES
    draft = GraphDraft(PurePath(file).stem)
    parents: list[tuple[list[str], Blame]] = []
    for words, blame in lines:
        number = len(parents)
        if number == count:
            raise blame(f"found another task after the {count} that were announced, dummies included")
        if words[0] != str(number):
            raise blame(f"found task {shown(words[0])}, expected task {number}")
        if len(words) < 3:
            raise blame(
                f"found {len(words)} numbers, expected the task, its time, how many parents it has, and those"
            )
        draft.task(Vertex(words[0], numeral(words[1], f"the time of task {number}", blame)), blame)
        expected = _whole(words[2], f"the number of parents of task {number}", count, blame)
        if len(words) - 3 != expected:
            raise blame(
                f"task {number} has {expected} parents and names {len(words) - 3}; costs of edges are not read"
            )
        parents.append((words[3:], blame))
    if len(parents) != count:
        raise whole_file(file)(f"found {len(parents)} tasks, expected {count}, dummies included")
    for number, (names, blame) in enumerate(parents):
        for name in names:
            draft.edge(name, str(number), 0.0, blame)
    return draft.graph(whole_file(file))


def _lines(file: str, text: str) -> Iterator[tuple[list[str], Blame]]:
    """The task graph part."""
    for line, row in enumerate(text.split("\n"), start=1):
        if row.startswith("#"):
            return
        words = row.split()
        if words:
            yield words, on_line(file, line)


def _whole(word: str, what: str, most: int, blame: Blame) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word) <= most):
        raise blame(f"{what} is {shown(word)}, expected a whole number of at most {most}")
    return int(word)
