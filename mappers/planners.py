"""Planners: the static mappers by name.

They compute on NumPy, so each is loaded when it is first called: whoever only lists the names need not wait.
"""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .instance import Instance
    from .plan import Plan, Planner


def random_planner(seed: int) -> "Planner":
    """The planner that draws every node, differently for each seed, and the same for the same instance."""

    def plan(instance: "Instance") -> "Plan":
        from .shuffled import shuffled

        return shuffled(instance, Random(seed))  # noqa: S311 - repeatable, not secret

    return plan


def _heft(instance: "Instance") -> "Plan":
    from .heft import heft

    return heft(instance)


def _heft_modified(instance: "Instance") -> "Plan":
    from .heft import heft_modified

    return heft_modified(instance)


def _cpop(instance: "Instance") -> "Plan":
    from .critical_path import cpop

    return cpop(instance)


def _peft(instance: "Instance") -> "Plan":
    from .peft import peft

    return peft(instance)


def _min_min(instance: "Instance") -> "Plan":
    from .batch import min_min

    return min_min(instance)


def _max_min(instance: "Instance") -> "Plan":
    from .batch import max_min

    return max_min(instance)


def _sufferage(instance: "Instance") -> "Plan":
    from .batch import sufferage

    return sufferage(instance)


def _mct(instance: "Instance") -> "Plan":
    from .immediate import mct

    return mct(instance)


def _met(instance: "Instance") -> "Plan":
    from .immediate import met

    return met(instance)


def _olb(instance: "Instance") -> "Plan":
    from .immediate import olb

    return olb(instance)


def _fastest(instance: "Instance") -> "Plan":
    from .immediate import fastest

    return fastest(instance)


def _tpheft(instance: "Instance") -> "Plan":
    from .throughput import tpheft

    return tpheft(instance)


def _optimal(instance: "Instance") -> "Plan":
    from .optimum import optimum

    return optimum(instance).plan


YARDSTICKS: "Mapping[str, Planner]" = {
    "heft": _heft,
    "heft-modified": _heft_modified,
    "cpop": _cpop,
    "peft": _peft,
    "min-min": _min_min,
    "max-min": _max_min,
    "mct": _mct,
    "sufferage": _sufferage,
    "olb": _olb,
    "met": _met,
    "fastest": _fastest,
    "tpheft": _tpheft,
    "random": random_planner(0),
}
"""Those that take milliseconds."""

PLANNERS: "Mapping[str, Planner]" = {**YARDSTICKS, "optimal": _optimal}
"""All of them. The optimum takes up to `optimum.LIMIT_S`, and is one for small graphs only."""


class UnknownPlannerError(ValueError):
    """A person or a study asks for a static mapper that there is none of."""


def planner(name: str) -> "Planner":
    """The static mapper of that name. Raises UnknownPlannerError, which lists the known ones."""
    if name not in PLANNERS:
        raise UnknownPlannerError(f"there is no static mapper {name!r}; known are {', '.join(PLANNERS)}")
    return PLANNERS[name]
