"""A simulated disk: the journal of a host. What was written last is lost when the host is switched off at once."""

from collections import deque

from .engine import Engine

SYNC_S = 0.002
"""A commit of the live journal: a write to a solid-state disk and a turn of the writer."""


class Disk:
    """Rows by table and key, in the order in which they were first written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: dict[tuple[str, bytes], bytes] = {}
        self._unsynced: deque[tuple[float, tuple[str, bytes], bytes | None]] = deque()

    def put(self, table: str, key: bytes, value: bytes | None) -> None:
        """Write a row, or with None take one out; it is safe after SYNC_S."""
        self._unsynced.append((self._engine.now + SYNC_S, (table, key), value))

    def lose_power(self) -> None:
        """Whatever is not safe yet is gone."""
        self._sync()
        self._unsynced.clear()

    def wipe(self) -> None:
        """Everything is gone."""
        self._rows.clear()
        self._unsynced.clear()

    def rows(self, table: str) -> list[tuple[bytes, bytes]]:
        """(key, value) of a table, as a host finds it at its start."""
        self._sync()
        return [(key, value) for (name, key), value in self._rows.items() if name == table]

    def _sync(self) -> None:
        while self._unsynced and self._unsynced[0][0] <= self._engine.now:
            _, key, value = self._unsynced.popleft()
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
