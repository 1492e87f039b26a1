"""What people are told about the ways between nodes: who can be dialled, and through whom the others are reached."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pnode.protocol.ids import NodeId
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.swim import SHORT_BYTES

from .api import NodeStatus, PeerStatus, ReachState

if TYPE_CHECKING:
    from .node import Node


def with_reach(status: NodeStatus, node: "Node") -> NodeStatus:
    """A node's status with what it knows of being dialled."""
    peer = node.peer
    if peer is None or peer.reaching is None or peer.neighbours is None:
        return status
    name_of, reaching = peer.neighbours.name_of, peer.reaching
    state: ReachState = reaching.state.value
    return replace(
        status,
        reach=state,
        reached_by=tuple(sorted(name_of(other) for other, reached in reaching.testimony.items() if reached)),
        missed_by=tuple(sorted(name_of(other) for other, reached in reaching.testimony.items() if not reached)),
        relays=_relays(peer.neighbours, node.me),
        relayed=node.transport.carried,
    )


def with_ways(status: PeerStatus, here: "Node", node: NodeId) -> PeerStatus:
    """A peer's status with what the transport knows of the way to it."""
    assert here.peer is not None, "peers are known once there is a core"
    assert here.peer.neighbours is not None, "and it is a member"
    neighbours, transport = here.peer.neighbours, here.transport
    via, content_via = transport.via(node), transport.content_via(node)
    return replace(
        status,
        clock_offset_s=transport.clock_offset_s(node),
        relays=_relays(neighbours, node),
        via="" if via is None else neighbours.name_of(via),
        content_via="" if content_via is None else neighbours.name_of(content_via),
    )


def _relays(neighbours: Neighbours, node: NodeId) -> tuple[str, ...]:
    """By name, as far as they are known here."""
    record = neighbours.membership.record_of(node)
    shorts = () if record is None else record.relays
    known = [neighbours.membership.by_short(short) for short in shorts]
    if neighbours.me[:SHORT_BYTES] in shorts:
        known.append(neighbours.me)
    return tuple(neighbours.name_of(relay) for relay in known if relay is not None)
