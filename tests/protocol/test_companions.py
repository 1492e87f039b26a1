"""The files beside Jupiter's DAG file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.companions import (
    Config,
    ConfiguredTask,
    parse_config,
    parse_input_nodes,
    parse_name_convert,
    parse_nodes,
)
from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.routing import make_items
from pnode.protocol.textfile import CHARACTERS_MAX, FormatError

CONFIG = """\
{
  "PortNum": "57021",
  "exec_profiler": {"task0": true, "slave": false},
  "taskname_map": {
    "task0": ["task0", true],
    "slave": ["terasort/master/standby", false, 0, "fast", 1.5]
  }
}
"""


def config_refusal(text: str) -> str:
    with pytest.raises(FormatError) as caught:
        parse_config("config.json", text)
    return str(caught.value)


def mapped(entry: object) -> str:
    return json.dumps({"taskname_map": {"task0": entry}}, indent=1)


def test_a_config_maps_tasks_to_modules() -> None:
    assert parse_config("config.json", CONFIG) == Config(
        {
            "task0": ConfiguredTask(5, "task0", True, ()),
            "slave": ConfiguredTask(6, "terasort/master/standby", False, ("0", "fast", "1.5")),
        },
        {"task0": True, "slave": False},
    )


def test_a_config_may_lack_everything() -> None:
    assert parse_config("config.json", "\ufeff{}") == Config({}, {})


def test_a_module_may_be_named_with_its_suffix() -> None:
    assert parse_config("config.json", mapped(["a.py", True])).tasks["task0"].module == "a"


def test_a_line_that_cannot_be_told_is_nought() -> None:
    text = '{"taskname_map": {"t\\u0061sk": ["a", true]}}'

    assert parse_config("config.json", text).tasks["task"].line == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "config.json:1: no JSON: Expecting value; expected an object with `taskname_map`"),
        (
            "{\n'a': 1}",
            "config.json:2: no JSON: Expecting property name enclosed in double quotes; expected an object",
        ),
        ("[]", "config.json:1: JSON of a list; expected an object with `taskname_map`"),
        ("\0", "config.json:1: the control character 0x00; expected a text file"),
        ("[" * 100_000, "config.json: JSON that is too deep or has too long numbers; expected `taskname_map`"),
        ("9" * 5000, "config.json: JSON that is too deep or has too long numbers; expected `taskname_map`"),
        (
            " " * (CHARACTERS_MAX + 1),
            f"config.json: {CHARACTERS_MAX + 1} characters; expected at most {CHARACTERS_MAX}",
        ),
        ('{\n"taskname_map": []}', "config.json:2: taskname_map is a list; expected an object with a key per task"),
        ('{\n\n"exec_profiler": 1}', "config.json:3: exec_profiler is a int; expected an object with a key per task"),
        (mapped("task0"), "config.json:3: taskname_map has for task0 a value of the form "),
        (mapped([]), 'task0 a value of the form []; expected ["module", true or false, argument...]'),
        (mapped(["task0"]), "config.json:3: taskname_map has for task0 a value of the form "),
        (mapped([[[[]]], 1]), "a value of the form [list, int]; expected"),
        (mapped(["task0", 1]), "config.json:3: taskname_map has for task0 a value of the form "),
        (mapped([1, True]), "config.json:3: taskname_map has for task0 a value of the form "),
        (mapped(["task0", True, []]), "config.json:3: taskname_map has for task0 a value of the form "),
        (
            mapped(["../task0", True]),
            "config.json:3: taskname_map has for task0 the module ../task0; expected a path below",
        ),
        (mapped(["/task0", True]), "the module /task0; expected a path below the scripts directory"),
        (mapped(["a\\b", True]), "expected a path below the scripts directory, `/` between its parts"),
        (mapped(["", True]), "the module ''; expected a path below the scripts directory"),
        (mapped(["a\nb", True]), r"the module 'a\nb'; expected a path below the scripts directory"),
    ],
)
def test_a_bad_config_is_refused_by_line(text: str, message: str) -> None:
    assert message in config_refusal(text)


def test_nodes_have_hosts_and_further_columns_are_ignored() -> None:
    assert parse_nodes("nodes.txt", "home ubuntu-1 root PASSWORD\r\nnode1\tubuntu-2\n\n") == {
        "home": "ubuntu-1",
        "node1": "ubuntu-2",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("home a\nnode1\n", "nodes.txt:2: the line is node1; expected `node hostname`"),
        ("node1 a\nnode1 b\n", "nodes.txt:2: node1 has a second line; expected one line per node"),
        ("node1 ../a\n", "nodes.txt:1: the host of node1 is called ../a; expected a name of printable characters"),
        ("a/b c\n", "nodes.txt:1: a node is called a/b; expected a name of printable characters"),
    ],
)
def test_bad_nodes_are_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_nodes("nodes.txt", text)

    assert str(caught.value).startswith(message)


def test_input_nodes_follow_a_header() -> None:
    text = "task\tnode\ntask0\tnode2 node3\ntask1 node1\ntask0 node4\n"

    assert parse_input_nodes("input_node.txt", text) == {"task0": ("node2", "node3", "node4"), "task1": ("node1",)}
    assert parse_input_nodes("input_node.txt", "") == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("task0", "input_node.txt:2: the line is task0; expected `task node...`"),
        ("task0 node1 -x", "input_node.txt:2: a node is called -x; expected a name of printable characters"),
    ],
)
def test_bad_input_nodes_are_refused_by_line(row: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_input_nodes("input_node.txt", f"task node\n{row}\n")

    assert str(caught.value).startswith(message)


def test_names_are_converted_to_keys_as_jupiter_did() -> None:
    convert = parse_name_convert(
        "name_convert.txt", "localpro split botnet\naggregate0 aggregate split\ninput global botnet\n"
    )

    assert convert.key_of("localpro")("1botnet.ipsum") == "1botnet"
    assert convert.key_of("aggregate0")("1split_0.txt") == "1botnet"
    assert convert.key_of("aggregate0")("12split.txt") == "12botnet"
    assert convert.key_of("other")("1split_0.txt") == "1split"


def test_a_key_is_never_empty() -> None:
    convert = parse_name_convert("name_convert.txt", "task0 out split\n")

    assert convert.key_of("task0")("split_1.txt") == "split_1.txt"
    assert convert.key_of("task0")("7split_1.txt") == "7"


def test_converted_names_group_the_input_of_a_job() -> None:
    convert = parse_name_convert("name_convert.txt", "pair out in\ninput out whole\n")
    dag = Dag((Task("pair", (), Program(ProgramKind.COMMAND, ("true",)), inputs_per_call=2),))
    files = tuple(FileRef(name, 0, digest_of(b"")) for name in ("1in-left", "1in-right", "2in-left", "2in-right"))

    assert [item.key for item in make_items(dag, files, convert.key_of("pair"))] == ["1whole", "2whole"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "task0 a b\ntask1 a\n",
            "name_convert.txt:2: the line is 'task1 a'; expected `task output_suffix input_suffix`",
        ),
        ("task0 a b\ntask0 a b\n", "name_convert.txt:2: task0 has a second line; expected one line per task"),
    ],
)
def test_bad_conversions_are_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_name_convert("name_convert.txt", text)

    assert str(caught.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["taskname_map", "exec_profiler", "t"]), inner)
    ),
    max_leaves=10,
)


@given(st.text() | JSON.map(json.dumps) | JSON.map(mapped))
def test_any_text_is_read_or_a_format_error(text: str) -> None:
    for parse in (parse_config, parse_nodes, parse_input_nodes, parse_name_convert):
        try:
            parse("file", text)
        except FormatError as error:
            message = str(error)
        else:
            message = ""
        assert len(message.splitlines()) <= 1
