"""Streams in the storm: small graphs over so many items that these are settled while others run."""

from pnode.sim.chaos.plan import Options, plan_of
from pnode.sim.chaos.run import Run
from pnode.sim.chaos.work import STREAM_ITEMS

WITH_A_STREAM = Options(58, nodes=3, minutes=0.4)


def test_what_must_hold_holds_for_a_stream_and_its_items_are_settled() -> None:
    assert STREAM_ITEMS in [len(job.spec.items) for job in plan_of(WITH_A_STREAM).jobs], "draw another seed"
    run = Run(WITH_A_STREAM)

    verdict = run.verdict()

    assert verdict.holds, verdict.complaints
    known = [
        job for host in run.cluster.hosts if host.up and host.peer.jobs for job in host.peer.jobs.desk.jobs.values()
    ]
    assert max(len(job.state.settlement) for job in known) == STREAM_ITEMS
