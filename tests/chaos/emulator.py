"""The emulator: a star of point-to-point links with delay, jitter, loss and a rate, where the kernel has no netem.

    python -m tests.chaos.emulator PID...

Every network namespace, named by a process that lives there, gets a TUN device `eth0`; one process holds all of them,
with one heap of the packets that are on their way (reference: membership.md 8). Node i is 10.77.0.(i+1). Standard
input tells how a way is, as lines of JSON: `[source, target, delay_s, jitter_s, loss, bytes_per_s]`, or that a node
stands behind a firewall from now on: `[node]`. The emulator ends when it ends. Nothing but IPv4 is carried, and no
multicast.
"""

import ctypes
import fcntl
import heapq
import json
import math
import os
import selectors
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
DEVICE = "eth0"
STDIN = 0

PACKET_BYTES_MAX = 65_536

QUEUE_S_MAX = 0.2
"""A router drops what would wait longer for its turn (membership.md 8)."""

TCP = 6
"""The number of the protocol, in the header of IP."""

SYN, SYN_ACK = 0x02, 0x12

DRAIN = 64
"""Packets read from one device before the others are looked at again."""


@dataclass(frozen=True, slots=True)
class Way:
    """One direction between two nodes."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Uniform on top, so packets may overtake each other."""
    loss: float = 0.0
    """Share of the packets; 1 is a cut."""
    bytes_per_s: float = math.inf


class Star:
    """What is on its way between numbered nodes; knows no device and no clock."""

    def __init__(self, rng: Random) -> None:
        self.ways: dict[tuple[int, int], Way] = {}
        self.walled: dict[int, None] = {}
        """Nodes behind a firewall: no connection is opened from outside, and no datagram comes in."""
        self._rng = rng
        self._heap: list[tuple[float, int, int, bytes]] = []
        self._busy_until: dict[tuple[int, int], float] = {}
        self._count = 0

    @property
    def deadline(self) -> float:
        """When the next packet arrives."""
        return self._heap[0][0] if self._heap else math.inf

    def offer(self, packet: bytes, now: float) -> None:
        """Take a packet that a node sends, or lose it."""
        if len(packet) < 20 or packet[0] >> 4 != 4:
            return
        source, target = packet[15] - 1, packet[19] - 1
        way = self.ways.get((source, target), Way())
        if self._rng.random() < way.loss or (target in self.walled and _begins(packet)):
            return
        free = max(now, self._busy_until.get((source, target), now))
        if free - now > QUEUE_S_MAX:
            return
        sent = self._busy_until[source, target] = free + len(packet) / way.bytes_per_s
        self._count += 1
        due = sent + way.delay_s + self._rng.random() * way.jitter_s
        heapq.heappush(self._heap, (due, self._count, target, packet))

    def arrived(self, now: float) -> Iterator[tuple[int, bytes]]:
        """(node, packet) of all that is due."""
        while self._heap and self._heap[0][0] <= now:
            _, _, target, packet = heapq.heappop(self._heap)
            yield target, packet


def _begins(packet: bytes) -> bool:
    """Whether it is anything but a part of a connection, or opens one."""
    header = (packet[0] & 0x0F) * 4
    if packet[9] != TCP or len(packet) < header + 20:
        return True
    return packet[header + 13] & SYN_ACK == SYN


def tun(pid: int) -> int:
    """A TUN device in the network namespace of a process; its descriptor. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/proc/{pid}/ns/net") as there:  # noqa: PTH123  # kept open
        _enter(libc, there.fileno())
        try:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_NO_PI))
        finally:
            _enter(libc, home.fileno())
    return device


def _enter(libc: ctypes.CDLL, namespace: int) -> None:
    """`os.setns` exists from Python 3.12 on."""
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def serve(devices: list[int]) -> None:
    """Carry packets until standard input ends."""
    star = Star(Random(1))
    told = bytearray()
    with selectors.EpollSelector() as selector:
        for descriptor in (*devices, STDIN):
            selector.register(descriptor, selectors.EVENT_READ)
        while True:
            pause_s = star.deadline - time.monotonic()
            for key, _ in selector.select(None if pause_s == math.inf else max(0.0, pause_s)):
                if key.fd != STDIN:
                    _read(key.fd, star)
                elif not (more := os.read(STDIN, PACKET_BYTES_MAX)):
                    return
                else:
                    told += more
                    _learn(told, star)
            for target, packet in star.arrived(time.monotonic()):
                _write(devices, target, packet)


def _learn(told: bytearray, star: Star) -> None:
    """Take whole lines from what was told."""
    while (end := told.find(b"\n")) >= 0:
        match json.loads(told[:end]):
            case [node]:
                star.walled[node] = None
            case [source, target, *way]:
                star.ways[source, target] = Way(*way)
        del told[: end + 1]


def _read(device: int, star: Star) -> None:
    for _ in range(DRAIN):
        try:
            packet = os.read(device, PACKET_BYTES_MAX)
        except BlockingIOError:
            return
        star.offer(packet, time.monotonic())


def _write(devices: list[int], target: int, packet: bytes) -> None:
    if not 0 <= target < len(devices):
        return
    try:
        os.write(devices[target], packet)
    except OSError:  # the device is down or full: a lost packet
        return


def main() -> None:
    devices = [tun(int(pid)) for pid in sys.argv[1:]]
    print("ready", flush=True)
    serve(devices)


if __name__ == "__main__":
    main()
