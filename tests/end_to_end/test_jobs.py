"""Jobs on four nodes, from the submission to the results."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from pnode.mappers.catalogue import NAMES
from pnode.node.api import JobDetail, LogChunk, Pulled, Recorded, UnitStatus

from ..examples.expected import expected_report
from .applications import EXAMPLES, squares, write
from .hosts import Host

pytestmark = pytest.mark.processes

DIAMOND = EXAMPLES / "diamond" / "dag.txt"
STDLIB = EXAMPLES / "stdlib"


def test_a_job_submitted_at_any_node_ends_with_the_right_result(cluster: list[Host], tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path / "squares", range(1, 9))
    gamma = cluster[2]

    ran = gamma.pnode("submit", dag, "--input", numbers, "--follow", "--output", tmp_path / "results")

    assert ran.status == 0, ran
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["sum.txt"]
    assert (tmp_path / "results" / "sum.txt").read_text() == "204"


def test_the_tasks_of_a_job_run_side_by_side_on_several_nodes(cluster: list[Host], tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path / "squares", range(1, 9))
    delta = cluster[3]

    job = delta.finished(delta.submit(dag, numbers))

    assert job.state == "done"
    assert job.origin == "delta"
    assert any(were_together(one, other) and one.node != other.node for one, other in combinations(job.units, 2))


def were_together(one: UnitStatus, other: UnitStatus) -> bool:
    """Whether there was a moment at which both ran."""
    times = (one.started_at, one.finished_at, other.started_at, other.finished_at)
    begun, ended, other_begun, other_ended = [time or 0.0 for time in times]
    return begun < other_ended and other_begun < ended


@pytest.mark.parametrize("mapper", NAMES[1:])
def test_a_job_ends_well_whoever_maps_it(cluster: list[Host], tmp_path: Path, mapper: str) -> None:
    ran = cluster[1].pnode("submit", DIAMOND, "--mapper", mapper, "--follow", "--output", tmp_path)

    assert ran.status == 0, ran
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ferry_statistics.txt", "workshop_statistics.txt"]


def test_a_job_is_recorded_by_a_node_that_had_no_part_in_it(cluster: list[Host], tmp_path: Path) -> None:
    dag, numbers = squares(tmp_path / "squares", range(1, 4), pause_s=0.2)
    job = cluster[0].finished(cluster[0].submit(dag, numbers, mapper="wave-hint"))

    recorded = cluster[3].ask(Recorded, "job", job.id, "--record", tmp_path / "run.json")

    document = json.loads((tmp_path / "run.json").read_text())
    assert recorded.attempts == len(document["attempts"]) >= len(job.units) == 5
    names = {node["id"]: node["name"] for node in document["nodes"]}
    assert set(names.values()) == {"alpha", "beta", "gamma", "delta"}
    assert names[document["recorded_by"]] == "delta"
    ran = {attempt["task"]: attempt for attempt in document["attempts"] if attempt["phase"] == "finished"}
    for unit in job.units:
        assert names[ran[unit.task]["node"]] == unit.node
        assert ran[unit.task]["seconds"] == unit.seconds
    assert {part["task"] for part in document["plan"]} == {unit.task for unit in job.units}
    sizes = {(edge["parent"], edge["child"]): edge["size_bytes"] for edge in document["edges"]}
    assert sizes["deal", "square3"] == sizes["square3", "add"] == 1
    assert len(document["links"]) == 12


def test_ten_inputs_flow_through_one_graph_and_are_not_mixed(cluster: list[Host], tmp_path: Path) -> None:
    letters = "abcdefghij"
    texts = {f"text{number}.txt": f"{letter * 3} " * (number + 1) for number, letter in enumerate(letters)}
    write(tmp_path / "texts", texts)

    ran = cluster[0].pnode(
        "submit", DIAMOND, "--input", tmp_path / "texts", "--follow", "--output", tmp_path / "results"
    )

    assert ran.status == 0, ran
    assert len(list((tmp_path / "results").iterdir())) == 10
    for number, letter in enumerate(letters):
        first, _, frequent, *_ = (tmp_path / "results" / f"text{number}_statistics.txt").read_text().splitlines()
        assert first == f"{number + 1} words, 1 different, 3.00 letters on average"
        assert frequent.split() == [f"{number + 1}", letter * 3]


def test_the_example_reports_what_another_computation_finds(cluster: list[Host], tmp_path: Path) -> None:
    subprocess.run([sys.executable, STDLIB / "make_input.py", tmp_path, "json", "email"], check=True)
    archive = tmp_path / "stdlib.tar"

    ran = cluster[1].pnode("submit", STDLIB / "dag.txt", "--input", archive, "--follow", "--output", tmp_path / "to")

    assert ran.status == 0, ran
    assert json.loads((tmp_path / "to" / "stdlib_report.json").read_text()) == expected_report(archive)


# What is told about jobs.


TALKER = {
    "talker/dag.toml": """
[task.talk]
command = ["sh", "scripts/talk.sh"]
""",
    "talker/scripts/talk.sh": """
echo "so far so good"
echo "or not" >&2
cp "$PNODE_INPUT" "$PNODE_OUTPUT_DIR/copy.txt"
""",
}


def test_all_that_is_told_about_a_job_agrees_at_every_node(cluster: list[Host], tmp_path: Path) -> None:
    dag = write(tmp_path, TALKER)
    source = write(tmp_path, {"text.txt": "twelve bytes"})
    id_ = cluster[2].submit(dag, source)
    cluster[2].finished(id_)

    for host in cluster:
        job = host.ask(JobDetail, "job", id_)
        [listed] = [listed for listed in host.jobs() if listed.id == id_]
        chunks = host.ask(tuple[LogChunk, ...], "logs", id_)
        pulled = host.ask(Pulled, "pull", id_, "--output", tmp_path / host.name)

        assert (job.name, job.state, job.origin, job.items) == ("talker", "done", "gamma", 1)
        assert (job.units_done, job.units_total, [unit.task for unit in job.units]) == (1, 1, ["talk"])
        assert (listed.key, listed.name, listed.state, listed.origin) == (job.key, job.name, job.state, job.origin)
        assert (listed.units_done, listed.submitted_at) == (1, job.submitted_at)
        assert {chunk.stream: chunk.text for chunk in chunks} == {"stdout": "so far so good\n", "stderr": "or not\n"}
        assert {chunk.node for chunk in chunks} == {job.units[0].node}
        assert [(file.path, file.size_bytes) for file in pulled.files] == [(tmp_path / host.name / "copy.txt", 12)]
        assert pulled.files[0].path.read_text() == "twelve bytes"


def test_json_is_exactly_one_value_with_documented_names(cluster: list[Host]) -> None:
    node = cluster[0]
    node.finished(node.submit(DIAMOND))

    values = {command: json.loads(node.done(command, "--json").out) for command in ("status", "peers", "jobs")}

    assert values["status"].keys() >= {"state", "name", "id", "cluster", "addresses", "roles", "peers", "pid", "home"}
    assert len(values["peers"]) == 4
    assert values["peers"][0].keys() >= {"name", "id", "roles", "addresses", "state", "delay_s", "load"}
    assert values["peers"][0]["this"] is True
    assert values["jobs"][-1].keys() >= {"id", "name", "state", "origin", "units_done", "units_total", "submitted_at"}


@pytest.mark.parametrize("mapper", NAMES)
def test_a_mapping_has_a_line_for_each_task_with_a_node_that_exists(cluster: list[Host], mapper: str) -> None:
    before = cluster[3].jobs()

    lines = cluster[3].done("map", STDLIB / "dag.txt", "--input", __file__, "--mapper", mapper).out.splitlines()

    placed = dict(line.split("\t") for line in lines)
    tasks = [line.split()[0] for line in (STDLIB / "dag.txt").read_text().splitlines()[1:]]
    assert sorted(placed) == sorted(tasks)
    assert len(lines) == len(placed)
    assert set(placed.values()) <= {"alpha", "beta", "gamma", "delta"}
    assert cluster[3].jobs() == before, "nothing was run"
