"""Checkup: what on this machine helps or hinders a node, whether or not one runs here."""

import importlib.metadata
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pnode.protocol.values import dataclass

from .discovery import DiscoveryError, hears_itself
from .home import inhabitant
from .listening import CannotListenError, Interface, PortInUseError, listen

Verdict = Literal["ok", "note", "trouble"]

PYTHON_MIN = (3, 11)

DISK_BYTES_MIN = 64 << 20
"""What the files of jobs leave to others (`store`): with less a node takes in nothing."""

PORT = 4747
"""The usual one; a node takes another if it is in use."""

MDNS_S = 3.0
"""An announcement is sent three times within a second, and heard on the same machine within milliseconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    verdict: Verdict
    text: str
    advice: str = ""
    """What to do; empty if nothing."""


def software() -> Iterator[Finding]:
    """Python and the packages."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        needed = ".".join(map(str, PYTHON_MIN))
        yield Finding("software", "trouble", f"Python {found}", f"pnode needs Python {needed} or newer")
    versions, missing = [f"Python {found}", f"pnode {importlib.metadata.version('pnode')}"], []
    for name in _required(importlib.metadata.requires("pnode") or ()):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding(
            "software", "trouble", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    yield Finding("software", "ok", ", ".join(versions))


def _required(lines: Iterable[str]) -> Iterator[str]:
    """The names in requirements; those of extras are nobody's duty."""
    for line in lines:
        if "extra ==" not in line:
            name = line.partition(";")[0]
            for end in "<>=!~[( ":
                name = name.partition(end)[0]
            yield name


def home(place: Path) -> Iterator[Finding]:
    """Where the node's key, data and log lie."""
    if not place.exists():
        yield Finding("home", "ok", f"{place} is made when a node is started there")
        return
    mode = place.stat().st_mode & 0o077
    if mode:
        yield Finding(
            "home", "note", f"others may look into {place}, where the node's key lies", f"chmod 700 {place}"
        )
    free_bytes = shutil.disk_usage(place).free
    size = f"{place}, {free_bytes / 1e9:.1f} GB are free on its disk"
    if free_bytes < DISK_BYTES_MIN:
        advice = f"make room: files of jobs leave the last {DISK_BYTES_MIN >> 20} MiB alone"
        yield Finding("home", "trouble", size, advice)
    else:
        yield Finding("home", "ok", size)


def port(place: Path, number: int = PORT) -> Iterator[Finding]:
    """Whether a node that is started now can listen."""
    if inhabitant(place) is not None:
        return  # it listens already
    try:
        listen("", number).close()
    except PortInUseError:
        yield Finding("port", "note", f"{number} is in use: a node that is started now takes any other that is free")
    except CannotListenError as error:
        yield Finding("port", "trouble", str(error), "allow this user to listen, or choose another port with --port")
    else:
        yield Finding("port", "ok", f"{number} is free, TCP and UDP")


def network(found: tuple[Interface, ...]) -> Iterator[Finding]:
    """Which ways lead to other machines."""
    if not found:
        yield Finding(
            "network", "note", "no interface but loopback is up: only nodes on this machine can be met",
            "connect this machine to a network if others are to join",
        )  # fmt: skip
        return
    for each in found:
        kind = " (a VPN)" if each.is_vpn else " (of containers or virtual machines)" if each.is_virtual else ""
        yield Finding("network", "ok", f"{each.name}{kind}: {', '.join(each.addresses)}")
    real = [each for each in found if not each.is_virtual]
    if len(real) > 1:
        text = "there are several ways to other machines: a node names all its addresses, and others try them in turn"
        yield Finding("network", "note", text, "'pnode start --listen ADDRESS' keeps to one of them")
    if any(each.is_vpn for each in found):
        text = "most VPNs carry no multicast: mDNS does not find nodes behind them"
        yield Finding(
            "network", "note", text, "name one of them with --seed HOST:PORT; the others follow by themselves"
        )


def mdns(found: tuple[Interface, ...], wait_s: float = MDNS_S) -> Iterator[Finding]:
    """Whether an announcement by multicast comes back to this machine. That others hear it, nobody can tell alone."""
    advice = (
        "allow UDP port 5353 in the firewall; or name a node with --seed HOST:PORT, the others follow by themselves"
    )
    hosts = [host for each in found for host in each.addresses if ":" not in host]
    if not hosts:
        yield Finding("mDNS", "note", "there is no interface to announce at", "name a node with --seed HOST:PORT")
        return
    try:
        heard = hears_itself(hosts, wait_s)
    except DiscoveryError as error:
        yield Finding("mDNS", "trouble", f"cannot be used: {error}", advice)
        return
    if heard:
        yield Finding("mDNS", "ok", "what this machine announces comes back to it")
    else:
        text = f"what this machine announces at {', '.join(hosts)} does not come back to it"
        yield Finding("mDNS", "trouble", text, advice)
