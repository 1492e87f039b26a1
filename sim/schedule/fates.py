"""Fates: what happens to machines, and when the others know.

A machine that fails is gone at once, with what runs and waits there, but nobody knows: others go on giving it units
until `Gossip.detection_s` has passed, or until it is back and says so itself. Only then policies are told. What its
finished tasks have produced can be had as before, from a replica that is as far away as the machine was
(scheduling.md 4.15).
"""

from functools import partial
from typing import TYPE_CHECKING

from .machines import Station
from .scenario import Disruption, Fate
from .units import Attempt

if TYPE_CHECKING:
    from .world import World


def strike(world: "World", disruption: Disruption) -> None:
    """It is time."""
    station = world.stations[disruption.machine]
    match disruption.fate:
        case Fate.SPEED:
            _change_speed(world, station, disruption.factor)
        case Fate.FAIL:
            if station.alive:
                _fail(world, station)
        case Fate.RECOVER:
            if not station.alive:
                _recover(world, station)


def _change_speed(world: "World", station: Station, factor: float) -> None:
    """What runs has done its part at the old speed; the remaining part takes longer or less."""
    for attempt in station.running:
        attempt.finish_s = world.now + (attempt.finish_s - world.now) * station.speed / factor
        world.end_later(attempt)
    station.speed = factor


def _fail(world: "World", station: Station) -> None:
    station.alive = False
    station.failures += 1
    lost = [*station.running, *station.bound]
    for attempt in lost:
        world.leave(attempt)
    station.lost += lost
    world.at(world.now + world.scenario.gossip.detection_s, partial(_notice, world, station, station.failures))


def _recover(world: "World", station: Station) -> None:
    """It says itself that it has nothing, also when nobody has missed it."""
    _notice(world, station, station.failures)
    station.alive = True
    station.queue = world.policy.queue(station)
    world.witness(station)
    world.policy.recovered(station.number)


def _notice(world: "World", station: Station, failure: int) -> None:
    """The others know of a failure."""
    if station.noticed >= failure:
        return
    station.noticed = failure
    tell_lost(world, station)


def tell_lost(world: "World", station: Station) -> None:
    """Units that the station cannot have any more, and nobody waits for, have no machine."""
    lost = [attempt for attempt in station.lost if _loses_its_unit(world, attempt)]
    station.lost.clear()
    world.policy.died(station.number, lost)


def _loses_its_unit(world: "World", attempt: Attempt) -> bool:
    """Whether its unit has no machine any more, now that the attempt is known to be gone."""
    unit = attempt.unit
    world.leave(attempt)
    if unit.copy is attempt:
        unit.copy = None
        return False
    if unit.held is not attempt:
        return False  # somebody has moved it meanwhile
    unit.held, unit.copy = unit.copy, None
    return unit.held is None
