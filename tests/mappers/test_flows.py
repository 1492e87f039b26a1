"""Flows: the cases of scheduling.md 10.2 by hand, and a slow reckoning in fractions for whatever else may happen."""

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.flows import Flows, flows_of
from pnode.mappers.instance import InstanceError, uniform

from .traffic import Rates, Transfer, Wiring, driven, free_rates, link_rates, max_min_rates, reckoned

MODELS: dict[Contention, Rates] = {
    Contention.NONE: free_rates,
    Contention.LINK: link_rates,
    Contention.NIC: max_min_rates,
}
SHARED = (Contention.LINK, Contention.NIC)

A, B, C, D, E = NODES = range(5)
MB = 1_000_000
RATE = 100 * MB


def network(contention: Contention, latency_s: float = 0.0) -> Flows[str]:
    """Links and cards of 100 MB/s."""
    nodes = len(NODES)
    cards = [RATE] * nodes
    return flows_of(contention, uniform(nodes, latency_s), uniform(nodes, 1 / RATE), up=cards, down=cards)


def moved(flows: Flows[str], *transfers: Transfer) -> list[float]:
    """When they end."""
    ends = driven(flows, transfers)
    return [ends[one.key] for one in transfers]


def at(*ends_s: float) -> object:
    return pytest.approx(list(ends_s), rel=0.0, abs=1e-9)


def transfer(key: str, source: int, target: int, megabytes: float, begins: str = "0") -> Transfer:
    return Transfer(key, source, target, Fraction(megabytes) * MB, Fraction(begins))


# By hand: scheduling.md 10.2.


@pytest.mark.parametrize("contention", Contention)
def test_a_transfer_waits_the_latency_and_then_moves_its_bytes(contention: Contention) -> None:
    ends = moved(network(contention, latency_s=0.001), transfer("x", A, B, 50, begins="1"))

    assert ends == at(1.501)


@pytest.mark.parametrize(
    ("contention", "end_s"), [(Contention.NONE, 1.0), (Contention.LINK, 2.0), (Contention.NIC, 2.0)]
)
def test_two_on_the_same_link_share_it(contention: Contention, end_s: float) -> None:
    ends = moved(network(contention), transfer("x", A, B, 100), transfer("y", A, B, 100))

    assert ends == at(end_s, end_s)


@pytest.mark.parametrize("contention", SHARED)
def test_who_comes_later_slows_who_is_there(contention: Contention) -> None:
    ends = moved(network(contention), transfer("x", A, B, 100), transfer("y", A, B, 20, begins="1/2"))

    assert ends == at(1.2, 0.9)


@pytest.mark.parametrize("contention", SHARED)
def test_a_small_one_that_comes_last_ends_first(contention: Contention) -> None:
    """185 MB at 100 MB/s, never idle: the last ends at 1.85."""
    transfers = [transfer("x", A, B, 100), transfer("y", A, B, 60, "1/2"), transfer("z", A, B, 25, "9/10")]

    assert moved(network(contention), *transfers) == at(1.75, 1.85, 1.65)


@pytest.mark.parametrize("contention", Contention)
def test_opposite_directions_do_not_disturb_each_other(contention: Contention) -> None:
    ends = moved(network(contention), transfer("x", A, B, 100), transfer("y", B, A, 100))

    assert ends == at(1.0, 1.0)


def test_max_min_is_not_an_equal_split() -> None:
    transfers = [
        transfer("ab", A, B, 100),
        transfer("ac", A, C, 100),
        transfer("ad", A, D, 100),
        transfer("ed", E, D, 100),
    ]

    assert moved(network(Contention.NIC), *transfers) == at(3.0, 3.0, 3.0, 1.5)
    assert moved(network(Contention.LINK), *transfers) == at(1.0, 1.0, 1.0, 1.0)


def test_what_one_leaves_goes_to_the_others() -> None:
    transfers = [transfer("ab", A, B, 100), transfer("ac", A, C, 50), transfer("dc", D, C, 100)]

    assert moved(network(Contention.NIC), *transfers) == at(1.5, 1.0, 1.5)


# Single truths.


def test_a_link_caps_each_of_its_transfers_but_not_their_sum() -> None:
    flows: Flows[str] = flows_of(Contention.NIC, uniform(2, 0.0), uniform(2, 1 / RATE), up=[3 * RATE] * 2)

    ends = moved(flows, *(transfer(key, A, B, 100) for key in "vwx"))

    assert ends == at(1.0, 1.0, 1.0)


@pytest.mark.parametrize("contention", Contention)
def test_without_limits_or_without_bytes_only_the_latency_counts(contention: Contention) -> None:
    unlimited: Flows[str] = flows_of(contention, uniform(2, 0.5), uniform(2, 0.0))

    assert moved(unlimited, transfer("x", A, B, 100), transfer("y", A, B, 0)) == at(0.5, 0.5)
    assert moved(network(contention), transfer("x", A, B, 100), transfer("y", A, B, 0)) == at(1.0, 0.0)
    assert moved(network(contention, 0.5), transfer("x", A, B, 0), transfer("y", A, B, 0, begins="1")) == at(0.5, 1.5)


def test_cards_limit_even_where_links_do_not() -> None:
    flows: Flows[str] = flows_of(Contention.NIC, uniform(2, 0.0), uniform(2, 0.0), down=[RATE] * 2)

    assert moved(flows, transfer("x", A, B, 50)) == at(0.5)


@pytest.mark.parametrize("contention", Contention)
@pytest.mark.parametrize("megabytes", [0, 100])
def test_nothing_arrives_where_nodes_cannot_talk(contention: Contention, megabytes: float) -> None:
    flows: Flows[str] = flows_of(contention, uniform(2, 0.0), uniform(2, math.inf), up=[1.0] * 2, down=[1.0] * 2)

    flows.begin("x", A, B, megabytes, 0.0)

    assert flows.deadline == math.inf


@pytest.mark.parametrize("contention", Contention)
def test_what_is_abandoned_never_ends_and_makes_room(contention: Contention) -> None:
    flows = network(contention)
    for key in "xyz":
        flows.begin(key, A, B, 50 * MB, 0.0)

    flows.abandon("y", 0.3)
    flows.abandon("x", 0.3)
    ends = driven(flows, [])

    assert ends == {"z": pytest.approx(0.5 if contention is Contention.NONE else 0.7)}


@pytest.mark.parametrize("contention", Contention)
def test_a_transfer_may_be_abandoned_before_its_latency_is_over(contention: Contention) -> None:
    flows = network(contention, latency_s=1.0)
    flows.begin("x", A, B, 100 * MB, 0.0)

    flows.abandon("x", 0.5)

    assert flows.deadline == math.inf


@pytest.mark.parametrize("contention", Contention)
@pytest.mark.parametrize("latency_s", [0.0, 1.0])
def test_only_what_is_under_way_can_be_abandoned(contention: Contention, latency_s: float) -> None:
    flows = network(contention, latency_s)
    flows.begin("x", A, B, 100 * MB, 0.0)

    with pytest.raises(KeyError, match="y"):
        flows.abandon("y", 0.0)


@pytest.mark.parametrize("contention", SHARED)
def test_who_asks_too_late_is_told_all_in_the_order_of_the_ends(contention: Contention) -> None:
    flows = network(contention)
    flows.begin("x", A, B, 100 * MB, 0.0)
    flows.begin("y", A, B, 20 * MB, 0.5)
    flows.begin("z", C, D, 20 * MB, 0.5)

    assert flows.finish_due(0.5) == []
    assert flows.finish_due(10.0) == ["z", "y", "x"]
    assert flows.deadline == math.inf


def test_a_quadratic_term_has_a_meaning_only_without_contention() -> None:
    free: Flows[str] = flows_of(Contention.NONE, uniform(2, 1.0), uniform(2, 2.0), seconds_per_byte2=uniform(2, 3.0))

    assert moved(free, Transfer("x", A, B, Fraction(10), Fraction(0))) == at(1 + 20 + 300)
    for contention in SHARED:
        with pytest.raises(InstanceError, match=f"quadratic.*'{contention.value}'"):
            flows_of(contention, uniform(2, 1.0), uniform(2, 2.0), seconds_per_byte2=uniform(2, 3.0))


@pytest.mark.parametrize(("up", "down"), [([1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0]), ([1.0, 1.0], [0.0, 1.0])])
def test_every_node_has_cards_that_move_something(up: list[float], down: list[float]) -> None:
    with pytest.raises(InstanceError, match="for each of 2 nodes"):
        flows_of(Contention.NIC, uniform(2, 0.0), uniform(2, 1.0), up=up, down=down)


def test_newcomers_take_from_whoever_was_limited_elsewhere() -> None:
    """A to B and A to D share A's uplink, until two more come to D: then A to D has a third of D's downlink, and A to
    B the other two thirds of A's uplink."""
    transfers = [
        transfer("ab", A, B, 100),
        transfer("ad", A, D, 100),
        transfer("cd", C, D, 100, begins="1"),
        transfer("ed", E, D, 100, begins="1"),
    ]

    assert moved(network(Contention.NIC), *transfers) == at(1.75, 2.5, 3.5, 3.5)


def test_a_transfer_that_was_slowed_is_not_woken_with_one_that_ends() -> None:
    transfers = [transfer("x", A, B, 100), transfer("y", C, D, 100), transfer("z", C, E, 100, begins="1/2")]

    assert moved(network(Contention.NIC), *transfers) == at(1.0, 1.5, 2.0)


# Whatever may happen.

SEEDS = st.integers(0, 2**32 - 1)


def load(seed: int, transfers_max: int = 16) -> tuple[Wiring, list[Transfer]]:
    """Numbers with small denominators, so that events meet often."""
    rng = Random(seed)
    nodes = rng.randint(2, 6)

    def number() -> Fraction:
        return Fraction(rng.randint(1, 12), rng.choice((1, 1, 2, 3, 7)))

    def latency() -> Fraction:
        return number() if rng.random() < 0.4 else Fraction(0)

    def limit() -> Fraction | None:
        return number() if rng.random() < 0.85 else None

    wiring = Wiring(
        latency=[[latency() for _ in range(nodes)] for _ in range(nodes)],
        bandwidth=[[limit() for _ in range(nodes)] for _ in range(nodes)],
        up=[limit() for _ in range(nodes)],
        down=[limit() for _ in range(nodes)],
    )
    transfers = []
    for key in range(rng.randint(1, transfers_max)):
        source, target = rng.sample(range(nodes), 2)
        begins = Fraction(rng.randint(0, 8), 2)
        transfers.append(
            Transfer(
                key=str(key),
                source=source,
                target=target,
                size=number() if rng.random() < 0.9 else Fraction(0),
                begins=begins,
                abandoned=begins + number() / 2 if rng.random() < 0.15 else None,
            )
        )
    return wiring, transfers


@pytest.mark.parametrize("contention", Contention)
@given(seed=SEEDS)
def test_every_end_is_as_reckoned_from_the_definition(contention: Contention, seed: int) -> None:
    wiring, transfers = load(seed)
    # Whether it is still there when it is abandoned may be for rounding to say; the others must not notice.
    staying = [one.key for one in transfers if one.abandoned is None]
    expected = reckoned(wiring, MODELS[contention], transfers)

    ends = driven(wiring.flows(contention), transfers)

    assert {key: ends[key] for key in staying} == {
        key: pytest.approx(float(expected[key]), rel=1e-9, abs=1e-9) for key in staying
    }


def test_a_crowd_is_as_reckoned_from_the_definition() -> None:
    wiring, transfers = load(seed=8, transfers_max=120)
    assert len(transfers) > 60
    lasting = [replace(one, abandoned=None) for one in transfers]
    expected = reckoned(wiring, max_min_rates, lasting)

    ends = driven(wiring.flows(Contention.NIC), lasting)

    assert ends == {key: pytest.approx(float(end), rel=1e-9, abs=1e-9) for key, end in expected.items()}


@given(seed=SEEDS)
def test_models_agree_while_no_two_transfers_overlap(seed: int) -> None:
    wiring, transfers = load(seed)
    unlimited = replace(wiring, up=[None] * len(wiring.up), down=[None] * len(wiring.down))
    apart = [replace(one, begins=Fraction(1000 * place), abandoned=None) for place, one in enumerate(transfers)]

    ends = [driven(unlimited.flows(contention), apart) for contention in Contention]

    assert ends[1] == pytest.approx(ends[0], rel=1e-12)
    assert ends[2] == pytest.approx(ends[0], rel=1e-12)


@pytest.mark.parametrize("contention", SHARED)
@given(seed=SEEDS)
def test_nothing_ever_moves_faster_than_it_can(contention: Contention, seed: int) -> None:
    """Whatever begins and ends within a window had to pass within it."""
    wiring, transfers = load(seed, transfers_max=40)
    ends = driven(wiring.flows(contention), [replace(one, abandoned=None) for one in transfers])

    for passing, capacity in bottlenecks(contention, wiring, transfers):
        windows = product([float(one.begins) for one in passing], [ends[one.key] for one in passing])
        for begin, end in windows:
            inside = [float(one.size) for one in passing if begin <= one.begins and ends[one.key] <= end]
            assert sum(inside) <= float(capacity) * max(0.0, end - begin) * (1 + 1e-9) + 1e-9


def bottlenecks(
    contention: Contention, wiring: Wiring, transfers: list[Transfer]
) -> Iterator[tuple[list[Transfer], Fraction]]:
    """What has a capacity, and who passes it."""
    nodes = range(len(wiring.up))
    for source, target in product(nodes, nodes):
        bandwidth = wiring.bandwidth[source][target]
        passing = [one for one in transfers if (one.source, one.target) == (source, target)]
        if bandwidth is not None and contention is Contention.LINK:
            yield passing, bandwidth
        elif bandwidth is not None:
            yield from (([one], bandwidth) for one in passing)
    if contention is Contention.NIC:
        for node, (up, down) in enumerate(zip(wiring.up, wiring.down, strict=True)):
            if up is not None:
                yield [one for one in transfers if one.source == node], up
            if down is not None:
                yield [one for one in transfers if one.target == node], down
