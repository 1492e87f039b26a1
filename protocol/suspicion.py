"""Suspicion: the case against a member, built on signed accusations, and the time it has to answer (Lifeguard).

A case starts with one accusation and a long time limit. Every further *distinct* accuser shortens it,
logarithmically, until with `confirmations_expected` of them it is at its minimum: one slow observer cannot kill
anybody quickly, and a death that many have noticed is not waited for. Accusations are signed, so nobody can pose as
several accusers.
"""

import math

from .ids import NodeId
from .signed import Signed
from .swim import EVIDENCE_MAX
from .timers import Timers

QUORUM = 3
"""Distinct accusers whose word is enough without an own look (membership.md 4.6)."""

QUORUM_MIN = 2
"""The reference asks for min(3, N - 2), which is one in a cluster of three. But one accuser, who may be the one that
cannot hear, proves nothing to somebody who can look for himself."""


def suspicion_min_s(multiplier: int, members: int, probe_interval_s: float) -> float:
    """memberlist: SuspicionMult * max(1, log10(N)) * ProbeInterval, e.g. 7.2 s for 64 members."""
    return multiplier * max(1.0, math.log10(max(1, members))) * probe_interval_s


def confirmations_expected(multiplier: int, members: int) -> int:
    """memberlist: SuspicionMult - 2, or none where the cluster has too few others to give them."""
    expected = multiplier - 2
    return expected if members - 2 >= expected else 0


def suspicion_timeout_s(confirmations: int, expected: int, min_s: float, max_s: float) -> float:
    """How long a case lasts with so many accusers beside the first (Lifeguard section IV-B)."""
    if expected < 1:
        return min_s
    share = math.log(confirmations + 1) / math.log(expected + 1)
    return max(min_s, max_s - share * (max_s - min_s))


def quorum(members: int) -> int:
    """Distinct accusers that prove a death to whoever has not looked himself."""
    return max(QUORUM_MIN, min(QUORUM, members - 2))


class Case:
    """The accusations against one incarnation of one member."""

    __slots__ = ("accusations", "expected", "max_s", "min_s", "started_at")

    def __init__(self, expected: int, min_s: float, max_s: float, now: float) -> None:
        self.accusations: dict[NodeId, Signed] = {}
        """By accuser, in the order in which they came."""
        self.expected = expected
        self.min_s = min_s
        self.max_s = max_s
        self.started_at = now

    @property
    def full(self) -> bool:
        """Whether a further accuser would change anything; if not, none is kept or passed on."""
        return len(self.accusations) >= min(EVIDENCE_MAX, max(QUORUM, self.expected + 1))

    @property
    def evidence(self) -> tuple[Signed, ...]:
        return tuple(self.accusations.values())

    @property
    def deadline(self) -> float:
        confirmations = max(0, len(self.accusations) - 1)
        return self.started_at + suspicion_timeout_s(confirmations, self.expected, self.min_s, self.max_s)


class Cases:
    """All cases, open or decided. A case stays on record with its accusations until it is closed; only an open one
    has a timer."""

    __slots__ = ("_cases", "_interval_s", "_max_mult", "_mult", "_timers")

    def __init__(self, multiplier: int, max_multiplier: int, probe_interval_s: float) -> None:
        self._cases: dict[NodeId, Case] = {}
        self._timers: Timers[NodeId] = Timers()
        self._mult = multiplier
        self._max_mult = max_multiplier
        self._interval_s = probe_interval_s

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def get(self, accused: NodeId) -> Case | None:
        return self._cases.get(accused)

    def evidence(self, accused: NodeId) -> tuple[Signed, ...]:
        case = self._cases.get(accused)
        return case.evidence if case else ()

    def accuse(self, accused: NodeId, suspicion: Signed, members: int, now: float) -> None:
        """Put one more verified accusation on record and let the case run, from now if it did not run yet."""
        case = self._cases.get(accused)
        if case is None:
            min_s = suspicion_min_s(self._mult, members, self._interval_s)
            expected = confirmations_expected(self._mult, members)
            case = self._cases[accused] = Case(expected, min_s, min_s * self._max_mult, now)
        elif accused not in self._timers:
            case.started_at = now
        case.accusations[NodeId(suspicion.author)] = suspicion
        self._timers.set(accused, case.deadline)

    def due(self, now: float) -> list[NodeId]:
        """Those whose time is up."""
        return self._timers.due(now)

    def settle(self, accused: NodeId) -> None:
        """Stop the clock; the accusations stay on record."""
        self._timers.cancel(accused)

    def close(self, accused: NodeId) -> tuple[NodeId, ...]:
        """Forget the case. Returns who had accused."""
        self._timers.cancel(accused)
        case = self._cases.pop(accused, None)
        return tuple(case.accusations) if case else ()

    def postpone(self, by_s: float) -> None:
        """Grant every open case time in which we did not listen."""
        self._timers.postpone(by_s)
        for accused, case in self._cases.items():
            if accused in self._timers:
                case.started_at += by_s
