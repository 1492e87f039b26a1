"""Attention: how closely a process tree is watched.

While it works it is looked at every so often. While it rests, as a worker does between two units, nearly nothing can
become of it but its end, of which the kernel tells: to look as often as ever would be most of what an idle node does.
"""

import trio

REST_S = 10.0
"""Pauses while it rests: a thread that a call has left behind may go on printing."""


class Attention:
    """Of one tree, which works until it is said to `rest`."""

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._rests = False
        self._pause = trio.CancelScope()

    def rest(self) -> None:
        """It has nothing to do, from the end of the present pause on."""
        self._rests = True

    def wake(self) -> None:
        """It works: the present pause is as short as any while it does."""
        self._rests = False
        self._pause.deadline = min(self._pause.deadline, self._due())

    def pause(self) -> trio.CancelScope:
        """Until it is to be looked at again."""
        self._pause = trio.CancelScope(deadline=self._due())
        return self._pause

    def _due(self) -> float:
        return trio.current_time() + (REST_S if self._rests else self._poll_s)
