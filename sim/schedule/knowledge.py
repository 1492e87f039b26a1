"""Knowledge: how far a job is, as far as one machine knows.

It knows what concerns itself as it is: what runs or waits on it, what it has decided, and the parents of the task at
hand, whose start is what makes it decide. Of everything else it knows what was true at its latest snapshot.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TypeVar, overload

from pnode.protocol.ids import NodeId
from pnode.protocol.view import Parent, Phase, Progress

from .forecast import OVERDUE_SHARE
from .spec import Spec
from .units import Attempt, State, Unit

T = TypeVar("T")


class Knowledge(Mapping[str, Progress]):
    """Progress by task, worked out when it is first asked for: not every mapper looks at it."""

    def __init__(self, unit: Unit, me: int, now: float, seen_s: float, spec: Spec, nodes: tuple[NodeId, ...]) -> None:
        """What machine `me` knows when it decides about a unit; `seen_s` is when its snapshot was true."""
        self._unit = unit
        self._me = me
        self._now = now
        self._seen_s = seen_s
        self._spec = spec
        self._nodes = nodes

    def __getitem__(self, task: str) -> Progress:
        return self._known[task]

    @overload
    def get(self, key: str, /) -> Progress | None: ...

    @overload
    def get(self, key: str, /, default: Progress | T) -> Progress | T: ...

    def get(self, key: str, /, default: object = None) -> object:
        """As mappings have it; theirs, by way of an exception, costs a tenth of a decision."""
        return self._known.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @cached_property
    def _known(self) -> dict[str, Progress]:
        fresh = dict.fromkeys(parent.task for parent, _ in self._unit.parents)
        known: dict[str, Progress] = {}
        for unit in self._unit.job.items[self._unit.item]:
            attempt = unit.held
            if attempt is not None:
                is_fresh = unit.task in fresh
                while attempt is not None and not is_fresh and not self._has_heard(attempt):
                    attempt = attempt.before
                if attempt is not None:
                    known[self._spec.names[unit.task]] = self._progress(attempt, is_fresh)
        return known

    def _has_heard(self, attempt: Attempt) -> bool:
        return attempt.given_s <= self._seen_s or self._me in (attempt.by, attempt.machine)

    def _progress(self, attempt: Attempt, is_fresh: bool) -> Progress:
        now = self._now
        seen_s = now if is_fresh or attempt.machine == self._me else self._seen_s
        node = self._nodes[attempt.machine]
        if attempt.state is State.DONE and attempt.finish_s <= seen_s:
            return Progress(node, Phase.DONE, attempt.start_s - now, attempt.finish_s - now)
        if attempt.start_s <= seen_s:  # false for one that has not started
            left_s = expected_end_s(attempt, now) - now
            return Progress(node, Phase.RUNNING, attempt.start_s - now, left_s)
        start_s = attempt.due_start_s - now if attempt.due_start_s > now else 0.0
        return Progress(node, Phase.BOUND, start_s, start_s + attempt.expected_s)


def expected_end_s(attempt: Attempt, now: float) -> float:
    """Of one that is believed to run."""
    end = attempt.start_s + attempt.expected_s
    return end if end > now else now + OVERDUE_SHARE * attempt.expected_s


def parents_of(unit: Unit, now: float, spec: Spec, nodes: tuple[NodeId, ...]) -> tuple[Parent, ...]:
    """The parents as the decision sees them: all have started, and whoever decides was told."""
    parents = []
    for parent, size_bytes in unit.parents:
        held = parent.held
        assert held is not None, f"unit {unit.place} is placed before its parent {parent.place}"
        ready_in_s = 0.0 if held.state is State.DONE else expected_end_s(held, now) - now
        parents.append(Parent(spec.names[parent.task], nodes[held.machine], ready_in_s, size_bytes))
    return tuple(parents)
