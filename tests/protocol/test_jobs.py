"""Jobs: what a node's roles do together, what people ask of it, and what it takes up after a restart."""

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pnode.protocol.codec import decode, encode
from pnode.protocol.dag import Dag
from pnode.protocol.effects import Reply, Save
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.events import CancelJob, Submit
from pnode.protocol.ids import JobId
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Ledger, Segment, StatementKind
from pnode.protocol.placing import HANDOFF_S
from pnode.protocol.signed import Kind, Signed, sign
from pnode.protocol.strangers import STRANGER_S

from .ledgers import statement
from .members import CLUSTER
from .partners import Circle, spec, task

ALONE = spec(task("only"))
CHAIN = spec(task("first", "second"), task("second"))
DIAMOND = spec(
    task("top", "left", "right"), task("left", "end"), task("right", "end"), task("end", inputs_per_call=2), items=2
)


def error(circle: Circle, name: str, request: int) -> str | None:
    return circle[name].replies[request].error


def finish(circle: Circle) -> None:
    """Let every run end well until none has begun for so long that none will."""
    quiet_s = 0.0
    while quiet_s < 60.0:
        running = [(each.name, run.unit) for each in circle.partners.values() for run in each.running.values()]
        quiet_s = 0.0 if running else quiet_s + 1.0
        for name, unit in running[:1]:
            circle.end(name, unit.task, item=unit.item)
        circle.run(1.0)


# What people ask.


def test_a_job_goes_through_several_nodes_and_nothing_is_left_over() -> None:
    circle = Circle("ann", "bob", "cid", "dan", cores=2)
    for name, node in (("top", "bob"), ("left", "cid"), ("right", "dan"), ("end", "bob")):
        circle.prefer(name, node)

    circle.submit("ann", DIAMOND)
    assert circle.placed() == [
        "ann: top#1 to bob", "ann: top[1]#1 to bob",
        "bob: left#1 to cid", "bob: right#1 to dan", "bob: left[1]#1 to cid", "bob: right[1]#1 to dan",
    ]  # fmt: skip
    circle.end("bob", "top")
    circle.end("bob", "top", item=1)
    assert circle.placed() == ["cid: end#1 to bob", "cid: end[1]#1 to bob"]
    finish(circle)

    assert circle["ann"].job.state.phase is Phase.DONE
    assert all(partner.job.closed and not partner.job.held for partner in circle.partners.values())
    circle.take()
    assert circle.is_quiet()
    assert circle.deadline == math.inf


def test_who_may_not_submit_is_told_so() -> None:
    circle = Circle("ann")
    circle["ann"].near.barred.append(circle.id_of("ann"))

    request = circle.ask("ann", lambda number: Submit(number, encode(ALONE)))

    assert error(circle, "ann", request) == "this node's certificate does not allow it to submit"
    assert not circle["ann"].jobs.desk.jobs
    assert circle.deadline == math.inf


def test_who_has_no_room_for_another_job_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.register.JOBS_MAX", 1)
    circle = Circle("ann")
    circle.submit("ann", ALONE)

    request = circle.ask("ann", lambda number: Submit(number, encode(CHAIN)))

    assert error(circle, "ann", request) == "1 jobs are under way here: no room for another"


def test_the_oldest_job_that_is_over_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.register.JOBS_MAX", 1)
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    old = circle.submit("ann", ALONE)
    circle.end("bob", "only")

    new = circle.submit("ann", spec(task("only"), nonce=b"m" * 16))

    assert list(circle["ann"].jobs.desk.jobs) == [new] != [old]
    assert circle["bob"].running


def test_a_job_makes_no_room_before_its_end_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.register.JOBS_MAX", 1)
    circle = Circle("ann")
    job = circle.submit("ann", ALONE)
    ann = circle["ann"]

    ann.jobs.handle(CancelJob(8, job), circle.now)
    effects = ann.jobs.handle(Submit(9, encode(CHAIN)), circle.now)

    assert Reply(9, b"", "1 jobs are under way here: no room for another") in effects


def test_a_job_is_cancelled_with_the_name_of_the_node_where_it_was_said() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    job = circle.submit("ann", ALONE)

    request = circle.ask("bob", lambda number: CancelJob(number, job))

    assert error(circle, "bob", request) is None
    assert circle["ann"].job.state.cancelled == (circle.now, "cancelled at bob")
    assert not circle["bob"].job.held
    circle.take()
    assert circle.is_quiet()


def test_who_cancels_a_job_is_told_so_when_it_is_written_down() -> None:
    circle = Circle("ann", "bob")
    job = circle.submit("ann", ALONE)
    ann = circle["ann"].jobs

    effects = [*ann.handle(CancelJob(7, job), circle.now), *ann.tick(circle.now)]

    rows = [decode(Signed, each.value).body for each in effects if isinstance(each, Save) and each.table == "segment"]
    said = [statement.kind for body in rows for statement in decode(Segment, body).statements]
    assert StatementKind.CANCELLED in said
    places = [at for at, each in enumerate(effects) if isinstance(each, Save | Reply)]
    assert effects[places[-1]] == Reply(7, b"", None)


def test_what_cannot_be_cancelled_is_said_with_the_reason() -> None:
    circle = Circle("ann", "bob")
    job = circle.submit("ann", ALONE)
    circle.prefer("only", "bob")

    def cancel(name: str, job: JobId) -> str | None:
        return error(circle, name, circle.ask(name, lambda number: CancelJob(number, job)))

    assert cancel("ann", JobId(b"?" * 16)) == "no such job is known here"
    circle["ann"].near.barred.append(circle.id_of("ann"))
    assert cancel("ann", job) == "this node's certificate does not allow it to submit or cancel jobs"
    circle["ann"].near.barred.clear()
    finish(circle)
    assert cancel("ann", job) == "the job has already ended: it is done"


# Other members.


def test_a_node_that_is_gone_is_not_waited_for() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob", "cid")
    circle.crash("bob")
    circle.submit("ann", ALONE)
    circle.placed()

    circle.miss("bob")

    assert circle.placed() == ["ann: only#2 to cid"]
    attempt = circle["ann"].job.state.unit((0, 0)).attempts[(2, circle.id_of("cid"))]
    assert attempt.why == "bob is gone"


def test_a_node_that_cannot_be_reached_is_not_waited_for() -> None:
    circle = Circle("ann", "bob", "cid")
    circle.prefer("only", "bob", "cid")
    circle.crash("bob")
    circle.submit("ann", ALONE)
    circle.placed()

    circle.do(circle["ann"], circle["ann"].jobs.unreachable(circle.id_of("bob"), "connection refused", circle.now))
    circle.settle()

    assert circle.placed() == ["ann: only#2 to cid"]
    attempt = circle["ann"].job.state.unit((0, 0)).attempts[(2, circle.id_of("cid"))]
    assert attempt.why == "bob cannot be reached: connection refused"


def test_what_was_told_in_vain_is_told_when_the_origin_is_back() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    circle.crash("ann")
    circle.miss("ann")
    circle.end("bob", "only")
    circle.run(60.0)
    circle.take()

    circle.restart("ann")
    circle.meet("ann")

    assert circle.take() == [
        "ann > bob: (bob: ACCEPTED only#1, STARTED only#1)",  # in case it has forgotten
        "bob > ann: FINISHED only#1",
        "ann fetches only_out from bob",
        "ann > bob: KEPT only#1, CONCLUDED",
    ]
    assert circle["ann"].job.state.phase is Phase.DONE
    assert circle.is_quiet()


def test_a_message_that_breaks_the_protocol_leaves_the_rest_as_it_was() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    seed = circle["bob"].jobs.desk.place.seed
    other = sign(circle.crypto, seed, Kind.JOB, CLUSTER, b"no specification")

    with pytest.raises(RemoteProtocolError):
        circle["bob"].jobs.register.known(JobId(b"?" * 16), other, circle.id_of("ann"))

    finish(circle)
    assert circle["ann"].job.state.phase is Phase.DONE


# Restarts.


def test_what_is_in_the_journal_is_not_written_again() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    rows = dict(circle["ann"].rows)
    circle.crash("ann")
    circle["ann"].rows = _Once(rows)

    circle.restart("ann")

    assert circle["ann"].rows == rows


class _Once(dict[tuple[str, bytes], bytes]):
    """Rows none of which may be written again."""

    def __setitem__(self, key: tuple[str, bytes], value: bytes) -> None:
        assert key not in self
        super().__setitem__(key, value)


def test_segments_of_a_job_that_was_not_kept_and_rows_that_stand_there_twice_do_no_harm() -> None:
    circle = Circle("ann")
    circle.submit("ann", CHAIN)
    partner = circle["ann"]
    stray = Ledger(JobId(b"?" * 16)).write(
        circle.crypto, CLUSTER, partner.jobs.desk.place.seed, 1, (statement(StatementKind.STARTED),)
    )
    partner.rows[("segment", b"stray")] = encode(stray.signed)
    partner.rows[("segment", b"twice")] = next(row for (table, _), row in partner.rows.items() if table == "segment")
    circle.crash("ann")

    circle.restart("ann")
    finish(circle)

    assert circle["ann"].job.state.phase is Phase.DONE


def test_a_job_that_was_over_stays_over_and_silent() -> None:
    circle = Circle("ann", "bob")
    circle.prefer("only", "bob")
    circle.submit("ann", ALONE)
    finish(circle)
    for name in ("ann", "bob"):
        circle.crash(name)
    circle.take()

    for name in ("ann", "bob"):
        circle.restart(name)

    assert circle["ann"].job.closed
    circle.run(STRANGER_S)
    assert circle.take() == []
    assert circle.deadline == math.inf


def test_a_cluster_that_was_switched_off_goes_on_where_it_was() -> None:
    circle = Circle("ann", "bob", "cid")
    for name, node in (("top", "bob"), ("left", "cid"), ("right", "bob"), ("end", "cid")):
        circle.prefer(name, node)
    circle.submit("ann", DIAMOND)
    circle.end("bob", "top")
    for name in circle.partners:
        circle.crash(name)

    for name in circle.partners:
        circle.restart(name)
    for name in circle.partners:
        circle.meet(name)
    finish(circle)

    assert circle["ann"].job.state.phase is Phase.DONE
    assert circle["ann"].job.state.unit((0, 0)).number == 1


# Whatever happens.


@settings(max_examples=30)  # each is a whole life of a cluster
@given(seed=st.integers(0, 2**32))
@example(seed=1420040)  # a unit is lost four times while it runs
@example(seed=6393)  # who has forgotten a unit is back before anybody there knows that it has it
def test_whoever_dies_and_comes_back_the_job_ends_well(seed: int) -> None:
    rng = Random(seed)
    circle = Circle("ann", "bob", "cid", "dan", cores=2)
    for name in ("top", "left", "right", "end"):
        circle.prefer(name, *rng.sample(list(circle.partners), 2))
    patient = tuple(replace(task, retries_lost=25) for task in DIAMOND.dag.tasks)  # as often as anything happens
    circle.submit("ann", replace(DIAMOND, dag=Dag(patient)))
    circle.run(1.0)  # what `submit` has promised is on the disk
    for _ in range(rng.randint(5, 25)):
        _disturb(circle, rng)
        circle.run(rng.choice((0.0, 0.0, 1.0, HANDOFF_S, 10.0)))

    for name, partner in circle.partners.items():
        if not partner.up:
            _switch_on(circle, name)
    finish(circle)

    assert circle["ann"].job.state.phase is Phase.DONE
    assert [partner.name for partner in circle.partners.values() if partner.held] == []


def _disturb(circle: Circle, rng: Random) -> None:
    """A run ends, or a node dies, perhaps with what it wrote last, and is missed, or is switched on again."""
    name = rng.choice(list(circle.partners))
    partner = circle[name]
    if not partner.up:
        _switch_on(circle, name)
    elif partner.running and rng.random() < 0.7:
        unit = rng.choice(list(partner.running))
        circle.end(name, unit.task, item=unit.item)
    elif rng.random() < 0.5:
        circle.crash(name, unsynced=rng.random() < 0.5)
        circle.run(rng.choice((0.0, 0.1, 2.0, 6.0)))
        circle.miss(name)


def _switch_on(circle: Circle, name: str) -> None:
    circle.restart(name, unknown=tuple(each.name for each in circle.partners.values() if not each.up))
    circle.meet(name)
