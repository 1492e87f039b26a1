"""The native form of a task graph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.native import parse_native
from pnode.protocol.textfile import FormatError

SURVEY = """\
name = "survey"

[task.split]
command = ["sh", "scripts/split.sh"]
children = ["left", "right"]
broadcast = false

[task.left]
module = "scripts/side.py"
environment = { SIDE = "left" }
walltime = 2.5

[ task . "right" ]
module = "scripts/side.py"
memory = "512 MiB"
cores = 2
final = true

[task.join]
command = ["join"]
after = ["left", "right"]
"""


def refusal(text: str) -> str:
    with pytest.raises(FormatError) as caught:
        parse_native("dag.toml", text)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def task(keys: str) -> str:
    return f"[task.a]\n{keys}\n"


def test_a_graph_is_read_key_by_key() -> None:
    graph = parse_native("dag.toml", SURVEY)
    side = Program(ProgramKind.MODULE, ("scripts/side.py",))

    assert graph.name == "survey"
    assert graph.lines == {"split": 3, "left": 8, "right": 13, "join": 19}
    assert graph.dag == Dag(
        (
            Task(
                "split",
                ("left", "right"),
                Program(ProgramKind.COMMAND, ("sh", "scripts/split.sh")),
                broadcast=False,
            ),
            Task("left", ("join",), side, environment=(("SIDE", "left"),), walltime_s=2.5),
            Task("right", ("join",), side, final=True, memory_bytes=512 << 20, cores=2),
            Task("join", (), Program(ProgramKind.COMMAND, ("join",)), final=True, inputs_per_call=2),
        )
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", (3, 0, 0)),
        ("retries = 2", (3, 2, 0)),
        ("retries = {}", (3, 0, 0)),
        ("retries = { lost = 0, timeout = 1 }", (0, 0, 1)),
        ("retries = { lost = 5, failed = 2, timeout = 1 }", (5, 2, 1)),
    ],
)
def test_a_task_says_how_often_it_is_tried_again(said: str, expected: tuple[int, int, int]) -> None:
    (read,) = parse_native("dag.toml", task(f"command = ['x']\n{said}")).dag.tasks

    assert (read.retries_lost, read.retries_failed, read.retries_timeout) == expected


def test_an_edge_may_be_written_at_both_ends() -> None:
    text = '[task.a]\ncommand = ["x"]\nchildren = ["b"]\n[task.b]\ncommand = ["y"]\nafter = ["a"]\n'

    assert parse_native("dag.toml", text).dag.parents == {"a": (), "b": ("a",)}


def test_a_line_that_cannot_be_told_is_nought() -> None:
    assert parse_native("dag.toml", 'task = { a = { command = ["x"] } }').lines == {"a": 0}
    assert parse_native("dag.toml", 'task = { a = { command = ["x"] } }').name == ""


@pytest.mark.parametrize(
    ("memory", "size"),
    [("0", 0), ("1000", 1000), ('"7"', 7), ('"2 GB"', 2 << 30), ('"3k"', 3 << 10), ('" 4 TiB "', 4 << 40)],
)
def test_memory_is_bytes_or_a_text(memory: str, size: int) -> None:
    dag = parse_native("dag.toml", task(f'command = ["x"]\nmemory = {memory}')).dag

    assert dag.by_name["a"].memory_bytes == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "dag.toml: no table [task.NAME]; expected 1 to 20000 of them"),
        ("task = 1", "dag.toml: no table [task.NAME]; expected 1 to 20000 of them"),
        ("task = {}", "dag.toml: no table [task.NAME]; expected 1 to 20000 of them"),
        ("\n4\n", "dag.toml:2: no TOML: Expected '=' after a key in a key/value pair; expected tables [task.NAME]"),
        ("x = ", "dag.toml:1: no TOML: Invalid value"),
        ("x = " + "[" * 100_000, "dag.toml: TOML that is too deep or has too long numbers; expected"),
        ("x = " + "9" * 5000, "dag.toml: TOML that is too deep or has too long numbers; expected tables [task.NAME]"),
        ("\0", "dag.toml:1: the control character 0x00; expected a text file"),
        ("nmae = 1", "dag.toml: the key nmae; expected `name` and tables [task.NAME]"),
        ("name = 1", "dag.toml: a `name` that is no short text; expected what the job is called, at most 255 bytes"),
        ('name = "a\\nb"', "dag.toml: a `name` that is no short text"),
        (f'name = "{"x" * 256}"', "dag.toml: a `name` that is no short text"),
        ("task.a = 1", "dag.toml: task.a is a int; expected a table"),
        ('[task."../a"]', "dag.toml:1: a task is called ../a; expected a name of printable characters"),
        ("[task.home]", "dag.toml:1: a task is called home; expected another name"),
        (task("comand = []"), "dag.toml:1: task.a.comand is no key of a task; expected one of command, module,"),
        (task(""), "dag.toml:1: task.a has neither `command` nor `module`; expected one of the two"),
        (task("command = ['x']\nmodule = 'y'"), "dag.toml:1: task.a has both `command` and `module`"),
        (task("command = 'x'"), "dag.toml:1: task.a.command is no list of texts; expected"),
        (task("command = []"), "dag.toml:1: task.a.command is no list of texts"),
        (task("command = [1]"), "dag.toml:1: task.a.command has something other than a text"),
        (task("command = ['']"), "dag.toml:1: task.a.command begins with an empty text; expected a program"),
        (task("module = 1"), "dag.toml:1: task.a.module has something other than a text"),
        (task('command = ["a\\u0000"]'), "dag.toml:1: task.a.command has something other than a text"),
        (task(f"command = ['{'x' * 4097}']"), "task.a.command has something other than a text or too long a one"),
        (task("command = ['x']\nchildren = 'b'"), "dag.toml:1: task.a.children is no list of texts"),
        (task("command = ['x']\nchildren = ['b', 'b']"), "dag.toml:1: task.a.children names a task twice"),
        (task("command = ['x']\nchildren = ['b']"), "task.a.children names b, which has no table; expected one of a"),
        (task("command = ['x']\nafter = ['b']"), "dag.toml:1: task.a.after names b, which has no table; expected"),
        (task("command = ['x']\nafter = ['a']"), "dag.toml: task 'a' feeds itself; expected"),
        (task("command = ['x']\ncores = 0"), "dag.toml:1: task.a.cores is 0; expected"),
        (task("command = ['x']\ncores = true"), "dag.toml:1: task.a.cores is True; expected a whole number"),
        (task("command = ['x']\ncores = []"), "dag.toml:1: task.a.cores is a list; expected a whole number"),
        (task("command = ['x']\ninputs_per_call = 0"), "task.a.inputs_per_call is 0; expected a whole number from 1"),
        (task("command = ['x']\nfinal = 1"), "dag.toml:1: task.a.final is 1; expected true or false"),
        (task("command = ['x']\nfinal = false"), "dag.toml: no task is final; expected at least one"),
        (task("command = ['x']\nwalltime = -1"), "dag.toml:1: task.a.walltime is -1; expected seconds"),
        (task("command = ['x']\nwalltime = nan"), "dag.toml:1: task.a.walltime is nan; expected seconds"),
        (task("command = ['x']\nwalltime = '1 h'"), "dag.toml:1: task.a.walltime is '1 h'; expected seconds"),
        (task("command = ['x']\nretries = -1"), "dag.toml:1: task.a.retries is -1; expected a whole number"),
        (task("command = ['x']\nretries = true"), "dag.toml:1: task.a.retries is True; expected a whole number"),
        (task("command = ['x']\nretries = [1]"), "dag.toml:1: task.a.retries is a list; expected a whole number"),
        (task("command = ['x']\nretries = {lost = 256}"), "dag.toml:1: task.a.retries.lost is 256; expected"),
        (task("command = ['x']\nretries = {failure = 1}"), "task.a.retries has the key failure; expected one of"),
        (task("command = ['x']\nmemory = '1 PB'"), "dag.toml:1: task.a.memory is '1 PB'; expected"),
        (task("command = ['x']\nmemory = -1"), "dag.toml:1: task.a.memory is -1; expected bytes"),
        (task("command = ['x']\nmemory = '999999999 TB'"), "task.a.memory is '999999999 TB'; expected bytes"),
        (task("command = ['x']\nmemory = 1.5"), "dag.toml:1: task.a.memory is 1.5; expected bytes"),
        (task("command = ['x']\nenvironment = 1"), "dag.toml:1: task.a.environment is 1; expected"),
        (task("command = ['x']\nenvironment = {PNODE_X = '1'}"), "task.a.environment sets PNODE_X; expected"),
        (task("command = ['x']\nenvironment = {'A=' = '1'}"), "dag.toml:1: task.a.environment sets A=; expected"),
        (task("command = ['x']\nenvironment = {A = 1}"), "task.a.environment has something other than a text"),
        (
            SURVEY + "inputs_per_call = 1",
            "dag.toml:19: task.join.inputs_per_call is 1, and each of 2 parents sends at least one file; expected",
        ),
        (
            SURVEY + "children = ['left']",
            "dag.toml: the graph has a cycle: left -> join -> left; expected",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_its_key(text: str, message: str) -> None:
    assert message in refusal(text)


KEY = st.sampled_from(
    ["command", "module", "children", "after", "final", "cores", "memory", "walltime", "retries", "environment", "x"]
)
VALUE = st.sampled_from(
    ["1", "-1", "true", "'b'", "['a']", "['b']", "[]", "{A = 'b'}", "nan", "1.5", "1979-05-27", "'é'"]
)
TABLE = st.dictionaries(KEY, VALUE, max_size=4).map(
    lambda keys: "\n".join(f"{key} = {value}" for key, value in keys.items())
)


@given(
    st.text() | st.lists(TABLE, max_size=3).map(lambda tables: "".join(map("[task.{}]\n{}\n".format, "abc", tables)))
)
def test_any_text_is_a_graph_or_a_format_error(text: str) -> None:
    try:
        parse_native("dag.toml", text)
    except FormatError as error:
        message = str(error)
    else:
        message = ""
    assert len(message.splitlines()) <= 1
