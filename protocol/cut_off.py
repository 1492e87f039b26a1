"""Cut off: members that can only dial out and were not reached through their relays either.

Membership passes over them for a while, ever longer: among many of this kind there are not places for all pairs, and
others vouch for them.
"""

from collections.abc import Mapping

from .ids import NodeId
from .membership import Membership

CUT_OFF_S = 5.0
CUT_OFF_S_MAX = 320.0
"""For how long one is passed over, doubled each time."""


class CutOff:
    """Those of one node. `sessions` are the open ones."""

    def __init__(self, membership: Membership, sessions: Mapping[NodeId, NodeId | None]) -> None:
        self._membership = membership
        self._sessions = sessions
        self._until: dict[NodeId, tuple[float, float]] = {}
        """Until when, and for how long the next time."""

    def covers(self, node: NodeId, now: float) -> bool:
        """Whether a word of membership is not worth trying to open a session for, once more, already."""
        return bool(self._until) and self._until.get(node, (now, 0.0))[0] > now and node not in self._sessions

    def failed(self, node: NodeId, now: float) -> None:
        """Somebody could not be reached."""
        if self._names_relays(node):
            pause_s = self._until.get(node, (now, CUT_OFF_S))[1]
            self._until[node] = (now + pause_s, min(2 * pause_s, CUT_OFF_S_MAX))
            self.tell()

    def reached(self, node: NodeId) -> None:
        """There is a session."""
        if self._until.pop(node, None) is not None:
            self.tell()

    def tell(self) -> None:
        """Let membership know; those who are gone are forgotten here. Call once in a while."""
        if self._until or self._membership.ways.cut_off:  # hardly ever
            self._until = {node: until for node, until in self._until.items() if self._names_relays(node)}
            self._membership.ways.cut_off = dict.fromkeys(self._until)

    def _names_relays(self, node: NodeId) -> bool:
        record = self._membership.record_of(node)
        return record is not None and bool(record.relays)
