"""Knocking: dialling those who want to know whether they can be dialled.

Each is dialled at the addresses of its own record, a few of them at a time. Whoever comes when too many are being
dialled waits for its turn, as long as it waits for our answer.
"""

from .bucket import Buckets
from .effects import Knock
from .ids import NodeId
from .membership import Membership
from .roster import MEMBERS_MAX

KNOCKS_PER_S = 0.5
KNOCKS_BURST = 2
"""What one member may make us dial."""

KNOCKS_MAX = 16
"""At the same time; each takes two seconds at the most, and eight sockets."""

WAITING_MAX = 64
"""Of a crowd that joins through one node all ask that node, at the same moment: one neighbourhood."""

PATIENCE_S = 3.0
"""For so long a turn is worth waiting for: the rest of `reaching.ANSWER_S` goes into the dial."""


class Knocking:
    """Who is dialled, and who waits for it."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._dialled: dict[NodeId, None] = {}
        self._waiting: dict[NodeId, tuple[int, float]] = {}
        """The nonce of each, and since when it waits."""
        self._budgets = Buckets(KNOCKS_PER_S, KNOCKS_BURST, MEMBERS_MAX)

    def asked(self, peer: NodeId, nonce: int, now: float) -> list[Knock]:
        """Somebody wants to be dialled."""
        if peer in self._dialled or not self._budgets.take(peer, now):
            return []
        if len(self._dialled) < KNOCKS_MAX:
            return self._knock(peer, nonce)
        if len(self._waiting) < WAITING_MAX:
            self._waiting[peer] = (nonce, now)
        return []

    def ended(self, peer: NodeId, now: float) -> list[Knock]:
        """Somebody was dialled: it is the next one's turn."""
        self._dialled.pop(peer, None)
        self._waiting = {node: (nonce, at) for node, (nonce, at) in self._waiting.items() if now - at <= PATIENCE_S}
        if not self._waiting:
            return []
        node = next(iter(self._waiting))
        return self._knock(node, self._waiting.pop(node)[0])

    def _knock(self, node: NodeId, nonce: int) -> list[Knock]:
        record = self._membership.record_of(node)
        if record is None:
            return []
        self._dialled[node] = None
        return [Knock(node, record.addresses, nonce)]
