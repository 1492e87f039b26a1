import math
from random import Random

import pytest

from pnode.mappers.catalogue import by_name
from pnode.mappers.imagine import Placement, UnplaceableError, imagine
from pnode.mappers.wave_classic import WaveGreedyClassic
from pnode.mappers.wave_greedy import WaveGreedy
from pnode.mappers.wave_random import WaveRandom
from pnode.protocol.controller import controllers_of
from pnode.protocol.dag import Dag
from pnode.protocol.view import Link, Planner

from .beliefs import big_dag, letters, node, peer, star, task, view


def where(placed: dict[str, Placement]) -> dict[str, str]:
    return {name: letters([one.node]) for name, one in placed.items()}


def test_every_task_is_placed_once_and_after_its_parents() -> None:
    placed = imagine(big_dag(), view("A", [peer("A"), peer("B")]), WaveRandom(), Random(3))

    turns = {name: turn for turn, name in enumerate(placed)}
    assert sorted(placed) == sorted(big_dag().by_name)
    assert all(turns[parent] < turns[name] for name in placed for parent in big_dag().parents[name])


def test_the_asker_decides_the_entries_and_the_holder_of_the_controlling_parent_all_others() -> None:
    controllers = controllers_of(big_dag())

    placed = imagine(big_dag(), view("C", [peer("A"), peer("B"), peer("C")]), WaveRandom(), Random(3))

    assert placed["task0"].decider == node("C")
    assert len({one.decider for one in placed.values()}) > 1
    assert all(placed[name].decider == placed[parent].node for name, parent in controllers.items())


def test_another_relation_of_control_may_be_given() -> None:
    dag = Dag((task("left", "end", hint=("A",)), task("right", "end", hint=("B",)), task("end")))

    placed = imagine(dag, view("A", [peer("A"), peer("B")]), WaveGreedy(), Random(0), controllers={"end": "right"})

    assert placed["end"].decider == node("B")


def test_urgent_tasks_are_decided_first_and_get_the_better_node() -> None:
    dag = Dag((task("root", "short", "long"), task("short"), task("long")))
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], run_s={"root": 1.0, "short": 4.0, "long": 9.0})

    placed = imagine(dag, beliefs, WaveGreedy(), Random(0))

    assert list(placed) == ["root", "long", "short"]
    assert where(placed) == {"root": "B", "long": "B", "short": "A"}


def test_a_task_starts_when_its_inputs_are_there_and_a_core_is_free() -> None:
    dag = Dag((task("a", "b", output_bytes=2_000_000, hint=("A",)), task("b", hint=("B",))))
    slow = {"AB": Link(0.5, 1e6, 1.0)}

    placed = imagine(dag, view("A", [peer("A"), peer("B", free_in_s=9.0)], links=slow), WaveGreedy(), Random(0))
    sooner = imagine(dag, view("A", [peer("A"), peer("B")], links=slow), WaveGreedy(), Random(0))

    assert (placed["b"].start_s, placed["b"].finish_s) == (9.0, 10.0)
    assert (sooner["b"].start_s, sooner["b"].finish_s) == (3.5, 4.5)


def test_a_node_runs_as_many_tasks_at_once_as_it_has_cores() -> None:
    dag = Dag(tuple(task(name) for name in "vwxyz"))

    placed = imagine(dag, view("A", [peer("A", cores=2)]), WaveGreedy(), Random(0))

    assert [one.start_s for one in placed.values()] == [0.0, 0.0, 1.0, 1.0, 2.0]


def test_a_task_of_several_cores_waits_until_they_are_all_free() -> None:
    dag = Dag((task("small", "wide", cores=1), task("other", cores=1), task("wide", cores=2), task("huge", cores=9)))
    beliefs = view("A", [peer("A", cores=2)], run_s={"small": 1.0, "other": 3.0, "wide": 1.0, "huge": 0.5})

    placed = imagine(dag, beliefs, WaveGreedy(), Random(0))

    assert placed["wide"].start_s == 3.0
    assert placed["huge"].start_s >= 3.0


def test_a_stream_occupies_nodes_as_long_as_all_its_items_take() -> None:
    dag = Dag((task("a", "b", output_bytes=1_000_000, hint=("A",)), task("b", hint=("B",))))
    slow = {"AB": Link(0.0, 1e6, 1.0)}

    placed = imagine(dag, view("A", [peer("A"), peer("B")], links=slow), WaveGreedy(), Random(0), items=10)

    assert (placed["a"].finish_s, placed["b"].start_s, placed["b"].finish_s) == (10.0, 20.0, 30.0)


def test_the_jobs_own_input_travels_from_the_asker() -> None:
    beliefs = view("A", [peer("B")], links={"AB": Link(0.0, 1e6, 1.0)})

    placed = imagine(star(0), beliefs, WaveGreedy(), Random(0), items=2, input_bytes=1e6)

    assert placed["root"].start_s == 2.0


def test_a_node_of_which_nothing_is_known_is_not_filled_without_end() -> None:
    placed = imagine(star(40), view("A", [peer("A"), peer("B", age_s=math.inf)]), WaveGreedy(), Random(0))

    assert letters([one.node for one in placed.values()]).count("B") in range(19, 23)


def test_the_first_choice_is_what_the_mapper_would_choose_now() -> None:
    beliefs = view("A", [peer("A", free_in_s=3.0), peer("B", free_in_s=9.0, age_s=10.0), peer("C", age_s=99.0)])

    placed = imagine(star(0), beliefs, WaveGreedy(), Random(0))

    queues = {letters([score.node]): score.queue_s for score in placed["root"].choice.ranking}
    trusted = (30.0 - 10.0) / 27.0
    usual = (3.0 + trusted * 9.0) / (1.0 + trusted)
    assert queues == pytest.approx({"A": 3.0, "B": trusted * 9.0 + (1 - trusted) * usual, "C": usual})


def test_a_plan_is_made_first_and_kept_by_all_deciders() -> None:
    dag = Dag((task("root", "left", "right"), task("left"), task("right")))
    beliefs = view("A", [peer("A"), peer("B", speed=3.0), peer("C", speed=2.0)])
    planner = by_name("wave-hint")
    assert isinstance(planner, Planner)

    placed = imagine(dag, beliefs, planner, Random(0))

    planned = planner.plan(dag, beliefs, Random(0))
    assert {name: (one.node, one.start_s, one.finish_s) for name, one in placed.items()} == {
        name: (one.node, one.start_s, one.finish_s) for name, one in planned.items()
    }


def test_deciders_see_what_was_placed_before_as_bound() -> None:
    """Of two equal tasks the second would go to the same node if the first were not known to be there."""
    dag = Dag((task("root", "left", "right"), task("left"), task("right")))

    placed = imagine(dag, view("A", [peer("A"), peer("B")]), by_name("wave-plan"), Random(0))

    assert placed["left"].node != placed["right"].node


def test_the_classic_rule_knows_whom_each_decider_has_used() -> None:
    peers = [peer("A", cpu=3.0), peer("B", cpu=2.0), peer("C", cpu=1.0)]

    placed = imagine(star(3), view("A", peers), WaveGreedyClassic(), Random(0))

    assert where(placed) == {"root": "C", "leaf00": "B", "leaf01": "A", "leaf02": "B"}


def test_nobody_to_place_a_task_on_is_an_error_that_names_both() -> None:
    with pytest.raises(UnplaceableError, match="wave-greedy finds no node for task 'root' among 0 peers"):
        imagine(star(0), view("A", []), WaveGreedy(), Random(0))
