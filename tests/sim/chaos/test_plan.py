from dataclasses import replace

from pnode.sim.chaos.faults import FOR_EVER
from pnode.sim.chaos.plan import Options, plan_of
from pnode.sim.chaos.work import STREAM_ITEMS, JobPlan

OPTIONS = Options(3, nodes=8, minutes=3.0)


def test_a_seed_is_a_plan() -> None:
    assert plan_of(OPTIONS) == plan_of(OPTIONS)
    assert plan_of(OPTIONS) != plan_of(replace(OPTIONS, seed=4))


def test_what_is_left_out_changes_nothing_else() -> None:
    whole = plan_of(OPTIONS)
    some = tuple(number for number, _ in whole.faults)[::2]

    part = plan_of(replace(OPTIONS, faults=some, jobs=(1,)))

    assert part.faults == tuple(each for each in whole.faults if each[0] in some)
    assert part.jobs == (whole.jobs[1],)
    assert (part.link, part.speeds, part.troubles) == (whole.link, whole.speeds, whole.troubles)


def test_seeds_differ_in_what_troubles_there_are() -> None:
    plans = [plan_of(Options(seed, 6, 1.0)) for seed in range(60)]
    seen = {name for plan in plans for name in plan.troubles}

    assert len({plan.troubles for plan in plans}) > 50
    assert {"lost", "blackout", "wipe", "backup", "pause", "drift", "ring", "bridge", "swizzle", "flapping"} <= seen


def test_somebody_is_always_left() -> None:
    for seed in range(30):
        plan = plan_of(Options(seed, 5, 2.0))
        lost = {host for _, fault in plan.faults if fault.for_s == FOR_EVER for host in fault.hosts}

        assert lost <= set(plan.mortal)
        assert len(plan.mortal) <= 3


def test_jobs_differ_in_what_people_do_with_them() -> None:
    jobs = [job for seed in range(20) for job in plan_of(Options(seed, 6, 2.0)).jobs]

    assert {job.spec.replicas for job in jobs} == {1, 2, 3, 4}
    assert {job.fickle for job in jobs} == {True, False}
    assert {bool(job.cancelled) for job in jobs} == {True, False}
    assert {job.bereft for job in jobs} == {True, False}
    assert any(job.faulty for job in jobs)
    assert any(job.endless for job in jobs)
    assert any(job.followers for job in jobs)
    assert any(len(job.spec.items) > 1 for job in jobs)
    assert len({job.spec.mapper for job in jobs}) > 3


def test_the_command_repeats_the_run() -> None:
    assert OPTIONS.command == "pnode sim chaos --seed 3 --nodes 8 --minutes 3"
    assert replace(OPTIONS, faults=(1, 5), jobs=()).command.endswith("--faults 1,5 --jobs none")


def test_the_story_tells_every_fault_and_job() -> None:
    plan = plan_of(OPTIONS)
    story = "\n".join(plan.story())

    assert all(f"fault {number}: " in story for number, _ in plan.faults)
    assert all(f"job {job.number}: " in story for job in plan.jobs)


def test_a_stream_runs_into_its_walltime_for_no_longer_than_other_jobs_do() -> None:
    jobs = [job for seed in range(2000, 2100) for job in plan_of(Options(seed, 5, 0.75)).jobs if job.endless]
    held_up_s = {len(job.spec.items): len(job.spec.items) * walltime_s(job) for job in jobs}

    assert STREAM_ITEMS in held_up_s, "draw other seeds"
    assert held_up_s[STREAM_ITEMS] <= max(seconds for items, seconds in held_up_s.items() if items != STREAM_ITEMS)
    assert all(walltime_s(job) > job.seconds_max / 0.5 for job in jobs), "the slowest machine has half the speed"


def walltime_s(job: JobPlan) -> float:
    return max(job.spec.dag.by_name[name].walltime_s for name in job.endless)
