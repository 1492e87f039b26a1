"""People know which machines must not be lost: those that alone have a whole copy of a job."""

import pytest

from pnode.protocol.desk import segment_row
from pnode.protocol.ids import Digest, JobId
from pnode.protocol.job import Job
from pnode.sim.chaos.ending import Ending
from pnode.sim.chaos.plan import Options
from pnode.sim.chaos.run import Run
from pnode.sim.host import Host

CALM = Options(1, nodes=4, minutes=0.5, faults=(), jobs=(0,))


@pytest.fixture
def finished() -> tuple[Run, JobId]:
    """A cluster in good weather, and its only job, which is concluded."""
    run = Run(CALM)
    run.form()
    run.blow()
    run.storm.calm()
    Ending(run.plan, run.cluster, run.people, run.behaviour, run.watch, run.complaints).await_rest()
    assert not run.complaints, run.complaints.texts
    [(_, job)] = run.people.safe
    return run, job


def keepers(run: Run, job: JobId) -> list[int]:
    [(errand, _)] = run.people.safe
    return run.people.keepers(errand, job)


def known(host: Host, job: JobId) -> Job:
    assert host.peer.jobs is not None
    return host.peer.jobs.desk.jobs[job]


def test_whoever_has_all_results_of_a_concluded_job_keeps_it(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    number = keepers(run, job)[0]

    run.cluster.hosts[number].disk.wipe()

    assert number not in keepers(run, job)


def test_whoever_lacks_a_result_of_a_concluded_job_does_not_keep_it(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    host = run.cluster.hosts[keepers(run, job)[0]]
    result = known(host, job).state.unit(known(host, job).final(0)).result
    assert result is not None
    assert result.outcome is not None

    del host.content[Digest(result.outcome.outputs[0].digest)]

    assert host.number not in keepers(run, job)


def test_whoever_would_lose_a_result_with_its_power_has_no_copy(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    host = run.cluster.hosts[keepers(run, job)[0]]
    result = known(host, job).state.unit(known(host, job).final(0)).result
    assert result is not None
    assert result.outcome is not None

    host.workshop.passing[Digest(result.outcome.outputs[0].digest)] = None

    assert host.number not in keepers(run, job)


def test_whoever_would_lose_an_input_with_its_power_has_no_copy() -> None:
    run = Run(CALM)
    run.form()
    [plan] = run.plan.jobs
    run.people.schedule((plan,))
    run.cluster.engine.run_for(plan.at_s + 1.0)
    [(errand, job)] = run.people.safe
    host = run.cluster.hosts[keepers(run, job)[0]]
    assert not known(host, job).state.is_over

    host.workshop.passing[Digest(errand.plan.spec.items[0].files[0].digest)] = None

    assert host.number not in keepers(run, job)


def test_whoever_has_not_heard_of_every_result_has_no_whole_copy(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    host = run.cluster.hosts[keepers(run, job)[0]]

    del known(host, job).state.units[known(host, job).final(0)]

    assert host.number not in keepers(run, job)


def cancel(run: Run, job: JobId) -> None:
    """Let it have been cancelled before it was done, wherever it is known."""
    for host in run.cluster.hosts:
        assert host.peer.jobs is not None
        here = host.peer.jobs.desk.jobs.get(job)
        if here is not None:
            here.state.conclusion, here.state.cancelled = None, (host.now, "somebody wanted it so")
            here.state._complete.clear()


def test_whoever_keeps_a_cancelled_job_has_a_copy_without_any_results(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    replicas = keepers(run, job)
    cancel(run, job)

    for host in run.cluster.hosts:
        host.content.clear()

    assert keepers(run, job) == replicas


def test_whoever_has_not_journaled_why_a_job_was_cancelled_has_no_copy(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    cancel(run, job)
    number = keepers(run, job)[0]
    here = known(run.cluster.hosts[number], job)

    for ending in here.endings:
        run.cluster.hosts[number].disk.put("segment", segment_row(job, here.ledger[ending]), None)
    run.cluster.engine.run_for(1.0)

    assert number not in keepers(run, job)


def test_whoever_has_only_taken_part_in_a_cancelled_job_has_no_copy(finished: tuple[Run, JobId]) -> None:
    run, job = finished
    cancel(run, job)
    number = keepers(run, job)[0]
    here = known(run.cluster.hosts[number], job)

    here.replicas = tuple(node for node in here.replicas if node != run.cluster.hosts[number].id)

    assert number not in keepers(run, job)
