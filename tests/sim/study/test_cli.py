"""`pnode sim`, each word run in this process: what it prints, what it writes, and how it ends."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from pnode.node import cli
from pnode.sim.formats.toml import read_toml
from pnode.sim.schedule.errors import InfeasibleError
from pnode.sim.schedule.result import Result
from pnode.sim.study import checking
from pnode.sim.study.options import progress_bar
from pnode.sim.study.pisa import Annealing, search_pair
from pnode.sim.study.table import read_table

from .drawings import Picture

STUDIES = Path(__file__).parents[3] / "examples" / "studies"
SCENARIO = STUDIES / "two-sites.toml"

STUDY = """
mappers = ["wave-greedy", "wave-random"]
seeds = 2
[[layered]]
count = 2
tasks = 12
nodes = 3
ccr = [0.1, 2.0]
"""

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a word; (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        status = cli.main(["sim", *map(str, words)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    return path


def done(outcome: tuple[int, str, str]) -> str:
    """What a word printed that must go well, and say nothing besides."""
    status, out, err = outcome
    assert (status, err) == (0, "")
    return out


def complaint(outcome: tuple[int, str, str], status: int = 2) -> str:
    """The one line that a person is told."""
    found, out, err = outcome
    assert (found, out) == (status, ""), outcome
    assert err.startswith("pnode: ")
    assert err.count("\n") == 1
    assert "mistake in pnode" not in err
    return err


def test_a_run_prints_its_figures(sim: Shell) -> None:
    out = done(sim("run", SCENARIO, "--mapper", "wave-plan", "--seed", 3))

    assert out.startswith("two sites, wave-plan, seed 3\n  makespan s ")
    assert "  decisions     5\n" in out


def test_a_run_as_json_is_one_value_with_every_execution(sim: Shell) -> None:
    run = json.loads(done(sim("run", SCENARIO, "--json")))

    assert run["mapper"] == "heft"
    assert run["complete"] is True
    assert sorted(one["task_name"] for one in run["executions"]) == ["join", "left", "middle", "right", "split"]
    assert max(one["finish_s"] for one in run["executions"]) == run["makespan_s"]


def test_a_run_is_drawn_and_traced(sim: Shell, tmp_path: Path) -> None:
    done(sim("run", SCENARIO, "--gantt", "run.svg", "--trace", "run.jsonl"))
    done(sim("run", SCENARIO, "--gantt", "run.html", "--trace", "run.json"))
    done(sim("run", SCENARIO, "--trace", "run.csv"))

    assert Picture((tmp_path / "run.svg").read_text()).complaints() == []
    assert "<svg" in (tmp_path / "run.html").read_text()
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) > 10
    assert json.loads((tmp_path / "run.json").read_text())["traceEvents"]
    assert len(read_table(tmp_path / "run.csv")) == 5


def test_a_comparison_is_a_line_per_mapper(sim: Shell) -> None:
    out = done(sim("compare", SCENARIO, "--mapper", "wave-random", "--mapper", "peft", "--seeds", 3))

    assert [line.split()[:2] for line in out.splitlines()[1:4]] == [
        ["heft", "3"],
        ["wave-random", "3"],
        ["peft", "3"],
    ]


def test_a_comparison_as_json_has_every_run(sim: Shell, tmp_path: Path) -> None:
    words = ("--mapper", "wave-random", "--seeds", 2, "--csv", "runs.csv", "--report", "page.html", "--json")
    value = json.loads(done(sim("compare", SCENARIO, *words)))

    assert value["baseline"] == "heft"
    assert [one["mapper"] for one in value["mappers"]] == ["heft", "wave-random"]
    assert len(value["runs"]) == 4
    assert list(read_table(tmp_path / "runs.csv").records()) == value["runs"]
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_a_sweep_leaves_tables_a_summary_and_a_report(sim: Shell, study: Path, tmp_path: Path) -> None:
    out = done(sim("sweep", study, "--workers", 1))
    place = tmp_path / "pnode-small"

    assert out.splitlines()[-1] == ("24 runs in pnode-small: results.csv, results.jsonl, summary.json, report.html")
    assert len((place / "journal.jsonl").read_text().splitlines()) == 24
    assert list(read_table(place / "results.csv").records()) == list(read_table(place / "results.jsonl").records())
    assert json.loads((place / "summary.json").read_text())[0]["mapper"] == "heft"
    assert "Over ccr" in (place / "report.html").read_text()


def test_a_sweep_that_is_called_again_does_nothing_again(sim: Shell, study: Path, tmp_path: Path) -> None:
    done(sim("sweep", study, "--workers", 1, "--out", "to"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()}

    done(sim("sweep", study, "--workers", 1, "--out", "to"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()} == before

    told = json.loads(done(sim("sweep", study, "--workers", 1, "--out", "to", "--fresh", "--json")))
    assert {path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()} == before
    assert told["runs"] == 24
    assert told["files"][0] == "to/results.csv"


def test_one_run_of_a_sweep_is_done_again_alone(sim: Shell, study: Path, tmp_path: Path) -> None:
    done(sim("sweep", study, "--workers", 1))
    with (tmp_path / "pnode-small" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))

    again = json.loads(done(sim("run", study, "--index", 17, "--json")))

    assert (again["mapper"], again["seed"]) == (rows[17]["mapper"], int(rows[17]["seed"]))
    assert again["makespan_s"] == float(rows[17]["makespan_s"])


def test_results_are_plotted(sim: Shell, study: Path, tmp_path: Path) -> None:
    done(sim("sweep", study, "--workers", 1))
    told = done(sim("plot", "pnode-small/results.csv", "--out", "spread.svg"))
    done(sim("plot", "pnode-small/results.jsonl", "--over", "ccr", "--figure", "slr", "--out", "slr.html"))

    assert told == "spread.svg\n"
    assert Picture((tmp_path / "spread.svg").read_text()).complaints() == []
    assert "schedule length ratio over ccr" in (tmp_path / "slr.html").read_text()


def test_files_are_validated(sim: Shell, study: Path) -> None:
    out = done(sim("validate", SCENARIO, study, "--mapper", "wave-hint"))

    assert out.splitlines() == [
        f"{SCENARIO}: a scenario of 5 tasks and 6 edges on 6 machines; possible under wave-hint",
        f"{study}: a study of 4 scenarios, 3 mappers and 2 seeds: 24 runs",
    ]


def test_a_file_that_is_none_fails_validation_and_says_why(sim: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[network]\nnodes = 2\nbandwidth = -1\n[[job]]\n[job.tasks]\na = 1\n")

    status, out, err = sim("validate", SCENARIO, "bad.toml")
    plain = json.loads(sim("validate", SCENARIO, "bad.toml", "--json")[1])

    assert status == 1
    assert out.startswith(str(SCENARIO))
    assert err.startswith("bad.toml: network.bandwidth: ")
    assert [one["good"] for one in plain] == [True, False]


def test_a_schedule_made_elsewhere_is_judged(sim: Shell, tmp_path: Path) -> None:
    done(sim("run", SCENARIO, "--trace", "run.jsonl"))
    events = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    for event in events:
        if event.get("task_id") == "join":
            event["sim_time"] = max(event["sim_time"] - 1, 0.0)
    events.sort(key=lambda event: event["sim_time"])
    (tmp_path / "early.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))

    out = done(sim("validate", SCENARIO, "--trace", "run.jsonl"))
    status, _, err = sim("validate", SCENARIO, "--trace", "early.jsonl")

    assert out.splitlines()[1] == f"run.jsonl: possible in {SCENARIO}, 5 of 5 tasks done"
    assert status == 1
    assert err.startswith("early.jsonl: this cannot happen: ")


def test_a_graph_is_imported_with_a_network_and_exported_again(sim: Shell, tmp_path: Path) -> None:
    done(sim("export", SCENARIO, "--out", "graph.json"))
    out = done(sim("import", "graph.json", "--nodes", 4, "--ccr", 0.5, "--seed", 1))
    again = read_toml(tmp_path / "graph.toml")

    assert out == "graph.toml: 5 tasks on 4 machines\n"
    assert [task.name for task in again.arrivals[0].graph.tasks] == ["split", "left", "middle", "right", "join"]
    assert complaint(sim("import", "graph.json")) == (
        "pnode: graph.json: there is a graph in it and no network, expected --nodes or --network\n"
    )
    for name in ("all.toml", "cluster.tgff"):
        done(sim("export", "graph.toml", "--out", name))
        done(
            sim("import", "graph.json", "--network", name, "--out", "other.toml")
            if name == "cluster.tgff"
            else sim("run", name)
        )


def test_the_mappers_are_listed_with_what_they_do(sim: Shell) -> None:
    out = done(sim("mappers"))
    known = json.loads(done(sim("mappers", "--json")))

    assert len(out.splitlines()) == len(known) + 1
    assert {"wave-plan", "heft"} <= {one["mapper"] for one in known}
    assert all(one["what"] for one in known)


def test_pisa_prints_a_matrix_and_writes_what_it_found(sim: Shell, tmp_path: Path) -> None:
    words = ("pisa", "heft", "fastest", "--restarts", 1, "--steps", 30, "--workers", 1, "--out", "worst")
    out = done(sim(*words))
    plain = json.loads(done(sim(*words, "--json")))
    found = search_pair("fastest", "heft", 0, Annealing(restarts=1, steps_max=30))

    assert out.splitlines()[0].split() == ["heft", "fastest"]
    assert f"{found.ratio:.2f}" in out
    assert [(one["target"], one["base"]) for one in plain] == [("fastest", "heft"), ("heft", "fastest")]
    assert plain[0]["ratio"] == found.ratio
    for one in plain:
        target, base = (
            json.loads(done(sim("run", one["file"], "--mapper", one[who], "--json"))) for who in ("target", "base")
        )
        assert target["makespan_s"] / base["makespan_s"] == pytest.approx(one["ratio"], rel=1e-9)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "none.toml"), "File 'none.toml' does not exist"),
        (("run", SCENARIO, "--mapper", "best"), "there is no mapper 'best'; known are "),
        (("run", SCENARIO, "--gantt", "run.pdf"), "run.pdf ends in '.pdf', expected one of .svg, .html, .png"),
        (("run", SCENARIO, "--trace", "run.pdf"), "run.pdf ends in '.pdf', expected one of .json"),
        (("run", "small.toml"), "small.toml: it is a study, expected a scenario"),
        (("run", SCENARIO, "--index", "1"), "two-sites.toml: it is a scenario, expected a study"),
        (("run", SCENARIO, "--gantt", "none/run.svg"), "none/run.svg cannot be written, there is no directory none"),
        (("compare", SCENARIO, "--csv", "none/runs.csv"), "there is no directory none"),
        (("run", "small.toml", "--index", "3", "--mapper", "heft"), "expected --index without --mapper"),
        (("run", "small.toml", "--index", "3", "--seed", "0"), "expected --index without --seed"),
        (("run", "small.toml", "--index", "24"), "the study has no run 24, its 24 runs count from 0"),
        (("compare", SCENARIO, "--report", "page.pdf"), "page.pdf ends in '.pdf', expected .html"),
        (("compare",), "Missing argument"),
        (("plot", SCENARIO, "--out", "x.svg"), "two-sites.toml is no table of results, expected a .csv or .jsonl"),
        (("export", SCENARIO, "--out", "x.dot"), "x.dot ends in '.dot', expected one of .tgff"),
        (("import", "small.toml"), "small.toml would be overwritten, expected --out with another name"),
        (("import", SCENARIO, "--nodes", "2", "--network", SCENARIO), "expected --network or --nodes, not both"),
        (("pisa", "heft"), "expected at least two mappers, each once"),
        (("pisa", "heft", "heft"), "expected at least two mappers, each once"),
    ],
)  # fmt: skip
def test_what_is_used_wrongly_is_told_in_a_line(
    sim: Shell, study: Path, words: tuple[object, ...], told: str
) -> None:
    assert told in complaint(sim(*words))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sweep", "small.toml", "--dask", "tcp://127.0.0.1:1"), "pip install 'pnode[dask]'"),
        (("sweep", "small.toml", "--workers", "1", "--parquet"), "pip install 'pnode[parquet]'"),
        (("run", SCENARIO, "--gantt", "run.png"), "PNG needs one of the programs"),
    ],
)
def test_what_is_missing_here_is_named_with_the_way_to_get_it(
    sim: Shell, study: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], told: str
) -> None:
    for library in ("distributed", "pyarrow"):
        monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    monkeypatch.setenv("PATH", "/nowhere")

    assert told in complaint(sim(*words), status=1)


def test_nothing_is_run_for_files_that_cannot_be_made(sim: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.sim.schedule.run.simulate", None)  # to call it would be a mistake in pnode
    monkeypatch.setenv("PATH", "/nowhere")

    assert "expected one of" in complaint(sim("run", SCENARIO, "--gantt", "run.pdf"))
    assert "expected one of" in complaint(sim("run", SCENARIO, "--trace", "run.pdf"))
    assert "PNG needs" in complaint(sim("run", SCENARIO, "--gantt", "run.png"), status=1)


def test_a_run_that_does_not_complete_fails(sim: Shell, tmp_path: Path) -> None:
    lost = SCENARIO.read_text() + '\n[[disruption]]\nat = "1 s"\nnode = "node6"\nfate = "fail"\n'
    (tmp_path / "lost.toml").write_text(lost)
    ran = [sim("run", "lost.toml", "--mapper", mapper) for mapper in ("fastest", "wave-plan")]

    assert [status for status, _, _ in ran] == [1, 0]
    assert ran[0][1].startswith(
        "two sites, fastest, seed 0: did not complete; never done: split, left, middle, right, join\n"
    )


def test_of_several_graphs_each_has_its_line(sim: Shell, tmp_path: Path) -> None:
    more = '\n[[job]]\nname = "second"\nat = "5 s"\norigin = "node2"\n[job.tasks]\nalone = "1 s"\n'
    (tmp_path / "both.toml").write_text(SCENARIO.read_text() + more)

    out = done(sim("run", "both.toml"))

    assert out.splitlines()[-2].split()[:4] == ["0", "blend", "node1", "0"]
    assert out.splitlines()[-1].split()[:4] == ["1", "second", "node2", "5"]
    assert "2 graphs, 6 tasks on 6 machines" in done(sim("validate", "both.toml"))
    assert "has 2 graphs, the format has place for one" in complaint(sim("export", "both.toml", "--out", "x.tgff"))


def test_a_scenario_that_a_mapper_cannot_run_fails_validation(sim: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(result: Result) -> None:
        raise InfeasibleError(f"{result.mapper} did two things at once")

    monkeypatch.setattr(checking, "validate", impossible)
    status, _, err = sim("validate", SCENARIO, "--mapper", "heft")

    assert (status, err) == (1, f"{SCENARIO}: this cannot happen: heft did two things at once\n")


def test_graphs_and_traces_are_validated_too(sim: Shell, tmp_path: Path) -> None:
    done(sim("export", SCENARIO, "--out", "graph.json"))
    (tmp_path / "bad.jsonl").write_text('{"sim_time": -1}\n')

    assert done(sim("validate", "graph.json")) == "graph.json: a graph of 5 tasks and 6 edges\n"
    assert sim("validate", SCENARIO, "--trace", "bad.jsonl")[2].startswith("bad.jsonl: line 1")
    assert "a trace is of one scenario" in complaint(sim("validate", SCENARIO, SCENARIO, "--trace", "bad.jsonl"))


def test_what_cannot_be_imported_says_why(sim: Shell, tmp_path: Path) -> None:
    silent = {"task_graph": {"tasks": [{"name": "a", "cost": 1.0}], "dependencies": []}, "network": {
        "nodes": [{"name": "n", "speed": 1.0}], "edges": []}}  # fmt: skip
    (tmp_path / "silent.json").write_text(json.dumps(silent))

    told = complaint(sim("import", "silent.json", "--nodes", 2, "--ccr", 1))

    assert "silent.json: the ratio of communication to computation is" in told


def test_a_cluster_of_ncsim_comes_and_goes(sim: Shell, tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML reads ncsim's scenarios")
    network = 'contention = "link"\n[network]\nnodes = 2\nbandwidth = "1 MB/s"\n'
    tasks = '[[job]]\n[job.tasks]\na = { cost = 1, feeds = { b = "1 MB" } }\nb = 2\n'
    (tmp_path / "plain.toml").write_text(network + tasks)

    done(sim("export", "plain.toml", "--out", "there.yaml"))
    done(sim("import", "there.yaml", "--out", "back.toml"))

    assert done(sim("run", "there.yaml")).splitlines()[1:] == done(sim("run", "plain.toml")).splitlines()[1:]
    assert done(sim("run", "back.toml")).splitlines()[1:] == done(sim("run", "plain.toml")).splitlines()[1:]


class Terminal(io.StringIO):
    """Standard error as people have it."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_and_nowhere_else(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with progress_bar("runs") as none:
        assert none is None
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with progress_bar("runs") as progress:
        assert progress is not None
        progress(3, 12)

    assert "runs" in terminal.getvalue()
    assert "3/12" in terminal.getvalue()


# How the command is found


def test_the_command_is_found_by_its_entry_point() -> None:
    [point] = {point.value for point in metadata.entry_points(group="pnode.commands", name="sim")}

    assert point == "pnode.sim.study.cli:sim"


WHAT_IS_LOADED = """
import sys
from pnode.node import cli
status = cli.main(sys.argv[1:])
heavy = [name for name in ("numpy", "scipy", "trio", "pnode.sim.study.cli") if name in sys.modules]
print(status, *heavy)
"""


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (("--version",), "0"),
        (("--help",), "0 pnode.sim.study.cli"),
        (("sim", "sweep", "--help"), "0 pnode.sim.study.cli"),
    ],
)
def test_help_loads_nothing_heavy_and_other_words_not_even_the_simulator(words: tuple[str, ...], loaded: str) -> None:
    asked = subprocess.run([sys.executable, "-c", WHAT_IS_LOADED, *words], capture_output=True, text=True, check=True)

    assert asked.stdout.splitlines()[-1] == loaded
    assert "--version" in words or "sim" in asked.stdout


def test_a_command_that_cannot_be_loaded_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"broken": "pnode.sim.nothing:there"}
    monkeypatch.setattr(cli, "entry_points", lambda group: broken if group == cli.COMMANDS else {})

    status = cli.main(["broken"])

    assert status == 1
    assert capsys.readouterr().err.startswith(
        "pnode: the command 'broken' (pnode.sim.nothing:there) cannot be loaded: "
    )
