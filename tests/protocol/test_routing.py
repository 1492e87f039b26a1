"""Which files flow where: items, children, calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FILES_MAX, ITEMS_MAX, FileRef, Item
from pnode.protocol.routing import (
    ALL_GIVEN,
    NAMES_SHOWN_MAX,
    RoutingError,
    calls_for,
    check_outputs,
    given_to,
    is_base_name,
    key_of,
    make_items,
    outputs_for,
    takes_given,
)

PROGRAM = Program(ProgramKind.MODULE, ("task.py",))


def files(names: str) -> tuple[FileRef, ...]:
    return tuple(FileRef(name, len(name), digest_of(name.encode())) for name in names.split())


def names(*calls: tuple[FileRef, ...]) -> list[str]:
    return [" ".join(file.name for file in call) for call in calls]


def task(name: str, children: str = "", inputs_per_call: int = 1, broadcast: bool = True) -> Task:
    return Task(name, tuple(children.split()), PROGRAM, inputs_per_call=inputs_per_call, broadcast=broadcast)


def contents(items: tuple[Item, ...]) -> dict[str, str]:
    return {item.key: names(item.files)[0] for item in items}


ONE = Dag((task("first", "last"), task("last")))
TWO = Dag((task("first", "last", inputs_per_call=2), task("last")))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("1botnet.ipsum", "1botnet"),
        ("input7", "input7"),
        ("input7_task2", "input7"),
        ("input7.part_task2.txt", "input7.part"),
        ("a_b.c", "a"),
        ("a.b.c", "a"),
        ("_leading", "_leading"),
        (".hidden", ".hidden"),
        (".a_b", ".a"),
        (".._b", ".._b"),
        ("._b", "._b"),
    ],
)
def test_the_key_is_the_name_up_to_the_first_underscore_or_else_dot(name: str, key: str) -> None:
    assert key_of(name) == key


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b", "a\nb", "\x1b[2J"])
def test_a_name_that_leads_elsewhere_is_no_base_name(name: str) -> None:
    assert not is_base_name(name)
    assert is_base_name("..a")


# Items


def test_each_file_is_an_item_where_the_entry_takes_one() -> None:
    assert contents(make_items(ONE, files("input2.txt input1.txt"))) == {
        "input2": "input2.txt",
        "input1": "input1.txt",
    }


def test_items_whose_keys_would_be_equal_go_by_their_full_names() -> None:
    assert list(contents(make_items(ONE, files("a_1.txt a_2.txt b.txt")))) == ["a_1.txt", "a_2.txt", "b.txt"]


def test_files_of_one_key_are_an_item_where_the_entry_takes_two() -> None:
    assert contents(make_items(TWO, files("2_left 1_left 1_right 2_right"))) == {
        "2": "2_left 2_right",
        "1": "1_left 1_right",
    }


def test_a_key_with_too_few_files_is_named() -> None:
    with pytest.raises(RoutingError) as caught:
        make_items(TWO, files("1_left 1_right 2_left"))

    assert str(caught.value) == (
        "the job's input has 1 file with the key '2' (2_left), expected 2, which first takes per call; "
        "the key is the name up to the first '_' or else '.'"
    )


def test_a_key_with_too_many_files_is_named() -> None:
    with pytest.raises(RoutingError, match=r"has 3 files with the key '1' \(1_a, 1_b, 1_c\), expected 2"):
        make_items(TWO, files("1_a 1_b 1_c"))


def test_names_may_be_converted_to_keys_in_another_way() -> None:
    assert contents(make_items(TWO, files("left1 right1"), lambda name: name[-1])) == {"1": "left1 right1"}


def test_a_job_without_input_has_one_item_without_files() -> None:
    assert make_items(ONE, ()) == (Item("input", ()),)
    assert make_items(TWO, ()) == (Item("input", ()),)


def test_a_file_of_no_bytes_is_a_file() -> None:
    empty = FileRef("trigger", 0, digest_of(b""))

    assert make_items(ONE, (empty,)) == (Item("trigger", (empty,)),)
    assert outputs_for(task("a", "b"), (empty,), "b") == (empty,)
    assert calls_for(task("a"), (empty,)) == ((empty,),)


def test_two_inputs_of_one_name_are_refused() -> None:
    with pytest.raises(RoutingError, match=r"job's input has two files called 'x\.txt', expected different names"):
        make_items(ONE, files("x.txt y.txt x.txt"))


def test_an_input_with_a_control_character_in_its_name_is_refused() -> None:
    with pytest.raises(
        RoutingError, match=r"a file called '\\x1bx', expected one without '/' and control characters"
    ):
        make_items(ONE, files("\x1bx"))


def test_a_key_that_could_not_name_a_directory_is_refused() -> None:
    with pytest.raises(RoutingError, match=r"'\.\.' is the key of left1, right1, expected one without"):
        make_items(TWO, files("left1 right1"), lambda _: "..")


def test_all_entries_get_all_files_of_an_item() -> None:
    dag = Dag((task("each", "last"), task("pairs", "last", inputs_per_call=2), task("last")))
    (item,) = make_items(dag, files("1_a 1_b"))

    assert names(item.files) == ["1_a 1_b"]
    assert names(*calls_for(dag.by_name["each"], item.files)) == ["1_a", "1_b"]
    assert names(*calls_for(dag.by_name["pairs"], item.files)) == ["1_a 1_b"]


def test_entries_that_cannot_share_an_item_are_refused() -> None:
    dag = Dag((task("pairs", inputs_per_call=2), task("triples", inputs_per_call=3)))

    with pytest.raises(RoutingError, match="the entry tasks triples and pairs take 3 and 2 files per call"):
        make_items(dag, files("1_a 1_b 1_c"))


def test_an_entry_that_takes_more_files_than_an_item_can_have_is_refused() -> None:
    dag = Dag((task("greedy", inputs_per_call=FILES_MAX + 1),))

    with pytest.raises(RoutingError, match="greedy takes 65537 files per call, an item has at most 65536"):
        make_items(dag, ())


def test_more_items_than_a_job_can_have_are_refused() -> None:
    digest = digest_of(b"")
    many = tuple(FileRef(f"{i}", 0, digest) for i in range(ITEMS_MAX + 1))

    assert len(make_items(ONE, many[1:])) == ITEMS_MAX
    with pytest.raises(RoutingError, match="makes 10001 items, at most 10000 fit one job; submit several"):
        make_items(ONE, many)


# Outputs to children


def test_flag_true_sends_every_output_to_every_child() -> None:
    parent = task("a", "b c")

    assert names(outputs_for(parent, files("x y z"), "b")) == ["x y z"]
    assert names(outputs_for(parent, files("x y z"), "c")) == ["x y z"]


def test_flag_false_deals_the_ith_output_to_the_ith_child() -> None:
    parent = task("a", "b c", broadcast=False)

    assert names(outputs_for(parent, files("x y"), "b")) == ["x"]
    assert names(outputs_for(parent, files("x y"), "c")) == ["y"]


def test_flag_false_deals_in_rounds() -> None:
    parent = task("a", "b c", broadcast=False)

    assert names(outputs_for(parent, files("1 2 3 4 5 6"), "b")) == ["1 3 5"]
    assert names(outputs_for(parent, files("1 2 3 4 5 6"), "c")) == ["2 4 6"]


def test_outputs_that_do_not_come_out_even_are_a_failure_with_numbers() -> None:
    with pytest.raises(RoutingError) as caught:
        outputs_for(task("a", "b c", broadcast=False), files("x y z"), "b")

    assert str(caught.value) == (
        "a wrote 3 files (x, y, z) and deals them to its 2 children (b, c) in turn, expected a multiple of 2"
    )


def test_a_final_task_may_write_any_number() -> None:
    check_outputs(task("last", broadcast=False), files("x y z"))


@pytest.mark.parametrize("broadcast", [True, False])
def test_a_task_that_writes_nothing_has_failed(broadcast: bool) -> None:
    with pytest.raises(RoutingError, match="a wrote no file into its output directory, expected at least one"):
        check_outputs(task("a", "b", broadcast=broadcast), ())


def test_a_long_list_of_names_is_shortened() -> None:
    many = files(" ".join(f"f{i}" for i in range(101)))

    with pytest.raises(RoutingError, match=rf"\(f0, f1, .*f{NAMES_SHOWN_MAX - 1}, and 93 more\)"):
        check_outputs(task("a", "b c", broadcast=False), many)


@given(st.integers(1, 5), st.integers(1, 4))
def test_dealing_hands_out_every_output_exactly_once(children: int, rounds: int) -> None:
    parent = task("a", " ".join(f"c{i}" for i in range(children)), broadcast=False)
    outputs = files(" ".join(f"f{i}" for i in range(children * rounds)))

    dealt = [outputs_for(parent, outputs, child) for child in parent.children]

    assert sorted(file.name for hand in dealt for file in hand) == sorted(file.name for file in outputs)
    assert all(len(hand) == rounds for hand in dealt)


# Calls


def test_one_file_per_call_makes_a_call_of_each_in_order() -> None:
    assert names(*calls_for(task("a"), files("b_2 a_1 b_1"))) == ["b_2", "a_1", "b_1"]


def test_exactly_enough_files_make_one_call_whatever_their_names() -> None:
    assert names(*calls_for(task("join", inputs_per_call=2), files("left.txt right.txt"))) == ["left.txt right.txt"]


def test_more_files_of_one_key_make_calls_in_order() -> None:
    assert names(*calls_for(task("join", inputs_per_call=2), files("1_a 1_b 1_c 1_d"))) == ["1_a 1_b", "1_c 1_d"]


def test_more_files_of_several_keys_make_a_call_per_key() -> None:
    calls = calls_for(task("join", inputs_per_call=2), files("1_a 2_a 3_a 3_b 1_b 2_b"))

    assert names(*calls) == ["1_a 1_b", "2_a 2_b", "3_a 3_b"]


def test_what_is_left_over_is_a_failure_with_numbers() -> None:
    with pytest.raises(RoutingError) as caught:
        calls_for(task("task3", inputs_per_call=2), files("a a_b a_c"), "input7")

    assert str(caught.value) == "task3 got 3 files for item input7 (a, a_b, a_c) and needs 2 per call"


def test_too_few_files_are_a_failure_with_numbers() -> None:
    with pytest.raises(RoutingError, match=r"task3 got 1 file \(a\) and needs 2 per call"):
        calls_for(task("task3", inputs_per_call=2), files("a"))


def test_a_key_that_is_left_over_is_named() -> None:
    with pytest.raises(
        RoutingError, match=r"task3 got 1 file with the key '2' for item i \(2_a\) and needs 2 per call"
    ):
        calls_for(task("task3", inputs_per_call=2), files("1_a 1_b 2_a"), "i")


def test_an_entry_without_input_is_called_once_without_files() -> None:
    assert calls_for(task("a"), ()) == ((),)
    assert calls_for(task("a", inputs_per_call=2), ()) == ((),)


def test_two_files_of_one_name_in_one_call_are_refused() -> None:
    join = task("join", inputs_per_call=2)

    with pytest.raises(RoutingError, match="one call of join for item i has two files called 'x'"):
        calls_for(join, files("x x"), "i")
    assert len(calls_for(task("each"), files("x x"))) == 2


def test_a_name_from_elsewhere_cannot_do_something_to_a_terminal() -> None:
    with pytest.raises(RoutingError, match=r"one call of a has a file called '\\x1b', expected one without"):
        calls_for(task("a"), files("\x1b"))


def test_a_task_that_takes_no_file_per_call_is_refused() -> None:
    none = task("a", inputs_per_call=0)

    for inputs in ("", "1_a", "1_a 2_a"):
        with pytest.raises(RoutingError, match="a takes 0 files per call, expected at least 1"):
            calls_for(none, files(inputs))
        with pytest.raises(RoutingError, match="a takes 0 files per call, expected at least 1"):
            make_items(Dag((none,)), files(inputs))


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 4))
def test_every_input_is_in_exactly_one_call_or_none_is(keys: list[str], size: int) -> None:
    inputs = files(" ".join(f"{key}_{at}" for at, key in enumerate(keys)))

    try:
        calls = calls_for(task("a", inputs_per_call=size), inputs)
    except RoutingError:
        assert any(keys.count(key) % size for key in keys)
        return
    assert sorted(file.name for call in calls for file in call) == sorted(file.name for file in inputs)
    assert all(len(call) == size for call in calls if inputs)


# Python calls.


def calls(*files_of_the_job: str) -> Task:
    return Task("f.0", (), Program(ProgramKind.CALLS, ("f", "0", "3", *files_of_the_job)))


def test_only_entries_and_calls_get_something_of_the_jobs_input() -> None:
    assert [takes_given(task("a"), parents) for parents in (0, 1, 2)] == [True, False, False]
    assert [takes_given(calls("parcel"), parents) for parents in (0, 1, 2)] == [True, True, True]


def test_an_entry_gets_all_files_of_an_item_and_calls_those_that_they_name() -> None:
    given_files = files("values parcel other")

    assert given_to(task("a"), given_files) == given_files
    assert names(given_to(calls("parcel"), given_files)) == ["parcel"]
    assert names(given_to(calls("parcel", "values"), given_files)) == ["values parcel"]
    assert given_to(calls("nothing"), given_files) == ()


def test_calls_that_name_a_star_get_all_files_of_an_item() -> None:
    given_files = files("values parcel other")

    assert given_to(calls("parcel", ALL_GIVEN), given_files) == given_files


def test_what_a_function_is_called_is_no_name_of_a_file() -> None:
    odd = Task("f.0", (), Program(ProgramKind.CALLS, ("values", "0", "1", "parcel")))
    star = Task("f.0", (), Program(ProgramKind.CALLS, (ALL_GIVEN, "0", "1", "parcel")))

    assert names(given_to(odd, files("values parcel"))) == ["parcel"]
    assert names(given_to(star, files("values parcel"))) == ["parcel"]


def test_all_files_of_calls_are_in_one_call_whatever_they_are_called() -> None:
    inputs = files("parcel 1_a 1_b 2_a")

    assert calls_for(calls("parcel"), inputs) == (inputs,)
