"""A forecast: when things are expected to happen, by the profile and by what whoever bound a unit has said."""

import math
from typing import TYPE_CHECKING

from .units import Attempt, State, Unit

if TYPE_CHECKING:
    from .world import World

OVERDUE_SHARE = 0.1
"""What is past its expected end is believed to need a tenth of its expected time more (scheduling.md 4.5)."""


def finish_s(unit: Unit, now: float) -> float:
    """When a unit is expected to end, not before now unless it has; `inf` when nobody knows."""
    held = unit.held
    if held is None:
        return math.inf
    if held.state is State.DONE:
        return held.finish_s
    if held.has_started:
        end = held.start_s + held.expected_s
        return end if end > now else now + OVERDUE_SHARE * held.expected_s
    due = held.due_finish_s
    return math.inf if math.isnan(due) else max(due, now)


def inputs_s(world: "World", attempt: Attempt) -> float:
    """When the last input of an attempt is expected at its machine, on an empty network."""
    latest = attempt.arrival_s
    for parent, size_bytes in attempt.unit.parents:
        if not parent.done:
            held = parent.held
            if held is None:
                return math.inf
            seconds = world.wires.transfer_s(held.machine, attempt.machine, size_bytes)
            latest = max(latest, finish_s(parent, world.now) + seconds)
    return latest
