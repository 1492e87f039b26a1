"""Windows: which datagrams of each sender have been taken, so that none is taken twice.

What `protocol.datagram` does for live nodes with the counters under its seals; here there are no seals.
"""

from pnode.protocol.ids import NodeId

WINDOW_BITS = 1024
"""As in the live one: what is older than so many datagrams is refused."""


class Windows:
    """One window per sender and life of its process; forgotten with our own process."""

    def __init__(self) -> None:
        self._seen: dict[NodeId, tuple[int, int, int]] = {}
        """(life of the sender, highest counter, mask of those before it)"""
        self.refused = 0

    def clear(self) -> None:
        self._seen.clear()

    def take(self, sender: NodeId, life: int, counter: int) -> bool:
        """Whether this one is new; from now on it is not."""
        known, highest, mask = self._seen.get(sender, (-1, 0, 0))
        if life > known:
            known, highest, mask = life, counter, 1
        elif counter > highest and life == known:
            shift = counter - highest
            mask = (mask << shift if shift < WINDOW_BITS else 0) | 1
            highest, mask = counter, mask & (1 << WINDOW_BITS) - 1
        elif life < known or highest - counter >= WINDOW_BITS or mask >> highest - counter & 1:
            self.refused += 1
            return False
        else:
            mask |= 1 << highest - counter
        self._seen[sender] = (known, highest, mask)
        return True
