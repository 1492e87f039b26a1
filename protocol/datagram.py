"""A datagram: one sealed packet between two members, which may be lost, repeated or overtaken.

     0  version(1) type(1) epoch(4)  6  sender(8)  14  boot(8)  22  counter(8)  30  ciphertext ... tag(16)

The first 30 bytes are authenticated with the ciphertext. `epoch` names cluster and key epoch, so that a datagram of
another cluster costs no decryption. `sender` is the beginning of the node id; sender, boot and counter together are
the nonce, so no two datagrams of a node may share them: **boot must be greater with every start of a node**. The key
follows from both nodes' identity keys (Ed25519 turned into X25519, `crypto_kx`, one key per direction) and from the
cluster; a datagram sent back to its sender does not open.

A datagram is taken once: per sender, the boot never goes back, and of the counters a sliding window remembers the
last 1,024. After our own restart the window is empty, and a recorded datagram of an earlier boot may pass until the
first of the present boot arrives; the nonces in probes and the incarnations in gossip stand above that
(reference: membership.md 4.5).
"""

import struct
from collections import OrderedDict
from collections.abc import Callable

from nacl import bindings, exceptions

from .crypto import keyed_hash
from .errors import LocalProtocolError, RemoteProtocolError
from .ids import ClusterId, NodeId

DATAGRAM_BYTES_MAX = 1400
"""Fits the MTU of Ethernet and of most tunnels, so nothing is fragmented."""

HEADER = struct.Struct(">BB4s8sQQ")
VERSION = 1
TYPE_SEALED = 1
SENDER_BYTES = 8
"""How many bytes of a node id stand for it on the wire."""

TAG_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
OVERHEAD_BYTES = HEADER.size + TAG_BYTES
PAYLOAD_BYTES_MAX = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES
"""1,354 bytes."""

NONCE_AT = 6
"""The nonce is the rest of the header from here: sender, boot, counter."""

WINDOW_BITS = 1024
"""At 200 datagrams a second from one peer, five seconds of delay; the network reorders by milliseconds."""

PEERS_MAX = 4096
"""As many as the member table; each costs about 400 bytes. Beyond, the one not heard longest is forgotten."""


class DatagramError(RemoteProtocolError):
    """A datagram to be dropped; anybody may have sent it. Abstract."""


class StrangeDatagramError(DatagramError):
    """Not ours at all: another protocol, another version, another cluster."""


class UnknownSenderError(DatagramError):
    """From nobody we know, or from a node with an impossible key."""


class ForgedDatagramError(DatagramError):
    """Not sealed by the node it names."""


class ReplayedDatagramError(DatagramError):
    """Seen before, too old to tell, or of an earlier life of its sender."""


class _Window:
    """Which datagrams of one sender have been taken."""

    __slots__ = ("_boot", "_highest", "_seen")

    def __init__(self) -> None:
        self._boot = -1
        self._highest = -1
        self._seen = 0

    def check(self, boot: int, counter: int) -> None:
        """Raise ReplayedDatagramError unless this one is new."""
        if boot < self._boot:
            raise ReplayedDatagramError("a datagram of an earlier life of its sender")
        if boot > self._boot or counter > self._highest:
            return
        age = self._highest - counter
        if age >= WINDOW_BITS or self._seen >> age & 1:
            raise ReplayedDatagramError("a datagram that was taken before, or is too old to tell")

    def take(self, boot: int, counter: int) -> None:
        """Remember one that was checked and is authentic."""
        if boot > self._boot:
            self._boot, self._highest, self._seen = boot, counter, 1
        elif counter > self._highest:
            shift = counter - self._highest
            kept = self._seen << shift if shift < WINDOW_BITS else 0
            self._highest, self._seen = counter, (kept | 1) & (1 << WINDOW_BITS) - 1
        else:
            self._seen |= 1 << self._highest - counter


class _Peer:
    """What is kept about one other node."""

    __slots__ = ("open_key", "seal_key", "window")

    def __init__(self, seal_key: bytes, open_key: bytes) -> None:
        self.seal_key = seal_key
        self.open_key = open_key
        self.window = _Window()


class DatagramBox:
    """Seals datagrams of one node and opens those of its peers.

    `boot` must be greater than at every earlier start with this seed. `lookup` finds a member by the first
    SENDER_BYTES bytes of its id.
    """

    def __init__(
        self, seed: bytes, cluster: ClusterId, boot: int, lookup: Callable[[bytes], NodeId | None], epoch: int = 0
    ) -> None:
        public, secret = bindings.crypto_sign_seed_keypair(seed)
        self._node = NodeId(public)
        self._public = bindings.crypto_sign_ed25519_pk_to_curve25519(public)
        self._secret = bindings.crypto_sign_ed25519_sk_to_curve25519(secret)
        self._scope = cluster + epoch.to_bytes(8, "big")
        self._epoch_name = keyed_hash(self._scope, b"pnode-udp-kid", b"", 4)
        self._boot = boot
        self._counter = 0
        self._lookup = lookup
        self._peers: OrderedDict[NodeId, _Peer] = OrderedDict()

    def seal(self, peer: NodeId, payload: bytes) -> bytes:
        """One datagram for a peer. Raises UnknownSenderError if no key can be agreed with such an id."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise LocalProtocolError(f"a datagram carries {PAYLOAD_BYTES_MAX} bytes, not {len(payload)}")
        self._counter += 1
        header = HEADER.pack(
            VERSION, TYPE_SEALED, self._epoch_name, self._node[:SENDER_BYTES], self._boot, self._counter
        )
        key = self._peer(peer).seal_key
        return header + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(payload, header, header[NONCE_AT:], key)

    def open(self, data: bytes) -> tuple[NodeId, bytes]:
        """Who sent a datagram and what it says. Raises a DatagramError, which changes nothing."""
        if not OVERHEAD_BYTES <= len(data) <= DATAGRAM_BYTES_MAX:
            raise StrangeDatagramError(f"a datagram of {len(data)} bytes cannot be ours")
        header = data[: HEADER.size]
        version, kind, epoch_name, sender, boot, counter = HEADER.unpack(header)
        if version != VERSION or kind != TYPE_SEALED or epoch_name != self._epoch_name:
            raise StrangeDatagramError("a datagram of another protocol, version or cluster")
        node = self._lookup(sender)
        if node is None or node == self._node:
            raise UnknownSenderError("a datagram from nobody we know")
        peer = self._peer(node)
        peer.window.check(boot, counter)
        try:
            payload = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                data[HEADER.size :], header, header[NONCE_AT:], peer.open_key
            )
        except exceptions.CryptoError:
            raise ForgedDatagramError("a datagram that its sender did not seal for us") from None
        peer.window.take(boot, counter)
        return node, payload

    def _peer(self, node: NodeId) -> _Peer:
        peer = self._peers.get(node)
        if peer is None:
            peer = self._peers[node] = self._meet(node)
            if len(self._peers) > PEERS_MAX:
                self._peers.popitem(last=False)
        self._peers.move_to_end(node)
        return peer

    def _meet(self, node: NodeId) -> _Peer:
        """Agree on keys with a node from both identity keys: 70 microseconds, once."""
        client = self._node < node  # crypto_kx wants two roles; who plays which is arbitrary, but must be agreed
        agree = bindings.crypto_kx_client_session_keys if client else bindings.crypto_kx_server_session_keys
        try:
            theirs = bindings.crypto_sign_ed25519_pk_to_curve25519(node)
            receive, send = agree(self._public, self._secret, theirs)
        except exceptions.CryptoError:
            raise UnknownSenderError("a node id with which no key can be agreed") from None
        return _Peer(
            seal_key=keyed_hash(send, b"pnode-udp", self._scope),
            open_key=keyed_hash(receive, b"pnode-udp", self._scope),
        )
