"""Recent: a table with a bound, in which the row that was written longest ago makes room."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `rows_max` rows, in the order of their last `put`."""

    def __init__(self, rows_max: int) -> None:
        self.rows_max = rows_max
        self._rows: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def get(self, key: K) -> V | None:
        return self._rows.get(key)

    def put(self, key: K, value: V) -> None:
        """Write a row; it is the youngest from here on."""
        self._rows.pop(key, None)
        if len(self._rows) >= self.rows_max:
            del self._rows[next(iter(self._rows))]
        self._rows[key] = value

    def drop(self, key: K) -> None:
        self._rows.pop(key, None)

    def items(self) -> Iterator[tuple[K, V]]:
        """Rows, the oldest first."""
        yield from self._rows.items()

    def values(self) -> Iterator[V]:
        yield from self._rows.values()
