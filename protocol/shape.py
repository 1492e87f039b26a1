"""Shape: a job's task graph by numbers, as the roles walk it.

A unit is named by the index of its task and its item (`jobstate.UnitKey`); a shape says which tasks feed which, and
which parent controls whom, as tables over these indexes, so that nothing that happens per unit has to look up names.
"""

from .controller import controllers_of
from .dag import Dag
from .values import dataclass

Indexes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The tables; each has one entry per task."""

    parents: tuple[Indexes, ...]
    """In the order of the DAG file."""
    children: tuple[Indexes, ...]
    """Each child once."""
    controller: tuple[int | None, ...]
    """The appointed parent; None for entry tasks."""
    controlled: tuple[Indexes, ...]
    """The children whose appointed parent the task is."""
    place: Indexes
    """Its place in an order in which every task stands after all its parents."""
    entries: Indexes


def shape_of(dag: Dag) -> Shape:
    """The shape of a graph."""
    index = {task.name: number for number, task in enumerate(dag.tasks)}
    parents = tuple(tuple(index[name] for name in dag.parents[task.name]) for task in dag.tasks)
    children = tuple(tuple(index[name] for name in dict.fromkeys(task.children)) for task in dag.tasks)
    appointed = controllers_of(dag)
    controller = tuple(index[appointed[task.name]] if task.name in appointed else None for task in dag.tasks)
    controlled = tuple(
        tuple(child for child in below if controller[child] == number) for number, below in enumerate(children)
    )
    turn = {name: at for at, name in enumerate(dag.order)}
    place = tuple(turn[task.name] for task in dag.tasks)
    return Shape(parents, children, controller, controlled, place, tuple(index[name] for name in dag.entries))
