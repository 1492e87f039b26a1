"""A case: one scenario of a study, as it was given or as a family draws it."""

import hashlib
from collections.abc import Callable
from random import Random

from pnode.protocol.values import dataclass
from pnode.sim.schedule.scenario import Scenario

from .origin import origin
from .table import Value

Make = Callable[[Random], Scenario]
"""Draws a scenario: the same generator state gives the same scenario. Where other processes shall call it, a function
of a module, or a dataclass that can be called."""

Parameters = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Family:
    """Scenarios of a kind, told apart by number; each can be drawn without the others."""

    name: str
    make: Make
    count: int = 1
    parameters: Parameters = ()
    """What this family differs in from others of a study; columns of the table."""
    seed: int = 0

    def scenario(self, number: int) -> Scenario:
        """The one of that number."""
        return self.make(Random(f"{self.name}/{self.seed}/{number}"))  # noqa: S311 - repeatable, not secret


@dataclass(frozen=True)
class Case:
    """One scenario of a study."""

    source: Scenario | Family
    number: int = 0
    """Within its family, or among the scenarios of the same name: several may have been made of one graph."""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def parameters(self) -> Parameters:
        return self.source.parameters if isinstance(self.source, Family) else ()

    def scenario(self) -> Scenario:
        """The value itself, drawn if need be. Raises ScenarioError."""
        return self.source.scenario(self.number) if isinstance(self.source, Family) else self.source

    def digest(self) -> str:
        """Equal for equal cases, in any process: what tells recorded runs of one from those of another."""
        if isinstance(self.source, Family):
            family = self.source
            text = f"family {family.name!r} {family.seed} {self.number} {origin(family.make)}"
        else:
            text = f"scenario {self.source!r}"
        return hashlib.sha256(text.encode()).hexdigest()


def cases(sources: tuple[Scenario | Family, ...]) -> tuple[Case, ...]:
    """All scenarios of a study, in order."""
    found: list[Case] = []
    counts: dict[str, int] = {}
    for source in sources:
        if isinstance(source, Family):
            found += [Case(source, number) for number in range(source.count)]
        else:
            number = counts.get(source.name, 0)
            counts[source.name] = number + 1
            found.append(Case(source, number))
    return tuple(found)
