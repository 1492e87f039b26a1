"""Dispatchers: where items of a stream go by what machines ask for them."""

import pytest

from pnode.sim.schedule.pricing import Offer, circe_price, event_pricing, finish_price, push_pricing
from pnode.sim.schedule.queues import Discipline
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Graph, Handoff, Machine, Scenario, Vertex
from pnode.sim.schedule.static import static

from . import worlds

ONE = worlds.graph({"x": 4.0}, {})
CHAIN = worlds.graph({"x": 1.0, "y": 4.0}, {"xy": 0.0})


def stream(graph: Graph = ONE, **facts: object) -> Scenario:
    net = worlds.network(*worlds.machines(3))
    return worlds.scenario(net, Arrival(graph, items=4, period_s=1.0), **facts)  # type: ignore[arg-type]  # facts are right by name


def homes(result: Result, task: int = 0) -> str:
    """The machine of each item."""
    kept = sorted((one.item, one.machine) for one in result.executions if one.kept and one.task == task)
    return "".join(chr(97 + machine) for _, machine in kept)


def test_circe_prices_add_milliseconds_and_percentages() -> None:
    assert circe_price(Offer(0.2, 30.0, 40.0, 99.0, 9.0)) == 270.0


def test_a_finish_is_the_later_of_input_and_queue_and_then_the_run() -> None:
    assert finish_price(Offer(0.5, 0.0, 0.0, 2.0, 3.0)) == 5.0
    assert finish_price(Offer(2.5, 0.0, 0.0, 2.0, 3.0)) == 5.5


def test_static_dispatch_sends_every_item_the_same_way() -> None:
    result = worlds.run(stream(), static("told", worlds.at(1)))

    assert homes(result) == "bbbb"
    assert result.makespan_s == 16.0


def test_by_event_every_item_goes_to_who_is_cheapest_then() -> None:
    result = worlds.run(stream(), event_pricing(worlds.at(1), finish_price))

    assert homes(result) == "abca"  # a is free again at 4, when the fourth comes at 3: as soon as anybody
    assert result.makespan_s == 8.0
    assert result.decisions == 4


def test_by_push_items_follow_the_latest_round() -> None:
    result = worlds.run(stream(), push_pricing(worlds.at(1), finish_price, period_s=1.5))

    # Until the round at 1.5 the plan holds; then a is idle; at 3.0 both a and c are judged: a runs item 2 until 6.
    assert homes(result) == "bbac"


def test_a_push_round_comes_before_what_arrives_later_at_that_instant() -> None:
    result = worlds.run(stream(), push_pricing(worlds.at(1), finish_price, period_s=60.0))

    assert homes(result) == "bbbb"


def test_the_price_is_open() -> None:
    result = worlds.run(stream(), event_pricing(worlds.at(1), lambda offer: -offer.queue_s))

    assert homes(result) == "aaaa"


def test_a_busy_machine_costs_its_cores() -> None:
    seen: list[Offer] = []

    def dearest(offer: Offer) -> float:
        seen.append(offer)
        return 0.0

    net = worlds.network(Machine("a", cores=2), Machine("b"))
    worlds.run(worlds.scenario(net, Arrival(ONE, items=2, period_s=1.0)), event_pricing(worlds.at(1), dearest))

    assert [offer.cpu_percent >= 50.0 for offer in seen] == [False, False, True, False]
    assert [offer.queue_s for offer in seen] == [0.0] * 4  # one of two cores is free


def test_the_controller_is_asked_once_for_all_parents_of_an_item() -> None:
    join = worlds.graph({"x": 1.0, "y": 2.0, "z": 1.0}, {"xz": 100.0, "yz": 100.0})
    net = worlds.network(*worlds.machines(2), latency_s=0.25)
    slow = worlds.scenario(net, Arrival(join), handoff=Handoff(0.0, free=False))

    result = worlds.run(slow, event_pricing(worlds.at(0, 1, 1), finish_price))

    # x has ended at 1 on a; its machine asks b, the controller of z, which answers at 1.25.
    assert result.decisions == 3
    z = next(one for one in result.executions if one.task == 2)
    assert z.bound_s == (1.25 if z.machine == 1 else 1.5)


def test_a_controller_that_is_being_asked_is_not_asked_again() -> None:
    pins = {"x": Vertex("x", 1.0, pinned="a"), "y": Vertex("y", 1.125, pinned="b")}
    join = worlds.graph({"x": 1.0, "y": 1.125, "z": 1.0}, {"xz": 100.0, "yz": 100.0}, **pins)
    net = worlds.network(*worlds.machines(3), latency_s=0.25)
    slow = worlds.scenario(net, Arrival(join, origin=2), handoff=Handoff(0.0, free=False))

    result = worlds.run(slow, event_pricing(worlds.at(0, 1, 2), finish_price))

    assert result.decisions == 3


@pytest.mark.parametrize("push", [True, False])
def test_what_a_lost_machine_had_goes_elsewhere(push: bool) -> None:
    strategy = (
        push_pricing(worlds.at(1), finish_price) if push else event_pricing(worlds.at(1), lambda offer: offer.queue_s)
    )

    result = worlds.run(stream(disruptions=[Disruption(2.0, 1, Fate.FAIL)]), strategy)

    assert result.complete
    assert "b" not in homes(result)[1:]


@pytest.mark.parametrize("push", [True, False])
def test_an_item_that_nobody_can_run_waits(push: bool) -> None:
    pinned = worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 0.0}, y=Vertex("y", 1.0, pinned="b"))
    strategy = push_pricing(worlds.at(0, 1), period_s=2.0) if push else event_pricing(worlds.at(0, 1))
    world = stream(pinned, disruptions=[Disruption(0.5, 1, Fate.FAIL), Disruption(30.0, 1, Fate.RECOVER)])

    result = worlds.run(world, strategy)

    assert result.complete
    assert homes(result, 1) == "bbbb"
    assert result.finishes_s == (34.0,)


def test_rounds_end_when_nothing_can_happen_any_more() -> None:
    pinned = worlds.graph({"x": 1.0}, {}, x=Vertex("x", 1.0, pinned="b"))
    world = stream(pinned, disruptions=[Disruption(0.5, 1, Fate.FAIL)])

    result = worlds.run(world, push_pricing(worlds.at(1), period_s=2.0))

    assert not result.complete


def test_rounds_tell_everybody_and_are_counted() -> None:
    result = worlds.run(stream(), push_pricing(worlds.at(1), finish_price, period_s=3.5))

    # One round, at 3.5, before the last item ends at 16; then one every 3.5 s: 4 rounds, each to two others; the
    # origin's hand-offs to b with their answers are the rest.
    assert result.decisions == 4
    assert result.messages == 4 * 2 + 4 * 2


@pytest.mark.parametrize("discipline", [None, Discipline.FIFO])
def test_items_flow_through_the_graph_as_a_pipeline(discipline: Discipline | None) -> None:
    chain = worlds.graph({"x": 2.0, "y": 2.0, "z": 2.0}, {"xy": 0.0, "yz": 0.0})
    world = worlds.scenario(worlds.network(*worlds.machines(3)), Arrival(chain, items=5))

    result = worlds.run(world, static("told", worlds.at(0, 1, 2), discipline))

    assert result.makespan_s == 2.0 * (5 + 2)
