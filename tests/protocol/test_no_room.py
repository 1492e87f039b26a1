"""No room: a node whose disk is full, or fails, is itself to blame for what it cannot do, and nobody else is."""

from pnode.protocol.events import FetchFailed, RunEnded
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import StatementKind

from .ledgers import NOTHING
from .partners import Circle, file, spec, task
from .test_copies import OUT, done, keepers, result

INPUT = file("k0_in")
FULL = "the disk is full"


def full(circle: Circle, name: str, content: str = "k0_in") -> None:
    """There is no room at a partner for what it fetches."""
    wanted = file(content)
    del circle[name].fetching[wanted.digest]
    circle.tell(name, FetchFailed(wanted, FULL, ours=True))


def test_a_unit_whose_input_does_not_fit_goes_to_another_node_at_once() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("only", "bob", "cid")
    circle.submit("ann", spec(task("only"), files=(INPUT,)))

    full(circle, "bob")

    job = circle["ann"].job
    first, second = job.state.unit((0, 0)).attempts.values()
    assert (first.phase, first.reason) == ("dropped", f"it cannot take in its input k0_in: {FULL}")
    assert (second.node, second.phase) == (circle.id_of("cid"), "accepted")
    assert second.why == f"bob has dropped it: {first.reason}"
    assert circle["bob"].held == []


def test_a_unit_whose_outputs_cannot_be_kept_is_run_elsewhere_without_a_retry_being_asked_for() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob", "cid")
    circle.submit("ann", spec(task("only")))
    (run,) = circle["bob"].running.values()
    circle["bob"].running.clear()

    circle.tell("bob", RunEnded(run.unit, FULL, 0, (), NOTHING, NOTHING, "", 1.0, ours=True))

    assert [each.phase for each in circle["ann"].job.state.unit((0, 0)).attempts.values()] == ["dropped", "started"]
    circle.end("cid", "only")
    assert circle["ann"].job.state.phase is Phase.DONE


def test_a_replica_without_room_for_a_result_does_not_call_it_lost_and_tries_again() -> None:
    circle = done(brings=False)

    full(circle, "ann", OUT.name)

    assert circle["ann"].job.leading
    assert result(circle).lost is None
    circle.bring_all()
    circle.run(10.0)
    assert "ann" in keepers(circle)


def test_a_parents_result_is_not_lost_because_a_child_has_no_room_for_it() -> None:
    circle = Circle("ann", "bob", "cid", brings=False)
    circle.prefer("first", "ann")
    circle.prefer("second", "bob", "cid")
    circle.submit("ann", spec(task("first", "second"), task("second")))
    circle.end("ann", "first")

    full(circle, "bob", "first_out")

    kinds = [each.kind for entry in circle["ann"].job.ledger for each in entry.segment.statements]
    assert StatementKind.LOST not in kinds
    assert circle["cid"].held == [(1, 0)]
