"""Early: what comes in between the moment when a node listens and the moment when it can act.

Others dial a node as soon as it listens; before it can answer it has to measure its machine and to take up its jobs.
A session is opened once: who misses that does not know the other, and does not dial it since there is a session.
"""

from collections.abc import Callable

from pnode.protocol.events import Event

EVENTS_MAX = 10_000
"""A few per connection, of which the door lets in some hundred; what is beyond is lost, as with a full queue."""


class Early:
    """Events that wait."""

    def __init__(self) -> None:
        self._waiting: list[Event] = []

    def keep(self, event: Event) -> None:
        if len(self._waiting) < EVENTS_MAX:
            self._waiting.append(event)

    def hand_over(self, deliver: Callable[[Event], None]) -> None:
        """Deliver all, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            deliver(event)
