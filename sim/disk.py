"""A simulated disk: the journal of a host. What was written last is lost when the host is switched off at once."""

from collections import deque
from random import Random

from .engine import Engine

SYNC_S = 0.002
"""A commit of the live journal: a write to a solid-state disk and a turn of the writer."""

Rows = dict[tuple[str, bytes], bytes]
"""By table and key."""


class Disk:
    """Rows by table and key, in the order in which they were first written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: Rows = {}
        self._unsynced: deque[tuple[float, tuple[str, bytes], bytes | None]] = deque()
        self._safe_s = 0.0
        self.sync_s = SYNC_S
        """How long a commit takes; a slow disk loses more."""

    def __len__(self) -> int:
        """How many rows there are, or are about to be."""
        return len(self._rows) + len(self._unsynced)

    def put(self, table: str, key: bytes, value: bytes | None) -> None:
        """Write a row, or with None take one out; it is safe after `sync_s`."""
        self._safe_s = max(self._safe_s, self._engine.now + self.sync_s)
        self._unsynced.append((self._safe_s, (table, key), value))

    @property
    def unsafe_s(self) -> float:
        """How long it takes until everything written so far is safe."""
        return max(self.sync_s, self._safe_s - self._engine.now)

    def lose_power(self, torn: Random | None = None) -> None:
        """Whatever is not safe yet is gone; but with `torn` the first so many rows of it are not."""
        self._sync()
        survivors = torn.randint(0, len(self._unsynced)) if torn is not None else 0
        for _ in range(survivors):
            self._land()
        self._unsynced.clear()

    def keep(self) -> None:
        """Everything written is on the disk: the process has died, not the machine."""
        while self._unsynced:
            self._land()

    def wipe(self) -> None:
        """Everything is gone."""
        self._rows.clear()
        self._unsynced.clear()

    def backup(self) -> Rows:
        """A copy of what is safe."""
        self._sync()
        return dict(self._rows)

    def restore(self, rows: Rows) -> None:
        """Put a backup in the place of what was there."""
        self.wipe()
        self._rows.update(rows)

    def rows(self, table: str) -> list[tuple[bytes, bytes]]:
        """(key, value) of a table, as a host finds it at its start."""
        self._sync()
        return [(key, value) for (name, key), value in self._rows.items() if name == table]

    def has(self, table: str, key: bytes) -> bool:
        """Whether a row is there and safe."""
        self._sync()
        return (table, key) in self._rows

    def _sync(self) -> None:
        while self._unsynced and self._unsynced[0][0] <= self._engine.now:
            self._land()

    def _land(self) -> None:
        _, key, value = self._unsynced.popleft()
        if value is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = value
