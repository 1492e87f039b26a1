"""Whole jobs on whole clusters while machines fail: a few seeds here, as many as you like by `python -m
pnode.sim.chaos FIRST COUNT`."""

from dataclasses import replace
from random import Random

import pytest

from pnode.protocol.dag import Dag
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.jobstate import Phase
from pnode.sim import chaos
from pnode.sim.chaos import Storm, main, run

SEEDS = (
    *range(8),
    30,  # cut off at the end, then a blackout: one host was never told that the job is over
    65,  # what is missing of a dead host's feed nobody can show the replica
    105,  # a result was lost, and the host that made it anew as well
    168,  # after a blackout a host is waited for that nobody has ever heard of
)
"""Those with a comment made a job hang, fail or leave something behind at some time."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_job_survives_what_a_seed_has_in_store_for_it(seed: int) -> None:
    verdict = run(seed)

    assert not verdict.complaints, f"{verdict}\nagain: python -m pnode.sim.chaos {seed} 1"


@pytest.mark.parametrize("seed", range(6))
def test_a_planned_job_survives_it_too_though_cores_are_kept_by_wrong_estimates(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(rng: Random) -> JobSpec:
        spec = random_spec(rng)
        tasks = tuple(replace(task, expected_s=2.0) for task in spec.dag.tasks)
        items = spec.items if seed % 3 == 0 else spec.items[:1]  # a plan for a stream keeps no cores
        return replace(spec, dag=Dag(tasks), items=items, mapper="wave-hint")

    random_spec = chaos._random_spec
    monkeypatch.setattr(chaos, "_random_spec", planned)

    assert not run(seed).complaints


def test_the_same_seed_is_the_same_run() -> None:
    assert run(3) == run(3)


def test_what_does_not_hold_is_said() -> None:
    storm = Storm(1)
    storm.blow()
    state = storm.job.state
    final = next(key for key in state.units if storm.job.task(key).final)
    storm.origin.content.clear()
    unfinished = next(iter(state.units))
    state.units[unfinished].result.outcome = state.units[final].result.outcome  # type: ignore[union-attr]

    complaints = " ".join(storm.judge().complaints)

    assert "has another result than without faults" in complaints
    assert "is not at the origin" in complaints


def test_a_job_that_does_not_end_is_said_to_be_so() -> None:
    storm = Storm(1)
    for host in storm.cluster.hosts:
        host.run_model = lambda host, run: (1e6, "")
    storm.job_id = storm.cluster.submit(storm.origin, storm.spec)

    verdict = storm.judge()

    assert storm.job.state.phase is Phase.RUNNING
    assert "the job is running with" in str(verdict)
    assert "thinks the job goes on" in str(verdict)


def test_seeds_can_be_run_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["1", "1"]) == 0
    assert capsys.readouterr().out == "0 of 1 seeds failed\n"
