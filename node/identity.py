"""A node's identity: what it is across restarts. Its key, its cluster, the number of its start and whom it knew.

Four small things in the home. What is secret is mode 0600, and each is written through a temporary name, so that a
crash leaves the old or the new. Only the process that holds the home (see `home`) writes here.
"""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pnode.protocol.codec import Bytes32, Length, MalformedError, decode, encode
from pnode.protocol.crypto import SEED_BYTES
from pnode.protocol.record import Address
from pnode.protocol.values import dataclass

from .durable import create_once, write_atomically
from .home import HomeError, cluster_directory

log = logging.getLogger(__name__)

KNOWN_PEERS_MAX = 4096
"""The bound of the member table."""

ADDRESSES_MAX = 16
"""Twice what a node record may hold: what it says of itself, and where it was last met."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a node keeps of the cluster it belongs to, or waits to be admitted to."""

    authority_key: bytes
    """32 bytes; the cluster's id follows from it."""
    credential: bytes = b""
    """The node's own, encoded; empty while nobody has admitted it."""
    token: str = ""
    """The one it was started with, or the last one it made."""
    authority_seed: bytes = b""
    """32 bytes, at the founder only."""


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """Somebody to dial when the node comes back."""

    node: Bytes32
    addresses: Annotated[tuple[Address, ...], Length(0, ADDRESSES_MAX)]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    peers: Annotated[tuple[KnownPeer, ...], Length(0, KNOWN_PEERS_MAX)]


class Identity:
    """The files of one home. Every method raises HomeError, one line that says what to do, when the disk fails it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._key = home / "identity.key"
        self._cluster = cluster_directory(home)
        self._boot = home / "boot"
        self._peers = home / "peers"

    def seed(self) -> bytes:
        """The secret seed of the node's key; made at the first call in a home.

        Raises HomeError when others may read or replace it, or when it is damaged.
        """
        with _explained("read this node's key", self._key):
            mode = stat.S_IMODE(self._home.stat().st_mode)
            if mode & 0o022:  # whoever may write into the directory may put another key in place of ours
                raise HomeError(f"others may write to {self._home} (mode {mode:04o}): run `chmod go-w {self._home}`")
            if not self._key.exists():
                create_once(self._key, os.urandom(SEED_BYTES))
            return _read_key(self._key, "this node's secret key", secret=True)

    def cluster(self) -> Cluster | None:
        """The cluster this home belongs to, if any."""
        at = self._cluster
        with _explained("read the cluster's files", at):
            if not (at / "authority.pub").exists():
                return None
            founder = (at / "authority.key").exists()
            return Cluster(
                _read_key(at / "authority.pub", "the cluster's public key", secret=False),
                _read(at / "credential"),
                _read(at / "token").decode(errors="replace").strip(),
                _read_key(at / "authority.key", "the cluster's secret key", secret=True) if founder else b"",
            )

    def save_cluster(self, cluster: Cluster) -> None:
        """Keep a cluster's files. The authority's public key goes last: without it nothing else counts."""
        at = self._cluster
        with _explained("write the cluster's files", at):
            at.mkdir(mode=0o700, exist_ok=True)
            if cluster.authority_seed:
                write_atomically(at / "authority.key", cluster.authority_seed)
            else:
                (at / "authority.key").unlink(missing_ok=True)
            write_atomically(at / "credential", cluster.credential)
            write_atomically(at / "token", cluster.token.encode())
            write_atomically(at / "authority.pub", cluster.authority_key)

    def forget_cluster(self) -> None:
        """Be a node without a cluster again, with the same key."""
        with _explained("remove the cluster's files", self._cluster):
            for name in ("authority.pub", "authority.key", "credential", "token"):
                (self._cluster / name).unlink(missing_ok=True)

    def next_boot(self, now_s: float) -> int:
        """The number of this start: seconds since 1970, or one more than the last number if the clock went back."""
        with _explained("count this start", self._boot):
            stored = _read(self._boot).strip()
            if stored and not stored.isdigit():
                raise HomeError(
                    f"{self._boot} should hold a number: if this machine's clock is right, remove the file"
                )
            boot = max(int(now_s), int(stored or b"0") + 1)
            write_atomically(self._boot, str(boot).encode())
            return boot

    def known_peers(self) -> tuple[KnownPeer, ...]:
        """Whom to dial for joining again. A damaged snapshot counts as none: seeds and discovery find the others."""
        with _explained("read the known peers", self._peers):
            stored = _read(self._peers)
        try:
            return decode(_Snapshot, stored).peers if stored else ()
        except MalformedError as error:
            log.warning("the list of known peers in %s is damaged (%s): starting without it", self._peers, error)
            return ()

    def save_known_peers(self, peers: tuple[KnownPeer, ...]) -> None:
        """Replace the snapshot; beyond KNOWN_PEERS_MAX the last are left out."""
        with _explained("write the known peers", self._peers):
            write_atomically(self._peers, encode(_Snapshot(peers[:KNOWN_PEERS_MAX])))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _read_key(path: Path, what: str, *, secret: bool) -> bytes:
    mode = stat.S_IMODE(path.stat().st_mode)
    if secret and mode & 0o077:
        raise HomeError(f"{path} is {what}, and others may read it (mode {mode:04o}): run `chmod 600 {path}`")
    key = path.read_bytes()
    if len(key) != SEED_BYTES:
        raise HomeError(
            f"{path} should be {what}, {SEED_BYTES} bytes, and has {len(key)}: restore it from a copy, or remove the"
            " file to begin anew"
        )
    return key


@contextmanager
def _explained(purpose: str, path: Path) -> Iterator[None]:
    """Turn what the system says into one line that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room on the disk" if full else "mend its mode, or give another directory with --home"
        at = os.fsdecode(error.filename or path)
        raise HomeError(f"cannot {purpose}: {at}: {os.strerror(error.errno or 0)}; {remedy}") from None
