"""Job state: a pure function of the set of statements."""

import random
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.attempts import ENDED, LADDER, LIFE, PROVES, VOID
from pnode.protocol.codec import decode, encode
from pnode.protocol.ids import NodeId
from pnode.protocol.jobstate import ABOUT_THE_JOB, Attempt, JobState, Phase, UnitState, superseding, why_failed
from pnode.protocol.ledger import Ledger, Statement, StatementKind, fitting

from .ledgers import CLUSTER, CRYPTO, JOB, NODES, SEEDS, job_spec, outcome, statement, when

K = StatementKind
Told = tuple[NodeId, Statement]


def state_of(*told: Told, items: int = 1) -> JobState:
    state = JobState(job_spec(items=items), NODES[0])
    for author, said in told:
        if state.fits(said):
            state.note(author, said, when(said))
    return state


def assigned(node: int, unit: tuple[int, int] = (0, 0), attempt: int = 1, author: int = 0, at_s: float = 1.0) -> Told:
    return NODES[author], statement(K.ASSIGNED, unit, attempt, at_s, node=NODES[node])


def told(
    author: int, kind: StatementKind, unit: tuple[int, int] = (0, 0), attempt: int = 1, at_s: float = 1.0
) -> Told:
    return NODES[author], statement(kind, unit, attempt, at_s)


def kept(node: int, unit: tuple[int, int], attempt: int = 1, author: int = 0) -> Told:
    return NODES[author], statement(K.KEPT, unit, attempt, node=NODES[node])


def picture(state: JobState) -> object:
    """Everything that is derived, for comparison."""

    def one(attempt: Attempt | None) -> object:
        return None if attempt is None else attempt.key

    units = {
        key: ({k: asdict(a) for k, a in unit.attempts.items()}, one(unit.current), one(unit.result))
        for key, unit in sorted(state.units.items())
    }
    failures = [key for key, _ in state.failures()]
    complete = [key for key in sorted(state.units) if state.is_complete(key)]
    places = {node: sorted(keys) for node, keys in state.places.items()}
    return (
        units,
        state.phase,
        state.is_over,
        state.results,
        complete,
        failures,
        places,
        state.cancelled,
        state.conclusion,
        state.pulled_s,
        sorted(state.guards),
        state.ended_s,
    )


def test_the_end_of_a_run_of_which_nothing_was_said_tells_when_it_started() -> None:
    ended = replace(statement(K.FINISHED, at_s=10.0), outcome=outcome(seconds=3.0), queue_s=2.0)
    started = replace(statement(K.STARTED, at_s=6.5), queue_s=0.5)
    ways = [(ended,), (ended, started), (started, ended)]

    attempts = [state_of(*((NODES[1], said) for said in way)).unit((0, 0)).attempts[(1, NODES[1])] for way in ways]

    assert [(each.ready_s, each.started_s, each.ended_s) for each in attempts] == [
        (5.0, 7.0, 10.0),
        (5.0, 6.5, 10.0),
        (5.0, 6.5, 10.0),
    ]


def test_an_end_that_does_not_say_for_how_long_it_waited_tells_nothing_of_its_start() -> None:
    ended = replace(statement(K.FINISHED, at_s=10.0), outcome=outcome(seconds=3.0))

    attempt = state_of((NODES[1], ended)).unit((0, 0)).attempts[(1, NODES[1])]

    assert (attempt.ready_s, attempt.started_s) == (None, None)


def test_the_life_of_an_attempt_as_a_table() -> None:
    assert set(LADDER) == set(LIFE)
    for phase, row in LIFE.items():
        for kind, following in row.items():
            assert PROVES[kind] == following
            assert LADDER[following] > LADDER[phase]
    assert {"declined", "dropped", "failed", "finished"} == ENDED
    assert VOID < ENDED


@pytest.mark.parametrize("phase", LIFE)
@pytest.mark.parametrize("kind", [kind for kind in K if kind in PROVES])
def test_an_attempt_only_ever_climbs(phase: str, kind: StatementKind) -> None:
    path = {
        "assigned": [], "accepted": [K.ACCEPTED], "started": [K.ACCEPTED, K.STARTED], "declined": [K.DECLINED],
        "dropped": [K.DROPPED], "failed": [K.FAILED], "finished": [K.FINISHED],
    }[phase]  # fmt: skip
    state = state_of(assigned(1), *(told(1, step) for step in path), told(1, kind))
    current = state.unit((0, 0)).current
    assert current is not None

    assert current.phase == max(phase, PROVES[kind], key=LADDER.__getitem__)


def test_nothing_is_known_of_a_job_without_statements() -> None:
    state = state_of()

    assert state.phase is Phase.RUNNING
    assert state.ended_s is None
    assert state.unit((0, 0)) == UnitState()


FINISHED = (
    assigned(1), told(1, K.FINISHED, at_s=2.0), assigned(2, (1, 0)), told(2, K.FINISHED, (1, 0), at_s=5.0),
)  # fmt: skip


def test_a_job_is_done_when_every_unit_has_a_result_and_what_it_is_for_is_kept() -> None:
    assert state_of(*FINISHED).phase is Phase.RUNNING
    state = state_of(*FINISHED, kept(2, (1, 0)))

    assert state.phase is Phase.DONE
    assert not state.is_over
    assert state.results == state.size == 2
    assert state.ended_s == 5.0


def test_the_latest_results_come_first() -> None:
    again = told(1, K.FINISHED)  # whoever has heard of it knows nothing new

    assert list(state_of(*FINISHED, again).latest_results()) == [(1, 0), (0, 0)]
    assert list(state_of(*FINISHED[2:], *FINISHED[:2]).latest_results()) == [(0, 0), (1, 0)]


def test_a_copy_of_an_attempt_that_has_no_result_completes_nothing() -> None:
    state = state_of(*FINISHED[:3], kept(2, (1, 0)))

    assert not state.is_complete((1, 0))
    assert state_of(*FINISHED, kept(3, (1, 0))).phase is Phase.RUNNING


def test_the_result_that_is_kept_comes_before_later_ones() -> None:
    later = (assigned(3, (1, 0), 2), told(3, K.FINISHED, (1, 0), 2))

    assert state_of(*FINISHED, *later).unit((1, 0)).result.node == NODES[3]  # type: ignore[union-attr]
    assert state_of(*FINISHED, *later, kept(2, (1, 0))).unit((1, 0)).result.node == NODES[2]  # type: ignore[union-attr]


def test_a_job_is_over_for_whoever_hears_that_it_is() -> None:
    state = state_of((NODES[0], statement(K.CONCLUDED, attempt=0)))

    assert state.is_over
    assert state.phase is Phase.RUNNING


def test_the_earliest_word_that_a_job_is_over_counts() -> None:
    state = state_of(
        (NODES[2], statement(K.CONCLUDED, attempt=0, at_s=4.0)),
        (NODES[1], statement(K.CONCLUDED, attempt=0, at_s=3.0)),
    )

    assert state.conclusion == (3.0, NODES[1])


def test_all_who_keep_a_copy_are_known() -> None:
    state = state_of(*FINISHED, kept(2, (1, 0), author=0), kept(2, (1, 0), author=3))
    result = state.unit((1, 0)).result
    assert result is not None

    assert list(result.keepers) == [NODES[0], NODES[3]]
    assert result.kept


def test_the_earliest_word_that_a_result_is_lost_counts() -> None:
    said = [(NODES[author], statement(K.LOST, node=NODES[1], at_s=float(author), text="x")) for author in (3, 2)]
    unit = state_of(*FINISHED, *said).unit((0, 0))

    assert unit.attempts[(1, NODES[1])].lost == (2.0, "x")


def test_a_unit_that_was_abandoned_has_failed_unless_it_has_a_result() -> None:
    abandoned = NODES[0], statement(K.ABANDONED, attempt=2, at_s=7.0, node=NODES[2], text="too often")
    state = state_of(assigned(1), assigned(2, attempt=2), abandoned)

    assert state.phase is Phase.FAILED
    assert state.ended_s == 7.0
    assert [(key, why_failed(state.unit(key))) for key, _ in state.failures()] == [((0, 0), "too often")]
    assert state_of(*FINISHED, kept(2, (1, 0)), abandoned).phase is Phase.DONE


def test_a_failure_alone_does_not_end_a_job() -> None:
    assert not state_of(assigned(1), told(1, K.FAILED)).is_over


def test_an_attempt_of_which_nothing_has_come_gives_way_to_the_one_before() -> None:
    state = state_of(assigned(1), told(1, K.ACCEPTED), assigned(2, attempt=2), told(2, K.DECLINED, attempt=2))

    assert state.unit((0, 0)).current is state.unit((0, 0)).attempts[(1, NODES[1])]
    assert state.unit((0, 0)).number == 2
    assert state.unit((0, 0)).was_taken


def test_a_unit_that_was_only_declined_was_not_taken() -> None:
    assert not state_of(assigned(1), told(1, K.DECLINED)).unit((0, 0)).was_taken
    assert not state_of().unit((0, 0)).was_taken
    assert state_of().unit((0, 0)).number == 0


def test_every_node_that_was_given_something_is_known_with_its_units() -> None:
    state = state_of(assigned(1), assigned(1, (1, 0)), assigned(2, attempt=2))

    assert state.places == {NODES[1]: {(0, 0): None, (1, 0): None}, NODES[2]: {(0, 0): None}}


@pytest.mark.parametrize(
    ("others", "by"),
    [
        ((assigned(2, attempt=2),), None),
        ((told(2, K.DECLINED, attempt=2),), None),
        ((told(2, K.ACCEPTED, attempt=2),), (2, NODES[2])),
        ((told(2, K.STARTED, attempt=2), told(3, K.STARTED, attempt=3)), (3, NODES[3])),
        ((told(2, K.FINISHED, attempt=2), told(3, K.DROPPED, attempt=3)), (2, NODES[2])),
        ((told(3, K.FINISHED),), (1, NODES[3])),
        ((told(3, K.FAILED, attempt=2),), None),
    ],
)
def test_an_attempt_is_superseded_by_a_later_one_that_was_taken_or_any_that_is_through(
    others: tuple[Told, ...], by: tuple[int, NodeId] | None
) -> None:
    unit = state_of(assigned(1), told(1, K.STARTED), *others).unit((0, 0))
    other = superseding(unit, unit.attempts[(1, NODES[1])])

    assert (None if other is None else other.key) == by


def test_a_result_of_an_earlier_attempt_does_not_stop_one_that_was_made_since_it_was_lost() -> None:
    unit = state_of(told(1, K.FINISHED), told(2, K.STARTED, attempt=2)).unit((0, 0))

    assert superseding(unit, unit.attempts[(2, NODES[2])]) is None


def test_a_failed_attempt_fails_the_job_unless_a_later_one_is_under_way() -> None:
    failed = (assigned(1), told(1, K.FAILED, at_s=3.0))

    assert state_of(*failed).phase is Phase.FAILED
    assert state_of(*failed).ended_s == 3.0
    assert state_of(*failed, assigned(2, attempt=2)).phase is Phase.RUNNING
    assert [key for key, _ in state_of(*failed).failures()] == [(0, 0)]


def test_a_job_that_was_cancelled_for_want_of_a_result_is_done_only_if_somebody_has_it_after_all() -> None:
    done = (*FINISHED, kept(2, (1, 0)))
    given_up = (NODES[1], statement(K.CANCELLED, (1, 0), 1, 7.0, node=NODES[2], text="it cannot be made anew"))
    again = (NODES[3], statement(K.KEPT, (1, 0), node=NODES[2], text="it is here"))

    assert state_of(*done, given_up).phase is Phase.CANCELLED
    assert state_of(*done, given_up, kept(2, (1, 0), author=3)).phase is Phase.CANCELLED
    assert state_of(*done, given_up, again).phase is Phase.DONE
    assert state_of(*done, given_up, (NODES[3], statement(K.CONCLUDED, attempt=0))).phase is Phase.DONE


def test_a_want_of_what_no_job_is_for_changes_nothing() -> None:
    for unit in ((0, 0), (1, 5), (7, 0)):
        want = (NODES[1], statement(K.CANCELLED, unit, 1, 7.0, node=NODES[2]))
        assert state_of(*FINISHED, kept(2, (1, 0)), want).phase is Phase.DONE


def test_a_cancelled_job_shows_the_earliest_reason() -> None:
    state = state_of(
        (NODES[1], statement(K.CANCELLED, attempt=0, at_s=4.0, text="late")),
        (NODES[2], statement(K.CANCELLED, attempt=0, at_s=3.0, text="early")),
    )

    assert state.phase is Phase.CANCELLED
    assert state.cancelled == (3.0, "early")
    assert state.ended_s == 3.0


def test_the_result_is_that_of_the_highest_attempt() -> None:
    state = state_of(assigned(1), assigned(2, attempt=2), told(2, K.FINISHED, attempt=2), told(1, K.FINISHED))
    result = state.unit((0, 0)).result
    assert result is not None

    assert result.node == NODES[2]
    assert state.results == 1


def test_two_controllers_attempts_with_one_number_are_two_attempts() -> None:
    state = state_of(assigned(1, author=0), assigned(2, author=3))

    assert len(state.unit((0, 0)).attempts) == 2


def test_an_assignment_made_twice_shows_the_earlier_one() -> None:
    state = state_of(assigned(1, author=3, at_s=2.0), assigned(1, author=0, at_s=1.0))
    current = state.unit((0, 0)).current
    assert current is not None

    assert (current.assigner, current.assigned_s) == (NODES[0], 1.0)


@pytest.mark.parametrize(
    "void",
    [
        Statement(K.STARTED, 9, 0, 1, 1.0),
        Statement(K.STARTED, 0, 9, 1, 1.0),
        Statement(K.STARTED, 0, 0, 0, 1.0),
        Statement(99, 0, 0, 1, 1.0),
        Statement(K.FINISHED, 0, 0, 1, 1.0),
        Statement(K.ASSIGNED, 0, 0, 1, 1.0, b"short"),
        Statement(K.KEPT, 0, 0, 1, 1.0, b"short"),
        Statement(K.LOST, 0, 0, 1, 1.0, b"short"),
        Statement(K.ABANDONED, 0, 0, 1, 1.0, b"short"),
    ],
)
def test_a_statement_that_fits_no_unit_is_void(void: Statement) -> None:
    state = JobState(job_spec(), NODES[0])
    ledger = Ledger(JOB)

    state.apply(ledger.write(CRYPTO, CLUSTER, SEEDS[1], 1, (void,)))

    assert not state.units


KINDS = st.sampled_from([kind for kind in K if kind not in ABOUT_THE_JOB])


@st.composite
def statements(draw: st.DrawFn) -> Told:
    author = draw(st.integers(0, 3))
    unit = (draw(st.integers(0, 1)), draw(st.integers(0, 1)))
    attempt, at_s = draw(st.integers(1, 3)), float(draw(st.integers(0, 3)))
    if draw(st.integers(0, 9)) == 0:
        kind = draw(st.sampled_from(sorted(ABOUT_THE_JOB)))
        number, node = draw(st.sampled_from(((0, b""), (1, NODES[2]))))
        return NODES[author], statement(kind, unit, number, at_s, node=node, text=draw(st.sampled_from("ab")))
    kind = draw(KINDS)
    if kind is K.ASSIGNED:
        return assigned(draw(st.integers(0, 3)), unit, attempt, author, at_s)
    if kind in (K.KEPT, K.LOST, K.ABANDONED):
        node = NODES[draw(st.integers(0, 3))]
        return NODES[author], statement(kind, unit, attempt, at_s, node=node, text=draw(st.sampled_from(("", "b"))))
    return NODES[author], statement(kind, unit, attempt, at_s, text=draw(st.sampled_from(("", "x"))))


@given(st.lists(statements(), max_size=25), st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_statements_make_no_difference(said: list[Told], rng: random.Random) -> None:
    shuffled = [*said, *said[:5]]
    rng.shuffle(shuffled)

    assert picture(state_of(*said, items=2)) == picture(state_of(*shuffled, items=2))


@given(st.lists(statements(), max_size=25), st.integers(1, 8))
def test_what_is_heard_at_once_is_what_is_heard_word_by_word(said: list[Told], size: int) -> None:
    """A node that is started again hears all that its journal holds and derives once."""
    word_by_word, at_once = (JobState(job_spec(items=2), NODES[0]) for _ in range(2))
    ledger = Ledger(JOB)
    for at in range(0, len(said), size):
        batch = said[at : at + size]
        for author, seed in zip(NODES, SEEDS, strict=True):
            own = tuple(each for by, each in batch if by == author)
            if own:
                entry = ledger.write(CRYPTO, CLUSTER, seed, 1, own)
                at_once.hear(entry)
                for when_, each in entry.said:
                    if word_by_word.fits(each):
                        word_by_word.note(author, each, when_)
    at_once.derive()

    assert picture(at_once) == picture(word_by_word)


def test_an_attempt_knows_how_long_its_controllers_expect_it_to_run() -> None:
    said = statement(K.ASSIGNED, node=NODES[1], run_s=0.02)
    state = state_of((NODES[0], said), assigned(1, author=3))
    current = state.unit((0, 0)).current
    assert current is not None

    assert current.told_s == 0.02


def test_an_author_signs_nothing_that_a_reader_would_refuse() -> None:
    long = "数" * 5000
    bad = replace(outcome(), stderr_tail=long)
    said = statement(K.FAILED, text=long, outcome=bad, queue_s=1e12, run_s=-1.0)
    kept = fitting(said)

    assert decode(Statement, encode(kept)) == kept
    assert (kept.queue_s, kept.run_s) == (1e9, 0.0)
    assert kept.text == "数" * (4096 // 3)
    assert fitting(kept) == kept


def test_when_the_inputs_were_there_is_told_with_the_start() -> None:
    silent = NODES[1], statement(K.STARTED, at_s=6.0)
    waited = NODES[1], statement(K.STARTED, at_s=6.0, queue_s=1.5)

    assert state_of(assigned(1), silent).unit((0, 0)).attempts[1, NODES[1]].ready_s is None
    assert state_of(assigned(1), waited).unit((0, 0)).attempts[1, NODES[1]].ready_s == 4.5
