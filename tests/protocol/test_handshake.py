"""The handshake, both sides driven against each other, honest and otherwise."""

from collections.abc import Callable
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.crypto import Sodium, keyed_hash
from pnode.protocol.errors import LocalProtocolError, RemoteProtocolError
from pnode.protocol.greeting import (
    BODY_BYTES,
    HEADER,
    HELLO,
    MAGIC,
    PROOF,
    Ability,
    Kind,
    Refusal,
    Versions,
    filter_key,
    frame_head,
    refusal_frame,
)
from pnode.protocol.handshake import (
    DEADLINE_S,
    LABELS,
    NEXT,
    OUR_VERSIONS,
    Check,
    Established,
    Handshake,
    Passport,
    State,
)
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.refusals import (
    BadHandshakeError,
    ClosedEarlyError,
    CredentialRefusedError,
    HandshakeTimeoutError,
    NotPnodeError,
    OtherClusterError,
    RefusedError,
    SelfConnectionError,
    SessionExistsError,
    VersionError,
    WrongPeerError,
)
from pnode.protocol.session import Purpose

AUTHORITY = Sodium().public_key(b"authority".ljust(32))
NOW = 1_700_000_000.0


def identity(name: str, authority: bytes = AUTHORITY, credential: bytes | None = None) -> Passport:
    shown = name.encode() if credential is None else credential
    return Passport(name.encode().ljust(32), authority, lambda: shown, Sodium())


ANN, BOB, EVE = identity("ann"), identity("bob"), identity("eve")


def anybody(node: NodeId, credential: bytes, purpose: Purpose) -> None:
    """A check that accepts."""


def nobody(reason: str, error: type[RemoteProtocolError] = RemoteProtocolError) -> Check:
    def check(node: NodeId, credential: bytes, purpose: Purpose) -> None:
        raise error(reason)

    return check


def initiator(who: Passport = ANN, check: Check = anybody, seed: bytes = b"i", **settings: object) -> Handshake:
    return Handshake(who, check, seed.ljust(32), initiator=True, **settings)  # type: ignore[arg-type]


def responder(who: Passport = BOB, check: Check = anybody, seed: bytes = b"r", **settings: object) -> Handshake:
    return Handshake(who, check, seed.ljust(32), initiator=False, **settings)  # type: ignore[arg-type]


Tamper = Callable[[int, bytes], bytes]


def drive(one: Handshake, other: Handshake, tamper: Tamper = lambda number, data: data, skew_s: float = 0.0) -> int:
    """Carry bytes between the two until nobody says anything; `tamper` sees each flight with its number.

    Returns how many flights there were. When all is said, both streams end, as they would when the sides hang up.
    """
    sides = (one, other)
    clocks = (NOW, NOW + skew_s)
    flight = one.start(clocks[0]) + other.start(clocks[1])
    flights = 0
    while flight:
        reader = 1 - flights % 2
        data = tamper(flights, flight)
        flights += 1
        flight = sides[reader].receive(data, clocks[reader]) if sides[reader].state in NEXT else b""
    for side in sides:
        side.receive_eof()
    return flights


def results(one: Handshake, other: Handshake) -> tuple[Established, Established]:
    assert one.result is not None
    assert other.result is not None
    return one.result, other.result


def test_two_members_learn_each_other_and_agree_on_keys() -> None:
    ann, bob = initiator(), responder()

    flights = drive(ann, bob)

    anns, bobs = results(ann, bob)
    assert (ann.state, bob.state) == (State.ESTABLISHED, State.ESTABLISHED)
    assert (anns.peer, anns.credential) == (BOB.node, b"bob")
    assert (bobs.peer, bobs.credential) == (ANN.node, b"ann")
    assert (anns.keys.send, anns.keys.receive) == (bobs.keys.receive, bobs.keys.send)
    assert anns.keys.send != anns.keys.receive
    assert (anns.version, bobs.version) == (OUR_VERSIONS.highest, OUR_VERSIONS.highest)
    assert (anns.leftover, bobs.leftover) == (b"", b"")
    assert flights == 4  # and nothing else was sent


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("anns", [Ability.NONE, Ability.AES])
@pytest.mark.parametrize("bobs", [Ability.NONE, Ability.AES])
def test_content_goes_by_aes_if_both_can(purpose: Purpose, anns: Ability, bobs: Ability) -> None:
    ann, bob = initiator(purpose=purpose, abilities=anns), responder(abilities=bobs)

    drive(ann, bob)

    both = anns is bobs is Ability.AES and purpose is not Purpose.CONTROL
    assert [each.keys.aes for each in results(ann, bob)] == [both, both]


def test_an_ability_that_a_later_version_has_is_passed_over() -> None:
    ann, bob = initiator(purpose=Purpose.BULK, abilities=Ability(255)), responder(abilities=Ability.NONE)

    drive(ann, bob)

    assert [each.keys.aes for each in results(ann, bob)] == [False, False]


def test_every_handshake_has_its_own_keys() -> None:
    first, second = (initiator(), responder()), (initiator(), responder(seed=b"other"))

    drive(*first)
    drive(*second)

    assert results(*first)[0].keys != results(*second)[0].keys


def test_bytes_may_come_one_at_a_time() -> None:
    ann, bob = initiator(), responder()
    to_bob, to_ann = ann.start(NOW) + bob.start(NOW), b""

    while to_bob or to_ann:
        to_ann += b"".join(bob.receive(bytes([byte]), NOW) for byte in to_bob)
        to_bob = b"".join(ann.receive(bytes([byte]), NOW) for byte in to_ann)
        to_ann = b""

    assert (ann.state, bob.state) == (State.ESTABLISHED, State.ESTABLISHED)


def test_what_follows_the_last_frame_belongs_to_the_session() -> None:
    ann, bob = initiator(), responder()

    drive(ann, bob, lambda number, data: data + b"session" if number == 3 else data)

    assert results(ann, bob)[0].leftover == b"session"


def test_the_responder_learns_what_the_connection_is_for_before_it_checks() -> None:
    seen: list[tuple[NodeId, bytes, Purpose]] = []
    ann, bob = initiator(purpose=Purpose.BULK), responder(check=lambda *facts: seen.append(facts))

    drive(ann, bob)

    assert seen == [(ANN.node, b"ann", Purpose.BULK)]
    assert [result.purpose for result in results(ann, bob)] == [Purpose.BULK, Purpose.BULK]


def test_both_learn_how_far_their_clocks_are_apart() -> None:
    ann, bob = initiator(), responder()

    drive(ann, bob, skew_s=42.5)

    anns, bobs = results(ann, bob)
    assert anns.clock_offset_s == pytest.approx(42.5, abs=0.002)
    assert bobs.clock_offset_s == pytest.approx(-42.5, abs=0.002)


def test_half_of_the_round_trip_is_taken_off_the_clock_difference() -> None:
    ann, bob = initiator(), responder()
    hello = ann.start(NOW)
    bob.start(NOW)

    answer = bob.receive(hello, NOW + 1)
    proof = ann.receive(answer, NOW + 2)
    verdict = bob.receive(proof, NOW + 3)
    ann.receive(verdict, NOW + 4)

    assert [result.clock_offset_s for result in results(ann, bob)] == pytest.approx([0, 0], abs=0.002)


def test_the_highest_common_version_is_spoken() -> None:
    ann, bob = initiator(versions=Versions(1, 4)), responder(versions=Versions(2, 3))

    drive(ann, bob)

    assert [result.version for result in results(ann, bob)] == [3, 3]


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (Versions(1, 2), Versions(3, 4), "speaks protocol versions 3 to 4, we speak protocol versions 1 to 2"),
        (Versions(5, 5), Versions(3, 4), "update pnode on that node"),
        (Versions(1, 1), Versions(3, 4), "update pnode on this node"),
    ],
)
def test_without_a_common_version_both_say_who_must_update(ours: Versions, theirs: Versions, words: str) -> None:
    ann, bob = initiator(versions=ours), responder(versions=theirs)

    flights = drive(ann, bob)

    assert isinstance(ann.failure, VersionError)
    assert isinstance(bob.failure, VersionError)
    assert words in str(ann.failure)
    assert flights == 2


class BraggingVersions(Versions):
    def highest_common(self, theirs: Versions) -> int:
        return 9


def test_an_answer_with_a_version_that_was_not_offered_is_refused() -> None:
    ann, bob = initiator(versions=Versions(1, 2)), responder(versions=BraggingVersions(1, 9))

    drive(ann, bob)

    assert isinstance(ann.failure, BadHandshakeError)
    assert "protocol version 9" in str(ann.failure)


def test_nodes_of_two_clusters_tell_each_other_so() -> None:
    ann, bob = initiator(), responder(identity("bob", authority=Sodium().public_key(b"theirs".ljust(32))))

    flights = drive(ann, bob)

    assert isinstance(ann.failure, OtherClusterError)
    assert isinstance(bob.failure, OtherClusterError)
    assert flights == 2


def test_who_does_not_know_the_authority_key_gets_no_answer() -> None:
    """The cluster id is no secret, so it alone must not open the door to curve arithmetic."""
    ann, bob = initiator(), responder()
    hello = bytearray(ann.start(NOW))
    hello[-16:] = keyed_hash(filter_key(b"guess".ljust(32)), b"pnode-mac1", bytes(hello[:-16]), 16)
    bob.start(NOW)

    reply = bob.receive(bytes(hello), NOW)

    assert reply == b""
    assert isinstance(bob.failure, NotPnodeError)


@pytest.mark.parametrize(
    "noise", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"P0", b"\0", b"\xff" * 4096]
)
def test_something_else_at_the_address_is_recognised(noise: bytes) -> None:
    ann = initiator()
    ann.start(NOW)

    reply = ann.receive(noise, NOW)

    assert reply == b""
    assert isinstance(ann.failure, NotPnodeError)
    assert str(ann.failure) == "answered, but is not a pnode node"


def test_a_stranger_gets_no_answer() -> None:
    bob = responder()
    bob.start(NOW)

    reply = bob.receive(b"GET / HTTP/1.1\r\n\r\n", NOW)

    assert reply == b""
    assert bob.state is State.FAILED


def test_the_initiator_learns_why_it_was_refused() -> None:
    ann, bob = initiator(), responder(check=nobody("its certificate has expired on 2026-01-01"))

    flights = drive(ann, bob)

    assert isinstance(ann.failure, RefusedError)
    assert str(ann.failure) == "refused us: its certificate has expired on 2026-01-01"
    assert isinstance(bob.failure, CredentialRefusedError)
    assert str(bob.failure) == "is not accepted: its certificate has expired on 2026-01-01"
    assert flights == 4


def test_a_refusal_is_cut_to_a_line_that_a_terminal_does_not_obey() -> None:
    ann, bob = initiator(), responder(check=nobody("\x1b[2J\n" + "ü" * 300))

    drive(ann, bob)

    assert str(ann.failure) == "refused us: ?[2J?" + "ü" * 195


def test_who_is_refused_by_the_initiator_learns_nothing_about_it() -> None:
    ann, bob = initiator(check=nobody("its certificate is revoked")), responder()

    flights = drive(ann, bob)

    assert isinstance(ann.failure, CredentialRefusedError)
    assert isinstance(bob.failure, ClosedEarlyError)
    assert flights == 2


@pytest.mark.parametrize(("skew_s", "words"), [(3600, "3600 s ahead of ours"), (-3600, "3600 s behind ours")])
def test_where_clocks_differ_a_refusal_says_so(skew_s: float, words: str) -> None:
    pairs = [
        (initiator(), responder(check=nobody("not yet valid"))),
        (initiator(check=nobody("expired")), responder()),
    ]

    for ann, bob in pairs:
        drive(ann, bob, skew_s=skew_s)

        assert words in str(ann.failure)


def test_a_session_that_exists_already_is_no_refusal() -> None:
    pairs = [
        (initiator(), responder(check=nobody("has a session with us", SessionExistsError))),
        (initiator(check=nobody("has a session with us", SessionExistsError)), responder()),
    ]

    for ann, bob in pairs:
        drive(ann, bob)

        assert isinstance(ann.failure, SessionExistsError)
        assert str(ann.failure) == "has a session with us"


def test_only_the_expected_node_will_do() -> None:
    ann, bob = initiator(expected=EVE.node), responder()

    drive(ann, bob)

    assert isinstance(ann.failure, WrongPeerError)
    assert node_text(BOB.node) in str(ann.failure)
    assert node_text(EVE.node) in str(ann.failure)
    assert isinstance(bob.failure, ClosedEarlyError)


def test_the_expected_node_is_accepted() -> None:
    ann, bob = initiator(expected=BOB.node), responder()

    drive(ann, bob)

    assert results(ann, bob)[0].peer == BOB.node


def test_a_node_that_dials_itself_notices() -> None:
    ann, mirror = initiator(ANN), responder(ANN)

    drive(ann, mirror)

    assert isinstance(ann.failure, SelfConnectionError)
    assert str(ann.failure) == "is this node itself"


def test_an_unknown_purpose_is_refused_with_its_number() -> None:
    ann, bob = initiator(purpose=77), responder()

    drive(ann, bob)

    assert isinstance(ann.failure, RefusedError)
    assert "purpose 77" in str(ann.failure)
    assert isinstance(bob.failure, CredentialRefusedError)


# Time and ends of streams


@pytest.mark.parametrize("make", [initiator, responder])
def test_a_silent_other_side_is_given_up_at_the_deadline(make: Callable[[], Handshake]) -> None:
    machine = make()
    before = machine.deadline
    machine.start(NOW)
    machine.tick(NOW + DEADLINE_S - 0.01)
    waiting = machine.state

    machine.tick(machine.deadline)

    assert before == inf
    assert waiting in NEXT
    assert isinstance(machine.failure, HandshakeTimeoutError)
    assert str(machine.failure) == "did not finish the handshake within 5 s"
    assert machine.deadline == inf


def test_a_finished_handshake_has_no_deadline() -> None:
    ann, bob = initiator(), responder()
    drive(ann, bob)

    for machine in (ann, bob):
        machine.tick(NOW + 1e6)
        machine.receive_eof()

        assert machine.state is State.ESTABLISHED
        assert machine.deadline == inf


def test_a_side_that_hangs_up_at_once_may_be_busy_or_no_node() -> None:
    ann, bob = initiator(), responder()
    ann.start(NOW)
    bob.start(NOW)

    ann.receive_eof()
    bob.receive_eof()

    assert "at once" in str(ann.failure)
    assert isinstance(bob.failure, ClosedEarlyError)


@pytest.mark.parametrize("flight", range(4))
def test_a_flight_that_is_cut_short_anywhere_never_counts(flight: int) -> None:
    whole = sizes()[flight]

    for size in range(0, whole, 7):
        ann, bob = initiator(), responder()
        drive(ann, bob, lambda number, data, size=size: data[:size] if number == flight else data)  # type: ignore[misc]

        assert isinstance(ann.failure, ClosedEarlyError)
        assert ann.result is None
        assert (bob.state is State.ESTABLISHED) == (flight == 3)


def test_misuse_is_our_own_fault() -> None:
    ann = initiator()

    with pytest.raises(LocalProtocolError, match="takes no bytes"):
        ann.receive(b"x", NOW)
    ann.start(NOW)
    with pytest.raises(LocalProtocolError, match="started once"):
        ann.start(NOW)
    ann.receive(b"x", NOW)
    with pytest.raises(LocalProtocolError, match="takes no bytes"):
        ann.receive(b"x", NOW)
    with pytest.raises(AssertionError):
        initiator(identity("ann", credential=bytes(901)))


# Attacks


def flights_of(ann: Handshake, bob: Handshake) -> list[bytes]:
    """An honest handshake, recorded."""
    seen: list[bytes] = []

    def record(number: int, data: bytes) -> bytes:
        seen.append(data)
        return data

    drive(ann, bob, record)
    return seen


def sizes() -> list[int]:
    return [len(flight) for flight in flights_of(initiator(), responder())]


@pytest.mark.parametrize("flight", range(4))
def test_every_flipped_byte_is_refused(flight: int) -> None:
    for index in range(sizes()[flight]):
        ann, bob = initiator(), responder()

        def flip(number: int, data: bytes, index: int = index) -> bytes:
            if number != flight:
                return data
            return data[:index] + bytes([data[index] ^ 1 << index % 8]) + data[index + 1 :]

        drive(ann, bob, flip)

        assert ann.state is State.FAILED, f"byte {index} of flight {flight}"
        assert ann.result is None
        assert (bob.state is State.ESTABLISHED) == (flight == 3)


@given(flight=st.integers(0, 3), noise=st.binary(max_size=200), at=st.integers(0, 250), insert=st.booleans())
def test_noise_in_a_flight_is_refused_and_never_crashes(flight: int, noise: bytes, at: int, insert: bool) -> None:
    ann, bob = initiator(), responder()
    harmless = False

    def disturb(number: int, data: bytes) -> bytes:
        nonlocal harmless
        if number != flight:
            return data
        changed = data[:at] + noise + (data[at:] if insert else data[at + len(noise) :])
        # What follows PROOF and VERDICT belongs to the session, which will deal with it.
        harmless = changed == data or (flight >= 2 and changed.startswith(data))
        return changed

    drive(ann, bob, disturb)

    assert (ann.state is State.ESTABLISHED) == harmless


@given(frames=st.lists(st.tuples(st.integers(0, 7), st.binary(max_size=300)), max_size=4), initiates=st.booleans())
def test_well_formed_nonsense_ends_the_handshake(frames: list[tuple[int, bytes]], initiates: bool) -> None:
    machine = initiator() if initiates else responder()
    machine.start(NOW)

    for number, body in frames:
        if machine.state in NEXT:
            machine.receive(HEADER.pack(MAGIC, number, len(body)) + body, NOW)
    machine.receive_eof()

    assert machine.state is State.FAILED


@pytest.mark.parametrize("size", [0, 1, 69, 71, 2048, 65535])
def test_an_impossible_length_is_refused_before_the_body_comes(size: int) -> None:
    bob = responder()
    bob.start(NOW)

    bob.receive(HEADER.pack(MAGIC, Kind.HELLO, size), NOW)

    assert isinstance(bob.failure, BadHandshakeError)


def test_no_frame_exceeds_two_kibibytes() -> None:
    for least, greatest in BODY_BYTES.values():
        assert 0 < least <= greatest <= 2048 - HEADER.size


def test_the_largest_credential_fits() -> None:
    ann, bob = initiator(identity("ann", credential=bytes(900))), responder(identity("bob", credential=bytes(900)))

    drive(ann, bob)

    assert results(ann, bob)[1].credential == bytes(900)


def test_an_answer_sent_back_to_its_sender_is_refused() -> None:
    ann, bob = initiator(), responder()

    drive(ann, bob, lambda number, data: answer_of(bob, data) if number == 2 else data)

    assert isinstance(bob.failure, BadHandshakeError)


def answer_of(bob: Handshake, proof: bytes) -> bytes:
    """Bob's own ANSWER, dressed up as a PROOF of the same length as the frame it replaces."""
    answer = bob._exchange._said[-1]
    body = answer[HEADER.size + 32 :]
    return frame_head(Kind.PROOF, len(body)) + body


def test_a_hello_sent_back_to_its_sender_is_refused() -> None:
    ann = initiator()
    hello = ann.start(NOW)

    reply = ann.receive(hello, NOW)

    assert reply == b""
    assert isinstance(ann.failure, BadHandshakeError)


def test_a_recorded_handshake_cannot_be_played_again() -> None:
    hello, _, proof, _ = flights_of(initiator(), responder())
    bob = responder(seed=b"the next one")
    bob.start(NOW)

    answer = bob.receive(hello, NOW)
    reply = bob.receive(proof, NOW)

    assert len(answer) > 0
    assert reply == b""
    assert isinstance(bob.failure, BadHandshakeError)


def test_an_answer_to_somebody_else_is_refused() -> None:
    """Eve asks Bob, and passes his answer on to Ann, who asked Eve."""
    _, bobs_answer, _, _ = flights_of(initiator(EVE, seed=b"e"), responder())
    ann = initiator()
    ann.start(NOW)

    reply = ann.receive(bobs_answer, NOW)

    assert reply == b""
    assert isinstance(ann.failure, BadHandshakeError)


def test_a_proof_for_somebody_else_is_refused() -> None:
    """Ann proves herself to Eve, who passes the proof on to Bob."""
    _, _, anns_proof, _ = flights_of(initiator(), responder(EVE, seed=b"e"))
    ann, bob = initiator(), responder()

    drive(ann, bob, lambda number, data: anns_proof if number == 2 else data)

    assert isinstance(bob.failure, BadHandshakeError)
    assert bob.result is None


class ForeignSignature(Sodium):
    """A member that shows another's id, with its own signature under it."""

    def public_key(self, seed: bytes) -> bytes:
        return ANN.node


class OtherRole(Sodium):
    """A member that signs as if it played the other side."""

    def sign(self, seed: bytes, message: bytes) -> bytes:
        swapped = {b"pnode-srv": b"pnode-cli", b"pnode-cli": b"pnode-srv"}[message[:9]]
        return super().sign(seed, swapped + message[9:])


class OtherCluster(Sodium):
    """A member of two clusters that would use a signature for one in the other."""

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return super().sign(seed, message[:9] + bytes(16) + message[25:])


@pytest.mark.parametrize("crypto", [ForeignSignature(), OtherRole(), OtherCluster()])
def test_a_signature_by_another_or_for_another_use_proves_nothing(crypto: Sodium) -> None:
    cheat = Passport(EVE.seed, AUTHORITY, lambda: b"eve", crypto)
    asked, asking = (initiator(BOB), responder(cheat)), (initiator(cheat), responder(BOB))

    drive(*asked)
    drive(*asking)

    assert isinstance(asked[0].failure, BadHandshakeError)
    assert isinstance(asking[1].failure, BadHandshakeError)
    assert "does not hold the key" in str(asked[0].failure)


def test_a_credential_is_checked_for_the_node_that_shows_it() -> None:
    """Eve holds Bob's certificate, but only her own key: the check sees that they do not belong together."""

    def check(node: NodeId, credential: bytes, purpose: Purpose) -> None:
        if node != identity(credential.decode()).node:
            raise RemoteProtocolError("its certificate is another node's")

    ann = initiator(check=check)

    drive(ann, responder(identity("eve", credential=b"bob")))

    assert isinstance(ann.failure, CredentialRefusedError)


def test_a_key_that_makes_the_secret_guessable_is_refused() -> None:
    ann = initiator()
    key = filter_key(AUTHORITY)
    hello = bytearray(ann.start(NOW))
    hello[HEADER.size + HELLO.size - 32 : HEADER.size + HELLO.size] = bytes(32)
    hello[-16:] = keyed_hash(key, b"pnode-mac1", bytes(hello[:-16]), 16)
    bob = responder()
    bob.start(NOW)

    reply = bob.receive(bytes(hello), NOW)

    assert reply == b""
    assert isinstance(bob.failure, BadHandshakeError)


@pytest.mark.parametrize(
    "refusal", [refusal_frame(Refusal.VERSION, OUR_VERSIONS), frame_head(Kind.REFUSAL, 3) + b"\x09\1\1"]
)
def test_a_refusal_that_makes_no_sense_is_a_failure_too(refusal: bytes) -> None:
    ann = initiator()
    ann.start(NOW)

    ann.receive(refusal, NOW)

    assert isinstance(ann.failure, BadHandshakeError)


def test_an_unknown_verdict_is_a_refusal() -> None:
    ann, bob = initiator(), responder()

    def judge(number: int, data: bytes) -> bytes:
        if number != 3:
            return data
        head = frame_head(Kind.VERDICT, 1 + 2 + 16)
        return head + bob._exchange.seal(LABELS[Kind.VERDICT], head, b"\x09no")

    drive(ann, bob, judge)

    assert isinstance(ann.failure, RefusedError)


def test_the_identities_are_not_to_be_read_on_the_wire() -> None:
    for flight in flights_of(initiator(), responder()):
        for secret in (ANN.node, BOB.node, b"ann", b"bob"):
            assert secret not in flight


# The table


def test_no_frame_is_taken_where_the_table_has_none() -> None:
    for state, moves in NEXT.items():
        for kind in Kind:
            machine = initiator()
            machine.state = state
            if kind in moves:
                continue

            machine.receive(frame_head(kind, BODY_BYTES[kind][0]) + bytes(BODY_BYTES[kind][0]), NOW)

            assert isinstance(machine.failure, BadHandshakeError)


def test_every_way_through_the_table_ends() -> None:
    for path in ([State.AWAIT_HELLO, State.AWAIT_PROOF], [State.AWAIT_ANSWER, State.AWAIT_VERDICT]):
        for earlier, later in pairwise(path):
            assert later in NEXT[earlier].values()
        assert State.ESTABLISHED in NEXT[path[-1]].values()
    assert State.ESTABLISHED not in NEXT
    assert State.FAILED not in NEXT


def test_the_frames_have_the_sizes_that_were_published() -> None:
    """In membership.md 4.4, where a proof does not tell of its sender's abilities yet: one byte."""
    assert BODY_BYTES[Kind.HELLO] == (70, 70)
    assert BODY_BYTES[Kind.ANSWER] == (153 + 1, 1053 + 1)
    assert BODY_BYTES[Kind.PROOF] == (121 + 1, 1021 + 1)
    assert (HELLO.size, PROOF.size) == (54, 41 + 1)
