"""A portfolio: several plans of one instance, of which the one is taken that does best when they are carried out.

No way of planning is best on every instance, and to carry a plan out in `evaluate` costs about as much as to make it.
The candidates are those of scheduling.md 4.13. HEFT's plan is the first of them, so by the judge's own measure the
choice is never worse than that.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from random import Random

from pnode.protocol.values import dataclass, replace

from .contention import Contention
from .critical_path import cpop
from .draft import StrandedError
from .evaluate import Outcome, evaluate
from .heft import heft
from .immediate import fastest
from .instance import Instance
from .peft import peft
from .plan import Plan
from .ranks import means, upward

CANDIDATES = 20
"""Without contention so many make layered graphs 2 % shorter; with it 10 bring most, 40 a few percent more
(scheduling.md 5.1, 5.8)."""

INFLATIONS = (1.5, 2.0, 3.0, 5.0, 8.0)
"""How much dearer transfers are planned, since others will be under way. No single one wins (scheduling.md 5.8)."""

PEFT_INFLATION = 3.0

SPREADS = (0.1, 0.5)
"""Between these lies how far, at most, the mean costs behind a perturbed rank are from the true ones."""

WEIGHTS = (0.0, 0.5, 1.0, 1.0, 2.0)
"""What transfers count for in perturbed ranks; one of these is drawn."""

CROWDED_SPREAD = 0.3
"""The same as SPREADS, for the plans drawn against contention; their inflation is that of INFLATIONS or less."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan and what came of it."""

    name: str
    plan: Plan
    """With the times at which its tasks really ran, in the order of the original."""

    @property
    def makespan_s(self) -> float:
        return self.plan.makespan_s


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All that were judged, HEFT first."""

    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The first of those with the smallest makespan."""
        return min(self.candidates, key=lambda candidate: candidate.makespan_s)


def portfolio(
    instance: Instance,
    rng: Random,
    *,
    contention: Contention = Contention.NONE,
    candidates: int = CANDIDATES,
    clock: Callable[[], float] | None = None,
    budget_s: float = math.inf,
    free_from_s: Sequence[float] = (),
    up: Sequence[float] | None = None,
    down: Sequence[float] | None = None,
) -> Portfolio:
    """Make and judge so many plans, HEFT's in any case.

    With a clock, none is begun once `budget_s` have gone by; without one, the same arguments give the same portfolio.
    The rest is as for `evaluate`. A mapper that finds no way is left out. Raises StrandedError when HEFT finds none.
    """
    judged: list[Candidate] = []
    until = math.inf if clock is None else clock() + budget_s
    for name, make in islice(_ways(instance, rng, contention, free_from_s), max(1, candidates)):
        if judged and clock is not None and clock() >= until:
            break
        try:
            plan = make()
        except StrandedError:
            if not judged:
                raise
            continue
        outcome = evaluate(instance, plan, contention, free_from_s=free_from_s, up=up, down=down)
        judged.append(Candidate(name, _retimed(plan, outcome)))
    return Portfolio(tuple(judged))


Ways = Iterator[tuple[str, Callable[[], Plan]]]
"""Names of candidates and how to make them, without end."""


def _ways(instance: Instance, rng: Random, contention: Contention, free_from_s: Sequence[float]) -> Ways:
    yield "heft", partial(heft, instance, free_from_s=free_from_s)
    if contention is Contention.NONE:
        yield "peft", partial(peft, instance)
        yield "cpop", partial(cpop, instance)
        while True:
            yield "heft, ranks perturbed", partial(_perturbed, instance, rng, free_from_s)
    for inflation in INFLATIONS:
        dearer = partial(heft, instance, communication=inflation, free_from_s=free_from_s)
        yield f"heft, transfers x {inflation:g}", dearer
    yield "cpop", partial(cpop, instance)
    yield "peft", partial(peft, instance)
    yield f"peft, transfers x {PEFT_INFLATION:g}", partial(peft, instance, communication=PEFT_INFLATION)
    yield "fastest", partial(fastest, instance)
    while True:
        yield "heft, transfers and ranks drawn", partial(_crowded, instance, rng, free_from_s)


def _perturbed(instance: Instance, rng: Random, free_from_s: Sequence[float]) -> Plan:
    """True costs in a wrong order, which may well be a better one."""
    mean_s = _scattered(instance, rng, rng.uniform(*SPREADS))
    ranks = upward(instance, mean_s=mean_s, communication=rng.choice(WEIGHTS))
    return heft(instance, ranks=ranks, free_from_s=free_from_s)


def _crowded(instance: Instance, rng: Random, free_from_s: Sequence[float]) -> Plan:
    inflation = math.exp(rng.uniform(0.0, math.log(INFLATIONS[-1])))
    ranks = upward(instance, mean_s=_scattered(instance, rng, CROWDED_SPREAD), communication=inflation)
    return heft(instance, ranks=ranks, communication=inflation, free_from_s=free_from_s)


def _scattered(instance: Instance, rng: Random, spread: float) -> list[float]:
    return [seconds * rng.uniform(1 - spread, 1 + spread) for seconds in means(instance)]


def _retimed(plan: Plan, outcome: Outcome) -> Plan:
    """The plan with the times that came of it. Its order between equal times becomes that in which it was run."""
    return replace(plan, start_s=outcome.start_s, finish_s=outcome.finish_s, order=plan.by_start)
