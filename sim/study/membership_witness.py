"""A witness: notes every change of any node's view of another."""

from collections import Counter

from pnode.protocol.effects import Notify
from pnode.protocol.ids import NodeId
from pnode.protocol.roster import State
from pnode.protocol.values import dataclass, field
from pnode.sim.host import Host

from .membership import Sighting

Codes = dict[State | None, int]

CODES: Codes = {None: 0, State.ALIVE: 1, State.SUSPECT: 2, State.DEAD: 3, State.LEFT: 4}
"""Views are kept as bytes: among a thousand nodes there are a million of them."""

ALIVE, DEAD = CODES[State.ALIVE], CODES[State.DEAD]


@dataclass(slots=True)
class Witness:
    """Looks over the shoulders of the hosts that it was introduced to."""

    sightings: list[Sighting] = field(default_factory=list)
    """Since the last `take`, in order of time."""
    is_noting: bool = False
    """Whether sightings are kept. What is alive in whose view is counted in any case."""
    alive: int = 0
    """Pairs of which the first takes the second for alive."""
    dead: Counter[int] = field(default_factory=Counter)
    """By subject, how many take it for dead."""
    _numbers: dict[NodeId, int] = field(default_factory=dict)
    _views: list[bytearray] = field(default_factory=list)
    """By observer, then by subject."""

    def meet(self, host: Host) -> None:
        """Look over one more host's shoulder from now on. They come in the order of their numbers."""
        self._numbers[host.id] = host.number
        self._views.append(bytearray())
        host.on_notice = self.notice

    def notice(self, host: Host, notice: Notify) -> None:
        """A host says that something has become of a member."""
        membership = host.peer.membership
        if notice.topic != "members" or not notice.subject or membership is None:
            return
        state = membership.state_of(NodeId(notice.subject))
        subject, view = self._numbers[NodeId(notice.subject)], self._views[host.number]
        if subject >= len(view):
            view.extend(bytes(subject + 1 - len(view)))
        old, new = view[subject], CODES[state]
        if old == new:
            return
        view[subject] = new
        self.alive += (new == ALIVE) - (old == ALIVE)
        self.dead[subject] += (new == DEAD) - (old == DEAD)
        if self.is_noting:
            self.sightings.append(Sighting(host.engine.now, host.number, subject, state))

    def forget(self, host: Host) -> None:
        """A host has lost its memory."""
        view = self._views[host.number]
        self.alive -= view.count(ALIVE)
        self.dead.subtract(subject for subject, code in enumerate(view) if code == DEAD)
        self._views[host.number] = bytearray()

    def everybody(self, nodes: int) -> bool:
        """Whether so many nodes all take all others for alive."""
        return self.alive == nodes * (nodes - 1)

    def take(self) -> tuple[Sighting, ...]:
        """What was noted, to be noted no longer."""
        sightings, self.sightings, self.is_noting = tuple(self.sightings), [], False
        return sightings
