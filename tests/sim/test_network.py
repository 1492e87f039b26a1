from pnode.sim.engine import Engine
from pnode.sim.network import LinkModel, Network

ALWAYS = 1.0


def network(**model: float) -> Network:
    return Network(Engine(1), LinkModel(latency_s=0.01, jitter_s=0.0, **model))


def arrivals(network: Network, count: int = 20, size_bytes: int = 100, pipe: bool = False) -> list[int]:
    """Numbers of what arrived within two minutes, in order."""
    came: list[int] = []
    send = network.pipe if pipe else network.datagram
    for number in range(count):
        send(0, 1, size_bytes, came.append, number)
        network.engine.run_for(0.001)
    network.engine.run_for(120.0)
    return came


def test_a_good_link_brings_everything_once_and_in_order() -> None:
    assert arrivals(network()) == list(range(20))


def test_a_lossy_link_loses_datagrams_but_nothing_of_a_session() -> None:
    assert len(arrivals(network(loss=0.5), 200)) < 150
    assert arrivals(network(loss=0.5), pipe=True) == list(range(20))


def test_a_datagram_may_come_twice_late_or_again_much_later() -> None:
    doubled, late, replayed = network(duplicate=ALWAYS), network(reorder=ALWAYS), network(replay=ALWAYS)

    assert sorted(arrivals(doubled)) == sorted([*range(20)] * 2)
    assert arrivals(late) != list(range(20))
    assert len(arrivals(replayed)) == 39
    assert (doubled.damage.doubled, late.damage.held_back, replayed.damage.replayed) == (20, 20, 19)


def test_a_damaged_datagram_is_read_by_nobody() -> None:
    broken = network(corrupt=ALWAYS)

    assert arrivals(broken) == []
    assert broken.damage.corrupted == 20


def test_a_slow_link_delays_sessions_and_drops_what_its_queue_does_not_hold() -> None:
    slow = network(bandwidth_bytes_per_s=10_000.0)

    assert len(arrivals(slow, 20, 1000)) == 2
    assert slow.damage.overflown == 18
    assert arrivals(network(bandwidth_bytes_per_s=10_000.0), 20, 1000, pipe=True) == list(range(20))


def test_what_is_cut_twice_is_healed_twice() -> None:
    cut = network()
    cut.cut(0, 1)
    cut.cut(0, 1)
    cut.heal(0, 1)

    assert not cut.reaches(0, 1)
    assert cut.reaches(1, 0)
    cut.heal(0, 1)
    assert cut.reaches(0, 1)


def test_a_clogged_link_keeps_everything_until_it_is_opened() -> None:
    clogged = network()
    clogged.clog(0, 1, 5.0)
    came: list[int] = []
    clogged.datagram(0, 1, 100, came.append, 1)
    clogged.pipe(0, 1, 100, came.append, 2)

    clogged.engine.run_for(4.9)

    assert came == []
    clogged.engine.run_for(0.2)
    assert sorted(came) == [1, 2]
