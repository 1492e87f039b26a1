"""Job state: a pure function of the set of statements."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.ids import NodeId
from pnode.protocol.jobstate import ENDED, LADDER, LIFE, PROVES, Attempt, JobState, Phase, UnitState
from pnode.protocol.ledger import Ledger, Statement, StatementKind

from .ledgers import CLUSTER, CRYPTO, JOB, NODES, SEEDS, job_spec, statement

K = StatementKind
Told = tuple[NodeId, Statement]


def state_of(*told: Told, items: int = 1) -> JobState:
    state = JobState(job_spec(items=items), NODES[0])
    for author, said in told:
        if state.fits(said):
            state.note(author, said)
    return state


def assigned(node: int, unit: tuple[int, int] = (0, 0), attempt: int = 1, author: int = 0, at_s: float = 1.0) -> Told:
    return NODES[author], statement(K.ASSIGNED, unit, attempt, at_s, node=NODES[node])


def told(
    author: int, kind: StatementKind, unit: tuple[int, int] = (0, 0), attempt: int = 1, at_s: float = 1.0
) -> Told:
    return NODES[author], statement(kind, unit, attempt, at_s)


def picture(state: JobState) -> object:
    """Everything that is derived, for comparison."""

    def one(attempt: Attempt | None) -> object:
        return None if attempt is None else attempt.key

    units = {
        key: (sorted((k, repr(a)) for k, a in unit.attempts.items()), one(unit.current), one(unit.result))
        for key, unit in sorted(state.units.items())
    }
    failures = [key for key, _ in state.failures()]
    return units, state.phase, state.results, failures, state.cancelled, state.ended_s


def test_the_life_of_an_attempt_as_a_table() -> None:
    assert set(LADDER) == set(LIFE)
    for phase, row in LIFE.items():
        for kind, following in row.items():
            assert PROVES[kind] == following
            assert LADDER[following] > LADDER[phase]
    assert {"declined", "dropped", "failed", "finished"} == ENDED


@pytest.mark.parametrize("phase", LIFE)
@pytest.mark.parametrize("kind", [kind for kind in K if kind not in (K.ASSIGNED, K.CANCELLED)])
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


def test_a_job_is_done_when_every_unit_has_a_result() -> None:
    state = state_of(
        assigned(1), told(1, K.FINISHED, at_s=2.0), assigned(2, (1, 0)), told(2, K.FINISHED, (1, 0), at_s=5.0)
    )

    assert state.phase is Phase.DONE
    assert state.results == state.size == 2
    assert state.ended_s == 5.0


def test_a_failed_attempt_fails_the_job_unless_a_later_one_is_under_way() -> None:
    failed = (assigned(1), told(1, K.FAILED, at_s=3.0))

    assert state_of(*failed).phase is Phase.FAILED
    assert state_of(*failed).ended_s == 3.0
    assert state_of(*failed, assigned(2, attempt=2)).phase is Phase.RUNNING
    assert [key for key, _ in state_of(*failed).failures()] == [(0, 0)]


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
    ],
)
def test_a_statement_that_fits_no_unit_is_void(void: Statement) -> None:
    state = JobState(job_spec(), NODES[0])
    ledger = Ledger(JOB)

    state.apply(ledger.write(CRYPTO, CLUSTER, SEEDS[1], 1, (void,)))

    assert not state.units


KINDS = st.sampled_from([kind for kind in K if kind is not K.CANCELLED])


@st.composite
def statements(draw: st.DrawFn) -> Told:
    author = draw(st.integers(0, 3))
    unit = (draw(st.integers(0, 1)), draw(st.integers(0, 1)))
    attempt, at_s = draw(st.integers(1, 3)), float(draw(st.integers(0, 3)))
    if draw(st.integers(0, 9)) == 0:
        return NODES[author], statement(K.CANCELLED, attempt=0, at_s=at_s, text=draw(st.sampled_from("ab")))
    kind = draw(KINDS)
    if kind is K.ASSIGNED:
        return assigned(draw(st.integers(0, 3)), unit, attempt, author, at_s)
    return NODES[author], statement(kind, unit, attempt, at_s, text=draw(st.sampled_from(("", "x"))))


@given(st.lists(statements(), max_size=25), st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_statements_make_no_difference(said: list[Told], rng: random.Random) -> None:
    shuffled = [*said, *said[:5]]
    rng.shuffle(shuffled)

    assert picture(state_of(*said, items=2)) == picture(state_of(*shuffled, items=2))
