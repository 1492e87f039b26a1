from pnode.mappers.urgency import KEPT_MAX, Urgencies
from pnode.protocol.dag import Dag
from pnode.protocol.view import Planned

from .beliefs import big_dag, node, star, task

EQUAL = dict.fromkeys(big_dag().by_name, 5.0)


def test_the_highest_rank_goes_first_and_of_equal_ones_the_parent() -> None:
    urgency = Urgencies().by_rank(big_dag(), EQUAL | {"task8": 6.0, "task0": 1.0})

    assert list(urgency.before("task2", 10)) == ["task8", "task1"]
    assert list(urgency.after("task6", 10)) == ["task7", "task9", "task0"]


def test_the_earliest_planned_start_goes_first() -> None:
    dag = Dag((task("a"), task("b"), task("c")))
    plan = {name: Planned(node("A"), start_s, 9.0) for name, start_s in (("a", 2.0), ("b", 2.0), ("c", 1.0))}

    assert list(Urgencies().by_start(dag, plan).before("b", 10)) == ["c", "a"]


def test_what_is_not_in_the_plan_goes_last() -> None:
    dag = Dag((task("a"), task("b")))

    assert list(Urgencies().by_start(dag, {"b": Planned(node("A"), 9.0, 10.0)}).before("a", 10)) == ["b"]


def test_only_the_nearest_are_given() -> None:
    urgency = Urgencies().by_rank(big_dag(), EQUAL)

    assert list(urgency.before("task5", 2)) == ["task3", "task4"]
    assert list(urgency.after("task5", 2)) == ["task6", "task7"]
    assert list(urgency.before("task0", 2)) == []
    assert list(urgency.after("task9", 2)) == []


def test_the_order_of_a_job_is_worked_out_once() -> None:
    urgencies = Urgencies()
    dag = big_dag()

    assert urgencies.by_rank(dag, EQUAL) is urgencies.by_rank(dag, EQUAL)


def test_other_figures_or_another_graph_make_another_order() -> None:
    urgencies = Urgencies()
    dag = Dag((task("a"), task("b")))
    other = Dag((task("b"), task("a")))
    ranks = {"a": 1.0, "b": 1.0}

    assert list(urgencies.by_rank(dag, ranks).before("b", 1)) == ["a"]
    assert list(urgencies.by_rank(other, ranks).before("b", 1)) == []
    assert list(urgencies.by_rank(dag, ranks | {"b": 2.0}).before("b", 1)) == []


def test_the_orders_of_so_many_jobs_are_kept_and_no_more() -> None:
    urgencies = Urgencies()
    dag = star(2)
    jobs = [dict.fromkeys(dag.by_name, float(number)) for number in range(KEPT_MAX + 1)]
    orders = [urgencies.by_rank(dag, ranks) for ranks in jobs]

    assert urgencies.by_rank(dag, jobs[1]) is orders[1]
    assert urgencies.by_rank(dag, jobs[0]) is not orders[0]
