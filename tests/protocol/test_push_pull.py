"""Everything at once, between two members or one and a script."""

import dataclasses

import pytest

from pnode.protocol import push_pull
from pnode.protocol.codec import encode
from pnode.protocol.effects import Send, SendDatagram
from pnode.protocol.ids import NodeId
from pnode.protocol.push_pull import (
    ANSWERS_BURST,
    DIFFERENCES_BURST,
    EXCHANGES_MAX,
    WHOLE_TURN,
    scaled_interval_s,
    whole_turn,
)
from pnode.protocol.roster import State
from pnode.protocol.signed import Kind, Signed, sign
from pnode.protocol.swim import (
    Aged,
    Compare,
    Entry,
    Known,
    Leave,
    LoadDelta,
    Message,
    PushPull,
    Suspect,
    Suspicion,
    read,
    spell,
    unseal,
)

from .members import CLUSTER, OUTSIDER, START, Host, Network, record_of, seed_of, signed_record


@pytest.mark.parametrize(
    ("members", "factor"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3), (128, 3), (129, 4), (10_000, 10)]
)
def test_the_interval_grows_as_memberlists_does(members: int, factor: int) -> None:
    assert scaled_interval_s(30.0, members) == 30.0 * factor


@pytest.mark.parametrize("members", [16, 64, 256, 257, 1024, 4096])
def test_what_naming_everybody_once_in_a_while_costs_does_not_grow_with_the_cluster(members: int) -> None:
    named_bytes = len(encode(Known(b"n" * 8, b"m" * 8, 1))) * (members - 1)
    seconds = scaled_interval_s(30.0, members) * whole_turn(members)

    assert named_bytes / seconds < 6.0
    assert seconds / members < 30.0, "seconds between two anywhere"


def entry(network: Network, number: int, state: State = State.ALIVE, evidence: tuple[Signed, ...] = ()) -> Entry:
    return Entry(signed_record(network.crypto, number), state.value, evidence)


def accusation(network: Network, accuser: int, accused: int) -> Signed:
    body = Suspicion(network.id_of(accused), 1)
    return sign(network.crypto, seed_of(accuser), Kind.SUSPICION, CLUSTER, body)


def request(*entries: Entry, reply_wanted: bool = True, loads: tuple[Aged, ...] = ()) -> PushPull:
    return PushPull(reply_wanted, entries, loads, loads)


def answer_of(outputs: list[object]) -> PushPull:
    (send,) = [output for output in outputs if isinstance(output, Send)]
    message = read(send.payload)
    assert isinstance(message, PushPull)
    return message


def ask(network: Network, host: Host, peer: int, message: PushPull) -> list[object]:
    return list(host.membership.message(network.id_of(peer), message, network.now))


def test_an_answer_tells_what_the_other_side_does_not_know() -> None:
    network = Network()
    host = network.alone(5)
    answer = answer_of(ask(network, host, 2, request(entry(network, 2), entry(network, 4))))

    assert not answer.reply_wanted
    assert answer.entries[0] == Entry(host.membership.signed_record, State.ALIVE.value, ())
    assert {each.record.author for each in answer.entries} == {network.id_of(number) for number in (1, 3, 5)}


def test_a_state_that_differs_is_told_with_its_evidence() -> None:
    network = Network()
    host = network.alone(6)
    accused = accusation(network, 2, 3)
    host.membership.message(network.id_of(2), Suspect(accused), network.now)
    farewell = sign(network.crypto, seed_of(4), Kind.LEAVE, CLUSTER, Leave(1))
    ask(network, host, 4, request(entry(network, 4, State.LEFT, (farewell,)), reply_wanted=True))
    answer = answer_of(ask(network, host, 2, request(*(entry(network, number) for number in range(2, 7)))))

    assert set(answer.entries[1:]) == {
        Entry(signed_record(network.crypto, 3), State.SUSPECT.value, (accused,)),
        Entry(signed_record(network.crypto, 4), State.LEFT.value, (farewell,)),
    }


def test_a_remote_dead_is_a_suspect_here() -> None:
    network = Network()
    host = network.alone(8)
    evidence = tuple(accusation(network, accuser, 3) for accuser in (4, 5, 6))
    ask(network, host, 2, request(entry(network, 2), entry(network, 3, State.DEAD, evidence)))

    assert host.membership.state_of(network.id_of(3)) is State.SUSPECT


def test_a_dead_or_suspect_without_signed_evidence_is_hearsay() -> None:
    network = Network()
    host = network.alone(8)
    forged = dataclasses.replace(accusation(network, 4, 3), signature=b"x" * 64)
    ask(
        network,
        host,
        2,
        request(entry(network, 2), entry(network, 3, State.DEAD, (forged,)), entry(network, 4, State.DEAD)),
    )

    assert host.membership.state_of(network.id_of(3)) is State.ALIVE
    assert host.membership.state_of(network.id_of(4)) is State.ALIVE


def test_of_a_state_of_a_later_version_only_the_record_is_believed() -> None:
    network = Network()
    host = network.alone(3)
    strange = Entry(signed_record(network.crypto, 3, incarnation=2), 17, (accusation(network, 2, 3),))
    ask(network, host, 2, request(entry(network, 2), strange))

    member = host.membership.members[network.id_of(3)]
    assert (member.state, member.incarnation) == (State.ALIVE, 2)


def test_who_is_gone_before_we_ever_met_is_not_taken_in() -> None:
    network = Network()
    host = network.alone(2)
    ask(network, host, 2, request(entry(network, 3, State.DEAD), entry(network, 4, State.LEFT), entry(network, 5)))

    assert sorted(host.membership.members) == sorted([network.id_of(2), network.id_of(5)])


def test_forged_and_uncertified_entries_spoil_nothing_but_themselves() -> None:
    network = Network()
    host = network.alone(2)
    forged = Entry(dataclasses.replace(signed_record(network.crypto, 3), signature=b"x" * 64), 0, ())
    malformed = Entry(Signed(network.id_of(4), b"x" * 64, b"?"), 0, ())
    stranger = Entry(signed_record(network.crypto, 5, credential=OUTSIDER), 0, ())
    ask(network, host, 2, request(forged, malformed, stranger, entry(network, 6)))

    assert sorted(host.membership.members) == sorted([network.id_of(2), network.id_of(6)])


def test_all_credentials_are_shown_at_once_since_they_may_witness_each_other() -> None:
    network = Network()
    host = network.alone(2)
    before = network.vouch.asked
    shown: list[list[NodeId]] = []
    learn_many = network.vouch.learn_many

    def listen(pairs, now):  # type: ignore[no-untyped-def]
        pairs = list(pairs)
        shown.append([node for node, _ in pairs])
        return learn_many(pairs, now)

    network.vouch.learn_many = listen  # type: ignore[method-assign]
    ask(network, host, 2, request(entry(network, 2), entry(network, 3), entry(network, 4, State.DEAD)))

    assert shown == [[network.id_of(3), network.id_of(4)]]
    assert network.vouch.asked == before + 2


def test_what_the_peers_side_knows_already_is_not_broadcast() -> None:
    network = Network()
    joiner = network.alone(2)
    ask(network, joiner, 2, request(*(entry(network, number) for number in range(2, 6))))
    sent: list[bytes] = []
    network.tap = lambda host, effect: sent.append(effect.payload) if isinstance(effect, SendDatagram) else None
    network.run(1.0)

    about_five = signed_record(network.crypto, 5).signature
    assert sent
    assert not any(about_five in payload for payload in sent)


def test_what_our_other_members_may_not_know_is_broadcast() -> None:
    network = Network()
    host = network.alone(4)
    ask(network, host, 9, request(entry(network, 9)))
    sent: list[bytes] = []
    network.tap = lambda host, effect: sent.append(effect.payload) if isinstance(effect, SendDatagram) else None
    network.run(1.0)

    about_nine = signed_record(network.crypto, 9).signature
    assert any(about_nine in payload for payload in sent)


@pytest.mark.parametrize("wanted", [(), (3,), (3, 4)])
def test_what_an_answer_tells_is_broadcast_if_it_asks_for_somebody_whom_we_named(wanted: tuple[int, ...]) -> None:
    network = Network()
    host = network.alone(4)
    network.do(host, host.membership.join(network.id_of(2), network.now))
    shorts = tuple([network.id_of(number)[:8] for number in wanted])
    answer = request(entry(network, 2), entry(network, 9), reply_wanted=False)
    ask(network, host, 2, dataclasses.replace(answer, wanted=shorts))
    sent: list[bytes] = []
    network.tap = lambda host, effect: sent.append(effect.payload) if isinstance(effect, SendDatagram) else None
    network.run(1.0)

    about_nine = signed_record(network.crypto, 9).signature
    assert sent
    assert host.membership.state_of(network.id_of(9)) is State.ALIVE
    assert any(about_nine in payload for payload in sent) is bool(wanted)


def test_an_answer_that_was_not_asked_for_is_refused() -> None:
    network = Network()
    host = network.alone(2)
    ask(network, host, 3, request(entry(network, 3), reply_wanted=False))
    assert list(host.membership.members) == [network.id_of(2)]
    assert host.membership.refused == 1
    network.do(host, host.membership.join(network.id_of(2), network.now))
    for _ in range(2):
        ask(network, host, 2, request(entry(network, 2), reply_wanted=False))

    assert host.membership.refused == 2


def test_a_peer_may_ask_for_everything_only_so_often() -> None:
    network = Network()
    host = network.alone(3)
    answers = [bool(ask(network, host, 2, request(entry(network, 2)))) for _ in range(ANSWERS_BURST + 2)]

    assert answers == [True] * ANSWERS_BURST + [False] * 2
    assert host.membership.refused == 2


def test_only_so_many_exchanges_are_begun_at_a_time_and_the_rest_a_little_later() -> None:
    network = Network()
    host = network.alone(2)
    began: list[tuple[float, NodeId]] = []
    network.tap = lambda host, effect: began.append((network.now, effect.peer)) if isinstance(effect, Send) else None
    peers = [NodeId(bytes([number]) * 32) for number in range(EXCHANGES_MAX + 1)]
    for peer in peers:
        network.do(host, host.membership.join(peer, network.now))
    assert [peer for _, peer in began] == peers[:EXCHANGES_MAX]
    network.do(host, host.membership.session_lost(peers[0], network.now))
    network.run(0.6)

    assert [at - START for at, peer in began if peer == peers[-1]] == [pytest.approx(0.5)]


def test_a_table_too_long_for_a_message_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network()
    host = network.alone(40)
    monkeypatch.setattr(push_pull, "MESSAGE_BYTES_MAX", 10_000)
    answer = answer_of(ask(network, host, 50, request(entry(network, 50))))

    assert 8 < len(answer.entries) < 15
    assert len(spell(answer)) < 10_000
    own_entry_bytes = push_pull.ENTRY_HEAD_BYTES + len(host.membership.signed_record.body)
    monkeypatch.setattr(push_pull, "MESSAGE_BYTES_MAX", own_entry_bytes + 20)
    answer = answer_of(ask(network, host, 50, request(entry(network, 50))))
    assert len(answer.entries) == 1
    monkeypatch.setattr(push_pull, "MESSAGE_BYTES_MAX", 4 * 2**20)
    answer = answer_of(ask(network, host, 50, request(entry(network, 50))))
    assert len(answer.entries) == 40


def test_figures_in_a_push_pull_of_an_earlier_version_are_passed_over() -> None:
    network = Network()
    host = network.alone(2)
    load = encode(LoadDelta(network.id_of(2)[:8], 1, 1, 1, 1, 1, 1, 1, 1))
    ask(network, host, 2, request(entry(network, 2), loads=(Aged(load, 0), Aged(b"?", 0))))

    assert host.membership.refused == 0
    assert host.membership.load_of(network.id_of(2)) is None


def test_a_leaver_says_so_in_push_pulls_too() -> None:
    network = Network()
    host = network.alone(2)
    network.do(host, host.membership.leave(network.now))
    answer = answer_of(ask(network, host, 2, request(entry(network, 2))))

    assert answer.entries[0].state == State.LEFT.value
    assert len(answer.entries[0].evidence) == 1


def known(network: Network, number: int, state: State = State.ALIVE, mark: bytes | None = None) -> Known:
    return Known(network.id_of(number)[:8], mark or signed_record(network.crypto, number).signature[:8], state.value)


def naming(shown: Entry, *names: Known, loads: tuple[Aged, ...] = ()) -> PushPull:
    return PushPull(True, (shown,), loads, (), names)


def test_a_request_shows_its_sender_and_names_the_others() -> None:
    network = Network()
    host = network.alone(5)
    asked = answer_of(list(host.membership.join(network.id_of(2), network.now)))

    assert asked.reply_wanted
    assert asked.entries == (Entry(host.membership.signed_record, State.ALIVE.value, ()),)
    assert {name.node for name in asked.known} == {network.id_of(number)[:8] for number in range(2, 6)}
    assert known(network, 3) in asked.known


def test_who_is_named_and_known_with_the_same_record_is_neither_shown_nor_wanted() -> None:
    network = Network()
    host = network.alone(5)
    names = [known(network, number) for number in range(3, 6)]
    answer = answer_of(ask(network, host, 2, naming(entry(network, 2), *names)))

    assert [each.record.author for each in answer.entries] == [host.node]
    assert answer.wanted == ()


def test_strangers_and_those_of_whom_something_else_is_known_are_wanted_but_not_strangers_who_are_gone() -> None:
    network = Network()
    host = network.alone(5)
    me = host.node[:8]
    names = [
        known(network, 3, mark=b"newer..."),
        known(network, 4, State.SUSPECT),
        known(network, 5),
        known(network, 6),
        known(network, 7, State.DEAD),
        Known(me, host.membership.signed_record.signature[:8], State.SUSPECT.value),
    ]
    answer = answer_of(ask(network, host, 2, naming(entry(network, 2), *names)))

    assert answer.wanted == (*(network.id_of(number)[:8] for number in (3, 4, 6)), me)
    assert {each.record.author for each in answer.entries} == {host.node, network.id_of(3), network.id_of(4)}


def test_what_a_restarted_node_said_before_is_wanted() -> None:
    network = Network()
    host = network.alone(3)
    names = (Known(host.node[:8], b"earlier.", State.ALIVE.value), known(network, 3))
    answer = answer_of(ask(network, host, 2, naming(entry(network, 2), *names)))

    assert answer.wanted == (host.node[:8],)


def test_what_was_wanted_is_shown_once_and_heard_once() -> None:
    network = Network()
    host = network.alone(2)
    answer = answer_of(ask(network, host, 2, naming(entry(network, 2), known(network, 6))))
    supplement = request(entry(network, 2), entry(network, 6), reply_wanted=False)
    assert answer.wanted == (network.id_of(6)[:8],)
    assert ask(network, host, 3, supplement) == []
    assert host.membership.refused == 1
    ask(network, host, 2, supplement)
    assert host.membership.state_of(network.id_of(6)) is State.ALIVE
    ask(network, host, 2, supplement)

    assert host.membership.refused == 2


def test_a_supplement_that_comes_too_late_is_refused() -> None:
    network = Network()
    host = network.alone(2)
    ask(network, host, 2, naming(entry(network, 2), known(network, 6)))
    network.now += network.settings.push_pull_timeout_s
    ask(network, host, 2, request(entry(network, 2), entry(network, 6), reply_wanted=False))

    assert host.membership.state_of(network.id_of(6)) is None
    assert host.membership.refused == 1


def test_two_clusters_know_each_other_after_three_messages_between_two_members() -> None:
    network = Network()
    ours, theirs = network.cluster(4), [network.add(number) for number in range(11, 15)]
    for host in theirs[1:]:
        network.join(host, theirs[0])
    network.run(3.0)
    said: list[PushPull] = []

    def listen(host: Host, effect: Send | SendDatagram) -> None:
        message = read(effect.payload) if isinstance(effect, Send) else None
        if isinstance(message, PushPull) and {host, network.hosts[effect.peer]} == {ours[1], theirs[2]}:
            said.append(message)

    network.tap = listen
    network.join(ours[1], theirs[2])
    network.run(0.02)

    assert [(len(message.entries), len(message.known), len(message.wanted)) for message in said] == [
        (1, 3, 0),
        (4, 0, 3),
        (4, 0, 0),
    ]
    assert len(ours[1].membership.members) == len(theirs[2].membership.members) == 7


# ---- comparing


def watched(network: Network) -> list[Message]:
    """What is said from now on."""
    said: list[Message] = []

    def note(_: Host, effect: Send | SendDatagram) -> None:
        said.extend(map(read, unseal(effect.payload) if isinstance(effect, SendDatagram) else [effect.payload]))

    network.tap = note
    return said


def total_of(host: Host, other: Host) -> bytes:
    sent = host.membership._anti_entropy.comparison(host.membership.members[other.node])
    (message,) = map(read, unseal(sent.payload))
    assert isinstance(message, Compare)
    return message.total


def test_members_who_know_the_same_compare_and_show_each_other_everything_only_once_in_a_while() -> None:
    network = Network()
    hosts = network.cluster(6, settle_s=20.0)
    said = watched(network)
    network.run(30.0 * WHOLE_TURN)

    requests = [message for message in said if isinstance(message, PushPull) and message.reply_wanted]
    compared = [message for message in said if isinstance(message, Compare)]
    assert len(requests) == len(hosts)
    assert len(compared) == len(hosts) * (WHOLE_TURN - 1 + 3 * WHOLE_TURN // 2)
    assert len({message.total for message in compared}) == 1


def test_who_has_missed_a_record_is_shown_it_after_the_next_comparison() -> None:
    network = Network()
    hosts = network.cluster(6, settle_s=20.0)
    network.loss = 1.0
    network.do(hosts[0], hosts[0].membership.update_record(record_of(1, boot=7), network.now))
    network.run(2.5)
    missed = [host for host in hosts[1:] if host.membership.members[hosts[0].node].record.boot != 7]
    network.loss = 0.0
    network.run(60.0)

    assert missed
    assert all(host.membership.members[hosts[0].node].record.boot == 7 for host in hosts[1:])


def test_a_liar_or_whoever_differs_for_ever_makes_us_exchange_everything_as_often_as_if_we_compared_nothing() -> None:
    network = Network()
    one, other, *_ = network.cluster(4, settle_s=20.0)
    begun: list[float] = []
    network.tap = lambda host, effect: (
        begun.append(network.now)
        if host is one and isinstance(effect, Send) and getattr(read(effect.payload), "reply_wanted", False)
        else None
    )
    for second in range(240):
        network.do(one, one.membership.message(other.node, Compare(second.to_bytes(8, "big")), network.now))
        network.run(1.0)

    assert len(begun) == DIFFERENCES_BURST + 240 / 30


def test_where_datagrams_do_not_pass_everything_is_exchanged_every_time() -> None:
    network = Network()
    hosts = network.cluster(3, settle_s=20.0)
    network.reachable = lambda address: False
    network.run(20.0)
    said = watched(network)
    network.run(90.0)

    requests = [message for message in said if isinstance(message, PushPull) and message.reply_wanted]
    assert len(requests) == 3 * len(hosts)


def test_the_total_is_of_those_who_are_present_and_of_nobody_else() -> None:
    network = Network()
    one, other, third, last = network.cluster(4)
    before = total_of(one, other)
    assert before == total_of(other, one)
    network.do(last, last.membership.leave(network.now))
    network.run(2.0)
    small = Network().cluster(3)

    assert total_of(one, other) == total_of(third, one) == total_of(last, one) != before
    assert total_of(one, other) == total_of(small[0], small[1])
    network.do(one, one.membership.update_record(record_of(1), network.now))
    assert total_of(one, other) != total_of(other, one)
