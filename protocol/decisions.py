"""Decisions: why this node has given its units to whom, for as long as somebody is likely to ask."""

from collections.abc import Iterable

from .ids import JobId, NodeId
from .jobstate import UnitKey
from .values import dataclass
from .view import Choice, Score

DECISIONS_MAX = 2048
"""Of all jobs; beyond that the oldest is forgotten. Some four megabytes."""

SCORES_MAX = 10
"""Candidates that are kept of each: who comes after the tenth is never asked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a mapper answered, and to what."""

    number: int
    """Of the attempt that was made of it, or would have been had there been a candidate."""
    at_s: float
    scores: tuple[Score, ...]
    """The best first, the first is who was asked; nobody when nobody was eligible."""
    candidates: int
    """How many there were."""
    excluded: tuple[tuple[NodeId, str], ...]
    """Who was not asked again, and why."""


class Decisions:
    """The last DECISIONS_MAX of them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[JobId, UnitKey, int], Decision] = {}

    def note(
        self,
        job: JobId,
        key: UnitKey,
        number: int,
        at_s: float,
        choice: Choice,
        excluded: Iterable[tuple[NodeId, str]],
    ) -> None:
        """A mapper has answered."""
        self._kept.pop((job, key, number), None)
        if len(self._kept) >= DECISIONS_MAX:
            del self._kept[next(iter(self._kept))]
        scores = choice.ranking[:SCORES_MAX]
        self._kept[job, key, number] = Decision(number, at_s, scores, len(choice.ranking), tuple(excluded))

    def of(self, job: JobId, key: UnitKey, number: int) -> Decision | None:
        """The one that led to this attempt, if it was made here and is still kept."""
        return self._kept.get((job, key, number))
