"""Acceptance: which of the attempts that have finished is a unit's result. A function of the set of statements.

A result counts if what it has used is what the results of its parents are, as far as these are known. What somebody
has written is told apart by its mark (`outputs_mark`), so one that was computed again and came out equal is the same
result. Where all came out equal, as with every program that does not roll dice, there is nothing to choose. Where a
unit has finished with different outputs its item is *contested* and is gone through as a whole, parents first. Of a
unit's finished attempts that agree with the results of its parents, that one is accepted which

    1. the job was concluded with: by going up from what the author of the earliest CONCLUDED kept of the final
       results, of several the one it had said so of last, to all that these were computed from; nothing else is
       accepted there any more. What it says afterwards, in the order of its feed and not by its clock, it may say
       without the memory of that,
    2. can be had: nobody has said LOST,
    3. leads, in the same way, to any final result that was kept,
    4. was kept itself,
    5. has the highest number, then the highest node.

Of what a single attempt has written twice (`attempts.Version`) one counts before that is asked: that of which there
is a copy, then the earlier.

So at most one attempt is accepted per unit, and accepted results agree with each other. A unit all of whose finished
attempts have used something else than what is accepted has no result: it is to be run again.

Lost comes before kept, or a program that rolls dice could not go on: were what leads to a kept result accepted though
it cannot be had, whoever else needs it would wait for ever, since it never comes out the same again. That holds of
what was kept itself, too: its keepers may be gone.
"""

from collections.abc import Callable, Iterable

from .attempts import Attempt, UnitKey, UnitState
from .ids import NodeId
from .segments import When
from .shape import Shape

Marks = dict[bytes, None]


class Acceptance:
    """Keeps the results of a job's units."""

    def __init__(self, shape: Shape, is_final: Callable[[int], bool], units: dict[UnitKey, UnitState]) -> None:
        self.concluder: NodeId | None = None
        """The author of the earliest CONCLUDED."""
        self.concluded: When = (0, 0, 0)
        """When it has said so."""
        self._shape = shape
        self._is_final = is_final
        self._units = units
        self._marks: dict[UnitKey, bytes] = {}
        """What each unit has written, according to whoever spoke of it first: its node, or one that has used it."""
        self._contested: dict[int, None] = {}
        """Items in which somebody has said otherwise."""
        self._order: list[int] = []
        """All tasks, parents first; made when it is needed."""

    @property
    def contested(self) -> tuple[int, ...]:
        """Items in which a unit has finished with different outputs."""
        return tuple(self._contested)

    def is_contested(self, item: int) -> bool:
        return item in self._contested

    def finished(self, key: UnitKey, attempt: Attempt) -> None:
        """An attempt has finished, or is known to have done so in another way than was thought."""
        task, item = key
        self._claim(key, attempt.mark)
        if attempt.used:
            for parent, mark in zip(self._shape.parents[task], attempt.used, strict=True):
                self._claim((parent, item), mark)

    def forget(self, item: int) -> None:
        """The item is settled, and its units are forgotten."""
        for task in range(len(self._shape.parents)):
            self._marks.pop((task, item), None)
        self._contested.pop(item, None)

    def _claim(self, key: UnitKey, mark: bytes) -> None:
        if self._marks.setdefault(key, mark) != mark:
            self._contested[key[1]] = None

    def derive(self, key: UnitKey) -> bool:
        """Choose a unit's result, if that changes no other unit's; tells whether it does not."""
        unit = self._units[key]
        if key[1] not in self._contested:
            unit.result = max(unit.in_phase("finished"), key=_worth, default=None)
            return True
        if self._is_at_the_front(key, unit):
            unit.result = self._choose(key, unit, None, None)
            return True
        return False

    def _is_at_the_front(self, key: UnitKey, unit: UnitState) -> bool:
        """Whether nothing was made of it yet: neither has a child finished, nor was a copy made."""
        if any(attempt.keepers for attempt in unit.attempts.values()):
            return False
        children = (self._units.get((child, key[1])) for child in self._shape.children[key[0]])
        return not any(child is not None and any(child.in_phase("finished")) for child in children)

    def derive_item(self, item: int) -> list[UnitKey]:
        """Choose the results of all units of an item. Returns those that are known at all."""
        kept = self._kept(item)
        required = self._chain(item, {task: each for task, each in kept.items() if self.concluder in each.keepers})
        preferred = self._chain(item, kept)
        known: list[UnitKey] = []
        for task in self._topological():
            unit = self._units.get((task, item))
            if unit is not None:
                known.append((task, item))
                unit.result = self._choose((task, item), unit, required.get(task), preferred.get(task))
        return known

    def _choose(
        self, key: UnitKey, unit: UnitState, required: Marks | None, preferred: Marks | None
    ) -> Attempt | None:
        acceptable = (
            attempt
            for attempt in unit.in_phase("finished")
            if (required is None or attempt.mark in required) and not self.strangers(key, attempt)
        )
        return max(acceptable, key=lambda attempt: _worth(attempt, preferred), default=None)

    def strangers(self, key: UnitKey, attempt: Attempt) -> list[int]:
        """The parents whose accepted results are others than the attempt has used."""
        if not attempt.used:
            return []
        results = (self._result((parent, key[1])) for parent in self._shape.parents[key[0]])
        named = zip(self._shape.parents[key[0]], attempt.used, results, strict=True)
        return [parent for parent, mark, result in named if result is not None and result.mark != mark]

    def _result(self, key: UnitKey) -> Attempt | None:
        unit = self._units.get(key)
        return None if unit is None else unit.result

    def _kept(self, item: int) -> dict[int, Attempt]:
        """Per final task, the kept attempt that the job was concluded with, else the latest."""
        best: dict[int, Attempt] = {}
        for task in filter(self._is_final, range(len(self._shape.parents))):
            unit = self._units.get((task, item), UnitState())
            kept = [attempt for attempt in unit.in_phase("finished") if attempt.keepers]
            if kept:
                best[task] = max(kept, key=lambda each: (self._kept_then(each), each.key))
        return best

    def _kept_then(self, attempt: Attempt) -> tuple[When, ...]:
        """When the concluder had said last that it keeps this as it concluded the job, since it copies what counts,
        whenever that is another; nothing if it had not."""
        if self.concluder is None:
            return ()
        before = [when for when in attempt.keepers.get(self.concluder, ()) if when < self.concluded]
        return tuple(before[-1:])

    def _chain(self, item: int, ends: dict[int, Attempt]) -> dict[int, Marks]:
        """What these results, and what they were computed from, were computed from: by task, which marks agree with
        all of it. Where results contradict each other the later task's comes first."""
        agreeing: dict[int, Marks] = {}
        for task in reversed(self._topological()) if ends else ():
            made = self._makers(item, task, ends.get(task), agreeing)
            if not made or any(not attempt.used for attempt in made):
                continue
            for at, parent in enumerate(self._shape.parents[task]):
                used = {attempt.used[at]: None for attempt in made}
                both = {mark: None for mark in agreeing.get(parent, used) if mark in used}
                agreeing[parent] = both or agreeing[parent]
        return agreeing

    def _makers(self, item: int, task: int, end: Attempt | None, agreeing: dict[int, Marks]) -> Iterable[Attempt]:
        """The attempts at a task that may have been a part of it."""
        marks = agreeing.get(task)
        if end is not None and (marks is None or end.mark in marks):
            agreeing[task] = {end.mark: None}
            return [end]
        if marks is None:
            return []
        unit = self._units.get((task, item), UnitState())
        return [attempt for attempt in unit.in_phase("finished") if attempt.mark in marks]

    def _topological(self) -> list[int]:
        if not self._order:
            self._order = sorted(range(len(self._shape.place)), key=self._shape.place.__getitem__)
        return self._order


def _worth(attempt: Attempt, preferred: Marks | None = None) -> tuple[bool, bool, bool, int, NodeId]:
    """The highest is accepted."""
    return (
        attempt.lost is None,
        preferred is None or attempt.mark in preferred,
        attempt.kept,
        attempt.number,
        attempt.node,
    )
