"""Cabling: network namespaces, one for each node, and what joins them. Needs root.

A namespace belongs to a process (`cat`, which waits for the end of its standard input) and has no name: it is gone
with this process, however that ends, and so are its devices. Nothing is made outside of these namespaces.

Two kinds of cables: Ethernet pairs to a bridge, whose delay and loss are netem's, and the TUN emulator for kernels
without netem. Both can be cut in one direction.
"""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Protocol

from .machines import SuiteError

READY_S_MAX = 10.0

NOWHERE = "02:00:00:00:00:fe"
"""An Ethernet address that nobody has: what is sent there is silently lost."""


class SkippedError(Exception):
    """This machine cannot do what the suite needs; the message says what."""


class Cabling(Protocol):
    """What joins numbered nodes."""

    def prefix(self, number: int) -> tuple[str, ...]:
        """What a command is put behind to run where that node lives."""

    def address(self, number: int) -> str: ...

    def cut(self, source: int, target: int) -> None:
        """Nothing passes in this direction any more, and nobody is told."""

    def heal(self, source: int, target: int) -> None: ...

    def shape(self, delay_s: float, jitter_s: float, loss: float) -> None:
        """How every way is from now on; those that are cut as soon as they are healed."""


class _Namespace:
    """A network namespace that lasts as long as its process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        self.pid = self._process.pid
        deadline = time.monotonic() + READY_S_MAX
        while Path(f"/proc/{self.pid}/comm").read_text().strip() != "cat":
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SkippedError("no network namespace can be made: unshare --net has failed")
            time.sleep(0.01)
        self.ip("link", "set", "lo", "up")

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", f"--net=/proc/{self.pid}/ns/net")

    def ip(self, *words: str) -> None:
        run(*self.prefix, "ip", *words)

    def end(self) -> None:
        self._process.communicate(timeout=READY_S_MAX)


def run(*words: str) -> None:
    """Raises SuiteError with what the command said."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=READY_S_MAX)
    if done.returncode != 0:
        raise SuiteError(f"{' '.join(words)}: {done.stderr.strip()}")


class _Cables:
    """What both kinds have in common."""

    def __init__(self, spaces: Sequence[_Namespace]) -> None:
        self.spaces = spaces

    def prefix(self, number: int) -> tuple[str, ...]:
        return self.spaces[number].prefix

    def address(self, number: int) -> str:
        return f"10.77.0.{number + 1}"


class Ethernet(_Cables):
    """Pairs of Ethernet devices, one end in a node's namespace, the other at a bridge in a namespace of its own."""

    def __init__(self, spaces: Sequence[_Namespace], hub: _Namespace) -> None:
        super().__init__(spaces)
        self._hub = hub
        hub.ip("link", "add", "br0", "type", "bridge")
        hub.ip("link", "set", "br0", "up")
        for number, space in enumerate(spaces):
            port = f"port{number}"
            hub.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(space.pid))
            hub.ip("link", "set", port, "master", "br0", "up")
            space.ip("addr", "add", f"{self.address(number)}/24", "dev", "eth0")
            space.ip("link", "set", "eth0", "up")

    def cut(self, source: int, target: int) -> None:
        words = ("neigh", "replace", self.address(target), "lladdr", NOWHERE, "nud", "permanent", "dev", "eth0")
        self.spaces[source].ip(*words)

    def heal(self, source: int, target: int) -> None:
        self.spaces[source].ip("neigh", "del", self.address(target), "dev", "eth0")

    def move(self, number: int, address: str) -> None:
        """Give a node another address: the old one is gone first, as when a laptop is carried to another network."""
        self.spaces[number].ip("addr", "flush", "dev", "eth0")
        self.spaces[number].ip("addr", "add", f"{address}/24", "dev", "eth0")

    def unplug(self, number: int) -> None:
        """Take the cable out; the node's kernel sees that it has no carrier."""
        self._hub.ip("link", "set", f"port{number}", "down")

    def plug(self, number: int) -> None:
        self._hub.ip("link", "set", f"port{number}", "up")

    def shape(self, delay_s: float, jitter_s: float, loss: float) -> None:
        words = ("root", "netem", "delay", f"{delay_s * 1000:g}ms", f"{jitter_s * 1000:g}ms", "loss", f"{loss:.2%}")
        for space in self.spaces:
            run(*space.prefix, "tc", "qdisc", "replace", "dev", "eth0", *words)


class Emulated(_Cables):
    """The links of an emulator."""

    def __init__(self, spaces: Sequence[_Namespace]) -> None:
        super().__init__(spaces)
        self._way: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self._cuts: dict[tuple[int, int], None] = {}
        command = [sys.executable, "-m", "tests.chaos.emulator", *(str(space.pid) for space in spaces)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise SkippedError("the emulator could make no TUN devices: see above")
        for number, space in enumerate(spaces):
            space.ip("addr", "add", f"{self.address(number)}/24", "dev", "eth0")
            space.ip("link", "set", "eth0", "up")

    def cut(self, source: int, target: int) -> None:
        self._cuts[source, target] = None
        self._tell(source, target)

    def heal(self, source: int, target: int) -> None:
        self._cuts.pop((source, target), None)
        self._tell(source, target)

    def shape(self, delay_s: float, jitter_s: float, loss: float) -> None:
        self._way = (delay_s, jitter_s, loss)
        for source, target in permutations(range(len(self.spaces)), 2):
            self._tell(source, target)

    def wall_in(self, number: int) -> None:
        """Put a node behind a firewall: it can dial out, and nothing else comes in."""
        self._write([number])

    def end(self) -> None:
        self._process.communicate(timeout=READY_S_MAX)

    def _tell(self, source: int, target: int) -> None:
        delay_s, jitter_s, loss = self._way
        loss = 1.0 if (source, target) in self._cuts else loss
        self._write([source, target, delay_s, jitter_s, loss, math.inf])

    def _write(self, line: list[float]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def ethernet(count: int) -> Iterator[Ethernet]:
    """So many nodes at one bridge. Raises SkippedError."""
    _check()
    with _namespaces(count + 1) as spaces:
        yield Ethernet(spaces[:-1], spaces[-1])


@contextlib.contextmanager
def slow_links(count: int) -> Iterator[Cabling]:
    """So many nodes whose ways can have delay and loss. Raises SkippedError."""
    _check()
    with _namespaces(count + 1) as spaces:
        if has_netem(spaces[-1]):
            yield Ethernet(spaces[:-1], spaces[-1])
            return
        with _emulated(spaces[:-1]) as links:
            yield links


@contextlib.contextmanager
def emulated(count: int) -> Iterator[Emulated]:
    """So many nodes joined by the emulator. Raises SkippedError."""
    _check()
    with _namespaces(count) as spaces, _emulated(spaces) as links:
        yield links


@contextlib.contextmanager
def _emulated(spaces: Sequence[_Namespace]) -> Iterator[Emulated]:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise SkippedError("/dev/net/tun is not there, which the emulator of links needs")
    links = Emulated(spaces)
    try:
        yield links
    finally:
        links.end()


def has_netem(space: _Namespace) -> bool:
    try:
        run(*space.prefix, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
    except (SuiteError, OSError):
        return False
    return True


def _check() -> None:
    if os.geteuid() != 0:
        raise SkippedError("network namespaces need root")
    missing = [program for program in ("ip", "nsenter", "unshare") if shutil.which(program) is None]
    if missing:
        raise SkippedError(f"{' and '.join(missing)} cannot be found: install iproute2 and util-linux")


@contextlib.contextmanager
def _namespaces(count: int) -> Iterator[list[_Namespace]]:
    spaces: list[_Namespace] = []
    try:
        for _ in range(count):
            spaces.append(_Namespace())  # noqa: PERF401  # those made before one fails are to be ended, too
        yield spaces
    finally:
        for space in spaces:
            space.end()
