"""Decisions: kept with their numbers, but not for ever."""

from dataclasses import replace

import pytest

from pnode.protocol.decisions import SCORES_MAX, Decisions
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Choice, Score

from .ledgers import JOB, NODES
from .partners import START, Circle, spec, task


def score(number: int) -> Score:
    return Score(NodeId(bytes([number]) * 32), float(number), 0.0, 0.0, 0.0)


def test_a_decision_keeps_its_best_candidates_and_counts_all() -> None:
    decisions = Decisions()
    ranking = tuple(score(number) for number in range(SCORES_MAX + 5))

    decisions.note(JOB, (0, 0), 1, 5.0, Choice(ranking), [(NODES[1], "it declined")])

    kept = decisions.of(JOB, (0, 0), 1)
    assert kept is not None
    assert (kept.scores, kept.candidates) == (ranking[:SCORES_MAX], len(ranking))
    assert (kept.number, kept.at_s, kept.excluded) == (1, 5.0, ((NODES[1], "it declined"),))
    assert decisions.of(JOB, (0, 0), 2) is None


def test_the_oldest_decision_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.decisions.DECISIONS_MAX", 2)
    decisions = Decisions()
    for number in (1, 2):
        decisions.note(JOB, (number, 0), 1, 0.0, Choice(()), ())
    decisions.note(JOB, (1, 0), 1, 9.0, Choice(()), ())  # made anew, so the younger one

    decisions.note(JOB, (3, 0), 1, 0.0, Choice(()), ())

    assert decisions.of(JOB, (2, 0), 1) is None
    assert decisions.of(JOB, (1, 0), 1) is not None
    assert decisions.of(JOB, (3, 0), 1) is not None


def test_whoever_decides_keeps_the_numbers_and_nobody_else() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("first", "bob")
    circle.prefer("last", "ann")
    job = circle.submit("ann", spec(task("first", "last"), task("last")))

    known = {
        (name, key): circle[name].jobs.desk.decisions.of(job, key, 1)
        for name in ("ann", "bob")
        for key in ((0, 0), (1, 0))
    }

    assert [each for each, decision in known.items() if decision is not None] == [("ann", (0, 0)), ("bob", (1, 0))]
    first = known["ann", (0, 0)]
    assert first is not None
    assert [each.node for each in first.scores] == [circle.id_of("bob"), circle.id_of("ann")]
    assert first.at_s == START


def test_a_second_choice_knows_who_was_left_out_and_why() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob", "cid")
    bob = circle["bob"].jobs.desk
    bob.place = replace(bob.place, computes=False)

    job = circle.submit("ann", spec(task("only")))

    second = circle["ann"].jobs.desk.decisions.of(job, (0, 0), 2)
    assert second is not None
    assert second.excluded == ((circle.id_of("bob"), "bob declined: it does not compute"),)


def test_that_there_was_nobody_is_a_decision_too() -> None:
    circle = Circle("ann", memory_bytes=0)
    circle["ann"].near.gone.append(circle.id_of("ann"))

    job = circle.submit("ann", spec(task("only")))

    decision = circle["ann"].jobs.desk.decisions.of(job, (0, 0), 1)
    assert decision is not None
    assert (decision.scores, decision.candidates) == ((), 0)
