"""What strangers may send to a node's port: it costs them their connection, and nobody else anything."""

import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnode.node.api import NodeStatus

from .applications import EXAMPLES
from .hosts import Host, Hosts

pytestmark = pytest.mark.processes

HANG_UP_S_MAX = 15.0
"""A handshake has a few seconds; a node that is busy notices later."""

NOISE = random.Random(4747)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    hosts = Hosts(tmp_path_factory.mktemp("n"))
    try:
        yield hosts.cluster("alpha", "beta")
    finally:
        hosts.end()


def connected(host: Host) -> socket.socket:
    stranger = socket.create_connection(("127.0.0.1", host.port))
    stranger.settimeout(HANG_UP_S_MAX)
    return stranger


def is_hung_up_on(stranger: socket.socket) -> bool:
    """Whether the node closes the connection in time; what it may say before is read and forgotten."""
    deadline = time.monotonic() + HANG_UP_S_MAX
    try:
        while time.monotonic() < deadline:
            if not stranger.recv(65_536):
                return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return False


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


STREAMS: dict[str, bytes] = {
    "one byte": b"\0",
    "random bytes": NOISE.randbytes(5000),
    "a web browser": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a huge length": b"\xff\xff\xff\xff" + NOISE.randbytes(1000),
    "a length of nothing": bytes(4) * 1000,
    "a frame cut short": frame(NOISE.randbytes(300))[:200],
    "frames of random bytes": b"".join(frame(NOISE.randbytes(size)) for size in (1, 64, 96, 128, 1000, 60_000)),
    "a megabyte": NOISE.randbytes(1 << 20),
}

DATAGRAMS: list[bytes] = [
    b"",
    *(NOISE.randbytes(size) for size in (1, 2, 16, 40, 100, 1200, 1400, 1401, 65_507) for _ in range(20)),
    *(bytes(size) for size in (1, 40, 1400)),
]


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS)
def test_a_stranger_who_talks_nonsense_is_hung_up_on(pair: list[Host], sent: bytes) -> None:
    with connected(pair[0]) as stranger:
        try:
            stranger.sendall(sent)
        except ConnectionError:
            return

        assert is_hung_up_on(stranger)


def test_a_stranger_who_says_nothing_is_hung_up_on(pair: list[Host]) -> None:
    with connected(pair[0]) as stranger:
        assert is_hung_up_on(stranger)


def test_many_strangers_at_once_keep_nobody_out(pair: list[Host]) -> None:
    strangers = [connected(pair[0]) for _ in range(100)]
    for stranger in strangers:
        stranger.send(b"\0\0")

    assert pair[0].ask(NodeStatus, "status").state == "ready"
    assert all(is_hung_up_on(stranger) for stranger in strangers)
    for stranger in strangers:
        stranger.close()


def test_datagrams_of_strangers_are_not_answered(pair: list[Host]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(1.0)
        for datagram in DATAGRAMS:
            stranger.sendto(datagram, ("127.0.0.1", pair[0].port))

        with pytest.raises(TimeoutError):
            stranger.recv(65_536)


def test_after_all_this_the_nodes_are_as_they_were(pair: list[Host], tmp_path: Path) -> None:
    for host in pair:
        assert host.alive() == {"alpha", "beta"}
        assert "Traceback" not in host.log

    assert pair[0].pnode("submit", EXAMPLES / "diamond" / "dag.txt", "--follow", "--output", tmp_path).status == 0
