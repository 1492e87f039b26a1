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

    __slots__ = ("_leases",)

    def __init__(self) -> None:
        self._leases: dict[NodeId, tuple[float, bool]] = {}
        """Until when, and whether they are told over a session."""

    def __contains__(self, node: NodeId) -> bool:
        return node in self._leases

    def add(self, node: NodeId, now: float, *, by_session: bool = False) -> bool:
        """Begin or renew a lease; False if there is no place. It is told by the way on which it asked last."""
        if node not in self._leases and len(self._leases) >= FOLLOWERS_MAX:
            self._expire(now)
            if len(self._leases) >= FOLLOWERS_MAX:
                return False
        self._leases[node] = (now + LEASE_S, by_session)
        return True

    def drop(self, node: NodeId) -> None:
        """Somebody has left, or was forgotten."""
        self._leases.pop(node, None)

    def current(self, now: float) -> list[tuple[NodeId, bool]]:
        """Whoever is to be told something now, in the order in which they came, and whether over a session."""
        self._expire(now)
        return [(node, by_session) for node, (_, by_session) in self._leases.items()]

    def _expire(self, now: float) -> None:
        self._leases = {node: lease for node, lease in self._leases.items() if lease[0] > now}
