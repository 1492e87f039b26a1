"""Load: how long a queue each node is believed to have.

A load figure loses its worth with age: what was heard is already counted down to now (`PeerView.free_in_s`), but what
the node has accepted since is unknown. The belief therefore moves with age from the figure to the mean of the others:

    trust = 1 up to FRESH refreshes, falling in a straight line to 0 at STALE
    queue = trust * heard + (1 - trust) * (mean of what was heard of all peers, weighted by trust; 0 if nothing was)

A node of which nothing is known is thus taken for an average one. To take it for idle would send every controller in
the cluster there at once (scheduling.md 1.6: "a herd: 2.5-4.4 x"); to leave it out would waste it.
"""

import math
from collections.abc import Sequence

from pnode.protocol.ids import NodeId
from pnode.protocol.view import PeerView

FRESH = 3.0
"""In periods of refreshing. Figures are gossiped once a second; 99 of 100 are younger than 1.4 s among 64 nodes, and
than 3.3 s among 256 (membership.md 3.3). So nothing that arrives regularly is discounted."""

STALE = 30.0
"""In the same. Ten updates in a row were lost three times over. The node answers probes, or it would be dead after
9 s (membership.md 3.1), but its queue has had time to turn over more than once."""


def trust(age_s: float, refresh_s: float = 1.0) -> float:
    """How much a load figure of that age counts, 1 to 0, where figures come every `refresh_s`."""
    return min(1.0, max(0.0, (STALE - age_s / refresh_s) / (STALE - FRESH)))


def queues_s(
    peers: Sequence[PeerView], mine: Sequence[tuple[NodeId, float]] = (), refresh_s: float = 1.0
) -> dict[NodeId, float]:
    """Seconds until each peer could start one more task.

    `mine` is work that the caller has bound and not yet seen in gossip (`Question.mine`); it counts in full, spread
    over the node's cores.
    """
    weights = [trust(peer.age_s, refresh_s) for peer in peers]
    # fsum: the mean must not depend on the order of the peers.
    total = math.fsum(weights)
    heard = math.fsum(weight * peer.free_in_s for weight, peer in zip(weights, peers, strict=True))
    usual = heard / total if total else 0.0
    bound = dict(mine)
    return {
        peer.node: weight * peer.free_in_s + (1.0 - weight) * usual + bound.get(peer.node, 0.0) / max(1, peer.cores)
        for weight, peer in zip(weights, peers, strict=True)
    }
