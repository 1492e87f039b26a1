"""Definitions: what a study's file says, and how one that makes no sense is refused, with its file and the key."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.networks import communication_ratio
from pnode.sim.formats.errors import FormatError
from pnode.sim.formats.wfformat import write_wfformat
from pnode.sim.schedule.scenario import instance_of
from pnode.sim.study.definition import read_study
from pnode.sim.study.study import StudyError

from .fakes import chain

STUDIES = Path(__file__).parents[3] / "examples" / "studies"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.toml"


def told(path: Path, text: str) -> str:
    """Why a file is refused."""
    path.write_text(text)
    with pytest.raises((FormatError, StudyError)) as raised:
        read_study(path)
    return str(raised.value).replace(str(path), "study.toml")


def test_lists_are_crossed(path: Path) -> None:
    path.write_text(
        'mappers = ["wave-plan"]\n[[layered]]\ncount = 3\ntasks = [10, 20]\nnodes = 4\nccr = [0.1, 1, 5]\n'
    )
    study = read_study(path).study

    assert len(study.cases) == 3 * 2 * 3
    assert study.cases[0].parameters == (("tasks", 10), ("nodes", 4), ("ccr", 0.1))
    assert {len(case.scenario().arrivals[0].graph.tasks) for case in study.cases} == {10, 20}
    assert study.compared == ("heft", "wave-plan")
    assert study.seeds == (0,)


def test_the_name_is_the_files_unless_told(path: Path) -> None:
    text = 'mappers = ["heft"]\n[[layered]]\ntasks = 10\nnodes = 2\nccr = 1\n'
    path.write_text(text)
    assert read_study(path).name == "study"
    path.write_text('name = "mine"\nseeds = [4, 2]\nbaseline = "cpop"\n' + text)
    definition = read_study(path)

    assert definition.name == "mine"
    assert definition.study.seeds == (4, 2)
    assert definition.study.compared == ("cpop", "heft")


def test_the_graphs_of_two_conditions_are_the_same(path: Path) -> None:
    path.write_text(
        'mappers = ["heft"]\n[[layered]]\ntasks = 10\nnodes = 4\nccr = 1\ncondition = ["perfect", "slow"]\n'
    )
    calm, troubled = (case.scenario() for case in read_study(path).study.cases)

    assert calm.arrivals == troubled.arrivals
    assert calm.network == troubled.network
    assert not calm.disruptions
    assert troubled.disruptions


def test_another_seed_draws_others(path: Path) -> None:
    text = 'mappers = ["heft"]\n[[bundles]]\nchains = 3\nlength = 2\nnodes = 4\nccr = 1\nseed = {}\n'
    path.write_text(text.format(0))
    first = read_study(path).study.cases[0].scenario()
    path.write_text(text.format(1))
    second = read_study(path).study.cases[0].scenario()

    assert len(first.arrivals[0].graph.tasks) == 3 * 2 + 2
    assert first != second


def test_scenarios_and_traces_are_files_beside_it(path: Path) -> None:
    (path.parent / "more").mkdir()
    for name in ("b", "a"):
        text = (STUDIES / "two-sites.toml").read_text().replace("two sites", name)
        (path.parent / "more" / f"{name}.toml").write_text(text)
    write_wfformat(path.parent / "trace.json", chain(1, 2, 3, name="trace"))
    path.write_text(
        'mappers = ["heft"]\n[[scenario]]\nfiles = ["more/*.toml"]\n'
        '[[traces]]\nfiles = ["trace.json"]\nnodes = 4\nccr = [0.5, 2]\n'
    )

    study = read_study(path).study
    traced = [case.scenario() for case in study.cases[2:]]

    assert [case.name for case in study.cases] == ["a", "b", "trace", "trace"]
    ratios = [communication_ratio(instance_of(one.arrivals[0].graph, one.network)) for one in traced]
    assert ratios == [pytest.approx(0.5), pytest.approx(2)]
    assert len(study.run()) == 4


def test_runs_of_a_trace_that_has_changed_are_not_taken_for_those_of_the_old_one(path: Path) -> None:
    path.write_text('mappers = ["heft"]\n[[traces]]\nfiles = ["trace.json"]\nnodes = 4\nccr = 1\n')
    digests = []
    for cost_s in (1.0, 2.0, 1.0):
        write_wfformat(path.parent / "trace.json", chain(cost_s, 2, 3, name="trace"))
        digests.append(read_study(path).study.cases[0].digest())

    assert digests[0] == digests[2] != digests[1]


def test_the_committed_study_can_be_read() -> None:
    assert len(read_study(STUDIES / "layers.toml").study) == 90


LAYERED = "[[layered]]\ntasks = 10\nnodes = 2\nccr = 1\n"
MAPPERS = 'mappers = ["heft"]\n'


MANY = f"[{', '.join(['1'] * 200)}]"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = ]", "study.toml: line 1, column 5: no TOML: Invalid value"),
        (LAYERED, "study.toml: there is no `mappers`"),
        (MAPPERS, "study.toml: there is no scenario, expected tables [[scenario]] or [[layered]], [[bundles]], "),
        ('mappers = ["best"]\n' + LAYERED, "study.toml: mappers[0]: there is no mapper 'best'; known are wave-pl"),
        ("mappers = [1]\n" + LAYERED, "study.toml: mappers[0]: found 1, expected a text"),
        ('mappers = "heft"\n' + LAYERED, "study.toml: mappers: found the text heft, expected a list"),
        ("mappers = []\n" + LAYERED, "the study has no mapper, expected at least one"),
        ('mapers = ["heft"]\n' + LAYERED, "study.toml: unknown key mapers, did you mean `mappers`?"),
        (MAPPERS + "seeds = 0\n" + LAYERED, "study.toml: seeds: found 0, expected a whole number from 1 to"),
        (MAPPERS + "seeds = [1, 1]\n" + LAYERED, "the study has a seed twice: 1, 1"),
        (MAPPERS + 'baseline = "none"\n' + LAYERED, "study.toml: baseline: there is no mapper 'none'"),
        (MAPPERS + LAYERED.replace("nodes = 2\n", ""), "study.toml: layered[0]: there is no `nodes`"),
        (MAPPERS + LAYERED + "count = 0\n", "study.toml: layered[0].count: found 0, expected a whole number from"),
        (MAPPERS + LAYERED + "colour = 1\n", "study.toml: layered[0]: unknown key colour"),
        (MAPPERS + LAYERED.replace("= 10", "= [10, 1]"), "study.toml: layered[0].tasks[1]: found 1, expected a wh"),
        (MAPPERS + LAYERED.replace("= 10", "= []"), "study.toml: layered[0].tasks: the list is empty"),
        (MAPPERS + LAYERED.replace("ccr = 1", "ccr = inf"), "study.toml: layered[0].ccr: found inf, expected a nu"),
        (MAPPERS + LAYERED.replace("ccr = 1", "ccr = 1e7"), "layered[0].ccr: found 10000000.0, expected a number "),
        (MAPPERS + LAYERED + 'condition = "calm"\n', "layered[0].condition: found the text calm, expected one of"),
        (MAPPERS + 2 * (LAYERED + "count = 1_000_000\n"), "the study has 2000000 runs, at most 1000000 are taken"),
        (MAPPERS + LAYERED.replace("ccr = 1", f"ccr = {MANY}\nalpha = {MANY}\ndegree = {MANY}"), "8000000 combin"),
        (MAPPERS + '[[scenario]]\nfiles = ["none.toml"]\n', "study.toml: scenario[0].files[0]: there is no file"),
        (MAPPERS + '[[scenario]]\nfiles = ["*.none"]\n', "scenario[0].files[0]: no file is called like '*.none'"),
        (
            MAPPERS + '[[scenario]]\nfiles = ["/nowhere/*"]\n',
            "study.toml: scenario[0].files[0]: no file is called like '/nowhere/*'",
        ),
        ("[network]\nnodes = 1\n", "study.toml: it is a scenario, expected a study"),
        (MAPPERS + "[[scenario]]\n", "study.toml: scenario[0]: there is no `files`"),
        (MAPPERS + "[layered]\ntasks = 1\n", "study.toml: layered: found a table, expected a list"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(path: Path, text: str, complaint: str) -> None:
    assert complaint in told(path, text)


def test_a_pattern_may_be_absolute(path: Path) -> None:
    for name in ("b.toml", "a.toml"):
        (path.parent / name).write_text((STUDIES / "two-sites.toml").read_text().replace("two sites", name))
    path.write_text(f'mappers = ["heft"]\n[[scenario]]\nfiles = ["{path.parent}/?.tom*"]\n')

    assert [case.scenario().name for case in read_study(path).study.cases] == ["a.toml", "b.toml"]


def test_an_error_in_a_file_that_it_names_is_that_files(path: Path) -> None:
    (path.parent / "bad.toml").write_text("[network]\nnodes = 0\n")

    assert "bad.toml: network.nodes: found 0" in told(path, MAPPERS + '[[scenario]]\nfiles = ["bad.toml"]\n')


scalars = st.one_of(st.booleans(), st.integers(-5, 50), st.floats(), st.text(max_size=8))
plain = st.one_of(scalars, st.lists(scalars, max_size=3))
keys = st.sampled_from(
    ["name", "mappers", "baseline", "seeds", "tasks", "nodes", "ccr", "count", "files", "chains", "x"]
)
tables = st.dictionaries(keys, plain, max_size=5)


def toml(value: object) -> str:
    """JSON is TOML as far as single values and lists go."""
    if isinstance(value, float):
        return "nan" if value != value else str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


@given(
    tables,
    st.lists(st.tuples(st.sampled_from(["layered", "bundles", "traces", "scenario", "y"]), tables), max_size=3),
)
def test_any_definition_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, top: dict[str, object], below: list[tuple[str, dict[str, object]]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    lines = [f"{key} = {toml(value)}" for key, value in top.items()]
    for name, table in below:
        lines += [f"[[{name}]]", *(f"{key} = {toml(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines))

    try:
        study = read_study(path).study
    except (FormatError, StudyError):
        return
    assert len(study) > 0
