"""The membership study: what its figures say of observations, and that courses see what happens to a cluster."""

import dataclasses
import json

import pytest

from pnode.node import cli
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.roster import State
from pnode.sim.study import membership_figures as figures
from pnode.sim.study import membership_formulas as formulas
from pnode.sim.study.membership import Conditions, Episode, Holding, Observations, Sighting, Stage, Traffic, Trial
from pnode.sim.study.membership_course import CRASHES, Course, observe
from pnode.sim.study.membership_report import lines, table, to_plain

LAN = MembershipSettings.lan()

MEMBERLIST = {8: (1.4, 5.4, 5.6), 64: (1.4, 8.7, 9.0), 128: (1.5, 10.0, 10.4), 512: (1.6, 12.5, 13.0)}
"""Simulated with memberlist's constants (membership.md 3.1): suspected, first and all dead, seconds, medians."""


def seen(at_s: float, observer: int, state: State | None, subject: int = 9) -> Sighting:
    return Sighting(at_s, observer, subject, state)


CRASH = Episode(
    100.0,
    9,
    3,
    (
        seen(101.5, 0, State.SUSPECT),
        seen(101.7, 1, State.SUSPECT),
        seen(106.0, 0, State.DEAD),
        seen(106.25, 1, State.DEAD),
        seen(106.5, 2, State.DEAD),
    ),
)


def test_times_of_a_crash_count_from_the_crash() -> None:
    assert figures.suspected_s(CRASH) == 1.5
    assert figures.suspected_by_all_s(CRASH) == 6.5  # the last of them heard the verdict first
    assert figures.first_dead_s(CRASH) == 6.0
    assert figures.all_dead_s(CRASH) == 6.5


def test_what_some_never_saw_has_no_time() -> None:
    crash = dataclasses.replace(CRASH, others=4)

    assert figures.all_dead_s(crash) is None
    assert figures.first_dead_s(crash) == 6.0
    assert figures.first_dead_s(Episode(0.0, 9, 2, ())) is None


def test_a_node_is_known_when_the_last_has_met_it_for_the_first_time() -> None:
    join = Episode(10.0, 9, 2, (seen(10.5, 0, State.ALIVE), seen(11.0, 1, State.ALIVE), seen(19.0, 0, State.ALIVE)))

    assert figures.known_by_all_s(join) == 1.0


def test_traffic_is_per_node_and_second() -> None:
    traffic = Traffic(seconds=10.0, nodes=4, datagrams=80, bytes=4000, cpu_s=0.5)

    assert figures.bytes_per_s(traffic) == 100.0
    assert figures.datagrams_per_s(traffic) == 2.0
    assert figures.speed(traffic) == 20.0


def test_processor_time_of_a_node_is_the_median_of_those_that_were_measured() -> None:
    traffic = Traffic(10.0, 4, 80, 8000, 1.0, (0.001, 0.005, 0.002))

    assert figures.alone_us_per_s(traffic) == pytest.approx(200.0)
    assert figures.alone_us_per_s(Traffic(10.0, 4, 80, 8000, 1.0)) is None


def test_ages_are_those_of_what_is_held() -> None:
    holding = Holding(tuple(map(float, range(1, 201))), missing=7, looks=10)

    assert figures.age_p99_s(holding) == 198.0
    assert figures.age_median_s(holding) == 100.0
    assert figures.held(holding) == 20.0
    assert figures.age_p99_s(Holding((), 3, 1)) is None


def test_a_death_that_many_believe_is_one_and_one_after_it_is_over_another() -> None:
    trial = Trial(
        1800.0,
        (
            seen(1.0, 0, State.SUSPECT),
            seen(5.0, 0, State.DEAD),
            seen(5.5, 1, State.DEAD),
            seen(6.0, 0, State.ALIVE),
            seen(6.5, 2, State.DEAD),
            seen(7.0, 1, State.ALIVE),
            seen(7.1, 2, State.ALIVE),
            seen(9.0, 1, State.DEAD),
            seen(9.0, 1, State.DEAD, subject=4),
        ),
        stalls=60,
    )

    assert figures.false_deaths(trial) == 3
    assert figures.deaths_per_hour([trial, Trial(1800.0, ())]) == 3.0
    assert figures.deaths_per_1000_stalls([trial, Trial(1800.0, (), stalls=40)]) == 30.0
    assert figures.deaths_per_1000_stalls([Trial(1800.0, ())]) is None


def test_the_formulas_give_what_a_simulation_of_memberlist_gave() -> None:
    for nodes, (_, first_dead_s, all_dead_s) in MEMBERLIST.items():
        assert formulas.first_dead_s(LAN, nodes) == pytest.approx(first_dead_s, rel=0.06)
        assert formulas.all_dead_s(LAN, nodes) == pytest.approx(all_dead_s, rel=0.06)
        assert 1.6 <= formulas.suspected_s(LAN, nodes) <= 1.7


def test_a_report_tells_medians_by_size_and_leaves_out_what_nobody_went_through() -> None:
    courses = [
        Observations(Conditions(nodes, seed), started_s=float(seed), crashes=[CRASH])
        for nodes in (16, 4)
        for seed in (1, 2, 6)
    ]

    head, first, *rest = table(courses).splitlines()
    plain = to_plain(courses)

    assert head.split() == ["4", "nodes", "16", "nodes"]
    assert first.split()[-2:] == ["2", "2"]
    assert not any("loss" in line or "stall" in line for line in rest)
    assert plain["medians"][0]["nodes"] == 4  # type: ignore[index]
    assert plain["medians"][0]["all_dead_s"] == 6.5  # type: ignore[index]
    assert lines().keys() <= plain["medians"][0].keys()  # type: ignore[index]
    assert json.loads(json.dumps(plain)) == plain


def test_a_course_sees_a_start_a_join_and_several_crashes() -> None:
    course = observe(Conditions(5, 3, stages=(Stage.START, Stage.JOIN, Stage.CRASH)))

    assert course.started_s is not None
    assert course.started_s < 5.0
    assert course.join is not None
    assert course.join.others == 5
    assert [crash.others for crash in course.crashes] == [5] * CRASHES
    assert len({crash.subject for crash in course.crashes}) == CRASHES
    assert 0.0 < (figures.known_by_all_s(course.join) or 0.0) < 5.0
    for crash in course.crashes:
        suspected_s, first_s, all_s = (
            figure(crash) for figure in (figures.suspected_s, figures.first_dead_s, figures.all_dead_s)
        )
        assert suspected_s is not None
        assert first_s is not None
        assert all_s is not None
        assert LAN.probe_interval_s - LAN.probe_timeout_s <= suspected_s < first_s <= all_s
        assert first_s - suspected_s >= 4.0  # SuspicionMult intervals, at least
    assert (course.quiet, course.loss) == (None, None)


def test_nodes_that_stall_for_long_are_given_up_and_counted() -> None:
    course = Course(Conditions(4, 5, timing="fast", minutes=1.0, stalls=0.25, stages=(Stage.STALLS,)))
    well = course.observe().stalls
    ill = Course(Conditions(4, 5, timing="fast", minutes=1.0, stalls=0.25, stages=(Stage.STALLS,)))
    ill.stall_s = 15.0

    trial = ill.observe().stalls

    assert well is not None
    assert trial is not None
    assert (figures.false_deaths(well), well.stalls) == (0, 3)
    assert figures.false_deaths(trial) == trial.stalls == 3


def test_busy_nodes_hold_fresh_loads_of_all_others_and_idle_ones_say_little() -> None:
    course = observe(Conditions(4, 1, stages=(Stage.QUIET, Stage.IDLE, Stage.BUSY)))

    assert course.quiet is not None
    assert course.idle is not None
    assert course.busy is not None
    assert course.holding is not None
    assert figures.held(course.holding) == 3.0
    assert course.holding.missing == 0
    assert 0.1 < (figures.age_p99_s(course.holding) or 0.0) < 2.0
    quiet, idle, busy = map(figures.bytes_per_s, (course.quiet, course.idle, course.busy))
    assert quiet < idle < busy


def test_the_same_conditions_give_the_same_observations_and_another_seed_others() -> None:
    conditions = Conditions(4, 2, minutes=0.5, loss=0.2, stages=(Stage.QUIET, Stage.CRASH, Stage.LOSS))

    once = observe(conditions)

    assert once == observe(conditions)
    assert once.crashes != observe(dataclasses.replace(conditions, seed=3)).crashes


SMALL = ["sim", "membership", "--nodes", "4,3", "--seeds", "2", "--workers", "1", "--stages", "start,crash"]


def test_the_word_prints_a_column_per_size(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(SMALL)

    head, *rest = capsys.readouterr().out.splitlines()
    assert status == 0
    assert head.split() == ["3", "nodes", "4", "nodes"]
    assert any(line.startswith("one crashes, s until all have given it up") for line in rest)


def test_the_word_prints_one_json_value(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main([*SMALL, "--seed", "7", "--json"])

    plain = json.loads(capsys.readouterr().out)
    assert status == 0
    assert [(course["nodes"], course["seed"]) for course in plain["courses"]] == [(4, 7), (4, 8), (3, 7), (3, 8)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nodes", "16,x"], "'16,x' is no list of numbers of nodes"),
        (["--nodes", "1"], "'1' is no list of numbers of nodes"),
        (["--stages", "start,end"], "there is no stage 'end', expected some of start,quiet,"),
    ],
)
def test_what_makes_no_sense_is_used_wrongly(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main(["sim", "membership", *words])

    assert status == 2
    assert message in capsys.readouterr().err
