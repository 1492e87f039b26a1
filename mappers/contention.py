"""Contention: what transfers that are under way at the same moment do to each other."""

from enum import Enum


class Contention(Enum):
    """The model of the network between nodes. The word is what scenario files say.

    A transfer first waits its latency, then moves its bytes at the rate the model gives it, which is worked out anew
    whenever a transfer begins or ends.
    """

    NONE = "none"
    """Every transfer has the link's whole bandwidth to itself."""
    LINK = "link"
    """Transfers on the same directed link share its bandwidth equally ("processor sharing")."""
    NIC = "nic"
    """Max-min fairness over each node's uplink and downlink; a link's own bandwidth caps each of its transfers."""
