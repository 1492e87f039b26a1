"""Bindings: work that this node gave to others and that gossip cannot show yet.

A node's load figures are a second or so old. Whatever a controller has bound to it since then must be added, or all
children would go to the node that looked free a moment ago (the herd of scheduling.md 4.2).
"""

from collections.abc import Callable, Hashable

from .ids import NodeId
from .values import dataclass, field


@dataclass(slots=True)
class _Account:
    total_s: float = 0.0
    open: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    """(since, seconds) of each binding, oldest first."""


class Bindings:
    """Seconds of work bound to each node and not yet in its figures."""

    def __init__(self) -> None:
        self._accounts: dict[NodeId, _Account] = {}
        self._where: dict[Hashable, NodeId] = {}

    def add(self, node: NodeId, what: Hashable, since_s: float, seconds: float) -> None:
        self.end(what)
        account = self._accounts.setdefault(node, _Account())
        account.open[what] = (since_s, seconds)
        account.total_s += seconds
        self._where[what] = node

    def end(self, what: Hashable) -> None:
        """The work has ended or was given to somebody else."""
        node = self._where.pop(what, None)
        if node is not None:
            self._remove(node, what)

    def totals(self, known_since_s: Callable[[NodeId], float]) -> tuple[tuple[NodeId, float], ...]:
        """(node, seconds) in ascending order of node; forgets what a node's newest figures contain by now."""
        for node in list(self._accounts):
            known = known_since_s(node)
            account = self._accounts[node]
            for what in [what for what, (since_s, _) in _older(account.open, known)]:
                del self._where[what]
                self._remove(node, what)
        return tuple((node, self._accounts[node].total_s) for node in sorted(self._accounts))

    def _remove(self, node: NodeId, what: Hashable) -> None:
        account = self._accounts[node]
        _, seconds = account.open.pop(what)
        account.total_s -= seconds
        if not account.open:
            del self._accounts[node]  # and with it whatever rounding has left


def _older(open_: dict[Hashable, tuple[float, float]], known_s: float) -> list[tuple[Hashable, tuple[float, float]]]:
    older = []
    for what, binding in open_.items():
        if binding[0] > known_s:
            break  # they stand in the order in which they were made
        older.append((what, binding))
    return older
