"""Controllers: which parent chooses the node of each child, WAVE's "Routine 1".

Every task that has parents gets exactly one controller among them. The rule is Jupiter's to the letter (reference:
jupiter.md 1.2), since the classic mappers are compared with Jupiter's own and every node must come to the same answer
from the same file. Read from the top, with the lines of the DAG file in order:

1. A line whose first child is `home`, or the line's own task (the mark of a task outside the DAG), is skipped. Every
   other line adds its task to the parents of each of its children.
2. Children are taken in lexicographic order (Jupiter v4 and v5; so `task10` before `task2`) or in the order of their
   first appearance (v1 to v3).
3. The first of a child's parents that controls something already controls the child too; if none does, the first
   parent does.
"""

from collections.abc import Iterable, Sequence

from .dag import Dag

HOME = "home"


def controllers(lines: Iterable[tuple[str, Sequence[str]]], sort: bool = True) -> dict[str, str]:
    """The controlling parent of each child, from (task, children) as the lines of the DAG file have them.

    `sort` takes the children in lexicographic order (v4, v5), else in the order of the file (v1 to v3).
    """
    return _appoint(
        ((name, children) for name, children in lines if children and children[0] not in (HOME, name)), sort
    )


def controllers_of(dag: Dag, sort: bool = True) -> dict[str, str]:
    """The controlling parent of every task that has parents."""
    return _appoint(((task.name, task.children) for task in dag.tasks), sort)


def _appoint(lines: Iterable[tuple[str, Sequence[str]]], sort: bool) -> dict[str, str]:
    parents: dict[str, list[str]] = {}
    for name, children in lines:
        for child in children:
            parents.setdefault(child, []).append(name)
    appointed: dict[str, str] = {}
    busy: dict[str, None] = {}
    for child in sorted(parents) if sort else parents:
        controller = next((parent for parent in parents[child] if parent in busy), parents[child][0])
        appointed[child] = controller
        busy[controller] = None
    return appointed
