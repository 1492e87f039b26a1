"""The link report: what this node believes of the ways between all nodes, as the values that people get to see."""

from pnode.profilers.profile import Basis, Profile
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.roster import DIRECT_MAX

from .api_links import DelayBasis, LinkStatus

_KNOWN: dict[Basis, DelayBasis] = {
    Basis.MEASURED: "direct",
    Basis.HEARD: "reported",
    Basis.ESTIMATED: "estimated",
    Basis.USUAL: "assumed",
}


def nearest(neighbours: Neighbours, profile: Profile, now: float) -> list[NodeId]:
    """The others that are there, the nearest first; no more than one row has room for, since all pairs of more are no
    use to anybody."""
    others = [node for node in neighbours.members() if node != neighbours.me]
    others.sort(key=lambda node: (profile.delay(neighbours.me, node, now).rtt_s, node))
    return others[: DIRECT_MAX - 1]


def link_statuses(neighbours: Neighbours, profile: Profile, now: float) -> tuple[LinkStatus, ...]:
    """Every direction between this node and those nearest to it, by name of source and target."""
    shown = [neighbours.me, *nearest(neighbours, profile, now)]
    shown.sort(key=lambda node: (neighbours.name_of(node), node))
    return tuple(
        _link(neighbours, profile, source, target, now) for source in shown for target in shown if source != target
    )


def _link(neighbours: Neighbours, profile: Profile, source: NodeId, target: NodeId, now: float) -> LinkStatus:
    delay = profile.delay(source, target, now)
    bandwidth = profile.received(source, target, now)
    return LinkStatus(
        source=neighbours.name_of(source),
        source_id=node_text(source),
        target=neighbours.name_of(target),
        target_id=node_text(target),
        this=target == neighbours.me,
        delay_s=delay.rtt_s,
        delay_known=_KNOWN[delay.basis],
        delay_error=delay.error,
        delay_age_s=delay.age_s,
        delay_confidence=delay.confidence,
        bandwidth_bytes_per_s=None if bandwidth is None else bandwidth[0],
        bandwidth_confidence=0.0 if bandwidth is None else bandwidth[1],
    )
