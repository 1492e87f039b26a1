"""A window: which items of a stream may start at which task, so that no task's queue grows beyond its bound.

An item may start at a task only if it is less than the bound ahead of the oldest item that each child has not
started: what it will send then has its place reserved. The oldest item of all may always go on, so bounded queues
never stand still for good.
"""

from typing import TYPE_CHECKING

from pnode.mappers.instance import Instance

if TYPE_CHECKING:
    from .units import Attempt, Unit


class Window:
    """The bounded queues of one job."""

    def __init__(self, instance: Instance, items_max: int) -> None:
        self._items_max = items_max
        self._children = [[child for child, _ in row] for row in instance.children]
        self._parents = [[parent for parent, _ in row] for row in instance.parents]
        self._oldest = [0] * instance.tasks
        """Per task: the oldest item that has not started."""
        self._ahead: list[dict[int, None]] = [{} for _ in self._oldest]
        """Per task: items that have started although an older one has not."""
        self._parked: list[list[Attempt]] = [[] for _ in self._oldest]
        """Per task: attempts whose inputs are there, and which have to wait."""

    def admits(self, attempt: "Attempt") -> bool:
        """Whether it may start as far as others are concerned; if not, a later `started` will name it."""
        unit = attempt.unit
        if self._has_room(unit):
            return True
        self._parked[unit.task].append(attempt)
        return False

    def started(self, unit: "Unit") -> "list[Attempt]":
        """An item has left the queue of its task. What may start because of that; a second start changes nothing."""
        task = unit.task
        if unit.item < self._oldest[task]:
            return []
        self._ahead[task][unit.item] = None
        while self._oldest[task] in self._ahead[task]:
            del self._ahead[task][self._oldest[task]]
            self._oldest[task] += 1
        return [attempt for parent in self._parents[task] for attempt in self._unpark(parent)]

    def _unpark(self, task: int) -> "list[Attempt]":
        free = [attempt for attempt in self._parked[task] if self._has_room(attempt.unit)]
        if free:
            self._parked[task] = [attempt for attempt in self._parked[task] if not self._has_room(attempt.unit)]
        return free

    def _has_room(self, unit: "Unit") -> bool:
        room = unit.item - self._items_max
        return all(self._oldest[child] > room for child in self._children[unit.task])
