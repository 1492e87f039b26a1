"""Chores: what a member does again and again, and when.

Four recur. Gossip takes place only while there is something to tell, at instants that lie a gossip interval apart: a
cluster in which nothing happens does nothing, and as soon as something does, it travels as fast as if everybody had
gossiped all the time.
"""

import math
from enum import IntEnum, auto
from random import Random

from .awareness import Awareness
from .membership_settings import MembershipSettings
from .probe import SPARED_SHARE
from .push_pull import scaled_interval_s
from .roster import Roster
from .timers import Timers


class Chore(IntEnum):
    """What there is to do. Integers, since they are keys: other enumerations are hashed by a call of Python."""

    GOSSIP = auto()
    PROBE = auto()
    PUSH_PULL = auto()
    RECONNECT = auto()
    COMPARE = auto()


RECURRING = (Chore.PROBE, Chore.PUSH_PULL, Chore.RECONNECT, Chore.COMPARE)


class Chores:
    """Their timers."""

    __slots__ = ("_awareness", "_gossip_phase", "_roster", "_settings", "_timers")

    def __init__(
        self, settings: MembershipSettings, awareness: Awareness, roster: Roster, rng: Random, now: float
    ) -> None:
        self._settings = settings
        self._awareness = awareness
        self._roster = roster
        self._timers: Timers[Chore] = Timers()
        # The first turn of each chore comes at random, so that nodes started together do not work together.
        self._gossip_phase = now + rng.random() * settings.gossip_interval_s
        for chore in RECURRING:
            self._timers.set(chore, now + rng.random() * self._period_s(chore))

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def due(self, now: float) -> list[Chore]:
        """What is to be done now; what recurs comes again a period later."""
        chores = self._timers.due(now)
        for chore in chores:
            if chore is not Chore.GOSSIP:
                self._timers.set(chore, now + self._period_s(chore))
        return chores

    def gossip_soon(self, now: float) -> None:
        """There is something to tell."""
        if Chore.GOSSIP in self._timers:
            return
        interval_s = self._settings.gossip_interval_s
        at = self._gossip_phase + (math.floor((now - self._gossip_phase) / interval_s) + 1) * interval_s
        self._timers.set(Chore.GOSSIP, at if at > now else at + interval_s)  # rounding may have taken it back

    def spare_probe(self, now: float) -> None:
        """The next one is not needed, if this goes on."""
        self._timers.set(Chore.PROBE, now + SPARED_SHARE * self._period_s(Chore.PROBE))

    def retire(self) -> None:
        """From now on there is nothing but gossip."""
        for chore in RECURRING:
            self._timers.cancel(chore)

    def _period_s(self, chore: Chore) -> float:
        settings = self._settings
        match chore:
            case Chore.PROBE:
                return self._awareness.scale(settings.probe_interval_s)
            case Chore.PUSH_PULL:
                return scaled_interval_s(settings.push_pull_interval_s, self._roster.size)
            case Chore.RECONNECT:
                return settings.reconnect_interval_s
            case Chore.COMPARE:
                return settings.compare_interval_s
            case Chore.GOSSIP:
                return settings.gossip_interval_s
