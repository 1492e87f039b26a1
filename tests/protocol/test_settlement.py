"""Settlement: what is settled is all there is to know of an item, in whatever order it is heard."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.attempts import outputs_mark
from pnode.protocol.ids import NodeId, digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import ABOUT_THE_JOB, JobState, Phase
from pnode.protocol.ledger import Outcome, Statement
from pnode.protocol.ledger import StatementKind as K

from .ledgers import NODES, NOTHING, job_spec, statement, task, when

FIRST, LEFT, RIGHT = range(3)
TASKS = (task("first", "left", "right"), task("left"), task("right"))

Said = tuple[NodeId, Statement]


@pytest.fixture(autouse=True)
def small_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two items are enough to see what there is to see."""
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 2)


def state_of(*told: Said, items: int = 2) -> JobState:
    state = JobState(job_spec(*TASKS, items=items), NODES[0])
    for author, each in told:
        if state.fits(each):
            state.note(author, each, when(each))
    return state


def wrote(content: str) -> Outcome:
    return Outcome(1.0, 0, (FileRef("out", 1, digest_of(content.encode())),), NOTHING, NOTHING, "", digest_of(b""))


def settled(author: int, unit: int, content: str, item: int = 0, at_s: float = 9.0, node: int = 1) -> Said:
    said = statement(
        K.SETTLED, (unit, item), 1, at_s, node=NODES[node], outcome=wrote(content), queue_s=2.0, run_s=4.0
    )
    return NODES[author], said


def item_settled(author: int, content: str, item: int = 0, at_s: float = 9.0) -> tuple[Said, Said]:
    return settled(author, LEFT, content, item, at_s), settled(author, RIGHT, content, item, at_s)


def finished(node: int, unit: int, content: str = "x", item: int = 0, at_s: float = 5.0) -> Said:
    return NODES[node], statement(K.FINISHED, (unit, item), 1, at_s, outcome=wrote(content))


def kept(author: int, unit: int, item: int = 0) -> Said:
    return NODES[author], statement(K.KEPT, (unit, item), 1, node=NODES[1])


def concluded(author: int, at_s: float = 20.0) -> Said:
    return NODES[author], statement(K.CONCLUDED, attempt=0, at_s=at_s)


def done(item: int = 0) -> tuple[Said, ...]:
    """A whole item, run and kept."""
    return (
        *(finished(1, unit, item=item) for unit in (FIRST, LEFT, RIGHT)),
        kept(0, LEFT, item),
        kept(0, RIGHT, item),
    )


def result(state: JobState, unit: int, item: int = 0) -> bytes:
    found = state.unit((unit, item)).result
    return b"" if found is None else found.mark


def mark(content: str) -> bytes:
    return outputs_mark(wrote(content).outputs)


def test_an_item_is_settled_when_one_author_has_stated_all_its_results() -> None:
    left, right = item_settled(0, "x")

    assert 0 not in state_of(left).settlement
    assert 0 not in state_of(left, settled(2, RIGHT, "x")).settlement
    assert 0 not in state_of(left, settled(0, RIGHT, "x", at_s=8.0)).settlement
    assert 0 in state_of(left, right).settlement


def test_its_units_are_forgotten_and_still_count() -> None:
    state = state_of(*done(), *item_settled(0, "x"), *done(item=1))

    assert sorted(state.units) == [(unit, 1) for unit in (FIRST, LEFT, RIGHT)]
    assert {item: sorted(units) for item, units in state.dropped.items()} == {
        0: [(unit, 0) for unit in (FIRST, LEFT, RIGHT)]
    }
    assert state.places == {NODES[1]: {(unit, 1): None for unit in (FIRST, LEFT, RIGHT)}}
    assert (state.results, state.size, state.phase) == (6, 6, Phase.DONE)
    assert all(state.is_complete((unit, 0)) for unit in (FIRST, LEFT, RIGHT))


def test_a_job_all_of_which_is_settled_is_done_and_knows_when_it_ended() -> None:
    said = (*item_settled(0, "x", 0, 9.0), *item_settled(0, "x", 1, 11.0))
    state = state_of(*said)

    assert state.phase is Phase.DONE
    assert (state.ended_s, state.settlement.ended_s, state.settlement.seconds) == (9.0, 9.0, 8.0)
    assert state_of(*said, concluded(0)).phase is Phase.DONE
    assert state_of(*said[:2], concluded(0)).phase is Phase.RUNNING
    assert state_of(*said[:2], *done(item=1)).ended_s == 7.0


def test_a_settled_result_can_be_had_from_whoever_made_or_settled_it() -> None:
    state = state_of(*item_settled(0, "x"))
    unit = state.unit((LEFT, 0))
    found = unit.result
    assert found is not None
    assert found.outcome is not None

    assert (found.key, found.phase, found.ended_s, list(found.keepers)) == (
        (1, NODES[1]),
        "finished",
        7.0,
        [NODES[0]],
    )
    assert found.outcome.outputs == wrote("x").outputs
    assert unit.current is found
    assert unit.equals == [found]


def test_of_a_unit_that_is_not_final_only_the_fact_that_it_had_a_result_is_left() -> None:
    unit = state_of(*done(), *item_settled(0, "x")).unit((FIRST, 0))
    assert unit.result is not None

    assert (unit.attempts, unit.result.outcome, unit.result.phase) == ({}, None, "finished")


def test_what_is_said_of_a_settled_item_later_is_void() -> None:
    state = state_of(*item_settled(0, "x"), finished(2, LEFT, "y"), (NODES[2], statement(K.FAILED, (RIGHT, 0), 3)))

    assert result(state, LEFT) == mark("x")
    assert not state.units
    assert not state.places
    assert state.phase is Phase.RUNNING
    assert state.is_void(finished(2, LEFT, "y")[1])
    assert not state.is_void(finished(2, LEFT, "y", item=1)[1])
    assert not state.is_void(settled(0, LEFT, "x")[1])
    assert not state.is_void(concluded(0)[1])


def test_a_failure_of_a_settled_item_is_none() -> None:
    failed = (NODES[1], statement(K.FAILED, (FIRST, 0), 1))

    assert state_of(failed).phase is Phase.FAILED
    assert state_of(failed, *item_settled(0, "x")).phase is Phase.RUNNING


def test_of_two_settlements_the_earlier_counts_then_the_smaller_author() -> None:
    early, late = item_settled(2, "x", at_s=8.0), item_settled(0, "y", at_s=9.0)
    same = item_settled(3, "z", at_s=8.0)
    first = "x" if NODES[2] < NODES[3] else "z"

    assert result(state_of(*late, *early), LEFT) == mark("x")
    assert result(state_of(*early, *late), LEFT) == mark("x")
    assert result(state_of(*same, *early, *late), RIGHT) == mark(first)
    assert list(state_of(*early, *late).settlement) == [0]
    found = state_of(*early, *late).settlement.of(0)
    assert found is not None
    assert found.made == (8.0, NODES[2])


def test_of_two_settlements_of_one_author_the_first_counts_whatever_its_clock_shows() -> None:
    """It was started from an old copy of its disk, and its clock was set back."""
    first, again, another = (
        item_settled(0, "x", at_s=9.0),
        item_settled(0, "y", at_s=8.0),
        item_settled(2, "z", at_s=8.5),
    )
    told = [((1, 0, at), each) for at, each in enumerate(first)] + [
        ((2, 0, at), each) for at, each in enumerate(again)
    ]
    for said in (told, told[::-1]):
        state = state_of()
        for spoken, (author, each) in said:
            state.note(author, each, spoken)

        assert result(state, LEFT) == mark("x")
        for author, each in another:
            state.note(author, each, (0, 0, 0))
        assert result(state, LEFT) == mark("z")


def test_who_concluded_the_job_first_has_settled_it() -> None:
    early, late = item_settled(2, "x", at_s=8.0), item_settled(0, "y", at_s=9.0)

    assert result(state_of(*early, *late, concluded(0)), LEFT) == mark("y")
    assert result(state_of(concluded(0), *early, *late), LEFT) == mark("y")
    assert result(state_of(*early, *late, concluded(0), concluded(3, at_s=19.0)), LEFT) == mark("x")


def test_an_author_that_contradicts_itself_is_read_alike_by_all() -> None:
    left, right = item_settled(0, "x")
    other = settled(0, LEFT, "y")
    states = [state_of(*said) for said in ((left, right, other), (other, right, left), (left, other, right, left))]

    assert len({result(state, LEFT) for state in states}) == 1


def test_in_a_small_job_nothing_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 3)
    state = state_of(*item_settled(0, "x"))

    assert not len(state.settlement)
    assert not state.fits(settled(0, LEFT, "x")[1])


def test_only_final_tasks_have_results_to_settle() -> None:
    state = state_of()

    assert not state.fits(settled(0, FIRST, "x")[1])
    assert not state.fits(statement(K.SETTLED, (LEFT, 0), node=NODES[1]))
    assert not state.fits(statement(K.SETTLED, (LEFT, 0), node=b"", outcome=wrote("x")))


def test_an_item_is_through_when_all_its_units_are_complete() -> None:
    said = done()

    assert list(state_of(*said[:-1]).through) == []
    assert list(state_of(*said).through) == [0]
    assert list(state_of(*said, *item_settled(0, "x")).through) == []


def test_two_attempts_at_one_node_leave_it_together() -> None:
    twice = (NODES[1], statement(K.DROPPED, (FIRST, 0), 1)), (NODES[1], statement(K.STARTED, (FIRST, 0), 2))

    assert not state_of(*twice, *item_settled(0, "x")).places


KINDS = st.sampled_from((*[K.FINISHED] * 4, K.KEPT, K.LOST, K.FAILED, K.ABANDONED, *[K.SETTLED] * 8, K.CONCLUDED))


@st.composite
def statements(draw: st.DrawFn) -> Said:
    kind = draw(KINDS)
    author, node = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    if kind in ABOUT_THE_JOB:
        return concluded(author, float(draw(st.integers(0, 2))))
    item, content = draw(st.integers(0, 1)), draw(st.sampled_from("xy"))
    if kind is K.SETTLED:
        return settled(
            author, draw(st.sampled_from((LEFT, RIGHT))), content, item, float(draw(st.integers(1, 2))), node
        )
    unit, attempt = draw(st.integers(FIRST, RIGHT)), draw(st.integers(1, 2))
    outcome = wrote(content) if kind in (K.FINISHED, K.FAILED) else None
    return NODES[author], statement(kind, (unit, item), attempt, node=NODES[node], outcome=outcome)


def picture(state: JobState) -> object:
    """Everything that follows, for comparison."""
    keys = [(unit, item) for item in (0, 1) for unit in (FIRST, LEFT, RIGHT)]
    return (
        {key: (state.unit(key).attempts, state.unit(key).result) for key in keys},
        [state.is_complete(key) for key in keys],
        {node: sorted(units) for node, units in sorted(state.places.items())},
        [key for key, _ in state.failures()],
        list(state.settlement),
        sorted(state.through),
        (state.phase, state.results, state.ended_s, state.settlement.ended_s, state.settlement.seconds),
    )


@given(st.lists(statements(), max_size=30), st.randoms(use_true_random=False), st.integers(0, 30))
def test_any_order_and_any_subset_before_the_rest_lead_to_the_same(
    said: list[Said], rng: random.Random, cut: int
) -> None:
    shuffled = [*said[cut:], *said[:cut], *said[:3]]
    rng.shuffle(shuffled)

    assert picture(state_of(*said)) == picture(state_of(*shuffled))


@given(st.lists(statements(), max_size=30))
def test_what_is_void_might_as_well_never_have_been_said(said: list[Said]) -> None:
    whole = state_of(*said)
    rest = [each for each in said if not whole.is_void(each[1])]

    assert picture(state_of(*rest)) == picture(whole)
