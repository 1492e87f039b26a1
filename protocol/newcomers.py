"""Newcomers: members whose distance has never been measured, and how often it was tried.

The regular checks reach each member once in N seconds. So that delays are known within 5 s of joining, newcomers whom
this node follows (`interest`) get extra bursts of pings until one of them is answered; others get one when somebody
asks for it.
"""

from .ids import NodeId
from .probe import Finding, Prober, Purpose
from .roster import Roster

BURSTS_PER_TURN = 3
"""Per gossip interval: 64 new members are measured within 5 s, for 4 kB/s."""

TRIES_MAX = 8
"""For each of them, half a second apart or more: who has not answered by then may have heard of us too late, or have
no way for datagrams; the regular checks go on."""


class Newcomers:
    """Those who wait to be measured, in turn."""

    def __init__(self, roster: Roster, prober: Prober) -> None:
        self._roster = roster
        self._prober = prober
        self._tries: dict[NodeId, int] = {}
        self._again: dict[NodeId, None] = {}
        """Those who were measured before, and have not been tried since somebody asked."""

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._tries)

    def add(self, node: NodeId) -> None:
        self._tries.setdefault(node, 0)

    def add_again(self, node: NodeId) -> None:
        """The same for whoever was measured before: one burst."""
        self._tries[node] = 0
        self._again[node] = None

    def measure(self, now: float) -> list[Finding]:
        """Probe the next few."""
        findings: list[Finding] = []
        started = 0
        for node, tries in list(self._tries.items()):
            if started == BURSTS_PER_TURN:
                break
            del self._tries[node]
            member = self._roster.members.get(node)
            known = member is None or not member.present or (member.measured and node not in self._again)
            if member is None or known or tries == TRIES_MAX:
                self._again.pop(node, None)
                continue
            burst = self._prober.start(member, Purpose.MEASURE, now)
            if burst:
                self._again.pop(node, None)
            self._tries[node] = tries + bool(burst)  # none: the last one is still waited for
            started += bool(burst)
            findings += burst
        return findings
