"""Delays measured because somebody asked for it."""

from pnode.protocol.newcomers import BURSTS_PER_TURN

from .members import Network


def test_everybody_is_measured_once_more_when_somebody_asks_a_few_at_a_time() -> None:
    network = Network()
    one, *others = network.cluster(8, settle_s=10.0)
    before = len(one.round_trips)
    asked_at = network.now

    network.do(one, one.membership.measure_all(network.now))
    network.run(0.9)

    trips = one.round_trips[before:]
    assert {trip.peer for _, trip in trips} == {host.node for host in others}
    assert len(trips) <= len(others) + 1  # a regular check comes between
    first_turn = [at for at, _ in trips if at - asked_at < 0.25]
    assert len(first_turn) <= 2 * BURSTS_PER_TURN + 1


def test_whoever_does_not_answer_is_not_asked_for_ever() -> None:
    network = Network()
    one, other = network.cluster(2, settle_s=5.0)
    network.isolate(other)
    before = len(one.round_trips)

    network.do(one, one.membership.measure_all(network.now))
    network.run(5.0)

    assert len(one.round_trips) == before
    assert not one.membership._detector.has_newcomers


def test_alone_there_is_nobody_to_measure() -> None:
    network = Network()
    one = network.add(1)

    network.do(one, one.membership.measure_all(network.now))

    assert not one.membership._detector.has_newcomers
