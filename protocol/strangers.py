"""Strangers: nodes that have a part in a job, or are to hear of one, and that membership does not know.

Whoever is alive shows up within a push-pull or two after this node's start, or a moment after it has joined. Those
who remember a death do not tell newcomers of it (`push_pull`), so after a restart the dead are never heard of again:
who is still unknown after a while is taken for gone.
"""

from .desk import Desk
from .ids import NodeId
from .timers import Timers

STRANGER_S = 30.0
"""Two rounds of dialling with growing pauses (`joining`), and a push-pull, take half as long. The rest is for
machines that boot more slowly than we do after the power was cut for all: what they had done would be done again."""


class Strangers:
    """Those who still have time to show up."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._patience: Timers[NodeId] = Timers()

    @property
    def deadline(self) -> float:
        return self._patience.deadline

    def meet(self, node: NodeId, now: float) -> None:
        """A node is named, or written to."""
        if not self.desk.near.is_known(node) and node not in self._patience and node not in self.desk.vanished:
            self._patience.set(node, now + STRANGER_S)

    def due(self, now: float) -> list[NodeId]:
        """Those who should have shown up by now and have not: from here on they are gone."""
        missing = [node for node in self._patience.due(now) if not self.desk.near.is_known(node)]
        for node in missing:
            self.desk.vanish(node)
        return missing
