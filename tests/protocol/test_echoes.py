"""Echoes: a node whose disk was replaced does not believe what others say that it has said."""

import pytest

from pnode.protocol.dag import Task
from pnode.protocol.echoes import AGAIN_S, LOOK_S
from pnode.protocol.jobmessages import Deliver
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Statement, StatementKind
from pnode.protocol.strangers import STRANGER_S

from .partners import Circle, file, spec, task

OUT = file("only_out")
INPUT = file("input")
ONLY = (task("only"),)
CHAIN = (task("first", "second"), task("second"))


def circle_for(*tasks: Task, **prefer: str) -> Circle:
    """ann's job, which bob and cid guard."""
    for number in range(64):
        circle = Circle("ann", "bob", "cid", "dan")
        for name, node in prefer.items():
            circle.prefer(name, node)
        job = spec(*tasks, replicas=2, files=(INPUT,), nonce=bytes([number]) * 16)
        circle.submit_unanswered("ann", job)
        circle.run(1.0)
        if circle.id_of("dan") not in circle["ann"].job.replicas:
            return circle
    raise AssertionError("one in three digests is such")


def wipe(circle: Circle, name: str) -> None:
    """Its disk is replaced; its identity is not."""
    circle.crash(name)
    circle[name].rows.clear()
    circle[name].store.clear()


def come_back(circle: Circle, name: str) -> None:
    circle.restart(name)
    circle.meet(name)


def lost(circle: Circle, seen_by: str = "ann") -> list[str]:
    units = circle[seen_by].job.state.units.values()
    return [circle.name_of(each.node) for unit in units for each in unit.attempts.values() if each.lost is not None]


def phase(circle: Circle) -> Phase:
    """What ann takes the job for."""
    return circle["ann"].job.state.phase


def leads(circle: Circle) -> bool:
    return circle["ann"].job.leading


def test_a_result_that_has_gone_with_the_disk_of_who_made_it_is_said_to_be_lost() -> None:
    circle = circle_for(*CHAIN, first="bob", second="dan")
    circle.brings = False
    circle.end("bob", "first")
    wipe(circle, "bob")
    circle.miss("bob")
    circle.meet("ann", "cid")

    come_back(circle, "bob")
    circle.run(LOOK_S + 1.0)
    circle.refuse("bob", file("first_out"))

    assert lost(circle) == ["bob"]


def test_a_result_whose_reader_is_gone_with_all_that_it_made_is_said_to_be_lost() -> None:
    circle = circle_for(*CHAIN, first="bob", second="dan")
    circle.brings = False
    circle.end("bob", "first")
    circle.run(1.0)
    circle.bring("dan", file("first_out"), "bob")
    circle.end("dan", "second")
    circle.run(1.0)
    wipe(circle, "bob")
    come_back(circle, "bob")
    circle.kill("dan")  # nobody says that what it wrote is lost: that it is gone says as much

    circle.run(LOOK_S + 1.0)
    circle.refuse("bob", file("first_out"))

    assert lost(circle, "bob") == ["bob"]


def test_a_result_that_its_maker_needs_again_itself_and_has_not_is_said_to_be_lost() -> None:
    """It has been given the reader, whose result is lost by words that it has not heard."""
    chain = (task("first", "second"), task("second", "third"), task("third"))
    circle = circle_for(*chain, first="dan", second="bob", third="cid")
    circle.brings = False
    circle.end("dan", "first")
    circle.run(1.0)
    circle.bring("bob", file("first_out"), "dan")
    circle.end("bob", "second")
    circle.run(1.0)
    circle.crash("dan")
    circle["dan"].store.clear()
    come_back(circle, "dan")
    again = Statement(StatementKind.ASSIGNED, 1, 0, 2, circle.now, circle.id_of("dan"), "bob has lost it")
    circle.utter("ann", "dan", again)

    circle.run(LOOK_S + 1.0)
    assert circle["dan"].held == [(1, 0)]
    circle.refuse("dan", file("first_out"))

    assert lost(circle, "dan") == ["dan"]


def test_a_result_that_is_said_to_be_lost_is_made_anew_while_its_reader_goes_on_waiting() -> None:
    circle = circle_for(*CHAIN, first="bob", second="dan")
    circle.brings = False
    circle.end("bob", "first")
    circle.run(1.0)
    assert circle["dan"].job.held
    circle.prefer("first", "ann")
    wipe(circle, "bob")

    come_back(circle, "bob")
    circle.run(LOOK_S + 1.0)
    circle.refuse("bob", file("first_out"))
    circle.bring("ann", INPUT)
    circle.run(10.0)

    assert [unit.task for unit in circle["ann"].running] == ["first"]
    assert circle["dan"].job.held


def test_of_a_result_that_is_still_in_the_store_nothing_is_said() -> None:
    circle = circle_for(*CHAIN, first="bob", second="dan")
    circle.brings = False
    circle.end("bob", "first")
    circle.crash("bob")
    circle["bob"].rows.clear()

    come_back(circle, "bob")
    circle.run(LOOK_S + 1.0)
    assert circle["bob"].job.echoes
    circle.bring("bob", file("first_out"))
    circle.run(AGAIN_S)

    assert not circle["bob"].job.echoes
    assert not lost(circle)


@pytest.mark.parametrize("starts", [1, 2])
@pytest.mark.parametrize("is_there", [True, False])
def test_what_was_made_for_other_tasks_is_doubted_at_each_start(is_there: bool, starts: int) -> None:
    """The run that found the machine to have been off may have ended before it had looked."""
    circle = circle_for(*CHAIN, first="bob", second="bob")
    circle.brings = False
    circle.end("bob", "first")
    circle.run(1.0)
    for _ in range(starts):
        circle.crash("bob")
        circle.restart("bob")

    circle.meet("bob")
    circle.run(LOOK_S + 1.0)
    assert circle["bob"].job.echoes
    assert not circle["bob"].running
    circle.brings = True
    if is_there:
        circle.bring("bob", file("first_out"))
    else:
        circle.refuse("bob", file("first_out"))

    circle.run(10.0)
    assert lost(circle) == ([] if is_there else ["bob"])
    running = [(name, unit.task) for name, each in circle.partners.items() for unit in each.running]
    assert running == [("bob", "second") if is_there else ("ann", "first")]


def test_a_final_result_and_what_is_in_the_ledger_are_not_doubted() -> None:
    circle = circle_for(task("first", "second"), task("second", final=True), first="bob", second="bob")
    circle.end("bob", "first", contents=(b"first_out",))
    circle.end("bob", "second")
    circle.crash("bob")

    circle.restart("bob")

    assert not circle["bob"].job.echoes


def test_what_somebody_else_has_a_copy_of_is_copied_again_and_not_lost() -> None:
    circle = circle_for(*ONLY, only="bob")
    circle.end("bob", "only", OUT)
    wipe(circle, "bob")

    come_back(circle, "bob")
    circle.run(2 * AGAIN_S)

    assert OUT.digest in circle["bob"].store
    assert not lost(circle)
    assert not circle["bob"].job.echoes


def test_two_who_have_lost_their_copies_do_not_rely_on_each_other() -> None:
    circle = circle_for(*ONLY, only="bob")
    circle.brings = False
    circle.end("bob", "only", OUT)
    circle.bring("cid", OUT, "bob")
    circle.run(1.0)
    circle.prefer("only", "dan")
    wipe(circle, "bob")
    wipe(circle, "cid")

    come_back(circle, "bob")
    come_back(circle, "cid")
    circle.bring_all()
    circle.run(LOOK_S + 1.0)
    assert not lost(circle)
    circle.run(120.0)

    assert lost(circle) == ["bob"]
    assert "dan" in [circle.name_of(node) for _, node in circle["ann"].job.state.unit((0, 0)).attempts]


def test_copies_are_not_waited_for_from_a_maker_that_has_lost_everything_too() -> None:
    circle = circle_for(*ONLY, only="dan")  # which keeps no job
    circle.brings = False
    circle.end("dan", "only", OUT)
    for name in ("bob", "cid"):
        circle.bring(name, OUT, "dan")
    circle.run(1.0)
    circle.prefer("only", "ann")
    for name in ("dan", "bob", "cid"):
        wipe(circle, name)

    for name in ("dan", "bob", "cid"):
        come_back(circle, name)
    circle.bring_all()
    circle.run(300.0)

    assert lost(circle) == ["dan"]
    assert [unit.task for unit in circle["ann"].running] == ["only"]


def test_the_last_copy_of_a_result_that_its_keeper_has_lost_is_made_anew() -> None:
    circle = circle_for(*ONLY, only="bob")
    circle.brings = False
    circle.end("bob", "only", OUT)  # bob has the only copy
    circle.run(1.0)
    assert phase(circle) is Phase.DONE
    circle.prefer("only", "dan")
    wipe(circle, "bob")

    come_back(circle, "bob")
    circle.bring_all()
    circle.run(LOOK_S + 1.0)

    assert lost(circle) == ["bob"]
    assert phase(circle) is Phase.RUNNING
    circle.run(10.0)
    circle.end("dan", "only", OUT)
    circle.run(10.0)
    assert phase(circle) is Phase.DONE
    assert circle["ann"].job.state.concluded
    assert all(OUT.digest in circle[name].store for name in ("ann", "bob", "cid"))


def test_what_was_doubted_when_the_power_went_is_doubted_by_the_next_run() -> None:
    circle = circle_for(*ONLY, only="bob")
    circle.brings = False
    circle.end("bob", "only", OUT)
    circle.run(1.0)
    wipe(circle, "bob")
    come_back(circle, "bob")
    circle.crash("bob")

    circle.bring_all()
    come_back(circle, "bob")
    circle.run(LOOK_S + 1.0)

    assert lost(circle) == ["bob"]


def test_what_is_doubted_no_more_is_in_the_journal() -> None:
    circle = circle_for(*ONLY, only="bob")
    circle.end("bob", "only", OUT)
    wipe(circle, "bob")
    come_back(circle, "bob")
    circle.run(2 * AGAIN_S)

    assert circle.rows_with("bob", StatementKind.FINISHED) == 1


def test_what_was_not_copied_again_when_the_power_went_is_copied_by_the_next_run() -> None:
    """Though the job is over: what the others have said of it is no memory of having the results."""
    circle = circle_for(*ONLY, only="dan")
    circle.end("dan", "only", OUT)
    circle.run(1.0)
    assert circle["ann"].job.state.concluded
    circle.brings = False
    wipe(circle, "bob")
    come_back(circle, "bob")
    circle.run(2 * AGAIN_S)
    circle.crash("bob")

    circle.bring_all()
    come_back(circle, "bob")
    circle.run(STRANGER_S + AGAIN_S)

    assert OUT.digest in circle["bob"].store
    assert circle.rows_with("bob", StatementKind.KEPT) > 0


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_a_replica_without_its_inputs_when_the_power_went_gets_them_in_its_next_run(name: str) -> None:
    """What the others have heard it say of them is no memory of having them, nor is it that the job began here."""
    circle = circle_for(*ONLY, only="dan")
    circle.brings = False
    wipe(circle, name)
    come_back(circle, name)
    circle.run(2 * AGAIN_S)
    assert circle.id_of(name) in circle[name].job.state.guards
    circle.crash(name)

    circle.bring_all()
    come_back(circle, name)
    circle.run(STRANGER_S + AGAIN_S)

    assert INPUT.digest in circle[name].store


def test_what_is_kept_again_after_it_was_lost_is_kept() -> None:
    circle = circle_for(*ONLY, only="bob")
    circle.brings = False
    circle.end("bob", "only", OUT)
    circle.run(1.0)
    wipe(circle, "bob")
    come_back(circle, "bob")
    circle.bring_all()
    circle.run(LOOK_S + 1.0)
    (result,) = circle["ann"].job.state.unit((0, 0)).in_phase("finished")
    assert not result.copies

    circle["ann"].store[OUT.digest] = None  # it turns up again
    circle.run(400.0)

    (result, *_) = circle["ann"].job.state.unit((0, 0)).in_phase("finished")
    assert circle.id_of("ann") in result.copies


def test_a_unit_that_was_begun_before_the_disk_was_replaced_is_begun_again() -> None:
    circle = circle_for(*ONLY, only="bob")
    wipe(circle, "bob")

    come_back(circle, "bob")
    circle.run(LOOK_S)

    assert [unit.task for unit in circle["bob"].running] == ["only"]


def test_whoever_comes_to_lead_tells_a_holder_what_it_has_accepted_and_forgotten() -> None:
    circle = circle_for(*ONLY, only="dan")
    wipe(circle, "dan")
    circle.crash("ann")

    come_back(circle, "dan")  # bob and cid take ann for alive, and leave it to her
    assert not circle["dan"].running
    circle.miss("ann")
    circle.run(1.0)

    assert [unit.task for unit in circle["dan"].running] == ["only"]


def test_an_origin_without_its_inputs_gets_them_from_its_guardians_and_runs_nothing_before() -> None:
    circle = circle_for(*ONLY, only="ann")
    wipe(circle, "ann")
    circle.brings = False

    come_back(circle, "ann")
    assert not circle["ann"].running
    circle.bring_all()

    assert INPUT.digest in circle["ann"].store
    assert [unit.task for unit in circle["ann"].running] == ["only"]


def test_an_origin_does_not_lead_before_it_has_the_ledger_again() -> None:
    circle = circle_for(*ONLY, only="bob")
    wipe(circle, "ann")
    circle.miss("ann")
    ledger = circle["bob"].job.ledger.fingerprint()

    circle.take()

    circle.restart("ann")
    circle.say("bob", "ann", _first_words(circle, "bob"))
    assert circle["ann"].job.ledger.fingerprint() != ledger
    assert not leads(circle)
    circle.meet("ann")
    circle.run(1.0)

    assert leads(circle)
    assert circle["ann"].job.state.unit((0, 0)).number == 1


def _first_words(circle: Circle, name: str) -> object:
    job = circle[name].job
    (entry,) = job.ledger.ends(circle.id_of(name))
    return Deliver(job.id, (entry.signed,), job.signed)
