"""Settling: items of a stream are settled as they get through, everybody forgets them, and nothing is lost by it."""

import math

import pytest

from pnode.protocol.codec import decode
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Cause, Segment, Statement
from pnode.protocol.ledger import StatementKind as K
from pnode.protocol.retention import RETENTION_S
from pnode.protocol.settling import SETTLE_S, SETTLE_S_MAX
from pnode.protocol.signed import Signed

from .ledgers import outcome, statement
from .partners import Circle, file, spec, task

FIRST, LAST = range(2)
NAMES = ("ann", "bob", "cid")
ITEMS = 4


@pytest.fixture(autouse=True)
def small_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 2)


def stream(*names: str, brings: bool = True, replicas: int = 1, items: int = ITEMS) -> Circle:
    """ann's stream of two tasks, which bob and cid run; the first of those named after them guard it."""
    circle = Circle("ann", "bob", "cid", *names, brings=brings, cores=8)
    circle.prefer("first", "bob")
    circle.prefer("last", "cid")
    circle.submit("ann", spec(task("first", "last"), task("last"), items=items, replicas=replicas))
    circle.take()
    return circle


def out(item: int) -> FileRef:
    return file("out", f"result {item}")


def run_item(circle: Circle, item: int, first: str = "bob", last: str = "cid") -> None:
    """An item gets through, on those nodes."""
    circle.end(first, "first", file("half"), item=item)
    circle.end(last, "last", out(item), item=item)


def guard(circle: Circle) -> str:
    return circle.name_of(circle["ann"].job.replicas[1])


def settled(circle: Circle, name: str = "ann") -> list[int]:
    return list(circle[name].job.state.settlement)


def settling(circle: Circle, name: str = "ann") -> list[Statement]:
    """What a node has on its disk about settled items."""
    rows = [decode(Signed, row) for (table, _), row in circle[name].rows.items() if table == "segment"]
    said = [each for row in rows for each in decode(Segment, row.body).statements]
    return [each for each in said if each.kind == K.SETTLED]


def settle(
    circle: Circle, name: str, by: str, item: int, *outputs: FileRef, node: str = "cid", **fields: float
) -> None:
    """A partner hears that somebody has settled an item."""
    said = statement(
        K.SETTLED,
        (LAST, item),
        1,
        fields.get("at_s", circle.now),
        node=circle.id_of(node),
        outcome=outcome(1.0, *outputs),
    )
    circle.utter(by, name, said)


def test_items_that_get_through_are_settled_together_and_everybody_forgets_them() -> None:
    circle = stream()
    run_item(circle, 0)
    run_item(circle, 2)
    assert not settled(circle)

    circle.run(SETTLE_S + 0.1)

    assert [(each.item, each.task, each.at_s) for each in settling(circle)] == [
        (item, LAST, settling(circle)[0].at_s) for item in (0, 2)
    ]
    for name in ("ann", "bob", "cid"):
        job = circle[name].job
        assert settled(circle, name) == [0, 2]
        assert all(item not in (0, 2) for _, item in job.state.units)
        assert all(item not in (0, 2) for (_, item), _ in job.proofs)
        assert all(item not in (0, 2) for _, item in (*job.begun, *job.unbegun, *job.excluded, *job.changes))
    assert circle["ann"].job.state.results == 4


def test_a_settlement_says_when_the_item_ended_and_how_long_it_ran() -> None:
    circle = stream()
    run_item(circle, 0)
    ended_s = circle.now
    circle.run(SETTLE_S + 0.1)

    [said] = settling(circle)
    assert said.outcome is not None
    assert (said.node, said.attempt, said.run_s) == (circle.id_of("cid"), 1, 2.0)
    assert said.at_s - said.queue_s == ended_s
    assert (said.outcome.outputs, said.outcome.used) == ((out(0),), ())


def test_a_stream_all_of_which_is_settled_is_done_and_concluded() -> None:
    circle = stream()
    for item in range(ITEMS):
        run_item(circle, item)
    circle.run(SETTLE_S + 1.0)

    for name in ("ann", "bob", "cid"):
        assert settled(circle, name) == [0, 1, 2, 3]
        assert circle[name].job.state.phase is Phase.DONE
        assert circle[name].job.state.is_over
    assert circle.deadline == math.inf or circle.deadline > circle.now


def test_nothing_is_settled_before_all_replicas_have_copies_and_the_pause_grows() -> None:
    circle = stream(brings=False, replicas=2)
    circle.end("bob", "first", file("half"), item=0)
    circle.bring("cid", file("half"))
    circle.end("cid", "last", out(0), item=0)
    circle.bring("ann", out(0))
    circle.run(3 * SETTLE_S_MAX)
    assert circle["ann"].job.state.through
    assert not settled(circle)
    assert circle["ann"].jobs.leading.concluding.settling.deadline <= circle.now + SETTLE_S_MAX

    circle.bring("bob", out(0))
    circle.run(SETTLE_S_MAX + 0.1)

    assert settled(circle) == [0]


def test_what_somebody_is_still_at_is_not_settled() -> None:
    circle = stream()
    copy = statement(K.ASSIGNED, (FIRST, 0), 2, circle.now, node=circle.id_of("ann"), cause=Cause.COPY)
    circle.utter("bob", "ann", copy)
    assert circle["ann"].held
    circle.utter("bob", "ann", statement(K.STARTED, (FIRST, 1), 2, circle.now))
    run_item(circle, 1)

    circle.run(2 * SETTLE_S)
    assert not settled(circle)
    circle.utter("bob", "ann", statement(K.DROPPED, (FIRST, 1), 2, circle.now))
    circle.run(SETTLE_S_MAX)

    assert settled(circle) == [1]


def test_a_turn_settles_so_many_items_and_the_next_follows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settling.TURN_MAX", 1)
    circle = stream()
    for item in range(3):
        run_item(circle, item)

    circle.run(SETTLE_S + 0.1)

    assert settled(circle) == [0, 1, 2]
    assert circle.rows_with("ann", K.SETTLED) == 3


def test_with_many_nodes_at_work_only_replicas_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settling.TOLD_MAX", 1)
    circle = stream(replicas=0)
    run_item(circle, 0)

    circle.run(SETTLE_S + 0.1)

    assert settled(circle) == [0]
    assert settled(circle, "cid") == []


def test_whoever_comes_to_lead_settles_what_is_through() -> None:
    circle = stream()
    run_item(circle, 0)
    heir = guard(circle)

    circle.kill("ann")
    circle.run(SETTLE_S_MAX)

    assert settled(circle, heir) == [0]


def test_whoever_leads_no_more_settles_nothing() -> None:
    circle = stream()
    run_item(circle, 0)
    circle["ann"].job.leading = False

    circle.run(SETTLE_S_MAX)

    assert not settled(circle)


def test_who_goes_on_with_a_settled_unit_is_shown_that_and_drops_it() -> None:
    circle = stream()
    circle.utter("ann", "bob", statement(K.ASSIGNED, (LAST, 0), 2, circle.now, node=circle.id_of("bob")))
    assert (LAST, 0) in circle["bob"].held
    settle(circle, "ann", "cid", 0, out(0))
    circle.take()

    circle.utter("bob", "ann", statement(K.STARTED, (LAST, 0), 2, circle.now))

    assert settled(circle, "bob") == [0]
    assert (LAST, 0) not in circle["bob"].held
    assert "bob > ann: DROPPED first#1, DROPPED last#2" in circle.take()


def test_somebody_to_whom_a_settled_unit_is_given_is_told_and_who_has_ended_it_is_not() -> None:
    circle = stream("dan", replicas=0)
    settle(circle, "ann", "cid", 0, out(0))
    circle.take()

    circle.utter("bob", "ann", statement(K.ASSIGNED, (LAST, 0), 2, circle.now, node=circle.id_of("dan")))
    assert [line for line in circle.take() if "SETTLED" in line] == ["ann > dan: (cid: SETTLED last#1)"]
    circle.utter("bob", "ann", statement(K.FINISHED, (LAST, 0), 3, circle.now))

    assert not [line for line in circle.take() if "SETTLED" in line]


def test_a_hand_off_of_a_settled_unit_is_not_waited_for() -> None:
    circle = stream()
    circle.deaf.append(("bob", "ann"))
    circle.prefer("only", "bob")
    circle.submit_unanswered("ann", spec(task("only"), items=2, nonce=b"m" * 16))
    jobs = {job.spec.nonce[:1]: job for job in circle["ann"].jobs.desk.jobs.values()}
    job = jobs[b"m"]
    assert job.handoffs
    said = statement(K.SETTLED, (0, 0), 1, circle.now, node=circle.id_of("cid"), outcome=outcome())
    circle["ann"].jobs.desk.say(job, said, ())
    circle.settle()

    assert list(job.handoffs) == [(0, 1)]


def test_who_comes_to_keep_a_stream_copies_what_is_settled_and_says_nothing_of_it() -> None:
    circle = stream("dan", brings=True)
    run_item(circle, 0)
    circle.run(SETTLE_S + 0.1)
    first = guard(circle)

    circle.kill(first)
    circle.run(30.0)
    heir = guard(circle)

    job = circle[heir].job
    result = job.state.unit((LAST, 0)).result
    assert result is not None
    assert heir != first
    assert job.stock.has((LAST, 0), result)
    assert out(0).digest in circle[heir].store
    assert not job.copying
    kept = [line for line in circle.take() if f"{heir} >" in line and "KEPT last#1" in line]
    assert heir == "cid" or not kept


def test_a_copy_of_what_is_settled_that_cannot_be_had_is_tried_for_again() -> None:
    circle = stream(brings=False, replicas=0)
    settle(circle, "ann", "bob", 0, out(0))
    assert list(circle["ann"].fetching) == [out(0).digest]

    for _ in range(4):
        if circle["ann"].fetching:
            circle.refuse("ann", out(0))
        circle.run(10.0)
    assert not [line for line in circle.take() if "LOST" in line]
    circle.run(300.0)
    circle.bring("ann", out(0))

    result = circle["ann"].job.state.unit((LAST, 0)).result
    assert result is not None
    assert circle["ann"].job.stock.has((LAST, 0), result)


def test_of_an_item_settled_twice_everybody_has_the_result_that_counts() -> None:
    circle = stream()
    run_item(circle, 0)
    circle.run(SETTLE_S + 0.1)
    other = file("other")
    circle["bob"].store[other.digest] = None

    for name in ("ann", guard(circle)):
        settle(circle, name, "bob", 0, other, node="bob", at_s=circle.now - 100.0)
        result = circle[name].job.state.unit((LAST, 0)).result
        assert result is not None
        assert result.node == circle.id_of("bob")
        assert circle[name].job.stock.has((LAST, 0), result)
        assert other.digest in circle[name].store


def test_after_a_restart_what_is_settled_is_and_its_copies_are_looked_for() -> None:
    circle = stream()
    run_item(circle, 0)
    circle.run(SETTLE_S + 0.1)
    circle.crash("ann")

    circle.restart("ann")
    circle.run(1.0)

    job = circle["ann"].job
    result = job.state.unit((LAST, 0)).result
    assert result is not None
    assert settled(circle) == [0]
    assert job.stock.has((LAST, 0), result)
    assert not job.state.dropped


def test_what_others_say_of_settling_in_a_small_job_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 100)
    circle = stream()

    settle(circle, "ann", "cid", 0, out(0))

    assert not settled(circle)
    assert not circle["ann"].job.settlements


def test_settlements_of_many_files_are_divided_between_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.desk.STATEMENTS_MAX", 4)
    circle = stream()
    for item in range(3):
        run_item(circle, item)

    circle.run(SETTLE_S + 0.1)

    assert settled(circle, guard(circle)) == [0, 1, 2]
    assert circle.rows_with("ann", K.SETTLED) == 2


@pytest.mark.parametrize("lead_s", [0.5, 0.1])
def test_what_an_item_needs_no_more_is_let_go_however_soon_it_is_settled(lead_s: float) -> None:
    def half(item: int) -> FileRef:
        return FileRef("half", 2**20, digest_of(b"half %d" % item))

    def run_item(circle: Circle, item: int) -> None:
        circle.end("bob", "first", half(item), item=item)
        circle.end("cid", "last", out(item), item=item)

    circle = stream(items=8)
    run_item(circle, 0)
    circle.run(SETTLE_S - lead_s)
    run_item(circle, 1)
    circle.run(5.0)
    early = [half(item).digest for item in range(2) for name in NAMES if half(item).digest in circle[name].store]
    for item in range(2, 8):
        run_item(circle, item)
    circle.run(100.0)

    assert circle["ann"].job.state.is_over
    assert early == []
    assert not any(half(item).digest in circle[name].store for item in range(8) for name in NAMES)


def test_an_origin_that_comes_back_to_a_released_job_fetches_nothing() -> None:
    circle = stream()
    for item in range(ITEMS):
        run_item(circle, item)
        circle.run(SETTLE_S + 0.2)
    circle.run(RETENTION_S + 61.0)
    assert circle["ann"].job.released
    for name in NAMES:
        circle[name].store.clear()
    circle.crash("ann")
    circle.restart("ann")
    circle.meet("ann")
    circle.take()
    circle.run(4000.0)

    assert circle["ann"].job.released
    assert not any("fetches" in line for line in circle.take())
