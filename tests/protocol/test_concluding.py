"""Concluding: a job is over when every replica has its results, or when those that can have them do."""

import math

from pnode.protocol.concluding import CONCLUDE_S_MAX
from pnode.protocol.dag import Task
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import Phase, UnitKey
from pnode.protocol.ledger import StatementKind

from .ledgers import made, outcome, statement
from .partners import Circle, file, spec, task

OUT = file("only_out")


def done(*names: str, replicas: int = 1) -> Circle:
    """ann has run her own job's only task, which bob guards; nobody gets copies by himself."""
    circle = Circle("ann", "bob", *names, brings=False)
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only"), replicas=replicas))
    circle.end("ann", "only", OUT)
    circle.run(1.0)
    circle.take()
    return circle


FIRST, SECOND, THIRD = file("first"), file("second"), file("third")
"""What left has written of the first result of top, and of the second; and right of the first."""


def begun(*tasks: Task, nonce: bytes) -> Circle:
    """ann has submitted these, which dan is to run."""
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    for each in tasks:
        circle.prefer(each.name, "dan")
    circle.submit_unanswered("ann", spec(*tasks, nonce=nonce, replicas=1))
    return circle


def guard(circle: Circle) -> str:
    return circle.name_of(circle["ann"].job.replicas[1])


def contested(*, told_to: tuple[str, ...]) -> Circle:
    """dan has run two tasks over the results of a third, which he has then made anew, and one of the two once more;
    these hear of that, and have copies of it. ann's job is guarded by bob."""
    graph = (task("top", "left", "right"), task("left"), task("right"))
    nonces = (bytes([number]) * 16 for number in range(256))  # the job's digest says who guards it
    circle = next(each for each in (begun(*graph, nonce=nonce) for nonce in nonces) if guard(each) == "bob")
    circle.end("dan", "top", file("t1"))
    circle.end("dan", "left", FIRST)
    circle.end("dan", "right", THIRD)
    for name in told_to:
        circle.utter("dan", name, made(0, 2, file("t2")), made(1, 2, SECOND, file("t2")))
        circle.bring(name, SECOND)
    circle.run(1.0)
    return circle


def result(circle: Circle, key: UnitKey) -> FileRef | None:
    unit = circle["ann"].job.state.unit(key)
    return None if unit.result is None or unit.result.outcome is None else unit.result.outcome.outputs[0]


def is_over(circle: Circle, name: str = "ann") -> bool:
    return circle[name].job.state.is_over


def test_what_is_done_is_not_over_before_all_replicas_have_copies() -> None:
    circle = done()
    assert circle["ann"].job.state.phase is Phase.DONE
    assert not is_over(circle)

    circle.bring("bob", OUT)
    circle.run(1.0)

    assert is_over(circle)
    assert is_over(circle, "bob")


def test_who_cannot_get_a_copy_is_not_waited_for_for_ever() -> None:
    circle = done()

    circle.run(CONCLUDE_S_MAX - 1.5)
    assert not is_over(circle)
    circle.run(1.0)

    assert is_over(circle)


def test_who_dies_without_a_copy_is_not_waited_for() -> None:
    circle = done()

    circle.kill("bob")

    assert is_over(circle)


def test_a_replica_that_has_come_meanwhile_is_waited_for() -> None:
    circle = done("cid", replicas=1)
    names = [circle.name_of(node) for node in circle["ann"].job.replicas]
    (late,) = (name for name in circle.partners if name not in names)

    circle.kill(names[1])
    assert not is_over(circle)
    circle.bring(late, OUT)
    circle.run(1.0)

    assert is_over(circle)


def test_without_a_living_copy_nothing_is_concluded() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("only", "bob")
    circle.submit_unanswered("ann", spec(task("only"), replicas=1))
    guard = circle.name_of(circle["ann"].job.replicas[1])
    circle.utter(guard, "ann", statement(StatementKind.FINISHED, outcome=outcome(1.0, OUT)))
    circle.utter(guard, "ann", statement(StatementKind.KEPT, node=circle.id_of(guard)))
    circle["ann"].near.gone.append(circle.id_of(guard))  # which nobody has acted upon yet

    circle.run(CONCLUDE_S_MAX + 1.0)

    assert not is_over(circle)
    assert circle.deadline < math.inf


def test_a_job_without_results_is_over_when_it_is_done() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("only", "ann")
    circle.submit("ann", spec(task("only", final=False), replicas=1))

    circle.end("ann", "only")

    assert is_over(circle)


def test_every_result_is_looked_at() -> None:
    circle = Circle("ann", "bob", brings=False)
    for name in ("one", "two"):
        circle.prefer(name, "ann")
    circle.submit("ann", spec(task("one"), task("two"), items=2, replicas=1))
    assert [circle["ann"].job.final(number) for number in range(circle["ann"].job.finals)] == [
        (0, 0), (1, 0), (0, 1), (1, 1),
    ]  # fmt: skip
    for item in (0, 1):
        for name in ("one", "two"):
            circle.end("ann", name, file(f"{name}{item}"), item=item)
    for item in (0, 1):
        for name in ("two", "one"):
            assert not is_over(circle)
            circle.bring("bob", file(f"{name}{item}"))
            circle.run(1.0)

    assert is_over(circle)


def test_nothing_is_concluded_by_whoever_would_have_other_results_count_by_that() -> None:
    circle = contested(told_to=("ann",))
    assert result(circle, (1, 0)) == SECOND
    for content in (FIRST, THIRD):  # bob has not heard of the second
        circle.bring("bob", content)
    circle.run(1.0)
    circle.bring("ann", THIRD)
    circle.run(1.0)
    assert [result(circle, key) for key in ((1, 0), (2, 0))] == [FIRST, THIRD]
    assert circle["ann"].job.state.phase is Phase.DONE

    circle.run(2 * CONCLUDE_S_MAX)
    assert not is_over(circle)
    circle.bring("ann", FIRST)
    circle.run(CONCLUDE_S_MAX)

    assert is_over(circle)
    assert [result(circle, key) for key in ((1, 0), (2, 0))] == [FIRST, THIRD]


def test_a_result_that_counts_by_what_is_said_of_another_task_is_looked_at_again() -> None:
    circle, other = contested(told_to=("ann", "bob")), file("other")
    for name in ("ann", "bob"):
        circle.utter("dan", name, made(2, 2, other, file("t2")), made(2, 3, THIRD, file("t1")))
    circle.bring("bob", other)
    circle.run(1.0)
    assert circle["ann"].job.kept_up_to == 1, "both have copies of the second that left has written"
    dan = circle.id_of("dan")
    kept = [statement(StatementKind.KEPT, unit, attempt, node=dan) for unit, attempt in (((1, 0), 1), ((2, 0), 3))]
    for name in ("ann", "bob"):
        circle.utter("cid", name, *kept)
    assert result(circle, (1, 0)) == FIRST

    for name in ("ann", "bob"):
        circle.bring(name, THIRD)
    circle.run(1.0)
    assert not is_over(circle)
    for name in ("ann", "bob"):
        circle.bring(name, FIRST)
    circle.run(1.0)

    assert is_over(circle)


def test_who_leads_again_counts_copies_anew() -> None:
    """What was made anew meanwhile has not been copied by all for having been once."""
    one, two, anew = file("one_out"), file("two_out"), file("one_new")
    circle = Circle("ann", "bob", "cid", "dan", "eve", brings=False, cores=4)
    circle.prefer("one", "eve")
    circle.prefer("two", "eve")
    circle.submit_unanswered("ann", spec(task("one"), task("two"), replicas=2))
    replicas = [circle.name_of(node) for node in circle["ann"].job.replicas]
    _, second, third = replicas
    circle.end("eve", "one", one)
    circle.end("eve", "two", two)
    for name in replicas:
        circle.bring(name, one)
    circle.bring(second, two)
    circle.run(0.5)
    circle.miss("ann", second)
    circle.run(0.5)
    circle.meet("ann", second)
    circle.run(0.5)
    eve = circle.id_of("eve")
    for name in replicas:
        circle.utter(name, second, statement(StatementKind.LOST, (0, 0), 1, circle.now, node=eve))
    circle.utter("eve", second, statement(StatementKind.FINISHED, (0, 0), 2, circle.now, outcome=outcome(1.0, anew)))
    state = circle[second].job.state
    made_anew, other = state.unit((0, 0)).attempts[(2, eve)], state.unit((1, 0)).result
    assert other is not None
    for key, attempt in (((0, 0), made_anew), ((1, 0), other)):
        kept = statement(StatementKind.KEPT, key, attempt.number, circle.now, node=eve, mark=attempt.mark)
        circle.utter(third, second, kept)
    circle.crash("ann")
    circle.miss("ann")

    assert not state.is_over
