"""Stock: of which settled results of a job this node has copies. Nobody else need know.

Before an item is settled its copies are stated (KEPT), one statement for each by each replica, and whoever leads
waits for them. Afterwards a replica that has come later copies the results as well, and remembers it here: of each
final unit what it has a copy of, by its mark. A node that was restarted asks its store for what it does not remember.
"""

from .attempts import Attempt, UnitKey

MARK_BYTES = 8
"""See `attempts.outputs_mark`; 80 kB for as many items as there can be with one result each."""


class Stock:
    """Copies of settled results."""

    def __init__(self, final_tasks: tuple[int, ...]) -> None:
        self._places = {task: place for place, task in enumerate(final_tasks)}
        self._marks = bytearray()

    def has(self, key: UnitKey, result: Attempt) -> bool:
        """Whether there is a copy of this result of a final unit; there may be one of another."""
        at = self._at(key)
        return self._marks[at : at + MARK_BYTES] == result.mark

    def add(self, key: UnitKey, result: Attempt) -> None:
        """There is a copy."""
        at = self._at(key)
        if len(self._marks) < at + MARK_BYTES:
            self._marks.extend(bytes(at + MARK_BYTES - len(self._marks)))
        self._marks[at : at + MARK_BYTES] = result.mark

    def _at(self, key: UnitKey) -> int:
        task, item = key
        return (item * len(self._places) + self._places[task]) * MARK_BYTES
