"""Waiting: units that are to start when others have ended, and may be called back before."""

import trio

from pnode.protocol.effects import Run, Unit

from .driver import either


class Waiting:
    """The units that were announced and have not ended."""

    def __init__(self) -> None:
        self._ends: dict[Unit, trio.Event] = {}
        self._recalls: dict[Unit, trio.Event] = {}
        """Of those that are behind others."""

    def enter(self, run: Run) -> trio.Event | None:
        """A unit is to be run; when what is before it has ended, None if that has."""
        self._ends[run.unit] = trio.Event()
        if run.behind is not None:
            self._recalls[run.unit] = trio.Event()
        return self._before(run)

    async def is_its_turn(self, run: Run) -> bool:
        """When what is before it has ended; not if it is recalled until then."""
        before = self._before(run)
        if before is None:
            return True
        await either(before, self._recalls[run.unit])
        return before.is_set()

    def recall(self, unit: Unit) -> None:
        """It is not to start, if it waits."""
        if unit in self._recalls:
            self._recalls[unit].set()

    def leave(self, unit: Unit) -> None:
        """It has ended."""
        self._recalls.pop(unit, None)
        ended = self._ends.pop(unit, None)
        if ended is not None:
            ended.set()

    def _before(self, run: Run) -> trio.Event | None:
        return None if run.behind is None else self._ends.get(run.behind)
