"""Spending: what nobody needs any more is let go, and can be made again."""

from dataclasses import replace

import pytest

from pnode.protocol.ids import digest_of
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef, JobSpec
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Statement, StatementKind
from pnode.protocol.settling import SETTLE_S
from pnode.protocol.spending import LARGE_BYTES, LOOK_S, Spending

from .partners import Circle, spec, task

CHAIN = spec(task("first", "second"), task("second", "third"), task("third", "fourth"), task("fourth"))
FORK = spec(
    task("first", "left", "right"), task("left", "last"), task("right", "last"), task("last", inputs_per_call=2)
)


def large(name: str, content: str = "") -> FileRef:
    return FileRef(name, LARGE_BYTES, digest_of((content or name).encode()))


def circle_for(job: JobSpec, *names: str, **prefer: str) -> Circle:
    """ann's job, and who is to have which task."""
    circle = Circle("ann", *(names or ("bob", "cid", "dan")), cores=2)
    for name, node in prefer.items():
        circle.prefer(name, node)
    circle.submit("ann", job)
    return circle


def end(circle: Circle, name: str, task: str, *outputs: FileRef) -> None:
    """A task ends with a large output, and what follows from that."""
    circle.end(name, task, *(outputs or (large(f"{task}_out"),)))
    circle.run(LOOK_S)


def having(circle: Circle, file: FileRef) -> list[str]:
    return [name for name, partner in circle.partners.items() if file.digest in partner.store]


def finish(circle: Circle) -> bool:
    """Let every run end well, until there is none; whether the job is done by that."""
    circle.run(1.0)
    while running := [
        (each.name, run.unit.task) for each in circle.partners.values() for run in each.running.values()
    ]:
        end(circle, *running[0])
        circle.run(1.0)
    return circle["ann"].job.state.phase is Phase.DONE


def test_what_the_next_but_one_has_begun_without_is_let_go() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")

    end(circle, "bob", "first")
    assert having(circle, large("first_out")) == ["bob", "cid"]
    end(circle, "cid", "second")

    assert having(circle, large("first_out")) == []
    assert having(circle, large("second_out")) == ["bob", "cid"]
    assert finish(circle)


def test_a_chain_takes_the_room_of_a_few_results() -> None:
    names = [f"t{number:02}" for number in range(20)]
    following = [*names[1:], ""]
    job = spec(*(task(name, *([child] if child else [])) for name, child in zip(names, following, strict=True)))
    nodes = dict(zip(names, ["bob", "cid"] * 10, strict=True))
    circle = circle_for(job, **nodes)

    most = 0
    for name in names:
        end(circle, nodes[name], name)
        most = max(most, len(circle["bob"].store), len(circle["cid"].store))

    assert circle["ann"].job.state.phase is Phase.DONE
    assert most <= 4


def test_a_result_that_only_one_node_has_does_not_stand_for_what_it_was_made_of() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="cid")

    end(circle, "bob", "first")
    end(circle, "cid", "second")

    assert having(circle, large("first_out")) == ["bob", "cid"]


def test_what_one_has_begun_with_is_not_safe_for_another() -> None:
    """When the node dies that has made it, the other needs it again, and it needs what it was made of."""
    job = spec(
        task("first", "second"), task("second", "third", "fourth"), task("third"), task("slow", "fourth"),
        task("fourth", inputs_per_call=2),
    )  # fmt: skip
    circle = circle_for(job, first="bob", second="cid", third="dan", slow="ann", fourth="bob")
    end(circle, "bob", "first")
    circle.brings = False
    end(circle, "cid", "second")
    circle.bring("dan", large("second_out"), "cid")
    circle.run(LOOK_S)
    assert ("dan", "third") in [
        (each.name, run.unit.task) for each in circle.partners.values() for run in each.running.values()
    ]

    assert "bob" in having(circle, large("first_out"))


def test_a_result_of_the_job_is_safe_when_two_have_it_whoever_has_begun_with_it() -> None:
    job = replace(
        CHAIN,
        dag=replace(
            CHAIN.dag, tasks=(CHAIN.dag.tasks[0], replace(CHAIN.dag.tasks[1], final=True), *CHAIN.dag.tasks[2:])
        ),
    )
    circle = circle_for(job, first="bob", second="cid", third="bob")
    end(circle, "bob", "first")
    circle.brings = False
    end(circle, "cid", "second")
    circle.bring("bob", large("second_out"), "cid")
    circle.run(LOOK_S)
    assert "bob" in having(circle, large("first_out"))

    circle.bring("ann", large("second_out"), "cid")
    circle.run(LOOK_S)

    assert having(circle, large("first_out")) == []


def test_where_there_is_no_other_node_one_is_enough() -> None:
    circle = circle_for(CHAIN, "bob", first="ann", second="ann", third="ann")
    circle.kill("bob")
    circle.miss("bob")

    end(circle, "ann", "first")
    end(circle, "ann", "second")

    assert having(circle, large("first_out")) == []


def test_what_several_take_is_kept_until_all_are_through() -> None:
    circle = circle_for(FORK, first="bob", left="cid", right="dan", last="bob")

    end(circle, "bob", "first")
    end(circle, "cid", "left", FileRef("left_out", 5, digest_of(b"left")))
    assert having(circle, large("first_out")) == ["bob", "cid", "dan"]
    end(circle, "dan", "right", FileRef("right_out", 5, digest_of(b"right")))

    assert having(circle, large("first_out")) == []


def test_what_the_job_is_for_stays() -> None:
    job = replace(
        CHAIN, dag=replace(CHAIN.dag, tasks=(replace(CHAIN.dag.tasks[0], final=True), *CHAIN.dag.tasks[1:]))
    )
    circle = circle_for(job, first="bob", second="cid", third="bob", fourth="cid")

    assert finish(circle)
    assert "ann" in having(circle, large("first_out"))
    assert "ann" in having(circle, large("fourth_out"))


def test_nobody_can_say_that_what_the_job_is_for_is_spent() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")
    assert finish(circle)
    ann, last = circle["ann"], (3, 0)
    (attempt,) = ann.job.state.unit(last).attempts.values()

    lie = Statement(StatementKind.SPENT, *last, attempt.number, circle.now, attempt.node)
    circle.utter("bob", "ann", lie)

    assert ann.jobs.desk.has(ann.job, last, attempt)


def test_short_results_are_not_worth_a_word() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")

    circle.end("bob", "first")
    circle.run(LOOK_S)
    end(circle, "cid", "second")

    assert not [line for line in circle.take() if "SPENT first" in line]


@pytest.mark.parametrize("dead", [("bob",), ("cid",)])
def test_one_death_costs_no_more_than_what_ran_there(dead: tuple[str, ...]) -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")
    end(circle, "bob", "first")
    end(circle, "cid", "second")
    circle.take()

    for name in dead:
        circle.kill(name)

    placed = [line for line in circle.placed() if "first" in line or "second" in line]
    assert placed == []
    assert finish(circle)


def test_when_all_who_have_what_it_stood_for_die_it_is_made_again() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")
    end(circle, "bob", "first")
    end(circle, "cid", "second")
    circle.kill("cid")  # the other one goes on
    circle.take()

    circle.kill("bob")

    assert finish(circle)
    attempts = circle["ann"].job.state.unit((0, 0)).attempts.values()
    assert [(each.number, each.why) for each in attempts] == [(1, ""), (2, "bob is gone")]


def test_it_is_said_why_it_is_made_again_though_its_node_is_there() -> None:
    circle = circle_for(CHAIN, first="dan", second="cid", third="bob", fourth="cid")
    end(circle, "dan", "first")
    end(circle, "cid", "second")
    circle.kill("cid")

    circle.kill("bob")

    assert finish(circle)
    unit = circle["ann"].job.state.unit((0, 0))
    assert [each.why for each in unit.attempts.values()] == [
        "",
        "dan has let go what it wrote, which nobody needed then",
    ]


def test_content_that_something_else_has_written_too_is_kept() -> None:
    """Another unit's output is the same, and is needed."""
    job = spec(
        task("first", "second"), task("second", "third"), task("third", "fourth"), task("fourth"),
        task("copy", "late"), task("late"),
    )  # fmt: skip
    circle = circle_for(job, first="bob", second="cid", third="bob", copy="bob", late="dan")
    circle.brings = False
    circle.end("bob", "copy", large("copy_out", "same"))
    circle.brings = True

    end(circle, "bob", "first", large("first_out", "same"))
    circle.bring("cid", large("first_out", "same"), "bob")
    end(circle, "cid", "second")

    assert "bob" in having(circle, large("first_out", "same"))


def test_what_another_job_waits_with_for_a_core_is_kept() -> None:
    """Both had waited for it when it came, for the sake of one of them."""
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    for name, node in {"a1": "cid", "a2": "bob", "a3": "dan", "b1": "ann", "b2": "bob"}.items():
        circle.prefer(name, node)
    circle.submit("ann", spec(task("a1", "a2"), task("a2", "a3"), task("a3", "a4"), task("a4")))
    circle.submit("ann", spec(task("b1", "b2"), task("b2"), nonce=b"m" * 16))
    same = large("same")
    circle.end("cid", "a1", same)
    circle.end("ann", "b1", same)
    circle.bring("bob", same, "cid")
    assert [run.unit.task for run in circle["bob"].running.values()] == ["a2"]

    end(circle, "bob", "a2")
    circle.bring("dan", large("a2_out"), "bob")
    circle.run(LOOK_S)

    assert "SPENT a1" in " ".join(circle.take())
    assert [run.unit.task for run in circle["bob"].running.values()] == ["b2"]
    assert "bob" in having(circle, same)


def test_what_has_come_out_otherwise_is_kept() -> None:
    """Whoever leads had not heard of it when it said that the other is spent."""
    circle = circle_for(CHAIN, first="cid", second="bob", third="cid")
    other = large("other")
    end(circle, "cid", "first")
    circle.deaf = [("cid", "ann"), ("ann", "cid")]
    (attempt,) = circle["cid"].job.state.unit((0, 0)).attempts.values()
    assert attempt.outcome is not None
    made = Statement(StatementKind.FINISHED, 0, 0, 1, circle.now, outcome=replace(attempt.outcome, outputs=(other,)))
    circle["cid"].store[other.digest] = None
    circle.utter("ann", "cid", made)  # ann's number sorts before cid's

    spent = Statement(StatementKind.SPENT, 0, 0, 1, circle.now, attempt.node)
    circle.utter("bob", "cid", spent)

    assert circle["cid"].job.state.unit((0, 0)).equals == [attempt]
    assert "cid" in having(circle, other)


@pytest.mark.parametrize("restarts", [False, True])
def test_content_that_is_a_settled_result_too_is_kept(monkeypatch: pytest.MonkeyPatch, restarts: bool) -> None:
    """Also after a restart, when no more is remembered of that than that it is settled."""
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 2)
    circle = Circle("ann", "bob", "cid", cores=2)
    for name, node in {"first": "bob", "second": "cid", "third": "bob"}.items():
        circle.prefer(name, node)
    circle.submit("ann", spec(task("first", "second"), task("second", "third"), task("third"), items=2))
    same = large("same")
    for node, name in (("bob", "first"), ("cid", "second")):
        end(circle, node, name, FileRef(name, 5, digest_of(name.encode())))
    end(circle, "bob", "third", same)
    circle.run(2 * SETTLE_S)
    assert list(circle["ann"].job.state.settlement) == [0]
    if restarts:
        circle.crash("ann")
        circle.restart("ann")
        circle.meet("bob", "ann")
        circle.meet("cid", "ann")

    circle.end("bob", "first", same, item=1)
    circle.end("cid", "second", large("second_out"), item=1)
    circle.run(LOOK_S)

    assert "SPENT first" in " ".join(circle.take())
    assert "ann" in having(circle, same)


def test_content_that_came_with_the_job_is_kept() -> None:
    given = large("input")
    circle = circle_for(
        replace(CHAIN, items=(replace(CHAIN.items[0], files=(given,)),)), first="bob", second="cid", third="bob"
    )

    end(circle, "bob", "first", large("first_out", "input"))
    end(circle, "cid", "second")

    assert "SPENT" in " ".join(circle.take())
    assert "ann" in having(circle, given)
    assert "bob" in having(circle, given)


def test_when_a_job_is_over_only_its_results_are_left() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="cid", fourth="bob")

    assert finish(circle)

    assert [having(circle, large(f"{name}_out")) for name in ("first", "second", "third")] == [[], [], []]
    assert "ann" in having(circle, large("fourth_out"))


def test_who_leads_after_a_restart_says_what_was_left_unsaid() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")
    circle.end("bob", "first", large("first_out"))
    circle.end("cid", "second", large("second_out"))
    assert having(circle, large("first_out")) == ["bob", "cid"]

    circle.crash("ann")
    circle.restart("ann")
    for name in ("bob", "cid", "dan"):
        circle.meet(name, "ann")
    circle.run(LOOK_S + 1.0)

    assert having(circle, large("first_out")) == []
    assert finish(circle)


def test_what_is_spent_is_not_sought_after_a_failure_of_the_machine() -> None:
    circle = circle_for(CHAIN, first="bob", second="cid", third="bob", fourth="cid")
    end(circle, "bob", "first")
    end(circle, "cid", "second")
    circle.crash("bob")
    circle.restart("bob")
    circle.meet("bob")
    circle.take()

    circle.run(30.0)

    assert not [line for line in circle.take() if "first_out" in line]
    assert StatementKind.LOST.name + " first" not in " ".join(circle.take())


def test_each_unit_is_looked_at_once_however_many_it_takes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    job = spec(
        *(task(f"a{number}", "b0", "b1") for number in range(3)),
        *(task(f"b{number}", "c", inputs_per_call=3) for number in range(2)),
        task("c", inputs_per_call=2),
    )
    looked: list[tuple[int, int]] = []
    is_safe = Spending._is_safe

    def noting(spending: Spending, job: Job, key: tuple[int, int]) -> bool:
        looked.append(key)
        return is_safe(spending, job, key)

    circle = circle_for(job, a0="bob", a1="bob", a2="cid", b0="cid", b1="dan", c="bob")
    for name, node in {"a0": "bob", "a1": "bob", "a2": "cid", "b0": "cid"}.items():
        end(circle, node, name)
    monkeypatch.setattr(Spending, "_is_safe", noting)
    end(circle, "dan", "b1")

    assert [having(circle, large(f"a{number}_out")) for number in range(3)] == [[], [], []]
    assert len(looked) == len(dict.fromkeys(looked))
