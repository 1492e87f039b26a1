"""Jupiter's DAG file: what is found in the wild is read, everything else is refused by line."""

import random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.dag import Dag, Program, ProgramKind
from pnode.protocol.jupiter import Configuration, Entry, Placement, mapping_text, parse_configuration, to_dag
from pnode.protocol.textfile import (
    CHARACTERS_MAX,
    NAME_BYTES_MAX,
    FormatError,
    check_name,
    decode_text,
    listed,
    shown,
)

DIAMOND = """\
4
task0 1 true task1 task2
task1 1 true task3
task2 1 true task3
task3 2 true home
"""


def parse(text: str, outside: tuple[str, ...] = ()) -> Configuration:
    return parse_configuration("dag.txt", text, outside)


def dag_of(text: str, outside: tuple[str, ...] = ()) -> Dag:
    configuration = parse(text, outside)
    return to_dag(configuration, {entry.name: program(entry.name) for entry in configuration.entries})


def program(task: str) -> Program:
    return Program(ProgramKind.MODULE, (f"scripts/{task}.py",))


def refusal(text: str) -> str:
    with pytest.raises(FormatError) as caught:
        parse(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_diamond_is_read_line_by_line() -> None:
    configuration = parse(DIAMOND)

    assert configuration == Configuration(
        "dag.txt",
        (
            Entry(2, "task0", 1, True, ("task1", "task2")),
            Entry(3, "task1", 1, True, ("task3",)),
            Entry(4, "task2", 1, True, ("task3",)),
            Entry(5, "task3", 2, True, ("home",)),
        ),
        (),
        (),
        (),
    )
    assert [entry.final for entry in configuration.entries] == [False, False, False, True]


def test_the_graph_of_the_diamond_has_home_as_its_end() -> None:
    dag = dag_of(DIAMOND)

    assert dag.parents == {"task0": (), "task1": ("task0",), "task2": ("task0",), "task3": ("task1", "task2")}
    assert [(task.name, task.final, task.inputs_per_call) for task in dag.tasks] == [
        ("task0", False, 1),
        ("task1", False, 1),
        ("task2", False, 1),
        ("task3", True, 2),
    ]
    assert dag.by_name["task1"].program == program("task1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(DIAMOND.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(DIAMOND.replace("\n", "\r"), id="CR"),
        pytest.param(DIAMOND.rstrip(), id="no final newline"),
        pytest.param(DIAMOND.replace("\n", "  \t\n"), id="trailing blanks"),
        pytest.param(DIAMOND.replace(" ", "\t"), id="tabs"),
        pytest.param(DIAMOND.replace(" ", "   "), id="several blanks"),
        pytest.param("\n" + DIAMOND.replace("\n", "\n \n"), id="blank lines"),
        pytest.param("\ufeff" + DIAMOND, id="byte order mark"),
        pytest.param(DIAMOND.replace("true", "TRUE"), id="TRUE"),
        pytest.param(DIAMOND.replace("true", "True"), id="True"),
        pytest.param(DIAMOND.replace("home", "scheduler"), id="scheduler"),
        pytest.param(DIAMOND.replace("4\n", "04\n"), id="leading zero"),
    ],
)
def test_what_is_found_in_the_wild_reads_like_the_plain_form(text: str) -> None:
    assert dag_of(text) == dag_of(DIAMOND)


def test_line_numbers_count_blank_lines() -> None:
    assert [entry.line for entry in parse("\n" + DIAMOND.replace("\n", "\n\n")).entries] == [4, 6, 8, 10]


def test_flag_false_deals_in_the_order_of_the_children() -> None:
    task = dag_of("3\na 1 FALSE c b\nb 1 false home\nc 1 true home\n").by_name["a"]

    assert not task.broadcast
    assert task.children == ("c", "b")


def test_a_task_may_send_its_outputs_home_and_to_others() -> None:
    dag = dag_of("2\na 1 true b home\nb 1 true home\n")

    assert dag.by_name["a"].final
    assert dag.by_name["a"].children == ("b",)


def test_a_child_that_needs_several_files_of_one_parent_is_possible() -> None:
    assert dag_of("2\na 1 true b\nb 7 true home\n").by_name["b"].inputs_per_call == 7


# Tasks outside the DAG


def test_a_task_whose_only_child_is_itself_is_left_out_with_a_notice() -> None:
    text = "3\na 1 true b watcher\nwatcher 1 false watcher\nb 1 true home\n"
    configuration = parse(text)

    assert [entry.name for entry in configuration.outside] == ["watcher"]
    assert configuration.notices == ("dag.txt: left out, because they stand outside the DAG: watcher",)
    assert [(task.name, task.children) for task in dag_of(text).tasks] == [("a", ("b",)), ("b", ())]


def test_a_task_that_the_caller_knows_to_be_outside_is_left_out_with_its_edges() -> None:
    # As the network anomaly detector's terasort master, which feeds slaves and is started, not fed.
    text = "4\na 1 true b master\nmaster 1 false slave\nslave 1 false slave\nb 1 true home\n"

    assert [entry.name for entry in parse(text, ("master",)).outside] == ["master", "slave"]
    assert [task.name for task in dag_of(text, ("master",)).tasks] == ["a", "b"]


def test_a_parent_outside_the_dag_does_not_count_against_num_inputs() -> None:
    text = "3\na 1 true b\nhelper 1 true b\nb 1 true home\n"

    assert refusal(text).startswith("dag.txt:4: b has the NUM_INPUTS 1 and 2 parents")
    assert dag_of(text, ("helper",)).parents["b"] == ("a",)


def test_a_task_that_feeds_only_outsiders_is_final() -> None:
    dag = dag_of("2\na 1 true slave\nslave 1 false slave\n")

    assert dag.by_name["a"].final


def test_a_task_that_only_outsiders_would_feed_cannot_be_reached() -> None:
    with pytest.raises(FormatError) as caught:
        parse("3\na 1 true home\nmaster 1 true b\nb 1 true home\n", ("master",))

    assert str(caught.value) == (
        "dag.txt:4: b cannot be reached: only master would feed it, outside the DAG; "
        "expected a parent inside the DAG, or none at all"
    )


def test_a_file_of_outsiders_alone_is_refused() -> None:
    assert refusal("2\na 1 true a\nb 1 true b\n") == (
        "dag.txt:2: all tasks stand outside the DAG (a, b); expected one inside it"
    )


# Entries


def test_every_task_that_nobody_feeds_gets_the_input_and_the_author_is_told() -> None:
    configuration = parse("3\na 1 true c\nb 1 true c\nc 2 true home\n")

    assert configuration.notices == ("dag.txt: nobody feeds b: the job's input goes there as well as to a",)
    assert dag_of("3\na 1 true c\nb 1 true c\nc 2 true home\n").entries == ("a", "b")


def test_a_first_line_with_parents_is_no_entry_and_the_author_is_told() -> None:
    configuration = parse("2\nb 1 true home\na 1 true b\n")

    assert configuration.notices == ("dag.txt: b stands first but has parents; the job's input goes to a",)


# Placements


def test_mapping_lines_after_the_dag_are_hints() -> None:
    configuration = parse(DIAMOND + "task0 node1\ntask1\tnode2\nhome node9\ntask0 node3\n")

    assert configuration.placements == (
        Placement(6, "task0", "node1"),
        Placement(7, "task1", "node2"),
        Placement(9, "task0", "node3"),
    )
    dag = to_dag(configuration, {entry.name: program(entry.name) for entry in configuration.entries})
    assert dag.by_name["task0"].hint == ("node1", "node3")
    assert dag.by_name["task2"].hint == ()


def test_other_hints_may_take_their_place() -> None:
    configuration = parse(DIAMOND + "task0 node1\n")
    programs = {entry.name: program(entry.name) for entry in configuration.entries}

    assert to_dag(configuration, programs, {"task2": ("big",)}).by_name["task2"].hint == ("big",)
    assert to_dag(configuration, programs, {"task2": ("big",)}).by_name["task0"].hint == ()


def test_a_mapping_is_written_as_jupiter_writes_it() -> None:
    assert mapping_text([("task0", "node2"), ("task1", "node1")]) == "task0\tnode2\ntask1\tnode1\n"
    assert mapping_text([]) == ""


# Refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "dag.txt: the file is empty; expected the number of DAG lines on its first line"),
        (" \n\t\r\n", "dag.txt: the file is empty; expected the number of DAG lines on its first line"),
        (
            "task0 1 true home\n",
            "dag.txt:1: the first line is 'task0 1 true home'; "
            "expected the number of DAG lines that follow, nothing else",
        ),
        (
            "\n-4\n",
            "dag.txt:2: the first line is -4; expected the number of DAG lines that follow, nothing else",
        ),
        (
            "1.0\na 1 true home",
            "dag.txt:1: the first line is 1.0; expected the number of DAG lines that follow, nothing else",
        ),
        ("0\n", "dag.txt:1: 0 DAG lines are announced; expected 1 to 20000"),
        ("20001\n", "dag.txt:1: 20001 DAG lines are announced; expected 1 to 20000"),
        (
            DIAMOND.replace("4\n", "5\n"),
            "dag.txt:1: 5 DAG lines are announced and 4 follow; expected 4 there, or the missing lines",
        ),
        (
            DIAMOND.replace("4\n", "5\n") + "task0 node1\ntask1 node1\n",
            "dag.txt:1: 5 DAG lines are announced and 4 follow; expected 4 there, or the missing lines",
        ),
        ("3\n", "dag.txt:1: 3 DAG lines are announced and 0 follow; expected 0 there, or the missing lines"),
        (
            DIAMOND.replace("4\n", "3\n"),
            "dag.txt:5: another DAG line after the 3 that were announced; "
            "expected 4 on the first line, or only lines `task node` from here",
        ),
        (
            DIAMOND.replace("4\n", "3\n").replace("task3 2", "task0 node1\ntask3 2"),
            "dag.txt:6: another DAG line after the 3 that were announced; "
            "expected 5 on the first line, or only lines `task node` from here",
        ),
        (
            DIAMOND.replace("true home", ""),
            "dag.txt:5: the line is 'task3 2'; "
            "expected `task NUM_INPUTS FLAG child...`, with the child `home` for a result",
        ),
        (
            DIAMOND.replace("task1 1 true task3", "task1 1"),
            "dag.txt:3: the line is 'task1 1'; "
            "expected `task NUM_INPUTS FLAG child...`, with the child `home` for a result",
        ),
        (
            "1\ncollage 1 true\n",
            "dag.txt:2: the line is 'collage 1 true'; "
            "expected `task NUM_INPUTS FLAG child...`, with the child `home` for a result",
        ),
        (
            "1\ntask0\n",
            "dag.txt:2: the line is task0; "
            "expected `task NUM_INPUTS FLAG child...`, with the child `home` for a result",
        ),
        (
            DIAMOND.replace("task2 1", "task2 one"),
            "dag.txt:4: task2 has the NUM_INPUTS one; expected a whole number from 1 to 65536",
        ),
        (
            DIAMOND.replace("task2 1", "task2 0"),
            "dag.txt:4: task2 has the NUM_INPUTS 0; expected a whole number from 1 to 65536",
        ),
        (
            DIAMOND.replace("task2 1", "task2 -1"),
            "dag.txt:4: task2 has the NUM_INPUTS -1; expected a whole number from 1 to 65536",
        ),
        (
            DIAMOND.replace("task2 1", "task2 1_0"),
            "dag.txt:4: task2 has the NUM_INPUTS 1_0; expected a whole number from 1 to 65536",
        ),
        (
            DIAMOND.replace("task2 1", "task2 " + "9" * 5000),
            f"dag.txt:4: task2 has the NUM_INPUTS {'9' * 60}...; expected a whole number from 1 to 65536",
        ),
        (
            DIAMOND.replace("task3 2", "task3 1"),
            "dag.txt:5: task3 has the NUM_INPUTS 1 and 2 parents (task1, task2), "
            "each of which sends it at least one file; expected 2 or more",
        ),
        (DIAMOND.replace("task2 1 true", "task2 1 yes"), "dag.txt:4: task2 has the FLAG yes; expected true or false"),
        (
            DIAMOND.replace("task2 1 true", "task2 1 Ordered"),
            "dag.txt:4: task2 has the FLAG Ordered, which is for tasks that loop over a queue; "
            "expected true or false",
        ),
        (
            DIAMOND.replace("task2 1 true", "task2 1 exclusive"),
            "dag.txt:4: task2 has the FLAG exclusive, which is for tasks that loop over a queue; "
            "expected true or false",
        ),
        (
            DIAMOND.replace("task2 1 true", "task2 1 none"),
            "dag.txt:4: task2 has the FLAG none, which is for tasks that loop over a queue; expected true or false",
        ),
        (
            DIAMOND.replace("task2 1", "task1 1"),
            "dag.txt:4: task1 has a second line; expected one, as on line 3",
        ),
        (
            DIAMOND.replace("task2 1 true task3", "task2 1 true taskX"),
            "dag.txt:4: task2 names the child taskX, which has no line of its own; "
            "expected one of task0, task1, task3, home",
        ),
        (
            DIAMOND.replace("task1 task2", "task1 task2 task1"),
            "dag.txt:2: task0 names the child task1 twice; expected it once",
        ),
        (
            DIAMOND.replace("task1 task2", "task1 task2 task0"),
            "dag.txt:2: task0 is one of its own children; "
            "expected other tasks, or task0 alone for a task outside the DAG",
        ),
        (
            DIAMOND.replace("task3 2 true home", "task3 2 true home task1"),
            "dag.txt:3: a cycle, task1 -> task3 -> task1; expected a graph in which no task waits for itself",
        ),
        (
            DIAMOND.replace("task1 1 true task3", "task1 1 false task3 home"),
            "dag.txt:3: task1 has the FLAG false and would deal its outputs to home and to tasks in turn; "
            "expected the FLAG true, or home as the only child",
        ),
        (
            "1\nhome 1 true home\n",
            "dag.txt:2: a task is called home; expected another name: this is where results go",
        ),
        (
            "1\n../up 1 true home\n",
            "dag.txt:2: a task is called ../up; expected a name of printable characters without slashes "
            "that does not begin with '.' or '-'",
        ),
        (
            f"1\n{'x' * 129} 1 true home\n",
            f"dag.txt:2: a task is called {'x' * 60}...; expected a name of at most 128 bytes",
        ),
        (
            DIAMOND + "task9 node1\n",
            "dag.txt:6: task9 is to run on node1 and has no DAG line; expected one of task0, task1, task2, task3",
        ),
        (DIAMOND + "task0\n", "dag.txt:6: the line is task0; expected `task node`, as after the DAG lines"),
        (
            DIAMOND + "task0 .node\n",
            "dag.txt:6: a node is called .node; expected a name of printable characters without slashes "
            "that does not begin with '.' or '-'",
        ),
        ("1\na 1 true \0home\n", "dag.txt:2: the control character 0x00; expected a text file"),
        ("\x7fELF\x02\x01\x01", "dag.txt:1: the control character 0x7f; expected a text file"),
        (
            "4\ntask1 task2 task3\ntask2 task4\ntask3 task4\ntask4 scheduler\n",  # CIRCE's first form
            "dag.txt:2: the line is 'task1 task2 task3'; "
            "expected `task NUM_INPUTS FLAG child...`, with the child `home` for a result",
        ),
    ],
)
def test_bad_input_is_refused_by_line_with_what_was_found_and_expected(text: str, message: str) -> None:
    assert refusal(text) == message


def test_all_names_are_listed_only_up_to_a_few() -> None:
    text = "9\n" + "".join(f"t{i} 1 true home\n" for i in range(8)) + "t8 1 true z\n"

    assert refusal(text).endswith("expected one of t0, t1, t2, t3, t4, t5, ...")


def test_an_error_points_at_its_place() -> None:
    error = FormatError("dag.txt", 3, "x", "y")

    assert (error.file, error.line, error.found, error.expected) == ("dag.txt", 3, "x", "y")
    assert str(error) == "dag.txt:3: x; expected y"
    assert str(FormatError("dag.txt", 0, "x", "y")) == "dag.txt: x; expected y"


def test_ten_megabytes_of_noise_are_refused_at_once() -> None:
    noise = random.Random(1).randbytes(10_000_000)
    begin = process_time()

    for text in (noise.decode("latin-1"), noise[:CHARACTERS_MAX].decode("latin-1"), "9" * CHARACTERS_MAX):
        with pytest.raises(FormatError):
            parse(text)
    with pytest.raises(FormatError):
        decode_text("dag.txt", noise)

    assert process_time() - begin < 1.0


def test_a_file_that_is_too_long_is_refused_whatever_it_says() -> None:
    with pytest.raises(
        FormatError, match=f"dag.txt: {CHARACTERS_MAX + 1} characters; expected at most {CHARACTERS_MAX}"
    ):
        parse(DIAMOND + " " * (CHARACTERS_MAX + 1 - len(DIAMOND)))


def test_twenty_thousand_tasks_without_edges_are_read_quickly() -> None:
    text = "20000\n" + "".join(f"t{i} 1 true home\n" for i in range(20_000))
    begin = process_time()

    assert len(parse(text).entries) == 20_000
    assert process_time() - begin < 3.0


# Text files


def test_bytes_become_text() -> None:
    assert decode_text("dag.txt", b"\xef\xbb\xbfna\xc3\xafve") == "naïve"


def test_bytes_that_are_no_text_are_refused_by_line() -> None:
    with pytest.raises(FormatError) as caught:
        decode_text("dag.txt", b"4\ntask0 \xff\n")

    assert str(caught.value) == "dag.txt:2: the byte 0xff at offset 8 is not UTF-8; expected a text file"


def test_a_foreign_text_is_shown_on_one_line_and_not_too_long() -> None:
    assert shown("task0") == "task0"
    assert shown("two words") == "'two words'"
    assert shown("two\nlines") == r"'two\nlines'"
    assert shown("x" * 61) == "x" * 60 + "..."
    assert listed(["a", "b c"]) == "a, 'b c'"


@pytest.mark.parametrize("name", ["task0", "Täsk", "a.b-c_d", "x" * NAME_BYTES_MAX])
def test_a_name_may_be_any_word_that_can_name_a_file(name: str) -> None:
    assert check_name("f", 1, name, "a task") == name


@pytest.mark.parametrize("name", [".", "..", ".x", "-x", "a/b", "a\\b", "a\x85b", "\ud800", "ä" * 65])
def test_a_name_that_cannot_name_a_file_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        check_name("f", 1, name, "a task")


# Anything at all


WORDS = st.sampled_from(
    ["a", "b", "c", "home", "scheduler", "true", "false", "1", "2", "3", "ordered", "-1", "x\0", "é", ""]
)
ALMOST = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=8).map("\n".join)


@given(st.text() | ALMOST | st.builds("{}\n{}".format, st.integers(0, 6), ALMOST))
def test_any_text_is_a_graph_or_a_format_error(text: str) -> None:
    try:
        configuration = parse(text)
    except FormatError as error:
        message = str(error)
    else:
        message = ""
        to_dag(configuration, {entry.name: program(entry.name) for entry in configuration.entries})
    assert len(message.splitlines()) <= 1


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_a_format_error(data: bytes) -> None:
    try:
        text = decode_text("dag.txt", data)
    except FormatError:
        return
    assert text.encode() == data.removeprefix(b"\xef\xbb\xbf")


@st.composite
def valid(draw: st.DrawFn) -> tuple[Entry, ...]:
    count = draw(st.integers(1, 10))
    names = [f"t{i}" for i in range(count)]
    children = {
        name: tuple(draw(st.permutations(names[at + 1 :])))[: draw(st.integers(0, 3))] or ("home",)
        for at, name in enumerate(names)
    }
    parents = {name: sum(name in below for below in children.values()) for name in names}
    return tuple(
        Entry(line, name, max(1, parents[name]) + draw(st.integers(0, 2)), draw(st.booleans()), children[name])
        for line, name in enumerate(draw(st.permutations(names)), start=2)
    )


BLANKS = st.sampled_from([" ", "  ", "\t", " \t "])


@given(valid(), st.sampled_from(["\n", "\r\n"]), BLANKS, st.sampled_from(["", " ", "\t"]), st.booleans())
def test_a_written_graph_is_read_back(
    entries: tuple[Entry, ...], newline: str, blank: str, trailing: str, final_newline: bool
) -> None:
    rows = [[str(len(entries))]] + [
        [entry.name, str(entry.inputs_per_call), str(entry.broadcast).lower(), *entry.children] for entry in entries
    ]
    text = newline.join(blank.join(row) + trailing for row in rows) + (newline if final_newline else "")

    configuration = parse(text)

    assert configuration.entries == entries
    dag = to_dag(configuration, {entry.name: program(entry.name) for entry in entries})
    assert [task.name for task in dag.tasks] == [entry.name for entry in entries]
    assert all(
        (task.children or ("home",), task.inputs_per_call, task.broadcast, task.final)
        == (entry.children, entry.inputs_per_call, entry.broadcast, entry.children == ("home",))
        for task, entry in zip(dag.tasks, entries, strict=True)
    )
