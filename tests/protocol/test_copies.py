"""Copies: every replica has the results, from whoever has them; what cannot be had is lost, or asked for again."""

import math

import pytest

from pnode.protocol.copies import PAUSE_S, PAUSE_S_MAX
from pnode.protocol.events import CancelJob
from pnode.protocol.fetching import TRIES
from pnode.protocol.jobstate import Attempt, Phase
from pnode.protocol.ledger import StatementKind

from .ledgers import made, outcome, statement
from .partners import Circle, file, spec, task

OUT = file("only_out")


def done(*, brings: bool = True, replicas: int = 2) -> Circle:
    """dan has run the only task of ann's job, which bob and cid guard, too."""
    circle = Circle("ann", "bob", "cid", "dan", brings=brings)
    circle.prefer("only", "dan")
    circle.submit_unanswered("ann", spec(task("only"), replicas=replicas))
    for name in ("bob", "cid"):
        assert circle.id_of(name) in circle["ann"].job.replicas, "the digests are such"
    circle.end("dan", "only", OUT)
    circle.take()
    return circle


def result(circle: Circle, seen_by: str = "ann") -> Attempt:
    return circle[seen_by].job.state.unit((0, 0)).attempts[(1, circle.id_of("dan"))]


def keepers(circle: Circle, seen_by: str = "ann") -> list[str]:
    return sorted(circle.name_of(node) for node in result(circle, seen_by).keepers)


def refuse(circle: Circle, name: str) -> None:
    """A partner's fetching comes to nothing for good."""
    for _ in range(TRIES):
        circle.run(16.0)
        circle.refuse(name, OUT)


def test_every_replica_copies_a_result_and_nobody_else() -> None:
    circle = done(brings=False)

    assert [name for name, each in circle.partners.items() if each.fetching] == ["ann", "bob", "cid"]
    for name in ("ann", "bob", "cid"):
        circle.bring(name, OUT)
    circle.run(1.0)

    assert keepers(circle, "bob") == ["ann", "bob", "cid"]
    assert circle["bob"].job.state.phase is Phase.DONE


def test_a_replica_that_made_it_has_it() -> None:
    circle = Circle("ann", "bob", brings=False)
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), replicas=1))

    circle.end("bob", "only", OUT)
    circle.run(1.0)

    assert list(circle["ann"].job.state.unit((0, 0)).attempts[(1, circle.id_of("bob"))].keepers) == [
        circle.id_of("bob")
    ]


def test_it_may_come_from_another_replica_when_the_node_that_made_it_is_gone() -> None:
    circle = done(brings=False)
    circle.bring("bob", OUT)
    circle.run(1.0)
    circle.kill("dan")
    circle.take()

    for name in ("ann", "cid"):
        circle.refuse(name, OUT)
    circle.bring_all()
    circle.run(1.0)

    assert keepers(circle) == ["ann", "bob", "cid"]


def test_what_its_living_owner_does_not_give_and_nobody_has_is_lost() -> None:
    circle = done(brings=False)

    refuse(circle, "ann")

    assert result(circle).lost is not None
    assert result(circle).lost[1] == "its output only_out could not be fetched from dan: refused"  # type: ignore[index]


def test_what_is_lost_for_good_is_said_once_and_tried_for_again_without_a_word() -> None:
    circle = done(brings=False)
    for name in ("ann", "bob", "cid"):
        circle.bring(name, OUT)
    circle.run(60.0)
    assert circle["ann"].job.closed
    for name in ("ann", "dan"):
        circle.crash(name)
    circle.forget("ann", StatementKind.KEPT)
    circle["dan"].rows.clear()
    for name in ("ann", "dan"):
        circle.restart(name)
        circle.meet(name)
    for name in ("bob", "cid"):
        circle.kill(name)
    refuse(circle, "ann")
    refuse(circle, "ann")
    assert circle.rows_with("ann", StatementKind.LOST) == 1

    refuse(circle, "ann")
    refuse(circle, "ann")

    assert circle.rows_with("ann", StatementKind.LOST) == 1


def test_only_whoever_leads_says_that_something_is_lost_the_others_try_again() -> None:
    circle = done(brings=False)

    refuse(circle, "bob")
    assert result(circle).lost is None
    circle.take()
    circle.run(PAUSE_S)

    assert circle.take() == ["bob fetches only_out from dan"]


def test_what_somebody_has_a_copy_of_is_not_lost_but_tried_for_again_after_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.protocol.concluding.CONCLUDE_S_MAX", math.inf)
    circle = done(brings=False)
    circle.bring("bob", OUT)
    circle.run(1.0)
    pauses = []
    for _ in range(8):
        refuse(circle, "ann")
        began_s = circle.now
        while not circle["ann"].fetching:
            circle.run(1.0)
        pauses.append(circle.now - began_s)

    assert pauses == [min(PAUSE_S * 2**times, PAUSE_S_MAX) for times in range(8)]
    assert result(circle).lost is None


def test_what_was_given_up_is_tried_for_at_once_when_somebody_is_back_who_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.protocol.concluding.CONCLUDE_S_MAX", math.inf)
    circle = done(brings=False)
    circle.bring("bob", OUT)
    circle.run(1.0)
    for _ in range(8):
        circle.run(PAUSE_S_MAX)
        refuse(circle, "ann")
    circle.crash("bob")
    circle.take()

    circle.restart("bob")
    circle.meet("bob", "ann")

    assert "ann fetches only_out from dan, bob" in circle.take()


def test_what_was_given_up_is_tried_for_at_once_when_somebody_is_back_who_has_made_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.protocol.concluding.CONCLUDE_S_MAX", math.inf)
    circle = done(brings=False)
    circle.bring("cid", OUT)
    circle.run(1.0)
    circle.utter("bob", "ann", statement(StatementKind.FINISHED, outcome=outcome(1.0, OUT)))
    for _ in range(8):
        circle.run(PAUSE_S_MAX)
        refuse(circle, "ann")
    circle.kill("dan")
    circle.crash("bob")
    circle.take()

    circle.restart("bob")
    circle.meet("bob", "ann")

    assert "ann fetches only_out from cid, bob" in circle.take()


def test_what_is_to_be_tried_again_is_not_if_the_job_is_forgotten_meanwhile() -> None:
    circle = done(brings=False)
    refuse(circle, "bob")
    circle["bob"].jobs.desk.forget(circle["bob"].job)
    circle.take()

    circle.run(PAUSE_S)

    assert circle.take() == []


@pytest.mark.parametrize("leaves", [True, False])
def test_another_result_takes_its_place(leaves: bool) -> None:
    circle = done(brings=False)
    new = file("new")
    circle.utter("cid", "bob", statement(StatementKind.FINISHED, attempt=2, outcome=outcome(1.0, new)))
    assert circle.id_of("cid") in {node for _, node in circle["bob"].job.state.unit((0, 0)).attempts}

    circle.bring("bob", OUT)
    circle.run(1.0)
    assert "bob" not in keepers(circle, "bob")
    if leaves:
        circle.bring("bob", new)
        circle.run(1.0)

    second = circle["bob"].job.state.unit((0, 0)).attempts[(2, circle.id_of("cid"))]
    assert (circle.id_of("bob") in second.keepers) == leaves


def test_a_result_that_counts_by_what_is_said_of_another_task_is_copied() -> None:
    """Left was computed from the second result of top, of which right was not; then right turns out to be kept."""
    circle = Circle("ann", "bob", "cid", "dan", brings=False)
    circle.prefer("top", "dan")
    graph = task("top", "left", "right"), task("left"), task("right")
    circle.submit_unanswered("ann", spec(*graph, replicas=2))
    first, second, third = file("first"), file("second"), file("third")
    circle.utter("dan", "bob", made(0, 1, file("t1")), made(0, 2, file("t2")))
    circle.utter("dan", "bob", made(1, 1, first, file("t1")), made(1, 2, second, file("t2")))
    circle.bring("bob", second)
    circle.take()

    circle.utter("dan", "bob", made(2, 1, third, file("t1")))
    assert not any("bob fetches" in line for line in circle.take())
    circle.utter("cid", "bob", statement(StatementKind.KEPT, (2, 0), node=circle.id_of("dan")))

    fetches = [line for line in circle.take() if "bob fetches" in line]
    assert not circle["bob"].job.state.replaced
    assert fetches == ["bob fetches first from dan", "bob fetches third from dan, cid"]


def test_a_result_that_counts_by_the_earlier_of_two_conclusions_is_copied() -> None:
    circle = done(brings=False)
    dan, first, second = circle.id_of("dan"), file("only_out"), file("second")
    circle.utter("dan", "bob", made(0, 2, second))
    for author, attempt, at_s in (("ann", 2, 5.0), ("cid", 1, 4.0)):
        circle.utter(author, "bob", statement(StatementKind.KEPT, attempt=attempt, node=dan))
        circle.utter(author, "bob", statement(StatementKind.CONCLUDED, attempt=0, at_s=at_s))
        if author == "ann":
            circle.bring("bob", second)
            assert circle["bob"].job.closed

    circle.bring("bob", first)
    circle.run(1.0)

    assert "bob" in keepers(circle, "bob")


def test_a_cancelled_job_that_was_done_elsewhere_stays_cancelled_if_its_result_is_gone_and_is_done_if_not() -> None:
    circle = done(brings=False)
    dan = circle.id_of("dan")
    circle.bring("ann", OUT)
    for name in ("bob", "cid"):
        circle.utter("dan", name, statement(StatementKind.CANCELLED, attempt=0, text="cancelled at dan"))
    circle.run(1.0)
    assert circle["bob"].job.state.phase is Phase.DONE
    assert circle["bob"].job.copying

    circle.kill("dan")
    circle.crash("ann")
    circle.miss("ann")
    circle.run(1.0)

    leader = next(name for name in ("bob", "cid") if circle[name].job.leading)
    assert circle[leader].job.state.wants((0, 0))
    for name in ("bob", "cid"):
        assert circle[name].job.state.phase is Phase.CANCELLED
        assert not circle[name].job.copying
    assert result(circle, "bob").node == dan

    circle.restart("ann")
    circle.meet("ann")
    circle.run(5.0)

    for name in ("ann", "bob", "cid"):
        assert circle[name].job.state.phase is Phase.DONE
    assert circle["bob"].job.copying


def test_whoever_has_a_result_says_so_again_if_the_job_is_cancelled_for_want_of_it_and_others_copy_it() -> None:
    circle = done(brings=False)
    circle.bring("bob", OUT)
    circle.run(1.0)
    want = statement(StatementKind.CANCELLED, node=circle.id_of("dan"), text="it has gone with dan and bob")
    circle.utter("ann", "cid", want)
    assert circle["cid"].job.state.wants((0, 0))
    assert not circle["cid"].job.copying

    circle.utter("ann", "bob", want)
    circle.run(1.0)

    assert circle["cid"].job.state.phase is Phase.DONE
    assert circle["cid"].job.copying


def test_of_a_job_that_is_cancelled_nothing_is_copied() -> None:
    circle = done(brings=False)

    circle.ask("ann", lambda request: CancelJob(request, circle["ann"].job.id))
    circle.bring_all()
    circle.run(60.0)

    assert keepers(circle) == []
    assert not any(each.job.copying for each in circle.partners.values())


def test_a_replica_that_has_lost_its_disk_copies_again_what_it_once_had() -> None:
    circle = done()
    circle.run(1.0)
    assert keepers(circle) == ["ann", "bob", "cid"]
    circle.crash("bob")
    circle["bob"].rows.clear()
    circle["bob"].store.clear()

    circle.restart("bob")
    circle.meet("bob")
    circle.run(30.0)

    assert OUT.digest in circle["bob"].store


def test_a_replica_that_was_restarted_has_what_it_has_said_it_has() -> None:
    circle = done()
    circle.run(1.0)
    circle.crash("bob")
    circle.take()

    circle.restart("bob")
    circle.meet("bob")
    circle.run(30.0)

    assert not any("bob fetches" in line for line in circle.take())


def test_it_may_come_from_whoever_has_made_the_same() -> None:
    circle = done(brings=False)
    circle.bring("bob", OUT)
    circle.run(1.0)
    assert keepers(circle) == ["bob"]
    circle["cid"].store[OUT.digest] = None
    circle.kill("dan")
    circle.kill("bob")

    circle.utter("cid", "ann", statement(StatementKind.FINISHED, attempt=2, outcome=outcome(1.0, OUT)))
    circle.bring_all()
    circle.run(60.0)

    assert OUT.digest in circle["ann"].store
    assert circle["ann"].job.state.is_over


def test_what_cannot_be_had_and_does_not_count_any_more_is_let_go() -> None:
    circle = done(brings=False)
    job = circle["ann"].job
    job.state.unit((0, 0)).result = None  # as if what it was computed from had been lost

    refuse(circle, "ann")

    assert not job.copying
    assert not job.refusals


def test_a_result_is_made_anew_when_its_last_keeper_dies_who_has_not_made_it() -> None:
    circle = done(brings=False)
    circle.bring("bob", OUT)
    circle.run(1.0)
    circle.kill("dan")
    for name in ("ann", "cid"):
        circle.refuse(name, OUT)
    circle.run(5.0)
    circle.kill("bob")
    for name in ("ann", "cid"):
        if circle[name].fetching:
            circle.refuse(name, OUT)
    circle.brings = True
    circle.run(60.0)

    assert circle["ann"].running or circle["cid"].running


def test_a_result_is_made_anew_when_its_last_keeper_dies_before_whoever_led() -> None:
    circle = done(brings=False)
    circle.crash("dan")
    circle["dan"].rows.clear()
    circle["dan"].store.clear()
    circle.restart("dan")
    circle.meet("dan")
    circle.bring("bob", OUT)
    for name in ("ann", "bob", "cid"):
        circle.utter("dan", name, statement(StatementKind.LOST, node=circle.id_of("dan"), text="it has a new disk"))
    circle.run(1.0)
    assert keepers(circle) == ["bob"]

    for name in ("bob", "ann"):
        circle.crash(name)
    for name in ("bob", "ann"):
        circle.miss(name, "cid", "dan")

    assert [line for line in circle.take() if line.endswith("runs only#2")]
