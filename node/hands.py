"""Hands: who carries out what the driver does not do itself."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from pnode.protocol.effects import Fetch, Keep, LetGo, Run, Unit
from pnode.protocol.events import Fetched, RunEnded
from pnode.protocol.ids import JobId
from pnode.protocol.values import dataclass


class Line(Protocol):
    """What the driver needs of whoever runs units, beside that: some of these wait behind others."""

    def attach(self, deliver: Callable[[RunEnded], None], carry_out: Callable[[Run], None]) -> None:
        """Whom to tell of the ends of units that it has taken on, and whom to ask for a task where one needs it."""

    def announce(self, run: Run) -> bool:
        """A unit is to be run; said of all, in their order. Tells whether it is taken on and needs no task now."""

    def recall(self, unit: Unit) -> None:
        """Do not start it, if it still waits."""

    def cancel(self, unit: Unit) -> None:
        """End it, if it was taken on and has no task."""

    def leave(self, unit: Unit) -> None:
        """Its task has ended, or was cancelled before it began."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who carries out the effects that are neither the transport's nor the journal's."""

    run_unit: Callable[[Run], Awaitable[RunEnded]]
    line: Line
    fetch: Callable[[Fetch], Awaitable[Fetched]]
    keep: Callable[[Keep], None]
    let_go: Callable[[LetGo], list[Path]]
    """Gives the files that nobody needs any more, to be removed."""
    release: Callable[[JobId], None]
