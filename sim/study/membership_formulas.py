"""Membership formulas: how long memberlist takes to notice a death, worked out from its settings.

The times of its timers are those of the code (membership.md 1.1); the rest is what they wait for. In an event-driven
simulation of memberlist's own (membership.md 3.1) the medians were 1.4 s, 8.7 s and 9.0 s for 64 nodes, where this
says 1.7, 8.9 and 9.2; and 1.6 s, 12.5 s and 13.0 s for 512, where this says 1.7, 12.5 and 13.0.
"""

import math

from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.suspicion import suspicion_min_s


def suspected_s(settings: MembershipSettings, nodes: int) -> float:
    """Median time from a crash to the first suspicion. Each of the others probes each member once in N - 1 intervals,
    at an instant of its own; half of the time nobody's turn comes within what is left of one interval when ln 2 of it
    has passed (a bit more among few). Who is silent is suspected at the end of the interval of the probe."""
    others = max(1, nodes - 1)
    return settings.probe_interval_s * (others * (1.0 - math.exp2(-1.0 / others)) + 1.0)


def first_dead_s(settings: MembershipSettings, nodes: int) -> float:
    """Median time from a crash to the first verdict: the shortest suspicion, since it is confirmed by others who
    probe long before it has run out."""
    return suspected_s(settings, nodes) + suspicion_min_s(settings.suspicion_mult, nodes, settings.probe_interval_s)


def all_dead_s(settings: MembershipSettings, nodes: int) -> float:
    """Median time from a crash until everybody has heard the verdict: who knows it tells so many others in each
    gossip interval, so those who know become that many times more and one; half an interval passes at each."""
    hops = math.log(max(2, nodes), settings.gossip_nodes + 1)
    return first_dead_s(settings, nodes) + hops * settings.gossip_interval_s / 2
