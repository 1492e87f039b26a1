"""The door: how many strangers may stand in it, that is, have a connection whose handshake is not done."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from .limits import TransportSettings


class DoorFullError(Exception):
    """Too many are waiting; this one is hung up on."""


class Door:
    """Counts who is in it, in total and per source host."""

    def __init__(self, settings: TransportSettings) -> None:
        self._max = settings.handshakes_max
        self._per_host_max = settings.handshakes_per_host_max
        self._hosts: Counter[str] = Counter()

    @contextmanager
    def stand(self, host: str) -> Iterator[None]:
        """Be in it for as long as the context lasts. Raises DoorFullError at once."""
        if self._hosts.total() >= self._max:
            raise DoorFullError(f"{self._max} handshakes are under way")
        if self._hosts[host] >= self._per_host_max and not _is_here(host):
            raise DoorFullError(f"{self._per_host_max} handshakes with {host} are under way")
        self._hosts[host] += 1
        try:
            yield
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]


def _is_here(host: str) -> bool:
    """Whether an address is of the loopback interface; a relay's name is none."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
