"""Attempts, keepers, and where what they have can be had."""

import io
from dataclasses import replace

import pytest

from pnode.node.api import AttemptStatus, JobState, KeeperStatus, UnitStatus
from pnode.node.attempts import attempts_at
from pnode.node.jobtext import keepers_text, origin_text, write_attempts
from pnode.node.keepers import holders_of, keepers_of, why_nowhere
from pnode.protocol.attempts import outputs_mark
from pnode.protocol.ids import digest_of
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef
from pnode.protocol.ledger import StatementKind
from pnode.protocol.statements import Cause

from ..protocol.ledgers import NODES, outcome, statement
from .fake_node import DONE, ENDED, JOB, NOON
from .test_reports import Names, finish, job

K = StatementKind
UNIT = (1, 0)
"""A unit whose outputs are results of the job."""


def assigned(made: Job, number: int, node: int, why: str = "") -> None:
    made.state.note(NODES[0], statement(K.ASSIGNED, UNIT, attempt=number, at_s=number, node=NODES[node], text=why))


def happened(made: Job, kind: StatementKind, number: int, node: int, text: str = "") -> None:
    said = statement(kind, UNIT, attempt=number, at_s=10.0 * number, text=text)
    made.state.note(NODES[node], replace(said, outcome=outcome()) if kind in (K.FINISHED, K.FAILED) else said)


def seen(made: Job, *gone: int) -> list[tuple[str, bool, str, str]]:
    """(state, whether it counts, why it was made, how it ended) of each attempt."""
    names = Names(*(NODES[node] for node in gone))
    found = attempts_at(made.state.unit(UNIT), made, names)  # type: ignore[arg-type]
    return [(each.state, each.counts, each.why, each.end) for each in found]


def test_an_attempt_that_never_ended_is_lost_with_its_node_and_dropped_with_its_job() -> None:
    made = job()
    assigned(made, 1, 1)
    happened(made, K.STARTED, 1, 1)
    assigned(made, 2, 2, "beta is gone")

    assert seen(made) == [("running", False, "", ""), ("assigned", False, "beta is gone", "")]
    assert seen(made, 1)[0] == ("lost", False, "", "beta is gone")
    made.state.note(NODES[0], statement(K.CANCELLED, attempt=0))
    assert [(state, end) for state, _, _, end in seen(made)] == [("dropped", "the job is over")] * 2
    assert seen(made, 1)[0] == ("lost", False, "", "beta is gone")


def test_an_attempt_was_lost_though_its_node_is_back() -> None:
    made = job()
    assigned(made, 1, 1)
    happened(made, K.STARTED, 1, 1)
    again = statement(K.ASSIGNED, UNIT, attempt=2, at_s=2, node=NODES[2], text="beta is gone", cause=Cause.RAN)
    made.state.note(NODES[0], again)
    made.state.note(NODES[0], statement(K.CANCELLED, attempt=0, at_s=5.0))
    told = [("lost", "beta is gone"), ("dropped", "the job is over")]

    assert [(state, end) for state, _, _, end in seen(made)] == told
    happened(made, K.DROPPED, 1, 1, "the job is over")
    assert [(state, end) for state, _, _, end in seen(made)] == told


def test_an_attempt_that_was_the_last_to_be_lost_stays_so_when_its_node_drops_it() -> None:
    made = job()
    assigned(made, 1, 1)
    happened(made, K.STARTED, 1, 1)
    made.state.note(NODES[0], statement(K.ABANDONED, UNIT, at_s=5.0, node=NODES[1], text="lost with beta"))
    made.state.note(NODES[0], statement(K.CANCELLED, attempt=0, at_s=6.0))

    assert seen(made)[0] == ("lost", False, "", "lost with beta")
    happened(made, K.DROPPED, 1, 1, "the job is over")
    assert seen(made)[0] == ("lost", False, "", "lost with beta")


def test_of_two_results_one_counts_and_the_other_says_which() -> None:
    made = job()
    assigned(made, 1, 1)
    assigned(made, 2, 2, "beta is gone")
    happened(made, K.FINISHED, 2, 2)
    happened(made, K.FINISHED, 1, 1)

    assert seen(made) == [
        ("finished", False, "", "not needed, since the result of attempt 2 counts"),
        ("finished", True, "beta is gone", ""),
    ]


def test_a_result_whose_parent_came_out_differently_when_it_was_made_anew_does_not_count() -> None:
    made = job()
    outputs = {name: (FileRef(name, 1, digest_of(name.encode())),) for name in ("before", "after")}

    def first_finished(number: int, name: str) -> None:
        said = statement(K.FINISHED, (0, 0), attempt=number, outcome=outcome(1.0, *outputs[name]))
        made.state.note(NODES[1], said)

    first_finished(1, "before")
    assigned(made, 1, 2)
    used = (outputs_mark(outputs["before"]),)
    made.state.note(NODES[2], statement(K.FINISHED, UNIT, outcome=replace(outcome(), used=used)))
    assert seen(made)[0][:2] == ("finished", True)

    made.state.note(NODES[0], statement(K.LOST, (0, 0), node=NODES[1], text="beta is gone"))
    first_finished(2, "after")

    assert seen(made) == [
        ("finished", False, "", "not accepted: it was computed from results that were not accepted")
    ]


def test_how_an_attempt_came_to_nothing_is_told_in_its_nodes_words() -> None:
    made = job()
    assigned(made, 1, 1)
    happened(made, K.DECLINED, 1, 1, "its queue is full")
    assigned(made, 2, 2, "beta declined it: its queue is full")
    happened(made, K.FAILED, 2, 2, "exit status 1")
    assigned(made, 3, 3, "gamma failed it: exit status 1; retry 1 of 2")
    happened(made, K.DROPPED, 3, 3, "attempt 4 has superseded it")

    assert [(state, end) for state, _, _, end in seen(made)] == [
        ("declined", "its queue is full"),
        ("failed", "exit status 1"),
        ("dropped", "attempt 4 has superseded it"),
    ]


def test_a_result_that_cannot_be_had_is_lost_though_its_node_is_there() -> None:
    made = job()
    assigned(made, 1, 1)
    happened(made, K.FINISHED, 1, 1)
    said = statement(K.LOST, UNIT, text="its output x could not be fetched from beta: it does not have it")
    made.state.note(NODES[0], replace(said, node=NODES[1]))

    [(state, _, _, end)] = seen(made)

    assert (state, end) == ("lost", "its output x could not be fetched from beta: it does not have it")


def test_keepers_are_told_with_what_they_have() -> None:
    made = job()
    finish(made, UNIT, 3, "out")
    made.state.note(NODES[1], statement(K.GUARDED, attempt=0))
    made.state.note(NODES[1], replace(statement(K.KEPT, UNIT), node=NODES[3]))
    made.replicas = (NODES[0], NODES[1], NODES[2])

    assert keepers_of(made, Names()) == (  # type: ignore[arg-type]
        KeeperStatus("alpha", True, True, 0),
        KeeperStatus("beta", False, True, 1),
        KeeperStatus("gamma", False, False, 0, "cannot take in it"),
    )


def test_results_may_come_from_whoever_made_or_keeps_them_and_is_there() -> None:
    made = job()
    finish(made, UNIT, 3, "out")
    made.state.note(NODES[1], replace(statement(K.KEPT, UNIT), node=NODES[3]))
    made.replicas = (NODES[0], NODES[1], NODES[2])
    result = made.state.unit(UNIT).result
    assert result is not None

    assert holders_of(made, result, Names()) == (NODES[3], NODES[1], NODES[0], NODES[2])  # type: ignore[arg-type]
    assert holders_of(made, result, Names(NODES[3], NODES[0])) == (NODES[1], NODES[2])  # type: ignore[arg-type]
    assert why_nowhere(result, Names()) == "delta, beta had it and are gone"  # type: ignore[arg-type]


LOST = AttemptStatus(1, "beta", True, "lost", False, "", "beta is gone", NOON, NOON, None, None)
AGAIN = AttemptStatus(2, "gamma", False, "finished", True, "beta is gone", "", NOON, NOON, NOON, 2.0)


def written(*units: UnitStatus) -> str:
    out = io.StringIO()
    write_attempts(replace(ENDED, units=units), out)
    return out.getvalue()


def test_every_attempt_is_told_where_there_were_several() -> None:
    assert written(replace(DONE, attempts=(LOST, AGAIN))) == (
        "split, attempt 1 on beta: lost: beta is gone; started 12:00:00Z\n"
        "split, attempt 2 on gamma (since beta is gone): finished, accepted; started 12:00:00Z, ran 2.00 s\n"
    )


def test_of_an_attempt_that_went_well_at_once_its_row_tells_all() -> None:
    first = replace(AGAIN, attempt=1, why="")

    assert written(replace(DONE, attempts=(first,)), replace(DONE, attempts=())) == ""
    assert written(replace(DONE, attempts=(replace(first, state="running", counts=False),))) == ""


def test_thousands_of_attempts_are_not_all_told() -> None:
    lines = written(*[replace(DONE, attempts=(LOST, AGAIN))] * 150).splitlines()

    assert len(lines) == 201
    assert lines[-1] == "and 100 more attempts: --json has them all"


@pytest.mark.parametrize(
    ("keepers", "state", "text"),
    [
        ((), "running", "kept by nobody who is there"),
        ((KeeperStatus("a", True, True, 0), KeeperStatus("b", False, False, 0)), "running",
         "kept by a (origin), b (is getting it)"),
        ((KeeperStatus("a", False, False, 0, "cannot take in x: full"),), "running",
         "kept by a (is getting it, cannot take in x: full)"),
        ((KeeperStatus("a", False, True, 1), KeeperStatus("b", False, False, 0)), "done",
         "kept by a, b (is getting it, has 0 of 1 result)"),
    ],
)  # fmt: skip
def test_who_keeps_a_job_is_one_line(keepers: tuple[KeeperStatus, ...], state: JobState, text: str) -> None:
    assert keepers_text(replace(JOB, keepers=keepers, state=state)) == text


def test_an_origin_that_is_gone_is_said_to_be() -> None:
    assert (origin_text(JOB), origin_text(replace(JOB, origin_gone=True))) == ("alpha", "alpha (gone)")
