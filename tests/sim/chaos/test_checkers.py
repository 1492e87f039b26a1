"""The checkers can fail: a peer, a network or a memory that is broken on purpose is caught."""

from collections.abc import Callable

import pytest

from pnode.protocol.effects import SendDatagram
from pnode.protocol.ids import JobId
from pnode.protocol.job import Unplaced
from pnode.protocol.jobstate import Phase
from pnode.protocol.membership import Membership
from pnode.protocol.roster import Happening, State
from pnode.protocol.signed import Kind, sign
from pnode.protocol.swim import Alive, Dead, Suspicion
from pnode.sim.chaos.ending import Ending
from pnode.sim.chaos.plan import Options
from pnode.sim.chaos.run import Run
from pnode.sim.host import Host

CALM = Options(1, nodes=4, minutes=0.5, faults=(), jobs=(0,))


@pytest.fixture
def formed() -> Run:
    """A cluster in good weather, before anything has happened."""
    run = Run(CALM)
    run.form()
    return run


def complaints(run: Run) -> str:
    return " ".join(run.complaints.texts)


def ending(run: Run) -> Ending:
    return Ending(run.plan, run.cluster, run.people, run.behaviour, run.watch, run.complaints)


def finished(run: Run) -> tuple[Ending, Host, JobId]:
    """Run it to its end; who leads its job."""
    run.blow()
    run.storm.calm()
    end = ending(run)
    end.await_rest()
    assert not run.complaints, run.complaints.texts
    [(_, job)] = run.people.safe
    return end, end._replicas(job)[0][0], job


def test_a_run_without_faults_has_nothing_to_complain_of(formed: Run) -> None:
    end, _, _ = finished(formed)
    end.judge()

    assert not formed.complaints, formed.complaints.texts
    assert formed.watch.ledgers.segments > 0
    assert formed.watch.members.deaths == 0


def test_a_verdict_without_evidence_is_caught(formed: Run) -> None:
    host, victim = formed.cluster.hosts[:2]
    membership = host.peer.membership
    assert membership is not None
    member = membership.members[victim.id]

    membership._roster.turn(member, Happening.ACCUSED, host.now)
    membership._roster.turn(member, Happening.CONDEMNED, host.now)
    formed.watch.members.changed(host, victim.id)

    assert "n0: calls n1 dead on the word of 0" in complaints(formed)


def verdict(run: Run, accused: Host, accusers: list[Host]) -> Dead:
    """What these say of somebody."""
    membership = view(accused)
    said = Suspicion(accused.id, membership.record.incarnation)
    cluster = accused.peer.identity.cluster
    evidence = (sign(run.cluster.crypto, each.peer.identity.seed, Kind.SUSPICION, cluster, said) for each in accusers)
    return Dead(said.accused, said.incarnation, tuple(evidence))


def view(host: Host) -> Membership:
    assert host.peer.membership is not None
    return host.peer.membership


def test_a_verdict_is_judged_by_those_who_were_seen_when_it_was_passed() -> None:
    run = Run(Options(1, nodes=5, minutes=0.5, faults=(), jobs=(0,)))
    run.form()
    host, victim, second, third, newcomer = run.cluster.hosts
    census = view(host)._census
    census.forget(newcomer.id)
    run.watch.members.changed(host, newcomer.id)

    census.hear_dead(verdict(run, victim, [second, third]), second.id, host.now)
    census.hear(Alive(view(newcomer)._census.signed), second.id, host.now)
    for node in (victim.id, newcomer.id):
        run.watch.members.changed(host, node)

    assert view(host).members[victim.id].state is State.DEAD
    assert run.watch.members.deaths == 1
    assert not run.complaints, run.complaints.texts


def test_a_verdict_with_too_few_accusers_is_caught_though_somebody_else_goes_with_it() -> None:
    run = Run(Options(1, nodes=5, minutes=0.5, faults=(), jobs=(0,)))
    run.form()
    host, victim, second, third, other = run.cluster.hosts
    census = view(host)._census
    for signed in verdict(run, victim, [second, third]).evidence:
        census.hear_suspicion(signed, second.id, host.now)

    for node in (victim.id, other.id):
        census.roster.turn(census.roster.members[node], Happening.ACCUSED, host.now)
        census.roster.turn(census.roster.members[node], Happening.CONDEMNED, host.now)
    census.roster.members[other.id].unreachable = True
    for node in (victim.id, other.id):
        run.watch.members.changed(host, node)

    assert "n0: calls n1 dead on the word of 2, where 3" in complaints(run)


def test_an_incarnation_that_goes_back_is_caught(formed: Run) -> None:
    host, other = formed.cluster.hosts[:2]
    membership = host.peer.membership
    assert membership is not None
    formed.watch.members.changed(host, other.id)

    membership.members[other.id].incarnation -= 1
    formed.watch.members.changed(host, other.id)

    assert "went back from incarnation" in complaints(formed)


def test_an_incarnation_that_nobody_signed_is_caught(formed: Run) -> None:
    host, other = formed.cluster.hosts[:2]
    membership = host.peer.membership
    assert membership is not None

    membership.members[other.id].incarnation += 1
    formed.watch.members.changed(host, other.id)

    assert "which it has not signed" in complaints(formed)


def test_a_member_that_is_no_host_is_caught(formed: Run) -> None:
    host, other = formed.cluster.hosts[:2]
    formed.watch.members.hosts.pop(other.id)

    formed.watch.members.changed(host, other.id)

    assert "a stranger" in complaints(formed)


def test_a_message_beyond_its_limit_is_caught(formed: Run) -> None:
    host, other = formed.cluster.hosts[:2]

    formed.watch.after(host, [SendDatagram(other.id, other.address, b"x" * 1400)])

    assert "sends 1400 bytes where 1300 are allowed" in complaints(formed)


def test_a_queue_that_nobody_empties_is_caught(formed: Run) -> None:
    host = formed.cluster.hosts[0]
    host.sessions.outbox[formed.cluster.hosts[1].id] = [b""] * 5000

    formed.watch.bounds.look(host)

    assert "has 5000 frames" in complaints(formed)


def test_more_jobs_than_were_submitted_are_caught_and_as_many_are_not(formed: Run) -> None:
    _, host, job = finished(formed)
    jobs = host.peer.jobs
    assert jobs is not None
    assert formed.people.submitted == 1
    formed.people.submitted += 4  # as if machines had died over it
    for number in range(4):
        jobs.desk.jobs[JobId(bytes([number]) * 16)] = jobs.desk.jobs[job]
    formed.watch.bounds.look(host)
    assert not formed.complaints, formed.complaints.texts

    jobs.desk.jobs[JobId(b"x" * 16)] = jobs.desk.jobs[job]
    formed.watch.bounds.look(host)

    assert "has 6 jobs, at most 5 are allowed" in complaints(formed)


def test_a_phase_that_goes_back_is_caught(formed: Run) -> None:
    _, host, job_id = finished(formed)
    jobs = host.peer.jobs
    assert jobs is not None
    job = jobs.desk.jobs[job_id]
    entry = next(entry for entry in job.ledger if entry.segment.statements[0].task == 0)
    statement = entry.segment.statements[0]
    for unit in job.state.units.values():
        for attempt in unit.attempts.values():
            attempt.phase = "assigned"

    author, boot, sequence = entry.id
    row = job_id + author + boot.to_bytes(4, "big") + sequence.to_bytes(4, "big")
    formed.watch.ledgers.written(host, row)

    assert f"attempt {statement.attempt} at" in complaints(formed)
    assert "went back to assigned" in complaints(formed)


def test_two_segments_in_one_place_are_caught(formed: Run) -> None:
    _, host, _ = finished(formed)
    row = next(iter(formed.watch.ledgers.digests))
    formed.watch.ledgers.digests[row] = b"another"

    for each in formed.cluster.hosts:
        formed.watch.ledgers.written(each, row)

    assert host.up
    assert "has another segment" in complaints(formed)


def spoil_result(run: Run, host: Host, job: JobId) -> None:
    jobs = host.peer.jobs
    assert jobs is not None
    units = list(jobs.desk.jobs[job].state.units.values())
    results = [unit.result for unit in units if unit.result is not None]
    results[0].outcome, results[-1].outcome = results[-1].outcome, results[0].outcome


def lose_content(run: Run, host: Host, job: JobId) -> None:
    for each in run.cluster.hosts:
        each.content.clear()


def forget_job(run: Run, host: Host, job: JobId) -> None:
    for each in run.cluster.hosts:
        if each.peer.jobs is not None:
            each.peer.jobs.desk.jobs.pop(job, None)


def fail_job(run: Run, host: Host, job: JobId) -> None:
    jobs = host.peer.jobs
    assert jobs is not None
    state = jobs.desk.jobs[job].state
    state._complete.clear()
    state._shown.clear()
    state.cancelled = (host.now, "nobody knows why")
    for errand in run.people.errands.values():
        errand.was_cancelled = False


def leave_work(run: Run, host: Host, job: JobId) -> None:
    jobs = host.peer.jobs
    assert jobs is not None
    jobs.desk.jobs[job].unplaced[(0, 0)] = Unplaced()


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (spoil_result, "another result than without faults"),
        (lose_content, "has no copy of the result"),
        (forget_job, "has no replica"),
        (fail_job, "is cancelled for no reason that there was: nobody knows why"),
        (leave_work, "waits for"),
    ],
)
def test_an_end_that_is_wrong_is_caught(formed: Run, break_it: Callable[[Run, Host, JobId], None], what: str) -> None:
    end, host, job = finished(formed)

    break_it(formed, host, job)
    end.judge()

    assert what in complaints(formed)


def test_results_that_do_not_fit_each_other_are_caught() -> None:
    run = Run(CALM)
    run.form()
    end, _, job = finished(run)
    key = next(key for key in run.behaviour.used if key[0] == job)

    run.behaviour.used[key] = ()
    end.judge()

    assert "was not computed from the accepted results of its parents" in complaints(run)


def test_a_job_that_does_not_end_is_caught(formed: Run) -> None:
    for host in formed.cluster.hosts:
        host.run_model = lambda host, run: (1e6, "")
    formed.blow()
    formed.storm.calm()

    ending(formed).await_rest()

    assert f"is {Phase.RUNNING.value} at" in complaints(formed)


def test_views_that_stay_apart_are_caught(formed: Run) -> None:
    formed.storm.calm()
    for other in (1, 2, 3):
        formed.cluster.network.cut(0, other)
        formed.cluster.network.cut(other, 0)
    formed.cluster.engine.run_for(60.0)

    ending(formed).await_rest()

    assert "views differ: n0 lacks n1 n2 n3" in complaints(formed)
