"""Gantt charts: every bar in its place, nothing over anything else, all readable by machines and people."""

import re
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from pnode.sim.schedule.result import Execution, Result, Transfer
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Scenario
from pnode.sim.study.gantt import gantt_svg
from pnode.sim.study.report import gantt_html

from .drawings import Picture
from .fakes import chain, network, scenario, with_cores, with_machines, with_tasks


def result(of: Scenario, *spans: tuple[int, int, float, float], transfers: tuple[Transfer, ...] = ()) -> Result:
    """A result with executions (task, machine, start, finish)."""
    executions = tuple(
        Execution(0, 0, task, machine, start, start, start, end) for task, machine, start, end in spans
    )
    return Result(of, "some-mapper", 7, executions, transfers, 0.0, 0, 0, 0, complete=True)


def test_a_bar_lies_where_and_when_its_task_ran() -> None:
    picture = Picture(gantt_svg(result(scenario(3, 1), (0, 0, 0, 3), (1, 1, 4, 8))))
    first, second = [bar for bar in picture.bars if bar.text]
    zero, eight = (next(text for text in picture.texts if text.text == number) for number in "08")
    scale = (eight.left + eight.right - zero.left - zero.right) / 2 / 8

    assert first.text.startswith("t0 on m0\n0 to 3 s, for 3 s\n")
    assert second.text.startswith("t1 on m1\n4 to 8 s")
    assert abs(first.right - first.left - 3 * scale) < 1
    assert abs(second.left - first.left - 4 * scale) < 1
    assert second.top >= first.bottom
    assert picture.complaints() == []


def test_what_runs_side_by_side_on_a_machine_lies_on_lanes_of_their_own() -> None:
    both = Scenario("s", network(1, 1), (Arrival(chain(1, 1, 1)),))

    picture = Picture(gantt_svg(result(both, (0, 0, 0, 4), (1, 0, 1, 3), (2, 0, 3, 5))))
    bars = [bar for bar in picture.bars if bar.text]

    assert not any(one.overlaps(other) for at, one in enumerate(bars) for other in bars[:at])
    assert bars[1].top == bars[2].top > bars[0].top


def test_a_task_of_several_cores_has_a_bar_on_each() -> None:
    graph = chain(1, 1)
    wide = replace(graph, tasks=(replace(graph.tasks[0], cores=2), graph.tasks[1]))
    twice = Scenario("s", with_cores(network(1), 3), (Arrival(wide),))

    picture = Picture(gantt_svg(result(twice, (0, 0, 0, 4), (1, 0, 1, 3))))
    bars = [bar for bar in picture.bars if bar.text]

    assert [bar.text[:2] for bar in bars] == ["t0", "t0", "t1"]
    assert len({bar.top for bar in bars}) == 3
    assert picture.complaints() == []


def test_what_never_ended_reaches_to_the_end() -> None:
    run = result(scenario(3, 1), (0, 0, 0, 3), (1, 1, 1, float("inf")))

    first, second = [bar for bar in Picture(gantt_svg(replace(run, complete=False))).bars if bar.text]

    assert abs(second.right - first.right) < 1


def test_a_transfer_goes_from_its_source_to_its_target() -> None:
    moved = Transfer(0, 0, 0, 1, 0, 1, 1e6, 3, 4)
    run = result(scenario(3, 1), (0, 0, 0, 3), (1, 1, 4, 8), transfers=(moved,))

    assert "t0 to t1\n1000000 bytes, 3 to 4 s" in Picture(gantt_svg(run, transfers=True)).hints()
    assert "t0 to t1" not in gantt_svg(run)


def test_a_copy_that_lost_is_pale_and_says_so() -> None:
    run = result(scenario(3), (0, 0, 0, 3), (0, 1, 0, 2))
    lost = replace(run, executions=(run.executions[0], replace(run.executions[1], kept=False, attempt=2)))

    svg = gantt_svg(lost)

    assert svg.count('opacity="0.35"') == 1
    assert "attempt 2\nits result was not used" in svg


def test_a_failure_is_marked_until_the_recovery() -> None:
    fates = (Disruption(1, 0, Fate.FAIL), Disruption(2, 0, Fate.RECOVER), Disruption(3, 1, Fate.FAIL))
    run = result(replace(scenario(3), disruptions=fates), (0, 0, 0, 4))

    picture = Picture(gantt_svg(run))
    first, second = [bar for bar in picture.bars if bar.kind == "bad"]

    assert first.text == "m0 is down from 1 s"
    assert abs((first.right - first.left) - (second.right - second.left)) < 1, "both for one second"
    assert picture.complaints() == []


def test_graphs_or_kinds_of_tasks_have_colours_of_their_own() -> None:
    kinds = Scenario("s", network(1), (Arrival(with_tasks(chain(1, 1, 1), "map_1", "map_2", "fold")),))

    picture = Picture(gantt_svg(result(kinds, (0, 0, 0, 1), (1, 0, 1, 2), (2, 0, 2, 3))))
    styles = [bar.kind for bar in picture.bars if bar.text]

    assert styles == ["fill0", "fill0", "fill1"]
    assert {"map", "fold"} <= {text.text for text in picture.texts}
    assert picture.complaints() == []


names = st.text(min_size=1, max_size=60)


@given(st.lists(names, min_size=1, max_size=5, unique=True), names)
@example(machines=["\x1f\x1f\x1f\x1f\x1f"], title="0")
def test_any_names_make_a_drawing_that_can_be_read(machines: list[str], title: str) -> None:
    plain = scenario(3, 1, name=title, speeds=(1.0,) * len(machines))
    named = replace(plain, network=with_machines(plain.network, *machines))

    picture = Picture(gantt_svg(result(named, (0, 0, 0, 3), (1, 0, 3, 4))))

    assert picture.complaints() == []


def test_a_real_run_of_many_tasks_stays_within_its_frame() -> None:
    arrivals = tuple(Arrival(chain(*range(1, 9), name=f"graph {at}"), 3.0 * at) for at in range(12))
    many = Scenario("many", network(1, 2, 3), arrivals)

    picture = Picture(gantt_svg(simulate(many, "heft", trace=True), transfers=True))
    bars = [bar for bar in picture.bars if bar.text]

    assert len(bars) == 96
    assert not any(one.overlaps(other) for at, one in enumerate(bars) for other in bars[:at])
    assert picture.complaints() == []


def test_the_page_needs_nothing_but_itself() -> None:
    html = gantt_html(result(scenario(3, 1, name="<script>"), (0, 0, 0, 3)))

    assert "<svg" in html
    assert "prefers-color-scheme:dark" in html
    assert "<script>:" not in html
    assert re.findall(r'(?:src|href)="?(?!#)', html) == []
