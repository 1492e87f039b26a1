"""Studies: which runs there are, that each stands for itself, and what stands in the table."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest

from pnode.mappers.instance import Instance
from pnode.mappers.plan import Plan
from pnode.sim.schedule.scenario import Scenario
from pnode.sim.study.batch import RunError
from pnode.sim.study.case import Case, Family
from pnode.sim.study.study import Study, StudyError
from pnode.sim.study.sweep import SweepError

from .fakes import Counting, drawn, fake, scenario

ROOT = Path(__file__).parents[3]


def small(count: int = 4) -> Study:
    """A scenario and a family, three mappers, two seeds."""
    sources: list[Scenario | Family] = [scenario(), Family("family", drawn, count, (("ccr", 0.5),))]
    return Study(sources, ["slow", "fast"], range(2), engine=fake)


def test_a_study_is_every_scenario_with_every_seed_under_every_mapper() -> None:
    table = small().run()

    assert len(table) == (1 + 4) * 2 * 3
    assert table.column("index") == tuple(range(30))
    assert table.names[:6] == ("index", "scenario", "number", "ccr", "mapper", "seed")
    assert table.rows[0][1:6] == ("plain", 0, None, "heft", 0)
    assert table.rows[-1][1:6] == ("family", 3, 0.5, "fast", 1)


def test_scenarios_of_one_name_are_told_apart_by_number() -> None:
    table = Study([scenario(3.0), scenario(7.0, name="other"), scenario(5.0)], ["heft"], engine=fake).run()

    named = zip(table.column("scenario"), table.column("number"), strict=True)
    assert list(named) == [("plain", 0), ("other", 0), ("plain", 1)]


def test_the_baseline_runs_even_if_nobody_asked_for_it() -> None:
    study = Study([scenario()], ["slow"], engine=fake)

    assert study.compared == ("heft", "slow")
    assert study.run().column("ratio") == (1.0, 2.0)


def test_a_ratio_is_paired_by_scenario_and_seed() -> None:
    records = list(small().run().records())
    base = {
        (record["scenario"], record["number"], record["seed"]): record["makespan_s"]
        for record in records
        if record["mapper"] == "heft"
    }

    for record in records:
        makespan_s, ratio = record["makespan_s"], record["ratio"]
        theirs = base[record["scenario"], record["number"], record["seed"]]
        assert isinstance(makespan_s, float)
        assert isinstance(theirs, float)
        assert ratio == pytest.approx(makespan_s / theirs)


def test_without_a_baseline_there_is_no_ratio() -> None:
    study = Study([scenario()], ["slow"], baseline="", engine=fake)

    assert study.compared == ("slow",)
    assert study.run().column("ratio") == (None,)


def test_any_run_can_be_done_again_alone() -> None:
    table = small().run()

    for index in (0, 7, 29):
        again = small().replay(index)

        assert again.makespan_s == table.column("makespan_s")[index]
        assert (again.mapper, again.seed) == (table.column("mapper")[index], table.column("seed")[index])


def test_a_scenario_of_a_family_does_not_depend_on_its_neighbours() -> None:
    few, many = Family("family", drawn, 2), Family("family", drawn, 9)

    assert few.scenario(1) == many.scenario(1)
    assert few.scenario(0) != few.scenario(1)
    assert Family("family", drawn, 2, seed=1).scenario(1) != few.scenario(1)


def test_a_run_that_is_not_there_cannot_be_done_again() -> None:
    with pytest.raises(StudyError, match="no run 30, its 30 runs count from 0"):
        small().replay(30)
    with pytest.raises(StudyError, match="no run -1"):
        small().replay(-1)


def test_the_table_is_the_same_however_many_processes_made_it() -> None:
    study = small(40)
    one = study.run().to_csv()

    assert study.run(workers=2).to_csv() == one
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert study.run(workers=2, executor=pool).to_csv() == one


PROGRAM = """
from tests.sim.study.test_study import small
from pnode.sim.study.plain import summaries_to_plain
from pnode.sim.study.summary import summarise
if __name__ == "__main__":
    import json, sys
    table = small(20).run(workers=int(sys.argv[1]))
    print(table.to_csv(), table.to_jsonl(), json.dumps(summaries_to_plain(summarise(table))))
"""


def test_all_output_is_the_same_under_any_hash_seed_and_number_of_processes(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    outputs = [
        subprocess.run(
            [sys.executable, program, workers],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed, workers in (("0", "1"), ("1", "2"), ("4711", "1"))
    ]

    assert len(outputs[0]) > 1000
    assert outputs[0] == outputs[1] == outputs[2]


def test_progress_counts_every_run_to_the_end() -> None:
    told: list[tuple[int, int]] = []

    small().run(progress=lambda done, of: told.append((done, of)))

    assert told == [(done, 30) for done in range(1, 31)]


def test_equal_runs_are_done_once(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    study = Study([scenario(), scenario()], ["slow"], engine=Counting(begun))

    table = study.run()

    assert len(begun.read_text().splitlines()) == 2
    mapper = table.names.index("mapper")
    assert [row[mapper:] for row in table.rows[:2]] == [row[mapper:] for row in table.rows[2:]]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_cannot_be_done_is_named(workers: int) -> None:
    study = Study([scenario()], ["slow", "unheard-of"], range(3), engine=fake)

    with pytest.raises(RunError, match=r"^run \d+: unheard-of on plain 0, seed \d: there is no mapper 'unheard-of'$"):
        study.run(workers)


def test_what_other_processes_cannot_be_told_is_refused_before_anything_runs() -> None:
    study = Study([Family("local", lambda rng: drawn(rng), 3)], ["slow"], engine=fake)

    with pytest.raises(SweepError, match=r"family 'local' .* cannot be sent to another process"):
        study.run(workers=2)
    assert len(study.run()) == 6


@pytest.mark.parametrize(
    ("sources", "mappers", "seeds", "complaint"),
    [
        ([], ["heft"], [0], "the study has no scenario"),
        ([Family("none", drawn, 0)], ["heft"], [0], "the study has no scenario"),
        ([scenario()], [], [0], "the study has no mapper"),
        ([scenario()], ["heft"], [], "the study has no seed"),
        ([scenario()], ["heft", "slow", "heft"], [0], "a mapper twice: heft, slow, heft"),
        ([scenario()], ["heft"], [1, 1], "a seed twice: 1, 1"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(
    sources: list[Scenario | Family], mappers: list[str], seeds: list[int], complaint: str
) -> None:
    with pytest.raises(StudyError, match=complaint):
        Study(sources, mappers, seeds)


def other(rng: Random, cost_s: float = 1.0) -> Scenario:
    return scenario(cost_s + rng.random())


def test_cases_that_differ_have_different_digests() -> None:
    sources: list[Scenario | Family] = [
        scenario(1, 2),
        scenario(1, 3),
        Family("f", drawn),
        Family("g", drawn),
        Family("f", other),
        Family("f", drawn, seed=1),
        Family("f", partial(other, cost_s=2.0)),
        Family("f", partial(other, cost_s=3.0)),
    ]
    digests = [Case(source).digest() for source in sources]

    assert len(set(digests)) == len(sources)
    assert Case(sources[2], 1).digest() != digests[2]
    assert Case(Family("f", partial(other, cost_s=2.0))).digest() == digests[6]
    assert Case(scenario(1, 2)).digest() == digests[0]


def costing(cost_s: float) -> Callable[[Random], Scenario]:
    def make(rng: Random) -> Scenario:
        return other(rng, cost_s)

    return make


class Patient:
    """Maps everything to the first machine that the scenario has, and takes so long."""

    name = "patient"

    def __init__(self, cost_s: float) -> None:
        self.cost_s = cost_s

    def __call__(self, instance: Instance) -> Plan:
        finish_s = [self.cost_s * (task + 1) for task in range(instance.tasks)]
        start_s = tuple(end - self.cost_s for end in finish_s)
        return Plan((0,) * instance.tasks, start_s, tuple(finish_s), tuple(range(instance.tasks)))


def test_families_that_one_function_has_made_are_not_taken_for_one_another() -> None:
    families = [Family("f", costing(cost_s), 1, (("cost", cost_s),)) for cost_s in (1.0, 2.0)]

    made, again = Case(families[0]).digest(), Case(Family("f", costing(1.0))).digest()
    assert made == again
    assert made != Case(families[1]).digest()


def test_what_an_object_holds_tells_its_runs_from_those_of_another(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = []
    for cost_s in (1.0, 2.0, 1.0):
        Study([scenario()], [Patient(cost_s)], baseline="").run(journal=path)
        lines.append(len(path.read_text().splitlines()))

    assert lines == [1, 2, 2]
