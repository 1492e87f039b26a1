"""Settlement: which items of a long stream are settled, and with what results. A function of the set of statements.

An item is *settled* when one author has stated its results (SETTLED), one statement per final task, all of the same
instant. From then on nothing else that is said of its units counts, whether it was said before or after: what there
is to know of the item stands in these statements, and everything else may be forgotten.

Two that led at the same time, since they did not see each other, may both have settled an item, and with different
results if the program rolls dice. Then that settlement counts which the author of the earliest CONCLUDED has made,
else the earliest, then that of the smaller author; of one author's, who has forgotten that it has, the first in the
order of its feed. Whoever concludes a job settles what is left of it, too: so what the job was concluded with stays.
"""

from collections.abc import Iterator

from .attempts import Attempt, UnitKey, UnitState, outputs_mark
from .codec import encode
from .ids import NodeId
from .ledger import Statement, When
from .values import dataclass, field

SETTLE_ITEMS_MIN = 256
"""Of a job that settles any. A smaller one of a dozen tasks has some 10 MB of statements at most, which is less than
what there is to be gained by looking at it again later."""

_Made = tuple[float, NodeId]
"""(when, by whom) a settlement was made."""


@dataclass(slots=True)
class _Claim:
    """What was said in one settlement."""

    when: When
    """Of what was said first."""
    said: dict[int, Statement] = field(default_factory=dict)
    """By final task."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An item that is settled."""

    author: NodeId
    when: When
    results: tuple[Statement, ...]
    """One per final task, in the order of the DAG file."""

    @property
    def made(self) -> _Made:
        return (self.results[0].at_s, self.author)


class Settlement:
    """The settled items of one job."""

    def __init__(self, final_tasks: tuple[int, ...], items: int) -> None:
        self.final_tasks = final_tasks
        self.possible = bool(final_tasks) and items >= SETTLE_ITEMS_MIN
        """Whether any item of the job may be settled; if not, whoever says so is not believed."""
        self._items: dict[int, Settled] = {}
        self._disputed: dict[int, dict[_Made, _Claim]] = {}
        """Items of which there are settlements beside the one that counts, or of which none is whole yet."""
        self._concluder: NodeId | None = None

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: int) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[int]:
        """The settled items, in their order."""
        return iter(sorted(self._items))

    def of(self, item: int) -> Settled | None:
        """How an item was settled, if it was."""
        return self._items.get(item)

    @property
    def ended_s(self) -> float:
        """When the last run of a settled item ended; 0 if there is none."""
        ends = (settled.results[0] for settled in self._items.values())
        return max((said.at_s - said.queue_s for said in ends), default=0.0)

    @property
    def seconds(self) -> float:
        """For how long the accepted attempts of all settled items have run."""
        return sum(settled.results[0].run_s for settled in self._items.values())

    def note(self, author: NodeId, statement: Statement, when: When) -> bool:
        """Somebody has said SETTLED; tells whether the item is settled by that, and was not before."""
        item, made = statement.item, (statement.at_s, author)
        settled = self._items.get(item)
        if settled is not None and settled.author == author and statement in settled.results:
            return False
        claims = self._disputed.get(item)
        if claims is None:
            claims = self._disputed[item] = {}
            if settled is not None:
                said = dict(zip(self.final_tasks, settled.results, strict=True))
                claims[settled.made] = _Claim(settled.when, said)
        claim = claims.setdefault(made, _Claim(when))
        claim.when = min(claim.when, when)
        other = claim.said.get(statement.task)
        if other is None or encode(statement) < encode(other):  # honest authors say nothing twice at one instant
            claim.said[statement.task] = statement
        return self._choose(item, claims) and settled is None

    def conclude(self, author: NodeId) -> None:
        """Who has said first that the job is over."""
        self._concluder = author
        for item, claims in tuple(self._disputed.items()):
            self._choose(item, claims)

    def unit(self, key: UnitKey) -> UnitState:
        """A settled unit as far as it is still known; an empty one if its item is not settled. A final one has its
        result, the others only the fact that there was one."""
        task, item = key
        settled = self._items.get(item)
        if settled is None:
            return UnitState()
        said = next((each for each in settled.results if each.task == task), None)
        if said is None:
            return UnitState(result=Attempt(0, settled.author, "finished"))
        assert said.outcome is not None, "only such a statement fits"
        result = Attempt(
            said.attempt,
            NodeId(said.node),
            "finished",
            ended_s=said.at_s - said.queue_s,
            outcome=said.outcome,
            mark=outputs_mark(said.outcome.outputs),
            keepers={settled.author: (settled.when,)},
        )
        return UnitState({result.key: result}, result, result)

    def _choose(self, item: int, claims: dict[_Made, _Claim]) -> bool:
        """Whether the item is settled by these."""
        firsts: dict[NodeId, tuple[When, _Made]] = {}
        for made, claim in claims.items():
            if len(claim.said) == len(self.final_tasks):
                firsts[made[1]] = min(firsts.get(made[1], (claim.when, made)), (claim.when, made))
        if not firsts:
            return False
        _, best = min(firsts.values(), key=lambda first: (first[1][1] != self._concluder, first[1]))
        claim = claims[best]
        self._items[item] = Settled(best[1], claim.when, tuple(claim.said[task] for task in self.final_tasks))
        if len(claims) == 1:
            del self._disputed[item]
        return True
