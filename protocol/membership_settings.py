"""Membership settings: how often members look after each other, and how long they wait before they give somebody up.

The figures are memberlist's profiles (reference: membership.md 1.1). What they cost and give, for 16 nodes, measured
with these machines on a virtual clock (the reference's own simulation, membership.md 3.1, comes close):

=======  ====================  ===========  ===============================================================
profile  suspected / all dead  bytes/s      deaths per stall of a node's event loop
=======  ====================  ===========  ===============================================================
lan      1.4 s / 6.3 s         250          none up to 4 s, 5 % at 6 s
wan      6.9 s / 43 s          60           none up to 20 s
fast     1.1 s / 3.0 s         440          3 % at 2 s, 81 % at 3 s: only where tasks run in other processes
=======  ====================  ===========  ===============================================================

The bytes are those of datagrams with the headers of IP and UDP, a third of all, and of frames. In lan nine tenths are
pings and their answers; the rest is hashes that are compared (`push_pull`), and an exchange of everything every four
minutes. The table is of a cluster that stands: in the minutes after joining more delays are measured by bursts of
three pings, for some 80 bytes/s more. Figures of load come on top as far as they are news: see `figures`.
"""

from .errors import LocalProtocolError
from .values import dataclass


@dataclass(frozen=True, slots=True)
class MembershipSettings:
    """Checked once, when built; the same on every node of a cluster by convention, not by necessity."""

    probe_interval_s: float = 1.0
    """One member is probed per interval, times awareness + 1."""
    probe_timeout_s: float = 0.5
    """How long a direct answer is waited for; not scaled by awareness."""
    quick_timeout_s: float = 0.2
    """The same after a broken session, which is half a proof already; far above any delay inside one site."""
    indirect_probes: int = 3
    """Members asked to probe on one's behalf (SWIM's k)."""
    suspicion_mult: int = 4
    """The shortest suspicion lasts this many probe intervals times log10 of the members."""
    suspicion_max_mult: int = 6
    """A suspicion that nobody confirms lasts this many times longer."""
    awareness_levels: int = 8
    gossip_interval_s: float = 0.2
    gossip_nodes: int = 3
    """Members told something in each gossip interval."""
    gossip_to_dead_s: float = 30.0
    """For so long the dead are still told what is said about them, so that they can object."""
    retransmit_mult: int = 4
    push_pull_interval_s: float = 30.0
    """Everything is compared with one member per interval, and every eighth time exchanged (up to 32 members; see
    `push_pull.scaled_interval_s`)."""
    push_pull_timeout_s: float = 10.0
    """No second exchange with the same member is begun before."""
    reconnect_interval_s: float = 30.0
    """How often some of the dead are looked for: Serf's figure."""
    compare_interval_s: float = 60.0
    """How often `gossip_nodes` members more are told by a hash what is known here, so that whoever has missed this
    node's record, or anybody else's, asks for it: to broadcast the record itself anew took 85 bytes/s."""
    tombstone_s: float = 24 * 3600.0
    """After that long the left and the dead are forgotten: Serf's figure."""

    def __post_init__(self) -> None:
        if not 0 < self.quick_timeout_s <= self.probe_timeout_s < self.probe_interval_s:
            raise LocalProtocolError(
                "membership settings: quick_timeout_s <= probe_timeout_s < probe_interval_s must hold, found "
                f"{self.quick_timeout_s}, {self.probe_timeout_s} and {self.probe_interval_s}"
            )

    @classmethod
    def lan(cls) -> "MembershipSettings":
        """One site. The defaults."""
        return cls()

    @classmethod
    def wan(cls) -> "MembershipSettings":
        """Sites far apart or links that pause for seconds: less than half the traffic, deaths noticed within a
        minute."""
        return cls(
            probe_interval_s=5.0,
            probe_timeout_s=3.0,
            quick_timeout_s=1.0,
            suspicion_mult=6,
            gossip_interval_s=0.5,
            gossip_nodes=4,
            gossip_to_dead_s=60.0,
            push_pull_interval_s=60.0,
            push_pull_timeout_s=30.0,
        )

    @classmethod
    def fast(cls) -> "MembershipSettings":
        """Deaths noticed in 3 to 4 s, for three quarters more traffic; a node that pauses for 3 s is taken for
        dead."""
        return cls(probe_interval_s=0.5, probe_timeout_s=0.2, quick_timeout_s=0.1, suspicion_mult=3)
