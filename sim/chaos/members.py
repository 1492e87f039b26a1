"""What must hold of every node's view of the others, looked at whenever a view has changed.

- Only certified nodes are in a view, and nobody is in its own.
- The incarnation that a node believes of another never goes back, nor is it ever beyond what its owner has signed.
- Nobody is called dead without the evidence: suspicions of the present incarnation, signed by enough distinct
  members, or a failed probe of one's own.
"""

from pnode.protocol.codec import decode
from pnode.protocol.crypto import Crypto
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import NodeId
from pnode.protocol.roster import Member, State
from pnode.protocol.signed import Kind, verify
from pnode.protocol.suspicion import quorum
from pnode.protocol.swim import Suspicion
from pnode.protocol.values import dataclass, field
from pnode.sim.host import Host

from .complaints import Complaints

View = tuple[int, int, NodeId]
"""(host, its life, whom it sees)"""


@dataclass(slots=True)
class Members:
    """The checker of views."""

    complaints: Complaints
    crypto: Crypto
    hosts: dict[NodeId, Host]
    seen: dict[View, tuple[int, State]] = field(default_factory=dict)
    """The last incarnation and state in each view."""
    signed: dict[NodeId, int] = field(default_factory=dict)
    """The highest incarnation that each owner has signed."""
    deaths: int = 0
    """Verdicts that were looked at."""

    def note_own(self, host: Host) -> int:
        """The highest incarnation of a host's own node; to be called before it crashes as well."""
        membership = host.peer.membership
        own = 0 if membership is None else membership.record.incarnation
        known = self.signed.get(host.id, 0)
        if own > known:
            self.signed[host.id] = own
        return max(own, known)

    def changed(self, host: Host, node: NodeId) -> None:
        """A host's view of a node has changed."""
        membership = host.peer.membership
        member = None if membership is None else membership.members.get(node)
        view = (host.number, host.life, node)
        if member is None:
            self.seen.pop(view, None)
            return
        if node == host.id or node not in self.hosts:
            self.complaints.add(host.number, f"has {node.hex()[:8]} in its view, itself or a stranger")
            return
        incarnation, state = self.seen.get(view, (0, State.ALIVE))
        if member.state is State.DEAD and state is not State.DEAD:
            self._died(host, member)
        self.seen[view] = (member.incarnation, member.state)
        name = f"n{self.hosts[node].number}"
        if member.incarnation < incarnation:
            self.complaints.add(
                host.number, f"went back from incarnation {incarnation} of {name} to {member.incarnation}"
            )
        if member.incarnation > self.note_own(self.hosts[node]):
            self.complaints.add(
                host.number, f"believes incarnation {member.incarnation} of {name}, which it has not signed"
            )

    def _died(self, host: Host, member: Member) -> None:
        self.deaths += 1
        membership = host.peer.membership
        assert membership is not None
        if member.unreachable:
            return  # its own probe has failed
        name, census = f"n{self.hosts[member.node].number}", membership._census
        accusers = {NodeId(signed.author): signed for signed in census.cases.evidence(member.node)}
        wanted = Suspicion(member.node, member.incarnation)
        for accuser, signed in accusers.items():
            try:
                verify(self.crypto, signed, Kind.SUSPICION, host.peer.identity.cluster)
                holds = decode(Suspicion, signed.body) == wanted and accuser in self.hosts and accuser != member.node
            except RemoteProtocolError:
                holds = False
            if not holds:
                self.complaints.add(
                    host.number, f"calls {name} dead on evidence that is forged or about something else"
                )
        needed = quorum(self._seen_by(host, member.node))
        if len(accusers) < needed:
            self.complaints.add(
                host.number,
                f"calls {name} dead on the word of {len(accusers)}, where {needed} or a probe of its own are needed",
            )

    def _seen_by(self, host: Host, accused: NodeId) -> int:
        """How many were present, the host and the accused included, in a view that is about to lose the accused. The
        roster shows what has become of it by the end of the event, in which others may have come and gone since; but
        what is told of these is told in the order in which it happened."""
        life = (host.number, host.life)
        others = (state for (*whose, node), (_, state) in self.seen.items() if (*whose,) == life and node != accused)
        return 2 + sum(state in (State.ALIVE, State.SUSPECT) for state in others)
