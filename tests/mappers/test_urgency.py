from pnode.mappers.urgency import KEPT_MAX, Urgencies
from pnode.protocol.dag import Dag

from .beliefs import big_dag, star, task

EQUAL = dict.fromkeys(big_dag().by_name, 5.0)


def test_the_highest_rank_goes_first_and_of_equal_ones_the_parent() -> None:
    urgency = Urgencies().of(big_dag(), EQUAL | {"task8": 6.0, "task0": 1.0})

    assert list(urgency.before("task2", 10)) == ["task8", "task1"]
    assert list(urgency.after("task6", 10)) == ["task7", "task9", "task0"]


def test_only_the_nearest_are_given() -> None:
    urgency = Urgencies().of(big_dag(), EQUAL)

    assert list(urgency.before("task5", 2)) == ["task3", "task4"]
    assert list(urgency.after("task5", 2)) == ["task6", "task7"]
    assert list(urgency.before("task0", 2)) == []
    assert list(urgency.after("task9", 2)) == []


def test_the_order_of_a_job_is_worked_out_once() -> None:
    urgencies = Urgencies()
    dag = big_dag()

    assert urgencies.of(dag, EQUAL) is urgencies.of(dag, EQUAL)


def test_other_figures_or_another_graph_make_another_order() -> None:
    urgencies = Urgencies()
    dag = Dag((task("a"), task("b")))
    other = Dag((task("b"), task("a")))
    ranks = {"a": 1.0, "b": 1.0}

    assert list(urgencies.of(dag, ranks).before("b", 1)) == ["a"]
    assert list(urgencies.of(other, ranks).before("b", 1)) == []
    assert list(urgencies.of(dag, ranks | {"b": 2.0}).before("b", 1)) == []


def test_the_orders_of_so_many_jobs_are_kept_and_no_more() -> None:
    urgencies = Urgencies()
    dag = star(2)
    jobs = [dict.fromkeys(dag.by_name, float(number)) for number in range(KEPT_MAX + 1)]
    orders = [urgencies.of(dag, ranks) for ranks in jobs]

    assert urgencies.of(dag, jobs[1]) is orders[1]
    assert urgencies.of(dag, jobs[0]) is not orders[0]
