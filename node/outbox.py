"""An outbox: the messages that wait for one peer, whether or not there is a session with it at the moment."""

from collections import deque

BATCH_BYTES = 1024 * 1024
"""What goes out in one write, but at least one message. Many small ones in one write cost a microsecond each instead
of fourteen (performance.md 2); beyond a mebibyte nothing is gained."""


class OutboxFullError(Exception):
    """The peer does not take what it is sent; the text says how much waits."""


class Outbox:
    """A bounded queue. What is written is taken with `batch` and, once it was written, removed with `drop`."""

    def __init__(self, bytes_max: int, messages_max: int) -> None:
        self._bytes_max = bytes_max
        self._messages_max = messages_max
        self._messages: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, payload: bytes) -> None:
        """Raises OutboxFullError, and the message does not go in."""
        if len(self._messages) >= self._messages_max or self._bytes + len(payload) > self._bytes_max:
            raise OutboxFullError(f"{len(self._messages)} messages of {self._bytes} bytes wait for it to read them")
        self._messages.append(payload)
        self._bytes += len(payload)

    def batch(self) -> list[bytes]:
        """The next messages for one write, which stay here."""
        batch: list[bytes] = []
        size = 0
        for payload in self._messages:
            size += len(payload)
            if batch and size > BATCH_BYTES:
                break
            batch.append(payload)
        return batch

    def drop(self, count: int) -> None:
        """Forget the first messages: they are written."""
        for _ in range(count):
            self._bytes -= len(self._messages.popleft())

    def clear(self) -> None:
        self._messages.clear()
        self._bytes = 0
