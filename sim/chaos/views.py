"""Views: whether those that are up see each other, and where they do not, what is wrong.

Views are *equal* when everybody sees all others, and only those, alive. Once they were, they need not be so at every
instant: over a bad link somebody is suspected now and then, and refutes it. Nobody may be called dead, though, or be
suspected for long.
"""

from collections.abc import Iterator, Sequence

from pnode.protocol.roster import State
from pnode.sim.host import Host

REFUTED_S_MAX = 45.0
"""With every fourth datagram lost, 160 ms of delay and 16 nodes somebody is suspected every three seconds: for up to
1.1 s in nine cases out of ten, but for 16 s if somebody misses the refutation. Then it takes until it probes whom it
suspects, twice the number of members at the worst, or until the case has run out, 36 s with 32 members."""


def differences(up: Sequence[Host]) -> str:
    """Who does not see whom alive, for people."""
    texts = []
    for host in up:
        alive = [] if host.peer.membership is None else host.peer.membership.alive()
        missing = [f"n{other.number}" for other in up if other is not host and other.id not in alive]
        spare = len(alive) + len(missing) - len(up) + 1
        if missing or spare:
            texts.append(f"n{host.number} lacks {' '.join(missing) or 'nobody'} and has {spare} too many")
    return "; ".join(texts)


def doubts(up: Sequence[Host]) -> Iterator[str]:
    """What has become of views that were equal, and should not have."""
    numbers = {host.id: host.number for host in up}
    for host in up:
        membership = host.peer.membership
        present = {} if membership is None else {n: m for n, m in membership.members.items() if m.present}
        for node, number in numbers.items():
            if node != host.id and node not in present:
                yield f"n{host.number} lacks n{number}"
        for node, member in present.items():
            if node not in numbers:
                yield f"n{host.number} counts {member.record.name} among the living"
            elif member.state is State.SUSPECT and host.now - member.since > REFUTED_S_MAX:
                yield f"n{host.number} suspects n{numbers[node]} for {host.now - member.since:.0f} s"
