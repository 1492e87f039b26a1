"""DAGBench: graphs with their networks, as the data's table lists them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.dagbench import parse_dagbench, read_dagbench
from pnode.sim.formats.source import unpack
from pnode.sim.schedule.scenario import Graph, Machine, Network, Vertex, instance_of

from .samples import accepts_or_refuses, damaged, data, mutated, needs_data, refusal

TABLE = {
    "agri.crop_disease": (11, 12, 8),
    "agri.livestock_monitoring": (14, 13, 8),
    "classic.cholesky_5": (35, 50, 4),
    "classic.fft_32": (144, 192, 4),
    "classic.gauss_elim_5": (15, 30, 3),
    "classic.mapreduce_16m_8r": (27, 48, 4),
    "edge.autonomous_driving": (11, 10, 8),
    "edge.video_transcoding": (14, 16, 8),
    "fog.smart_building": (21, 22, 8),
    "iiot.energy_monitoring": (13, 14, 8),
    "mec.sleipnir_facebook": (7, 7, 3),
    "mec.video_analytics": (13, 14, 7),
    "ml.gpt2_tensor_sh12_prefill": (327, 614, 12),
    "scientific.epigenomics_like": (19, 21, 4),
    "smart_city.air_quality": (15, 15, 8),
    "smart_city.water_distribution": (16, 15, 8),
    "synthetic.chain_2": (2, 1, 4),
    "synthetic.one_task": (1, 0, 4),
    "synthetic.random_large_dense": (57, 514, 4),
    "synthetic.random_medium_compute": (25, 118, 4),
    "synthetic.random_small_wide": (12, 39, 4),
    "synthetic.reduction_tree": (15, 14, 4),
    "uav.search_rescue": (20, 21, 7),
}
"""Tasks, edges and nodes of every file, from the data's README, part 2."""

PAIR: dict[str, object] = {
    "name": "pair",
    "task_graph": {
        "tasks": [{"name": "b", "cost": 4}, {"name": "a", "cost": 2.0}],
        "dependencies": [{"source": "a", "target": "b", "size": 10}],
    },
    "network": {
        "nodes": [{"name": "m", "speed": 1}, {"name": "n", "speed": 2}],
        "edges": [
            {"source": "n", "target": "m", "speed": 5},
            {"source": "m", "target": "m", "speed": 1e9},
            {"source": "m", "target": "n", "speed": 5},
        ],
    },
}


def parse(document: object) -> tuple[Graph, Network]:
    return parse_dagbench("pair.json", json.dumps(document))


@needs_data
@pytest.mark.parametrize("name", TABLE)
def test_a_public_file_has_as_many_tasks_edges_and_nodes_as_its_table_says(name: str) -> None:
    graph, network = read_dagbench(data("dagbench", f"{name}.json"))

    assert (len(graph.tasks), len(graph.edges), len(network.machines)) == TABLE[name]
    assert graph.name == name
    assert instance_of(graph, network).tasks == len(graph.tasks)


@needs_data
def test_the_table_has_all_files() -> None:
    assert sorted(TABLE) == sorted(path.name.removesuffix(".json") for path in data("dagbench").iterdir())


def test_links_go_both_ways_and_a_node_reaches_itself_at_once() -> None:
    graph, network = parse(PAIR)

    assert graph == Graph("pair", (Vertex("b", 4.0), Vertex("a", 2.0)), (Edge(1, 0, 10.0),))
    assert network.machines == (Machine("m", 1.0), Machine("n", 2.0))
    instance = instance_of(graph, network)
    assert instance.cost_s == ((4.0, 2.0), (2.0, 1.0))
    assert [instance.transfer_s(0, target, 10.0) for target in (0, 1)] == [0.0, 2.0]
    assert instance.transfer_s(1, 0, 10.0) == 2.0


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ('"cost": 4', '"cost": -4', "task_graph.tasks[0].cost", "found -4, expected a number from 0 to 1e+30"),
        ('"cost": 4', '"cost": true', "task_graph.tasks[0].cost", "found true"),
        ('"cost": 4', '"costs": 4', "task_graph.tasks[0]", "there is no `cost`"),
        ('{"name": "b"', '{"name": "a"', "task_graph.tasks[1]", "a second task is called a"),
        ('"size": 10', '"size": 1e999', "task_graph.dependencies[0].size", "found inf"),
        (', "size": 10', "", "task_graph.dependencies[0]", "there is no `size`"),
        ('"source": "a"', '"source": "c"', "task_graph.dependencies[0]", "there is no task c; tasks are b, a"),
        ('"source": "a"', '"source": "b"', "task_graph.dependencies[0]", "task b waits for itself"),
        ('"size": 10}', '"size": 10}, {"source": "b", "target": "a", "size": 1}', "task_graph", "cycle: b -> a -> b"),
        ('"speed": 2', '"speed": 0', "network.nodes[1]", "machine n has the speed 0.0, expected a number from 1e-30"),
        ('{"name": "n"', '{"name": "m"', "network.nodes[1]", "a second machine is called m"),
        ('"n", "speed": 5', '"n", "speed": 6', "network.edges[2]", "has the speed 6.0, and the way back 5.0"),
        ('"m", "speed": 5', '"m", "speed": 0', "network.edges[0]", "has the bandwidth 0.0, expected a number from"),
        ('"source": "n", "target": "m"', '"source": "m", "target": "n"', "network.edges[2]", "a second time"),
        ('"source": "n"', '"source": "x"', "network.edges[0].source", "there is no machine x; machines are m, n"),
        ('"n", "speed": 2}', '"n", "speed": 2}, {"name": "o", "speed": 1}', "network", "no link from m to o"),
    ],
)
def test_a_file_that_makes_no_problem_is_refused_at_its_place(old: str, new: str, where: str, reason: str) -> None:
    text = json.dumps(PAIR)
    assert old in text

    error = refusal(lambda: parse_dagbench("pair.json", text.replace(old, new)))

    assert error.where == where
    assert reason in error.reason


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    accepts_or_refuses(lambda: parse_dagbench("x", unpack("x", packed)))


@given(mutated(PAIR))
def test_any_document_is_read_or_refused(document: object) -> None:
    accepts_or_refuses(lambda: parse(document))


@given(damaged(json.dumps(PAIR)))
def test_any_damaged_text_is_read_or_refused(text: str) -> None:
    accepts_or_refuses(lambda: parse_dagbench("x", text))
