"""WfFormat: the public traces are read as their table says, and nothing else than a graph or a reason comes out."""

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.source import read_text, unpack
from pnode.sim.formats.wfformat import parse_wfformat, read_wfformat, wfformat_text, write_wfformat
from pnode.sim.schedule.scenario import Graph, Vertex

from .samples import accepts_or_refuses, damaged, data, graphs, mutated, needs_data, refusal

TABLE: dict[str, list[tuple[str, int, int]]] = {
    "1000genome-chameleon": [
        ("2ch-100k-001", 52, 76), ("6ch-100k-001", 156, 228), ("6ch-250k-001", 246, 318), ("8ch-250k-001", 328, 424),
    ],
    "blast-chameleon": [
        ("small-001", 43, 120), ("small-005", 43, 120), ("large-001", 103, 300), ("large-002", 103, 300),
    ],
    "bwa-chameleon": [
        ("small-001", 104, 400), ("small-003", 104, 400), ("medium-002", 1004, 4000), ("medium-004", 1004, 4000),
    ],
    "cycles-chameleon": [
        ("1l-1c-9p-001", 67, 97), ("1l-3c-9p-001", 201, 291), ("5l-1c-9p-001", 331, 485), ("2l-1c-12p-001", 437, 650),
    ],
    "epigenomics-chameleon": [
        ("hep-1seq-100k-001", 41, 48), ("ilmn-1seq-100k-001", 125, 153), ("ilmn-1seq-50k-001", 241, 298),
        ("hep-5seq-100k-001", 421, 517),
    ],
    "montage-chameleon": [
        ("dss-05d-001", 58, 114), ("dss-075d-001", 178, 444), ("2mass-02d-001", 619, 1641),
        ("dss-125d-001", 1066, 3012),
    ],
    "seismology-chameleon": [
        ("100p-001", 101, 100), ("400p-001", 401, 400), ("700p-001", 701, 700), ("1000p-001", 1001, 1000),
    ],
    "soykb-chameleon": [
        ("10fastq-10ch-001", 96, 194), ("30fastq-10ch-001", 256, 554), ("50fastq-10ch-001", 416, 914),
        ("50fastq-20ch-001", 676, 1674),
    ],
    "srasearch-chameleon": [("10a-001", 22, 30), ("10a-002", 22, 30), ("20a-002", 42, 60), ("20a-003", 42, 60)],
    "bacass": [("dirt02-001", 11, 14)],
    "fetchngs": [("dirt02-001", 43, 28)],
    "cutandrun": [("dirt02-001", 120, 196)],
    "rnaseq": [("dirt02-001", 197, 451)],
    "helloworld-chain-5": [("chameleon", 5, 4)],
}  # fmt: skip
"""Tasks and edges of every trace, from the data's README, part 1.3."""

TRACES = [(f"{system}-{name}", tasks, edges) for system, rows in TABLE.items() for name, tasks, edges in rows]

CHAIN: dict[str, object] = {
    "name": "chain",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "x", "id": "b", "parents": ["a"], "children": [], "inputFiles": ["f", "g", "ext"]},
                {"name": "x", "id": "a", "parents": [], "children": ["b"], "outputFiles": ["f", "g", "h"]},
            ],
            "files": [
                {"id": "f", "sizeInBytes": 10},
                {"id": "g", "sizeInBytes": 5},
                {"id": "h", "sizeInBytes": 1000},
                {"id": "ext", "sizeInBytes": 7},
            ],
        },
        "execution": {
            "makespanInSeconds": 9,
            "executedAt": "2026-01-01T00:00:00Z",
            "tasks": [
                {"id": "a", "runtimeInSeconds": 2.5, "coreCount": 1.5, "memoryInBytes": 4096},
                {"id": "b", "runtimeInSeconds": 0},
            ],
        },
    },
}

OLD: dict[str, object] = {
    "name": "old",
    "schemaVersion": "1.4",
    "workflow": {
        "makespanInSeconds": 9,
        "executedAt": "2026-01-01T00:00:00Z",
        "tasks": [
            {
                "name": "first",
                "id": "ID1",
                "type": "compute",
                "runtimeInSeconds": 4,
                "cores": 2,
                "files": [{"name": "f", "sizeInBytes": 10, "link": "output"}],
            },
            {
                "name": "second",
                "type": "compute",
                "parents": ["first"],
                "runtimeInSeconds": 5,
                "files": [
                    {"name": "f", "sizeInBytes": 11, "link": "input"},
                    {"name": "outside", "sizeInBytes": 99, "link": "input"},
                ],
            },
        ],
    },
}


TOLD = "workflow.specification"
RUN = "workflow.execution"


def parse(document: object) -> Graph:
    return parse_wfformat("trace.json", json.dumps(document))


def changed(document: dict[str, object], old: str, new: str) -> Graph:
    text = json.dumps(document)
    assert old in text
    return parse_wfformat("trace.json", text.replace(old, new))


def test_the_table_has_all_traces() -> None:
    assert len(TRACES) == 41
    assert sum(tasks for _, tasks, _ in TRACES) == 11_227


@needs_data
@pytest.mark.parametrize(("name", "tasks", "edges"), TRACES)
def test_a_public_trace_has_as_many_tasks_and_edges_as_its_table_says(name: str, tasks: int, edges: int) -> None:
    graph = read_wfformat(data("wfinstances", f"{name}.json.xz"))

    assert (len(graph.tasks), len(graph.edges)) == (tasks, edges)
    assert min(task.cost_s for task in graph.tasks) >= 0.001


@needs_data
@pytest.mark.parametrize(
    ("name", "mean_s"),
    [("helloworld-chain-5-chameleon", 100), ("blast-chameleon-small-001", 8.9), ("bacass-dirt02-001", 360)],
)
def test_run_times_are_those_of_the_table(name: str, mean_s: float) -> None:
    graph = read_wfformat(data("wfinstances", f"{name}.json.xz"))

    assert sum(task.cost_s for task in graph.tasks) / len(graph.tasks) == pytest.approx(mean_s, rel=0.01)


@needs_data
def test_two_runs_of_one_workflow_have_the_same_graph() -> None:
    first, second = (read_wfformat(data("wfinstances", f"blast-chameleon-large-00{run}.json.xz")) for run in (1, 2))

    assert [task.name for task in first.tasks] == [task.name for task in second.tasks]
    assert [(edge.parent, edge.child) for edge in first.edges] == [(edge.parent, edge.child) for edge in second.edges]


def test_an_edge_carries_the_files_its_parent_writes_and_its_child_reads() -> None:
    assert parse(CHAIN) == Graph(
        "chain",
        (Vertex("b", 0.001), Vertex("a", 2.5, cores=2, memory_bytes=4096.0)),
        (Edge(1, 0, 15.0),),
    )


def test_the_shortest_run_time_is_an_option() -> None:
    assert parse_wfformat("x", json.dumps(CHAIN), shortest_s=0.0).tasks[0].cost_s == 0.0


def test_tasks_of_version_1_4_refer_to_each_other_by_name_and_the_parent_tells_the_size() -> None:
    assert parse(OLD) == Graph("old", (Vertex("first", 4.0, cores=2), Vertex("second", 5.0)), (Edge(0, 1, 10.0),))


def test_a_packed_trace_is_recognised_by_its_content(tmp_path: Path) -> None:
    plain = json.dumps(CHAIN).encode()
    for name, packed in (("a.json", plain), ("b.json", lzma.compress(plain)), ("c", gzip.compress(plain))):
        (tmp_path / name).write_bytes(packed)

        assert read_wfformat(tmp_path / name) == parse(CHAIN)


@pytest.mark.parametrize(
    ("document", "old", "new", "where", "reason"),
    [
        (CHAIN, '"schemaVersion": "1.5"', '"schemaVersion": "1.3"', "schemaVersion", "expected one of 1.4, 1.5"),
        (CHAIN, '"schemaVersion": "1.5", ', "", "", "there is no `schemaVersion`"),
        (CHAIN, '"parents": ["a"]', '"parents": ["c"]', f"{TOLD}.tasks[0].parents[0]", "there is no task c"),
        (CHAIN, '"children": ["b"]', '"children": []', f"{TOLD}.tasks[0].parents[0]", "a does not have b"),
        (CHAIN, '"id": "b"', '"id": "a"', f"{RUN}.tasks[1]", "a was run twice"),
        (CHAIN, 'Seconds": 2.5', 'Seconds": -2.5', f"{RUN}.tasks[0].runtimeInSeconds", "found -2.5"),
        (CHAIN, 'Seconds": 2.5', 'Seconds": 1e400', f"{RUN}.tasks[0].runtimeInSeconds", "found inf"),
        (CHAIN, '"runtimeInSeconds": 2.5', '"runtimeInSeconds": NaN', "", "NaN is no number"),
        (CHAIN, '"runtimeInSeconds": 2.5, ', "", f"{RUN}.tasks[0]", "there is no `runtimeInSeconds`"),
        (CHAIN, '"sizeInBytes": 10', '"sizeInBytes": -1', f"{TOLD}.files[0].sizeInBytes", "found -1"),
        (CHAIN, '{"id": "f", "sizeInBytes": 10}, ', "", f"{TOLD}.tasks[0].inputFiles[0]", "f has no size"),
        (CHAIN, '"inputFiles": ["f"', '"inputFiles": ["g"', f"{TOLD}.tasks[0].inputFiles[1]", "twice"),
        (CHAIN, '"id": "g"', '"id": "f"', f"{TOLD}.files[1]", "a second file is called f"),
        (CHAIN, '"parents": ["a"]', '"parents": []', f"{TOLD}.tasks[1].children[0]", "b does not have a among"),
        (CHAIN, '"children": ["b"]', '"children": ["b", "z"]', f"{TOLD}.tasks[1].children[1]", "there is no task z"),
        (CHAIN, '"coreCount": 1.5', '"coreCount": 1e9', f"{RUN}.tasks[0].coreCount", "expected at most 65535 cores"),
        (OLD, '"parents": ["first"]', '"parents": ["second"]', "workflow.tasks[1].parents[0]", "waits for itself"),
        (OLD, '"cores": 2', '"cores": 2, "parents": ["second"]', "workflow", "a cycle: first -> second -> first"),
        (OLD, '"name": "second"', '"name": "first"', "workflow.tasks[1]", "a second task is called first"),
        (OLD, '"link": "output"', '"link": "out"', "workflow.tasks[0].files[0].link", "found the text out"),
        (OLD, '"tasks": [', '"tasks": [], "more": [', "workflow", "there is no task"),
    ],
)  # fmt: skip
def test_a_trace_that_makes_no_graph_is_refused_at_its_place(
    document: dict[str, object], old: str, new: str, where: str, reason: str
) -> None:
    error = refusal(lambda: changed(document, old, new))

    assert (error.path, error.where) == ("trace.json", where)
    assert reason in error.reason


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (lzma.compress(b"{}" * 1000)[:-9], "cut short"),
        (gzip.compress(b"{}" * 1000)[:-9], "cut short"),
        (lzma.compress(b"{}")[:8] + b"?" * 30, "damaged"),
        (b"\x1f\x8b" + b"?" * 30, "damaged"),
        ('{"name": "é"}'.encode("latin-1"), "the byte 0xe9 is not UTF-8"),
        (b"\xff\xfe{\0}\0", "the byte 0xff is not UTF-8"),
    ],
)
def test_a_damaged_file_is_refused(packed: bytes, reason: str) -> None:
    assert reason in refusal(lambda: parse_wfformat("x", unpack("x", packed))).reason


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bytes])
def test_a_file_that_unpacks_to_too_much_is_refused(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pnode.sim.formats.source.PLAIN_BYTES_MAX", 1000)

    assert len(unpack("x", pack(b" " * 1000))) == 1000
    assert "longer than 1000 bytes" in refusal(lambda: unpack("x", pack(b" " * 1001))).reason


def test_an_xz_file_of_several_streams_is_read_as_a_whole() -> None:
    assert unpack("x", lzma.compress(b"one") + lzma.compress(b"two")) == "onetwo"


@pytest.mark.parametrize(
    ("text", "reason"), [("[" * 100_000, "nested too deeply"), ("1" * 5000, "no JSON"), ("{", "no JSON")]
)
def test_json_that_is_none_is_refused(text: str, reason: str) -> None:
    assert reason in refusal(lambda: parse_wfformat("x", text)).reason


def test_a_key_that_stands_twice_is_refused() -> None:
    assert "the key a twice" in refusal(lambda: parse_wfformat("x", '{"a": 1, "a": 2}')).reason


@pytest.mark.parametrize("name", ["nowhere.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(lambda: read_text(f"{tmp_path}/{name}")).where == ""


@given(graphs())
def test_what_is_written_is_read_back(graph: Graph) -> None:
    assert parse_wfformat("x", wfformat_text(graph)) == graph


@given(graphs(names=st.text(min_size=1, max_size=5).filter(str.isprintable)))
def test_names_the_format_does_not_allow_are_replaced_and_still_tell_tasks_apart(graph: Graph) -> None:
    read = parse_wfformat("x", wfformat_text(graph))

    assert (read.edges, len({task.name for task in read.tasks})) == (graph.edges, len(graph.tasks))


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    graph = parse(CHAIN)
    write_wfformat(tmp_path / "a.json", graph)

    assert read_wfformat(tmp_path / "a.json") == graph
    assert "cannot be written" in refusal(lambda: write_wfformat(tmp_path, graph)).reason


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda data: b"\xfd7zXZ\x00" + data))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse_wfformat("x", unpack("x", packed)))


@given(mutated(CHAIN) | mutated(OLD))
def test_any_document_is_read_or_refused(document: object) -> None:
    accepts_or_refuses(lambda: parse(document))


@given(damaged(json.dumps(CHAIN)))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_wfformat("x", text))
