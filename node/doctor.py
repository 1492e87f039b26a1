"""Doctor: looks over this machine, the node on it, and the ways from here to other nodes, and says what to do.

What it knows of others it asks the node that runs here; that they can be reached it tries itself, by opening a
connection to each of their addresses and closing it again. It changes nothing.
"""

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from . import checkup
from .api import ApiError, NodeStatus, PeerStatus
from .checkup import Finding
from .commands import NodeClient
from .home import command_text, inhabitant, last_failure, log_file
from .listening import Interface, interfaces
from .terminal import clean, count_text, seconds_text, show_sentence

DIAL_S = 3.0
"""An address that is routed nowhere answers with silence."""

DIALS_MAX = 16
"""At once."""

PEERS_MAX = 64
"""So many are dialled; one that cannot be reached is rarely alone."""

CLOCK_S = 1.0
"""Clocks that are kept by NTP differ by less; times in listings of several nodes can then be compared."""

CLOCK_S_MAX = 60.0
"""Certificates are dated to the minute: with more than this a fresh one may be refused (`certificate`)."""

DELAY_S_MAX = 180.0
"""Every member's delay is measured anew once per round of probes: a minute or two in a cluster of a hundred."""

REFUSED = "is there, and nothing listens at that port"
REFUSED_ADVICE = "is a node running there ('pnode status' says at which addresses), and is that its port?"

DIALS_ADVICE = (
    "open its TCP and UDP port in the firewall between; a node that can only dial out is met when it dials us"
)


def examine(home: Path, seeds: Sequence[str]) -> Iterator[Finding]:
    """Everything that can be found, in the order in which a node needs it. Takes up to some ten seconds."""
    yield from checkup.software()
    yield from checkup.home(home)
    yield from checkup.port(home)
    found = interfaces()
    yield from checkup.network(found)
    yield from checkup.mdns(found)
    for seed, trouble in _dial_all(seeds).items():
        yield _of_seed(seed, trouble)
    yield from _node(home, found)


def write_findings(findings: Sequence[Finding], out: TextIO) -> None:
    """One line for each, and below what to do; the sum of it last."""
    for each in findings:
        show_sentence(f"{each.verdict:<7}  {each.check:<8}  {each.text}", out)
        if each.advice:
            show_sentence(f"{'':<7}  {'':<8}  -> {each.advice}", out)
    troubles = sum(each.verdict == "trouble" for each in findings)
    notes = sum(each.verdict == "note" for each in findings)
    out.write(
        f"{count_text(troubles, 'trouble')}, {count_text(notes, 'note')}\n" if troubles else "nothing is wrong\n"
    )


def _of_seed(where: str, trouble: str) -> Finding:
    if not trouble:
        return Finding("seed", "ok", f"somebody answers at {where}")
    return Finding("seed", "trouble", f"{where} {trouble}", REFUSED_ADVICE if trouble == REFUSED else DIALS_ADVICE)


def _node(home: Path, ways: Sequence[Interface]) -> Iterator[Finding]:
    if inhabitant(home) is None:
        why = last_failure(home)
        if why:
            yield Finding("node", "trouble", f"none runs in {home}; the last one said: {clean(why)}")
        else:
            yield Finding("node", "note", f"none runs in {home}", f"{command_text(home, 'start')} starts one")
        return
    try:
        client = NodeClient(home)
        status = client.status()
        yield _of_state(status, home)
        yield from of_addresses(status.addresses, has_network=bool(ways))
        yield from of_reach(status)
        peers = client.peers() if status.state == "ready" else ()
    except ApiError as error:
        advice = (
            f"look into {log_file(home)}; {command_text(home, 'stop')} and {command_text(home, 'start')} begin anew"
        )
        yield Finding("node", "trouble", f"one runs in {home} and does not answer: {clean(str(error))}", advice)
        return
    yield from of_peers(peers)
    yield from clocks(peers)
    yield from versions(peers)
    living = [peer for peer in peers if not peer.this and peer.state in ("alive", "suspect")]
    yield from _ways(living[:PEERS_MAX])


def _of_state(status: NodeStatus, home: Path) -> Finding:
    text = f"{clean(status.name)} is {status.state}, {count_text(status.peers, 'peer')} alive"
    if status.state == "ready":
        return Finding("node", "ok", f"{text}, listening at {', '.join(status.addresses)}")
    why = f": {clean(status.reason)}" if status.reason else ""
    return Finding(
        "node", "trouble", f"{text}{why}", f"{command_text(home, 'status')} says more, and {log_file(home)} all of it"
    )


def of_addresses(addresses: Sequence[str], *, has_network: bool) -> Iterator[Finding]:
    """Whether nodes on other machines can find the way to this one."""
    hosts = [address.rpartition(":")[0].strip("[]") for address in addresses]
    if has_network and all(host in ("localhost", "::1") or host.startswith("127.") for host in hosts):
        text = "it listens at loopback only: nodes on other machines cannot reach it"
        yield Finding("node", "note", text, "'pnode stop' and 'pnode start --listen all' if others are to join")


def of_reach(status: NodeStatus) -> Iterator[Finding]:
    """Whether other nodes can dial this one, which they have tried, and what becomes of it if not."""
    missed, reached = _names(status.missed_by), _names(status.reached_by)
    if status.reach == "open":
        yield Finding("reach", "ok", f"other nodes can dial this one: {reached or 'several'} did")
    elif status.reach == "hidden":
        port = status.addresses[0].rpartition(":")[2] if status.addresses else "?"
        advice = f"it works all the same; to spare the relays, let TCP and UDP port {port} in, or forward it to here"
        if status.relays:
            text = f"others cannot dial this node: {missed} tried; those whom it has not dialled come through "
            yield Finding("reach", "note", text + _names(status.relays), advice)
        else:
            text = f"others cannot dial this node: {missed} tried; and nobody is there who could relay"
            yield Finding("reach", "trouble", text, "start a node that others can dial, or open this one's port")
    elif status.peers:
        yield Finding(
            "reach", "note", "no other node has tried yet whether this one can be dialled", "ask again soon"
        )


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(clean, names))


def of_peers(peers: tuple[PeerStatus, ...]) -> Iterator[Finding]:
    """How membership sees the others."""
    for peer in peers:
        name = clean(peer.name)
        if peer.this or peer.state == "left":
            continue
        if peer.state == "dead":
            yield Finding("peers", "note", f"{name} is dead: nobody gets an answer from it")
        elif peer.state == "suspect":
            yield Finding("peers", "note", f"{name} does not answer at the moment")
        elif peer.delay_s is None or (peer.delay_age_s or 0.0) > DELAY_S_MAX:
            text = f"{name} is alive, but no datagram to it was answered lately: others, or TCP, vouch for it"
            yield Finding("peers", "note", text, "open its UDP port in the firewall between")
    others = [peer for peer in peers if not peer.this and peer.state == "alive"]
    if others:
        yield Finding("peers", "ok", f"{count_text(len(others), 'other node')} alive")


def clocks(peers: tuple[PeerStatus, ...]) -> Iterator[Finding]:
    """By how much this machine's clock differs from others'."""
    offsets = {clean(peer.name): peer.clock_offset_s for peer in peers if peer.clock_offset_s is not None}
    if not offsets:
        yield Finding("clock", "note", "there is no session with another node, so no clock to compare with")
        return
    name, worst_s = max(offsets.items(), key=lambda pair: abs(pair[1]))
    side = "ahead of" if worst_s > 0 else "behind"
    text = f"that of {name} is {seconds_text(abs(worst_s))} {side} this one's"
    advice = "set the wrong one, and let NTP keep both: compare 'date -u' on the two"
    if abs(worst_s) > CLOCK_S_MAX:
        yield Finding("clock", "trouble", text, advice)
    elif abs(worst_s) > CLOCK_S:
        yield Finding("clock", "note", text, advice)
    else:
        known = count_text(len(offsets), "other node")
        yield Finding("clock", "ok", f"within {seconds_text(abs(worst_s))} of those of {known}")


def versions(peers: tuple[PeerStatus, ...]) -> Iterator[Finding]:
    """Whether all run the same software."""
    found = sorted({clean(peer.software) for peer in peers if peer.state in ("alive", "suspect")})
    if len(found) > 1:
        text = f"nodes of several versions: {', '.join(found)}"
        yield Finding("versions", "note", text, "they work together; upgrade the older ones when it suits you")


def _ways(peers: Sequence[PeerStatus]) -> Iterator[Finding]:
    """Which addresses of others can be dialled from here."""
    troubles = _dial_all([address for peer in peers for address in peer.addresses])
    reached = 0
    for peer in peers:
        failed = {address: troubles[address] for address in peer.addresses if troubles[address]}
        reached += len(failed) < len(peer.addresses)
        words = "; ".join(f"{clean(address)} {trouble}" for address, trouble in failed.items())
        if failed and len(failed) == len(peer.addresses) and peer.relays:
            way = f"its session goes through {clean(peer.via)}" if peer.via else "it dials this node"
            yield Finding("ways", "note", f"{clean(peer.name)} can only dial out: {way}")
        elif failed and len(failed) == len(peer.addresses):
            text = f"{clean(peer.name)} cannot be dialled from here: {words}"
            yield Finding("ways", "trouble", text, DIALS_ADVICE)
        elif failed:
            yield Finding("ways", "note", f"{clean(peer.name)} answers, but not at all of its addresses: {words}")
    if reached:
        yield Finding("ways", "ok", f"{count_text(reached, 'other node')} can be dialled")


def _dial_all(addresses: Sequence[str]) -> dict[str, str]:
    """Why nobody answers at each `host:port`; empty where somebody does."""
    with ThreadPoolExecutor(DIALS_MAX) as threads:
        return dict(zip(addresses, threads.map(_dial, addresses), strict=True))


def _dial(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), DIAL_S).close()
    except ConnectionRefusedError:
        return REFUSED
    except TimeoutError:
        return f"does not answer within {DIAL_S:g} s"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    return ""
