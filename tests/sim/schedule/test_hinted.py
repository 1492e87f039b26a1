"""Plans that are adapted as they go."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.heft import heft
from pnode.mappers.layered import layered
from pnode.sim.schedule.hinted import PLAN_ONLY, Adaptation, hinted
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Fate,
    Gossip,
    Handoff,
    Machine,
    Scenario,
    Spread,
    Vertex,
)
from pnode.sim.schedule.validator import validate

from . import worlds
from .scenarios import scenarios

BLIND = Gossip(period_s=1e6)
"""Nobody hears of anybody."""

FAST_AND_SLOW = worlds.network(Machine("a"), Machine("b", 0.5))


def taking(**factors: float) -> Durations:
    """Tasks that really take so many times as long as expected."""
    return Durations(factors=(tuple(factors.items()),))


def random_world(seed: int, contention: Contention = Contention.NONE) -> Scenario:
    return worlds.of(layered(Random(seed), 40, 6, 1.0, 1.0, 3, 0.75), contention)


# The plan.


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("age_s", [0.0, 7.0])
def test_with_exact_durations_a_job_takes_as_long_as_heft_plans(seed: int, age_s: float) -> None:
    world = replace(random_world(seed), gossip=Gossip(period_s=age_s))

    result = worlds.run(world, hinted())

    assert result.makespan_s == pytest.approx(simulate(world, heft).makespan_s, rel=1e-12)
    assert result.moves == 0


def test_what_takes_no_time_does_not_wait_for_what_is_planned_with_it() -> None:
    world = worlds.with_an_instant()

    result = worlds.run(world, hinted())

    assert result.makespan_s == simulate(world, heft).makespan_s == 8.5


def test_a_reserved_start_is_kept_for_an_output_that_comes_at_this_very_instant() -> None:
    costs = {"p": 2.0, "z": 0.0, "c": 1.0, "d": 2.0, "e": 3.0}
    pinned = {name: Vertex(name, cost, pinned="b" if name in "ze" else "a") for name, cost in costs.items()}
    job = worlds.graph(costs, dict.fromkeys(("pz", "zc", "pd", "ce"), 0.0), **pinned)

    result = worlds.run(worlds.scenario(worlds.network(*worlds.machines(2)), job), hinted())

    assert worlds.times(result)["c"] == (2.0, 3.0)
    assert result.makespan_s == 6.0


@pytest.mark.parametrize("contention", [Contention.NONE, Contention.LINK])
def test_the_best_of_several_plans_is_never_longer_than_hefts(contention: Contention) -> None:
    shares = []
    for seed in range(5):
        world = random_world(seed, contention)
        result = worlds.run(world, hinted(replace(PLAN_ONLY, candidates=10)))
        shares.append(result.makespan_s / simulate(world, heft).makespan_s)

    assert max(shares) <= 1.0 + 1e-9
    assert min(shares) < 0.99


def test_several_cores_are_planned_for() -> None:
    world = worlds.scenario(
        worlds.network(Machine("a", cores=2), Machine("b", 0.5)), worlds.graph(dict.fromkeys("xyz", 4.0), {})
    )

    assert worlds.times(worlds.run(world, hinted())) == {"x": (0.0, 4.0), "y": (0.0, 4.0), "z": (4.0, 8.0)}


def test_the_items_of_a_stream_follow_each_other() -> None:
    graph = worlds.graph({"x": 2.0, "y": 3.0}, {"xy": 0.0})
    world = worlds.scenario(worlds.network(*worlds.machines(2)), Arrival(graph, items=2, period_s=1.0))

    assert worlds.times(worlds.run(world, hinted())) == {
        "x0": (0.0, 2.0),
        "y0": (2.0, 5.0),
        "x1": (1.0, 3.0),
        "y1": (3.0, 6.0),
    }


# Late and early.


def test_a_unit_leaves_the_queue_behind_one_that_takes_far_too_long() -> None:
    # HEFT puts both on a: y would end at 8 there as on b. x takes 40 s, which is noticed at 5, 7.5 and 11.25 s.
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0, "y": 4.0}, {}), durations=taking(x=10.0))

    static = worlds.times(worlds.run(world, hinted(PLAN_ONLY)))
    adapted = worlds.run(world, hinted(Adaptation(copies=False)))

    assert static == {"x": (0.0, 40.0), "y": (40.0, 44.0)}
    assert worlds.times(adapted) == {"x": (0.0, 40.0), "y": (11.25, 19.25)}
    assert adapted.moves == 1


def test_without_replanning_an_overdue_unit_still_gets_its_copy() -> None:
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0}, {}))
    slow = replace(world, disruptions=(Disruption(0.0, 0, Fate.SPEED, 0.05),))

    result = worlds.run(slow, hinted(Adaptation(replans=False)))

    assert [one.machine for one in result.executions if one.kept] == [1]


def test_without_the_watch_that_is_noticed_at_the_end_only() -> None:
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0, "y": 4.0}, {}), durations=taking(x=10.0))

    times = worlds.times(worlds.run(world, hinted(Adaptation(watches=False, copies=False))))

    assert times["y"][0] == 40.0


def test_an_early_end_draws_units_to_the_machine() -> None:
    # HEFT: x on a until 8, y on b until 8, and z behind y until 12 (behind x until 16). x takes 1 s only.
    net = worlds.network(Machine("a"), Machine("b", 2.0))
    graph = worlds.graph({"y": 16.0, "x": 8.0, "z": 8.0}, {})
    world = worlds.scenario(net, graph, durations=taking(x=0.125))

    assert worlds.times(worlds.run(world, hinted(PLAN_ONLY)))["z"] == (8.0, 12.0)
    assert worlds.times(worlds.run(world, hinted()))["z"] == (1.0, 9.0)


def test_a_deviation_that_is_small_moves_nothing_and_asks_nobody() -> None:
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0, "y": 4.0}, {}), durations=taking(x=1.04))

    result = worlds.run(world, hinted())

    assert result.moves == 0
    assert result.decisions == 2
    assert result.messages == 0


@pytest.mark.parametrize("how", [Adaptation(), Adaptation(asks=False)])
def test_under_drift_adapting_beats_the_plan(how: Adaptation) -> None:
    shares = []
    for seed in range(8):
        world = random_world(seed)
        mean_s = 10.0
        world = replace(
            world, durations=Durations(Spread.UNIFORM, 0.5, 0.5), gossip=Gossip(mean_s), name=f"drift {seed}"
        )
        adapted, static = worlds.run(world, hinted(how), seed), simulate(world, heft, seed)
        shares.append(adapted.makespan_s / static.makespan_s)

    assert sorted(shares)[4] < 0.95


def test_nobody_is_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    world = replace(random_world(1), durations=Durations(Spread.UNIFORM, 0.9, 0.9))
    asking = worlds.run(world, hinted())

    monkeypatch.setattr("pnode.sim.schedule.hinted.BIDS_MAX", 4)
    limited = worlds.run(world, hinted())
    monkeypatch.setattr("pnode.sim.schedule.hinted.BIDS_MAX", 0)
    silent = worlds.run(world, hinted())

    assert asking.moves > limited.moves > silent.moves == 0


# Copies.


def test_a_copy_on_an_idle_machine_wins_and_the_straggler_is_ended() -> None:
    # b needs 8 s: a copy is worth it once x has run for more than 16 s.
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0}, {}), durations=taking(x=1.0))
    slow = replace(world, disruptions=(Disruption(0.0, 0, Fate.SPEED, 0.05),))

    result = worlds.run(slow, hinted())

    [lost, won] = sorted(result.executions, key=lambda one: one.attempt)
    assert (won.machine, won.kept) == (1, True)
    assert (lost.machine, lost.kept, lost.finish_s) == (0, False, won.finish_s)
    assert 16.0 < won.start_s < 20.0
    assert won.finish_s == won.start_s + 8.0


def test_a_copy_that_loses_is_ended() -> None:
    # At 17 s, say, x is believed to need another 8.5 s; it needs 3 s.
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0}, {}))
    slow = replace(world, disruptions=(Disruption(0.0, 0, Fate.SPEED, 0.2),))

    result = worlds.run(slow, hinted())

    assert worlds.times(result) == {"x": (0.0, 20.0)}
    assert [one.machine for one in result.executions if not one.kept] == [1]


def test_no_copy_goes_to_a_busy_machine_or_to_one_that_cannot_run_it() -> None:
    pinned = Vertex("x", 4.0, pinned="a")
    alone = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0}, {}, x=pinned))
    busy = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0, "y": 99.0}, {}, y=Vertex("y", 99.0, pinned="b")))

    for world in (alone, busy):
        result = worlds.run(replace(world, disruptions=(Disruption(0.0, 0, Fate.SPEED, 0.05),)), hinted())
        assert all(one.kept for one in result.executions)


def test_a_machine_that_lost_a_race_no_longer_looks_fast() -> None:
    # x is copied to b, and then y, which comes later, is put on b although a's profile says that it is faster.
    graph, later = worlds.graph({"x": 4.0}, {}), worlds.graph({"y": 4.0}, {})
    world = worlds.scenario(
        worlds.network(Machine("a"), Machine("b", 0.6)),
        graph,
        Arrival(later, at_s=60.0),
        disruptions=[Disruption(0.0, 0, Fate.SPEED, 0.05)],
    )

    result = worlds.run(world, hinted())

    assert [one.machine for one in result.executions if one.job == 1] == [1]


# Machines that fail.


def test_what_a_dead_machine_had_goes_elsewhere_once_it_is_missed() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0, "y": 4.0, "z": 1.0}, {"xz": 0.0}),
        disruptions=[Disruption(1.0, 0, Fate.FAIL)],
        gossip=Gossip(detection_s=0.5),
    )

    assert worlds.times(worlds.run(world, hinted())) == {"y": (0.0, 4.0), "x": (4.0, 8.0), "z": (8.0, 9.0)}


def test_the_next_that_lives_sees_to_it_when_the_origin_is_dead() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(3)),
        Arrival(worlds.graph({"x": 4.0, "y": 4.0, "z": 4.0}, {}), origin=1),
        disruptions=[Disruption(1.0, 1, Fate.FAIL), Disruption(1.0, 0, Fate.FAIL)],
    )

    result = worlds.run(world, hinted())

    assert result.complete
    assert {one.machine for one in result.executions if one.kept} == {2}


def test_a_job_that_comes_when_a_machine_is_dead_is_planned_without_it() -> None:
    world = worlds.scenario(
        worlds.network(Machine("a"), Machine("b", 9.0)),
        Arrival(worlds.graph({"x": 4.0}, {}), at_s=2.0),
        disruptions=[Disruption(1.0, 1, Fate.FAIL)],
    )

    assert worlds.times(worlds.run(world, hinted())) == {"x": (2.0, 6.0)}


def test_what_only_a_dead_machine_could_run_waits_until_that_is_back() -> None:
    vertex = Vertex("x", 4.0, pinned="b")
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0, "y": 1.0}, {"xy": 100.0}, x=vertex),
        disruptions=[Disruption(1.0, 1, Fate.FAIL), Disruption(9.0, 1, Fate.RECOVER)],
    )

    assert worlds.times(worlds.run(world, hinted())) == {"x": (9.0, 13.0), "y": (13.0, 14.0)}


def test_a_copy_goes_on_when_the_machine_of_the_original_dies() -> None:
    world = worlds.scenario(FAST_AND_SLOW, worlds.graph({"x": 4.0}, {}))
    slow = replace(world, disruptions=(Disruption(0.0, 0, Fate.SPEED, 0.01), Disruption(20.0, 0, Fate.FAIL)))

    result = worlds.run(slow, hinted())

    assert [(one.machine, one.kept) for one in result.executions] == [(0, False), (1, True)]


# Several origins.


def two_jobs(gossip: Gossip) -> Scenario:
    graph = worlds.graph({"x": 4.0}, {})
    return worlds.scenario(
        worlds.network(Machine("a"), Machine("b", 0.8)),
        Arrival(graph),
        Arrival(graph, at_s=0.5, origin=1),
        gossip=gossip,
    )


def test_whoever_sees_the_others_plans_around_them() -> None:
    result = worlds.run(two_jobs(Gossip()), hinted(PLAN_ONLY))

    assert [(one.job, one.machine, one.finish_s) for one in result.executions] == [(0, 0, 4.0), (1, 1, 5.5)]


def test_whoever_is_blind_learns_it_from_the_machines_and_without_asking_queues_behind_others() -> None:
    asking = worlds.run(two_jobs(BLIND), hinted(PLAN_ONLY))
    silent = worlds.run(two_jobs(BLIND), hinted(replace(PLAN_ONLY, asks=False)))

    assert asking.responses_s == (4.0, 5.0)
    assert silent.responses_s == (4.0, 7.5)
    assert asking.messages > silent.messages


def test_a_dead_machine_that_nobody_has_missed_yet_does_not_answer() -> None:
    world = worlds.scenario(
        worlds.network(Machine("a"), Machine("b", 9.0)),
        Arrival(worlds.graph({"x": 4.0}, {}), at_s=2.0),
        disruptions=[Disruption(1.0, 1, Fate.FAIL)],
        gossip=Gossip(period_s=1e6, detection_s=1e6),
    )

    assert worlds.times(worlds.run(world, hinted())) == {"x": (2.0, 6.0)}


def test_what_runs_late_elsewhere_is_seen_as_it_was_at_the_latest_snapshot() -> None:
    # z waits on b for y, which runs there; x on a is long overdue when y ends late and b thinks again.
    graph = worlds.graph({"x": 4.0, "y": 8.0, "z": 1.0, "u": 2.0}, {"xu": 0.0, "yz": 0.0})
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        graph,
        durations=taking(x=9.0, y=1.2),
        gossip=Gossip(period_s=5.0, delay_s=1.0),
    )

    result = worlds.run(world, hinted(Adaptation(watches=False, copies=False)))

    assert worlds.times(result)["z"] == (9.6, 10.6)
    assert result.complete


def test_asking_for_slots_takes_the_place_of_fresh_views() -> None:
    def slowdown(gossip: Gossip, how: Adaptation) -> float:
        total = 0.0
        for seed in range(2):
            worlds_of_one = [random_world(10 * seed + number) for number in range(5)]
            net = worlds_of_one[0].network
            arrivals = [replace(one.arrivals[0], at_s=9.0 * at, origin=at) for at, one in enumerate(worlds_of_one)]
            world = worlds.scenario(net, *arrivals, gossip=gossip)
            total += sum(worlds.run(world, hinted(how)).responses_s)
        return total

    exact = slowdown(Gossip(), PLAN_ONLY)
    old = Gossip(period_s=30.0)

    assert slowdown(old, PLAN_ONLY) < 1.1 * exact
    assert slowdown(old, replace(PLAN_ONLY, asks=False)) > 1.1 * exact


# Messages.


def test_what_is_decided_by_bids_waits_for_the_answers() -> None:
    # Two round trips of 1 s: the question whether to move y at 11.25 s, and y itself, which is at b a second later.
    world = worlds.scenario(
        worlds.network(Machine("a"), Machine("b", 0.5), latency_s=0.5),
        worlds.graph({"x": 4.0, "y": 4.0}, {}),
        durations=taking(x=10.0),
        handoff=Handoff(0.0, free=False),
    )

    times = worlds.times(worlds.run(world, hinted(Adaptation(copies=False))))

    assert times["y"] == (11.25 + 1.0 + 0.5, 11.25 + 1.5 + 8.0)


@settings(max_examples=25, deadline=None)
@given(
    scenarios(),
    st.sampled_from([Adaptation(), Adaptation(candidates=4), Adaptation(asks=False), PLAN_ONLY]),
    st.integers(0, 3),
)
def test_every_job_gets_done_however_plans_are_adapted(scenario: Scenario, how: Adaptation, seed: int) -> None:
    result = simulate(scenario, hinted(how), seed, trace=True)

    validate(result)
    assert result.complete
