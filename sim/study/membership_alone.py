"""What a node costs by itself: what happened to it in a cluster happens once more to a copy of it, and nothing else.

Where a thousand nodes take turns on one processor, none of them finds its tables in the cache, and events wait in one
heap for all of them; so the time that a simulation takes grows faster than what any of its nodes does. A copy that is
made before, and told everything again in the same order, does just what the node did: if it does not the replay says
so. Its time is that of the protocol alone, without sealing and without system calls.
"""

import gc
import time
from collections.abc import Callable
from copy import deepcopy

from pnode.protocol.effects import Effect
from pnode.protocol.events import Event
from pnode.protocol.peer import Peer
from pnode.protocol.values import dataclass, field
from pnode.sim.host import Host

Act = Callable[[Peer, float], list[Effect]]
"""What a host lets its peer do of its own accord."""

REPLAYS = 3
"""The quickest counts: whatever else the machine does only adds to it."""


class ReplayError(Exception):
    """A copy of a node did something else than the node."""


@dataclass(slots=True)
class Record:
    """What happens to one node from now on. An observer of its host."""

    host: Host
    copy: Peer = field(init=False)
    """As it was at the beginning."""
    happened: list[tuple[float, Event | Act | None]] = field(default_factory=list)
    """When by its clock, and what; None is the passing of its deadline."""
    done: list[list[Effect]] = field(default_factory=list)
    """What it wanted done each time."""

    def __post_init__(self) -> None:
        self.copy = deepcopy(self.host.peer)
        self.host.observer = self

    def before(self, host: Host, event: Event | None) -> None:
        self.happened.append((host.now, event))

    def after(self, host: Host, effects: list[Effect]) -> None:
        del host
        self.done.append(list(effects))

    def acting(self, act: Act) -> Act:
        """The same, noted."""

        def noted(peer: Peer, now: float) -> list[Effect]:
            self.happened.append((now, act))
            effects = act(peer, now)
            self.done.append(list(effects))
            return effects

        return noted

    def end(self) -> None:
        """Look no longer."""
        self.host.observer = None

    def replay(self) -> float:
        """Seconds of processor time that a copy takes for all of it, at best. Raises ReplayError if it does something
        else than the node did."""
        if self._replayed(deepcopy(self.copy)) != self.done:
            raise ReplayError(f"a copy of node {self.host.number} does something else than the node did")
        return min(self._timed(deepcopy(self.copy)) for _ in range(REPLAYS))

    def _replayed(self, peer: Peer) -> list[list[Effect]]:
        return [list(_happen(peer, now, what)) for now, what in self.happened]

    def _timed(self, peer: Peer) -> float:
        """Without looking for garbage, which would be looked for among all nodes of the cluster."""
        happened, was_on = self.happened, gc.isenabled()
        gc.disable()
        try:
            began_s = time.process_time()
            for now, what in happened:
                _happen(peer, now, what)
            return time.process_time() - began_s
        finally:
            if was_on:
                gc.enable()


def _happen(peer: Peer, now: float, what: Event | Act | None) -> list[Effect]:
    """One thing, and what its host asks for after it."""
    if what is None:
        effects = peer.tick(now)
    elif callable(what):
        effects = what(peer, now)
    else:
        effects = peer.handle(what, now)
    _ = peer.deadline
    return effects
