"""Datagrams: three members and a network that loses, repeats, reorders and forges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from pnode.protocol import datagram as datagram_module
from pnode.protocol.datagram import (
    DATAGRAM_BYTES_MAX,
    OVERHEAD_BYTES,
    PAYLOAD_BYTES_MAX,
    SENDER_BYTES,
    WINDOW_BITS,
    DatagramBox,
    DatagramError,
    ForgedDatagramError,
    ReplayedDatagramError,
    StrangeDatagramError,
    UnknownSenderError,
)
from pnode.protocol.errors import LocalProtocolError
from pnode.protocol.ids import ClusterId, NodeId

CLUSTER = ClusterId(b"cluster".ljust(16))
SEEDS = {name: name.encode().ljust(32) for name in ("ann", "bob", "eve")}
IDS = {name: NodeId(bindings.crypto_sign_seed_keypair(seed)[0]) for name, seed in SEEDS.items()}
ANN, BOB, EVE = IDS["ann"], IDS["bob"], IDS["eve"]
MEMBERS = {node[:SENDER_BYTES]: node for node in IDS.values()}


def box(name: str, *, boot: int = 1, cluster: ClusterId = CLUSTER, epoch: int = 0) -> DatagramBox:
    return DatagramBox(SEEDS[name], cluster, boot, MEMBERS.get, epoch)


def test_a_datagram_arrives_with_its_sender() -> None:
    ann, bob = box("ann"), box("bob")

    assert bob.open(ann.seal(BOB, b"ping")) == (ANN, b"ping")
    assert ann.open(bob.seal(ANN, b"")) == (BOB, b"")


def test_the_overhead_is_46_bytes_and_the_largest_fits_the_network() -> None:
    ann, bob = box("ann"), box("bob")

    sealed = ann.seal(BOB, bytes(PAYLOAD_BYTES_MAX))

    assert OVERHEAD_BYTES == 46
    assert len(sealed) == DATAGRAM_BYTES_MAX == 1400
    assert bob.open(sealed) == (ANN, bytes(PAYLOAD_BYTES_MAX))


def test_too_large_a_payload_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError):
        box("ann").seal(BOB, bytes(PAYLOAD_BYTES_MAX + 1))


def test_a_datagram_is_taken_once() -> None:
    ann, bob = box("ann"), box("bob")
    sealed = ann.seal(BOB, b"ping")
    bob.open(sealed)

    with pytest.raises(ReplayedDatagramError):
        bob.open(sealed)


def test_the_order_within_the_window_makes_no_difference() -> None:
    ann, bob = box("ann"), box("bob")
    sealed = [ann.seal(BOB, str(number).encode()) for number in range(WINDOW_BITS)]

    got = [bob.open(one)[1] for one in [sealed[-1], *sealed[:-1]]]

    assert got == [str(number).encode() for number in [WINDOW_BITS - 1, *range(WINDOW_BITS - 1)]]
    for one in sealed:
        with pytest.raises(ReplayedDatagramError):
            bob.open(one)


@pytest.mark.parametrize("ahead", [1, 2, 500, WINDOW_BITS - 1, WINDOW_BITS, WINDOW_BITS + 1, 5 * WINDOW_BITS])
def test_only_a_datagram_behind_the_window_is_too_old(ahead: int) -> None:
    ann, bob = box("ann"), box("bob")
    early = ann.seal(BOB, b"early")
    ann._counter += ahead - 1
    bob.open(ann.seal(BOB, b"late"))

    if ahead < WINDOW_BITS:
        assert bob.open(early) == (ANN, b"early")
    else:
        with pytest.raises(ReplayedDatagramError):
            bob.open(early)


@given(order=st.lists(st.integers(0, 3000), max_size=60))
def test_the_window_agrees_with_a_set_of_what_was_seen(order: list[int]) -> None:
    window = datagram_module._Window()
    seen: set[int] = set()

    for counter in order:
        fresh = counter not in seen and (not seen or counter > max(seen) - WINDOW_BITS)
        if fresh:
            window.check(7, counter)
            window.take(7, counter)
            seen.add(counter)
        else:
            with pytest.raises(ReplayedDatagramError):
                window.check(7, counter)


def test_an_earlier_life_of_a_node_is_over_once_a_later_one_was_heard() -> None:
    old, new, bob = box("ann", boot=1), box("ann", boot=2), box("bob")
    recorded = [old.seal(BOB, b"old") for _ in range(3)]
    bob.open(recorded[0])
    bob.open(new.seal(BOB, b"new"))

    for one in recorded:
        with pytest.raises(ReplayedDatagramError):
            bob.open(one)
    assert bob.open(new.seal(BOB, b"still new")) == (ANN, b"still new")


def test_every_flipped_byte_is_refused_and_changes_nothing() -> None:
    ann, bob = box("ann"), box("bob")
    sealed = ann.seal(BOB, b"ping")

    for index in range(len(sealed)):
        for bit in range(8):
            with pytest.raises(DatagramError):
                bob.open(sealed[:index] + bytes([sealed[index] ^ 1 << bit]) + sealed[index + 1 :])
    assert bob.open(sealed) == (ANN, b"ping")


@given(data=st.binary(max_size=1500))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DatagramError):
        box("bob").open(data)


@given(keep=st.integers(0, 49))
def test_a_datagram_that_was_cut_is_refused(keep: int) -> None:
    with pytest.raises(DatagramError):
        box("bob").open(box("ann").seal(BOB, b"ping")[:keep])


def test_another_cluster_or_another_epoch_is_a_stranger() -> None:
    bob = box("bob")

    for stranger in (box("ann", cluster=ClusterId(bytes(16))), box("ann", epoch=1)):
        with pytest.raises(StrangeDatagramError):
            bob.open(stranger.seal(BOB, b"ping"))


def test_a_node_that_is_no_member_is_not_heard() -> None:
    bob = DatagramBox(SEEDS["bob"], CLUSTER, 1, lambda sender: None)

    with pytest.raises(UnknownSenderError):
        bob.open(box("ann").seal(BOB, b"ping"))


def test_a_member_cannot_speak_for_another() -> None:
    eve, bob = box("eve"), box("bob")
    sealed = eve.seal(BOB, b"ping")
    forged = sealed[:6] + ANN[:SENDER_BYTES] + sealed[14:]

    with pytest.raises(ForgedDatagramError):
        bob.open(forged)


def test_a_datagram_for_another_does_not_open() -> None:
    with pytest.raises(ForgedDatagramError):
        box("eve").open(box("ann").seal(BOB, b"ping"))


def test_a_datagram_sent_back_to_its_sender_is_refused() -> None:
    ann = box("ann")
    sealed = ann.seal(BOB, b"ping")
    posing = sealed[:6] + BOB[:SENDER_BYTES] + sealed[14:]

    with pytest.raises(UnknownSenderError):
        ann.open(sealed)
    with pytest.raises(ForgedDatagramError):
        ann.open(posing)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_an_impossible_key_is_refused_both_ways(key: bytes) -> None:
    node = NodeId(key)
    ann = DatagramBox(SEEDS["ann"], CLUSTER, 1, lambda sender: node if sender == node[:8] else None)
    claimed = box("bob").seal(ANN, b"x")

    with pytest.raises(UnknownSenderError):
        ann.seal(node, b"x")
    with pytest.raises(UnknownSenderError):
        ann.open(claimed[:6] + node[:SENDER_BYTES] + claimed[14:])


def test_no_two_datagrams_share_a_nonce() -> None:
    ann = box("ann")

    nonces = [ann.seal(peer, b"same")[6:30] for peer in (BOB, EVE, BOB, EVE)]

    assert len({*nonces}) == 4


def test_the_peer_not_heard_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagram_module, "PEERS_MAX", 2)
    bob = box("bob")
    met: list[NodeId] = []
    meet = bob._meet

    def note(node: NodeId) -> datagram_module._Peer:
        met.append(node)
        return meet(node)

    monkeypatch.setattr(bob, "_meet", note)
    other = NodeId(bindings.crypto_sign_seed_keypair(bytes(32))[0])
    for peer in (ANN, EVE, ANN, other, ANN, EVE):
        bob.seal(peer, b"x")

    assert met == [ANN, EVE, other, EVE]
