from pnode.sim.chaos.batch import Outcome
from pnode.sim.chaos.plan import Options, plan_of
from pnode.sim.chaos.shrink import shorten

OPTIONS = Options(3, nodes=8, minutes=3.0)


class Judge:
    """Fails if certain faults and jobs are there."""

    def __init__(self, faults: set[int], jobs: set[int]) -> None:
        self.faults = faults
        self.jobs = jobs
        self.runs = 0

    def __call__(self, options: Options) -> Outcome:
        self.runs += 1
        plan = plan_of(options)
        there = {number for number, _ in plan.faults} >= self.faults and {
            job.number for job in plan.jobs
        } >= self.jobs
        return Outcome(options, ("it hangs",) if there else (), "", 0, 0.0, 0, 0, 0, 0)


def test_a_schedule_is_shortened_to_what_it_takes_to_fail() -> None:
    judge = Judge({2, 7}, {1})

    short = shorten(OPTIONS, judge, 500)

    assert {number for number, _ in short.faults} == {2, 7}
    assert [job.number for job in short.jobs] == [1]


def test_what_fails_by_itself_needs_nothing() -> None:
    short = shorten(OPTIONS, Judge(set(), set()))

    assert (short.faults, short.jobs) == ((), ())


def test_shortening_ends_in_time() -> None:
    judge = Judge({2, 7, 9}, {0, 1})

    short = shorten(OPTIONS, judge, 5)

    assert judge.runs == 5
    assert {2, 7, 9} <= {number for number, _ in short.faults}
