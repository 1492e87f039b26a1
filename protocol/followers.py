"""Followers: who wants to know this node's figures, and for how long still.

A lease is renewed by every `swim.Follow` and runs out by itself. So nobody need say farewell, and who was taken for
dead by mistake is told again as soon as it is back.
"""

from .ids import NodeId

LEASE_S = 180.0
"""Three times `interest.RENEW_S`: two questions in a row may be lost."""

FOLLOWERS_MAX = 128
"""Twice as many as one follows: 11 kB/s if every second brings news. Who is near to many is followed by more than the
others; those for whom there is no place follow the next nearest."""

REFUSED_S = 300
"""Who found no place asks again after so long: by then more than one lease has run out."""


class Followers:
    """The leases."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[NodeId, float] = {}

    def add(self, node: NodeId, now: float) -> bool:
        """Begin or renew a lease; False if there is no place."""
        if node not in self._until and len(self._until) >= FOLLOWERS_MAX:
            self._expire(now)
            if len(self._until) >= FOLLOWERS_MAX:
                return False
        self._until[node] = now + LEASE_S
        return True

    def drop(self, node: NodeId) -> None:
        """Somebody has left, or was forgotten."""
        self._until.pop(node, None)

    def current(self, now: float) -> list[NodeId]:
        """Whoever is to be told something now, in the order in which they came."""
        self._expire(now)
        return list(self._until)

    def _expire(self, now: float) -> None:
        self._until = {node: until for node, until in self._until.items() if until > now}
