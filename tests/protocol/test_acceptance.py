"""Acceptance: at most one result per unit, and results that agree with each other, in whatever order all is heard."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.attempts import COPIES_TOLD_MAX, AttemptKey, outputs_mark
from pnode.protocol.ids import NodeId, digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import JobState, Phase, UnitKey
from pnode.protocol.ledger import Entry, Ledger, Outcome, Statement
from pnode.protocol.ledger import StatementKind as K
from pnode.protocol.values import replace

from .ledgers import CLUSTER, CRYPTO, JOB, NODES, NOTHING, SEEDS, job_spec, statement, task, when

TOP, LEFT, RIGHT, LAST, ASIDE = range(5)
SPEC = job_spec(
    task("top", "left", "right"), task("left", "last", "aside"), task("right", "last"), task("last"), task("aside"),
    items=2,
)  # fmt: skip
"""A diamond, and a second result that only one of its sides leads to."""

Said = tuple[NodeId, Statement]


def wrote(content: str) -> tuple[FileRef, ...]:
    return (FileRef("out", 1, digest_of(content.encode())),)


def mark(content: str) -> bytes:
    return outputs_mark(wrote(content))


def finished(
    node: int, unit: int, content: str, *used: str, attempt: int = 1, item: int = 0, at_s: float = 1.0
) -> Said:
    marks = tuple(mark(each) for each in used)
    outcome = Outcome(1.0, 0, wrote(content), NOTHING, NOTHING, "", digest_of(b""), marks)
    return NODES[node], statement(K.FINISHED, (unit, item), attempt, at_s, outcome=outcome)


def said(kind: K, author: int, node: int, unit: int, attempt: int = 1, item: int = 0, at_s: float = 1.0) -> Said:
    return NODES[author], statement(kind, (unit, item), attempt, at_s, node=NODES[node])


def kept(author: int, content: str, node: int, unit: int, item: int = 0, at_s: float = 1.0, attempt: int = 1) -> Said:
    """The author has a copy of this, as a node of today says it."""
    by, statement = said(K.KEPT, author, node, unit, attempt, item, at_s)
    return by, replace(statement, mark=mark(content))


def concluded(author: int, at_s: float = 9.0) -> Said:
    return NODES[author], statement(K.CONCLUDED, attempt=0, at_s=at_s)


def state_of(*told: Said) -> JobState:
    state = JobState(SPEC, NODES[0])
    for author, each in told:
        assert state.fits(each)
        state.note(author, each, when(each))
    return state


def written(state: JobState, unit: int) -> bytes | None:
    result = state.unit((unit, 0)).result
    return None if result is None else result.mark


def results(state: JobState) -> dict[UnitKey, AttemptKey | None]:
    return {key: None if unit.result is None else unit.result.key for key, unit in sorted(state.units.items())}


def accepted(state: JobState, unit: int, item: int = 0) -> AttemptKey | None:
    return results(state).get((unit, item))


def contradictions(state: JobState) -> list[UnitKey]:
    """Units whose results were computed from something else than the results of their parents."""
    found = []
    for (unit, item), known in state.units.items():
        used = () if known.result is None else known.result.used
        for parent, each in zip(state.shape.parents[unit], used, strict=False):
            result = state.unit((parent, item)).result
            if result is not None and result.mark != each:
                found.append((unit, item))
    return found


ONCE = (
    finished(0, TOP, "t"), finished(1, LEFT, "l", "t"), finished(2, RIGHT, "r", "t"),
    finished(3, LAST, "x", "l", "r"), finished(0, ASIDE, "y", "l"),
)  # fmt: skip
KEPT = (said(K.KEPT, 0, 3, LAST), said(K.KEPT, 0, 0, ASIDE))


def test_what_came_out_equal_is_the_same_result() -> None:
    state = state_of(*ONCE, finished(3, TOP, "t", attempt=2), finished(3, LEFT, "l", "t", attempt=2))

    assert not state.acceptance.is_contested(0)
    assert accepted(state, LEFT) == (2, NODES[3])
    assert [each.key for each in state.unit((LEFT, 0)).equals] == [(2, NODES[3]), (1, NODES[1])]
    assert state.results == 5


def test_what_was_computed_from_another_result_is_void() -> None:
    state = state_of(*ONCE, finished(3, TOP, "t2", attempt=2))

    assert accepted(state, TOP) == (2, NODES[3])
    assert [accepted(state, unit) for unit in (LEFT, RIGHT, LAST, ASIDE)] == [
        None,
        None,
        (1, NODES[3]),
        (1, NODES[0]),
    ]
    again = finished(2, LEFT, "l2", "t2", attempt=2)
    assert [accepted(state_of(*ONCE, finished(3, TOP, "t2", attempt=2), again), unit) for unit in (LEFT, LAST)] == [
        (2, NODES[2]), None,
    ]  # fmt: skip


def test_only_the_item_in_question_is_contested() -> None:
    state = state_of(*ONCE, finished(3, TOP, "t", item=1), finished(3, TOP, "t2", attempt=2))

    assert state.acceptance.contested == (0,)


def test_a_child_of_a_result_that_was_never_heard_of_is_void_until_it_is() -> None:
    early = finished(1, LEFT, "l", "t")
    other = finished(0, TOP, "t2")

    assert accepted(state_of(early), LEFT) == (1, NODES[1])
    assert accepted(state_of(early, other), LEFT) is None
    assert accepted(state_of(early, other, finished(2, TOP, "t", attempt=2)), LEFT) == (1, NODES[1])


def test_what_leads_to_a_kept_result_comes_before_what_is_later() -> None:
    later = (finished(3, TOP, "t2", attempt=2), finished(2, LEFT, "l2", "t2", attempt=2))

    assert accepted(state_of(*ONCE, *later), TOP) == (2, NODES[3])
    assert accepted(state_of(*ONCE, *later, *KEPT), TOP) == (1, NODES[0])
    assert accepted(state_of(*ONCE, *later, *KEPT), LEFT) == (1, NODES[1])


def test_what_is_lost_gives_way_although_a_kept_result_was_computed_from_it() -> None:
    state = state_of(*ONCE, *KEPT, finished(3, TOP, "t2", attempt=2), said(K.LOST, 1, 0, TOP))

    assert accepted(state, TOP) == (2, NODES[3])
    assert accepted(state, LEFT) is None


def test_what_is_lost_gives_way_although_it_was_kept_since_its_keeper_may_be_gone() -> None:
    state = state_of(*ONCE, *KEPT, finished(1, LAST, "x2", "l", "r", attempt=2), said(K.LOST, 1, 3, LAST))

    assert accepted(state, LAST) == (2, NODES[1])


def test_what_is_lost_when_the_job_was_concluded_stays_its_result() -> None:
    state = state_of(*ONCE, *KEPT, concluded(0), finished(3, TOP, "t2", attempt=2), said(K.LOST, 1, 0, TOP))

    assert accepted(state, TOP) == (1, NODES[0])
    assert state.results == 5


def test_what_is_lost_is_still_the_result_if_there_is_no_other() -> None:
    assert accepted(state_of(*ONCE, said(K.LOST, 1, 0, TOP)), TOP) == (1, NODES[0])


def test_where_a_side_could_have_come_from_either_the_other_side_decides() -> None:
    """The left writes the same whatever it reads: that must not draw in a result of the top with which the right, and
    with it what was kept, would be void."""
    other = (finished(3, TOP, "t2", attempt=2), finished(3, LEFT, "l", "t2", attempt=2))
    state = state_of(*ONCE, *other, *KEPT)

    assert accepted(state, TOP) == (1, NODES[0])
    assert accepted(state, LAST) == (1, NODES[3])
    assert not contradictions(state)


def test_the_job_ends_with_what_its_first_concluder_kept() -> None:
    other = (
        finished(1, TOP, "t2", attempt=2), finished(1, LEFT, "l2", "t2", attempt=2),
        finished(1, RIGHT, "r2", "t2", attempt=2), finished(1, LAST, "x2", "l2", "r2", attempt=2),
        finished(1, ASIDE, "y2", "l2", attempt=2), said(K.KEPT, 2, 1, LAST, 2), said(K.KEPT, 2, 1, ASIDE, 2),
    )  # fmt: skip

    assert accepted(state_of(*ONCE, *KEPT, *other), LAST) == (2, NODES[1])
    assert accepted(state_of(*ONCE, *KEPT, *other, concluded(0, 5.0)), LAST) == (1, NODES[3])
    assert accepted(state_of(*ONCE, *KEPT, *other, concluded(0, 5.0), concluded(2, 4.0)), LAST) == (2, NODES[1])


@pytest.mark.parametrize(("earlier", "later"), [(1, 2), (2, 1)])
def test_of_what_the_concluder_kept_that_counts_of_which_it_has_said_so_last(earlier: int, later: int) -> None:
    """It copies what counts, and what counts may be another before all is done."""
    other = (
        finished(1, TOP, "t2", attempt=2), finished(1, LEFT, "l2", "t2", attempt=2),
        finished(1, RIGHT, "r2", "t2", attempt=2), finished(1, LAST, "x2", "l2", "r2", attempt=2),
        finished(1, ASIDE, "y2", "l2", attempt=2),
    )  # fmt: skip
    makers = {1: {LAST: 3, ASIDE: 0}, 2: {LAST: 1, ASIDE: 1}}
    kept = (
        said(K.KEPT, 2, node, unit, attempt, at_s=at_s)
        for at_s, attempt in ((2.0, earlier), (3.0, later))
        for unit, node in makers[attempt].items()
    )
    state = state_of(*ONCE, *other, *kept, concluded(2))

    assert [accepted(state, unit) for unit in (LAST, ASIDE)] == [
        (later, NODES[makers[later][unit]]) for unit in (LAST, ASIDE)
    ]
    assert state.results == 5


def test_what_the_concluder_says_without_the_memory_of_it_changes_nothing() -> None:
    """It was started again from an old copy of its disk, by which another result counted."""
    other = (
        finished(1, TOP, "t2", attempt=2), finished(1, LEFT, "l2", "t2", attempt=2),
        finished(1, RIGHT, "r2", "t2", attempt=2), finished(1, LAST, "x2", "l2", "r2", attempt=2),
        finished(1, ASIDE, "y2", "l2", attempt=2),
    )  # fmt: skip
    then = (said(K.KEPT, 2, 3, LAST), said(K.KEPT, 2, 0, ASIDE), concluded(2, 5.0))
    later = (said(K.KEPT, 2, 1, LAST, 2, at_s=7.0), said(K.KEPT, 2, 3, LAST, at_s=6.0))
    before, after = state_of(*ONCE, *other, *then), state_of(*ONCE, *other, *then, *later)

    assert accepted(before, LAST) == (1, NODES[3])
    assert results(after) == results(before)


OTHER = (
    finished(1, TOP, "t2", attempt=2), finished(1, LEFT, "l2", "t2", attempt=2),
    finished(1, RIGHT, "r2", "t2", attempt=2), finished(1, LAST, "x2", "l2", "r2", attempt=2),
    finished(1, ASIDE, "y2", "l2", attempt=2),
)  # fmt: skip
FIRST_KEPT = (said(K.KEPT, 2, 3, LAST), said(K.KEPT, 2, 0, ASIDE))
OTHER_KEPT = (said(K.KEPT, 2, 1, LAST, 2), said(K.KEPT, 2, 1, ASIDE, 2))


def in_runs(*runs: tuple[float, Sequence[Said]]) -> JobState:
    """After what came out twice: what one author says in runs of its process, each begun by what its clock showed."""
    state = state_of(*ONCE, *OTHER)
    for boot, (clock_s, told) in enumerate(runs, 1):
        for at, (author, each) in enumerate(told):
            state.note(author, replace(each, at_s=clock_s + at), (boot, 0, at))
    return state


@pytest.mark.parametrize("clock_s", [900.0, 996.0, 999.5, 1001.5, 2000.0])
def test_what_the_concluder_says_later_changes_nothing_whatever_its_clock_shows(clock_s: float) -> None:
    """The clock was set back while it was off: what it says then seems to have been said before it concluded."""
    run = [*OTHER_KEPT, *FIRST_KEPT, concluded(2)]
    before = in_runs((1000.0, run))

    for later in (OTHER_KEPT, [*FIRST_KEPT, *OTHER_KEPT], [*OTHER_KEPT, concluded(2)]):
        assert results(in_runs((1000.0, run), (clock_s, later))) == results(before)
    assert accepted(before, LAST) == (1, NODES[3])


def test_what_the_concluder_said_again_before_it_concluded_counts_whatever_it_says_afterwards() -> None:
    run = [*FIRST_KEPT, *OTHER_KEPT, *FIRST_KEPT, concluded(2)]
    before = in_runs((1000.0, run))

    assert accepted(before, LAST) == (1, NODES[3])
    assert results(in_runs((1000.0, run), (2000.0, FIRST_KEPT))) == results(before)


@pytest.mark.parametrize("clock_s", [900.0, 2000.0])
def test_who_says_that_it_has_no_copy_any_more_is_believed_whatever_its_clock_shows(clock_s: float) -> None:
    lost = [said(K.LOST, 2, 3, LAST)]
    gone = in_runs((1000.0, FIRST_KEPT), (clock_s, lost))
    back = in_runs((1000.0, FIRST_KEPT), (clock_s, lost), (500.0, FIRST_KEPT))

    assert list(gone.unit((LAST, 0)).attempts[(1, NODES[3])].copies) == []
    assert list(back.unit((LAST, 0)).attempts[(1, NODES[3])].copies) == [NODES[2]]


def test_a_replica_that_says_without_end_that_it_has_a_copy_is_not_remembered_without_end() -> None:
    told = [said(K.KEPT, 2, 3, LAST)] * 100
    keepers = in_runs((1000.0, told)).unit((LAST, 0)).attempts[(1, NODES[3])].keepers

    assert len(keepers[NODES[2]]) == COPIES_TOLD_MAX
    assert keepers[NODES[2]][-1] == (1, 0, 99)


@pytest.mark.parametrize("lost", [True, False])
def test_people_are_told_why_an_attempt_is_not_accepted(lost: bool) -> None:
    other = [finished(3, TOP, "t2", attempt=2), *([said(K.LOST, 1, 0, TOP)] if lost else [])]
    state = state_of(*ONCE, *other, (NODES[3], statement(K.STARTED, (RIGHT, 0), 2)))

    def why(unit: int, number: int, node: int) -> str:
        return state.why_not_accepted((unit, 0), state.unit((unit, 0)).attempts[(number, NODES[node])])

    late = "what it wrote was lost" if lost else "finished too late"
    assert why(TOP, 1, 0) == f"{late}: attempt 2 was accepted"
    assert why(LEFT, 1, 1) == "it has used a result of top that was not accepted"
    assert why(TOP, 2, 3) == why(RIGHT, 2, 3) == ""


def test_people_are_told_that_a_job_was_concluded_without_an_attempt() -> None:
    told = [*ONCE, *KEPT, concluded(0)]
    told = [each for each in told if each[1].task != TOP or each[1].kind != K.FINISHED]
    state = state_of(*told, finished(1, TOP, "t2"))

    assert accepted(state, TOP) is None
    assert state.why_not_accepted((TOP, 0), state.unit((TOP, 0)).attempts[(1, NODES[1])]) == (
        "the job was concluded with another result"
    )


@pytest.mark.parametrize("order", [1, -1])
def test_of_what_one_attempt_has_written_twice_that_counts_of_which_there_is_a_copy(order: int) -> None:
    twice = (finished(3, LAST, "x", at_s=1.0), finished(3, LAST, "x2", at_s=2.0))
    copies = (kept(0, "x2", 3, LAST), kept(1, "nothing of the kind", 3, LAST))

    without, with_copy = state_of(*twice[::order]), state_of(*[*twice, *copies][::order])

    assert written(without, LAST) == mark("x"), "the earlier, which all may have heard of"
    assert written(with_copy, LAST) == mark("x2")
    result = with_copy.unit((LAST, 0)).result
    assert result is not None
    assert list(result.keepers) == [NODES[0]]


@pytest.mark.parametrize("order", [1, -1])
def test_a_copy_of_the_one_is_no_copy_of_the_other(order: int) -> None:
    told = (finished(3, LAST, "x", at_s=1.0), kept(0, "x2", 3, LAST))

    state = state_of(*told[::order])

    result = state.unit((LAST, 0)).result
    assert result is not None
    assert not result.keepers
    assert not state.is_complete((LAST, 0))


def test_a_result_that_names_too_many_parents_is_void() -> None:
    state = JobState(SPEC, NODES[0])

    assert not state.fits(finished(0, TOP, "t", "what")[1])
    assert not state.fits(finished(0, LAST, "x", "l")[1])


CONTENTS = ("a", "b")


@st.composite
def statements(draw: st.DrawFn) -> Said:
    """What could be said of the diamond: by nodes that contradict each other and themselves, and by versions that do
    not say what they have used."""
    kind = draw(st.sampled_from((*[K.FINISHED] * 6, K.KEPT, K.KEPT, K.LOST, K.CONCLUDED)))
    author, node, attempt = (draw(st.integers(0, 1)) for _ in range(3))  # few, that they may meet
    unit, item = draw(st.integers(TOP, ASIDE)), draw(st.sampled_from((0, 0, 0, 1)))
    if kind is K.CONCLUDED:
        return concluded(author, float(draw(st.integers(0, 2))))
    if kind is K.KEPT and draw(st.booleans()):
        at_s = float(draw(st.integers(0, 2)))
        return kept(author, draw(st.sampled_from(CONTENTS)), node, unit, item, at_s, attempt + 1)
    if kind is not K.FINISHED:
        return said(kind, author, node, unit, attempt + 1, item, float(draw(st.integers(0, 2))))
    parents = len(JobState(SPEC, NODES[0]).shape.parents[unit]) if draw(st.integers(0, 9)) else 0
    used = [draw(st.sampled_from(CONTENTS)) for _ in range(parents)]
    content, at_s = draw(st.sampled_from(CONTENTS)), float(draw(st.integers(0, 2)))
    return finished(author, unit, content, *used, attempt=attempt + 1, item=item, at_s=at_s)


def picture(state: JobState) -> object:
    complete = [key for key in sorted(state.units) if state.is_complete(key)]
    marks = {key: unit.result and unit.result.version for key, unit in state.units.items()}
    return results(state), sorted(marks.items()), complete, state.results, state.phase


def in_segments(told: Sequence[Said], size: int) -> list[Entry]:
    """The same in feeds."""
    feeds = []
    for author, seed in zip(NODES, SEEDS, strict=True):
        own, ledger = [each for by, each in told if by == author], Ledger(JOB)
        parts = (tuple(own[at : at + size]) for at in range(0, len(own), size))
        feeds += [ledger.write(CRYPTO, CLUSTER, seed, 1, part) for part in parts]
    return feeds


@given(st.lists(statements(), max_size=30), st.randoms(use_true_random=False), st.integers(1, 8))
def test_results_follow_from_the_set_of_statements(told: list[Said], rng: random.Random, size: int) -> None:
    """What each has said comes in its own order, whatever its clock has shown, and is heard in any."""
    placed = [(author, each, (0, 0, at)) for at, (author, each) in enumerate(told)]
    shuffled, segments = [*placed, *placed[:5]], in_segments(told, size)
    rng.shuffle(shuffled)
    rng.shuffle(segments)
    one, other, third, restored = (JobState(SPEC, NODES[0]) for _ in range(4))
    for each in placed:
        one.note(*each)
    for each in shuffled:
        other.note(*each)
    for segment in segments:
        third.apply(segment)
        restored.hear(segment)
    restored.derive()

    assert picture(other) == picture(one)
    assert picture(third) == picture(one)
    assert picture(restored) == picture(one)


@given(st.lists(statements(), max_size=30))
def test_results_that_were_kept_up_to_date_are_those_that_are_found_from_scratch(told: list[Said]) -> None:
    state = state_of(*told)
    before = results(state)
    for item in range(2):
        state.acceptance.derive_item(item)

    assert results(state) == before


@given(st.lists(statements(), max_size=30))
def test_results_agree_with_each_other(told: list[Said]) -> None:
    state = state_of()

    for author, each in told:
        state.note(author, each, when(each))
        assert contradictions(state) == []


@given(st.lists(statements().filter(lambda each: each[1].kind != K.CONCLUDED), max_size=30))
def test_what_has_finished_and_contradicts_nothing_is_not_thrown_away(told: list[Said]) -> None:
    state = state_of(*told)

    for key, unit in state.units.items():
        if unit.result is None:
            assert all(state.acceptance.strangers(key, attempt) for attempt in unit.in_phase("finished"))


def brings_everything(item: int) -> list[Said]:
    """A run that came to its end; what it wrote is kept by the first node."""
    whole = [
        finished(0, TOP, "a", item=item), finished(1, LEFT, "a", "a", item=item),
        finished(0, RIGHT, "b", "a", item=item), finished(0, LAST, "a", "a", "b", item=item),
        finished(0, ASIDE, "b", "a", item=item),
    ]  # fmt: skip
    return [*whole, *(said(K.KEPT, 0, 0, unit, item=item, at_s=-2.0) for unit in (LAST, ASIDE))]


@given(st.lists(statements(), max_size=30))
def test_what_was_done_when_the_job_was_concluded_stays_done(later: list[Said]) -> None:
    whole = [*brings_everything(0), *brings_everything(1), concluded(0, -1.0)]
    honest = [each for each in later if each[1].kind is not K.FINISHED or each[1].attempt > 1]
    honest = [each for each in honest if each[0] != NODES[0] or each[1].kind is not K.CONCLUDED]
    state = state_of(*whole, *honest)

    assert state.phase is Phase.DONE
    for item in range(2):
        assert {unit: state.unit((unit, item)).result.mark for unit in (LAST, ASIDE)} == {  # type: ignore[union-attr]
            LAST: mark("a"), ASIDE: mark("b"),
        }  # fmt: skip
