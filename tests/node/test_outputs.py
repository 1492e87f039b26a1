import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.node.held import HeldDirectory
from pnode.node.outputs import EVENT, IN_CLOSE_WRITE, IN_Q_OVERFLOW, Ears, base_name_problem, find_outputs
from pnode.node.processes import LINUX

needs_inotify = pytest.mark.skipif(not LINUX, reason="only the kernel of Linux tells when files were closed")


def names(directory: Path, returned: list[str], closed: list[str]) -> str:
    held = HeldDirectory.find(directory)
    return " ".join(output.name for output in find_outputs(held.file, returned, closed)[0])


@pytest.fixture
def four(tmp_path: Path) -> Path:
    for at, name in enumerate("dacb"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(at, at))
    return tmp_path


def test_the_task_comes_before_the_kernel_and_the_kernel_before_the_clock(four: Path) -> None:
    assert names(four, [], []) == "d a c b"
    assert names(four, [], ["b", "gone", "a"]) == "b a d c"
    assert names(four, ["/elsewhere/c", "gone", "b", "c"], ["a"]) == "c b a d"


def test_files_of_one_moment_come_by_name(four: Path) -> None:
    for path in four.iterdir():
        os.utime(path, ns=(7, 7))

    assert names(four, [], []) == "a b c d"


def test_what_is_missing_from_a_list_is_an_output_all_the_same(four: Path) -> None:
    assert sorted(names(four, ["b"], ["a"]).split()) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a" * 255, ""),
        ("é" * 127, ""),
        ("é" * 128, "is longer than 255 bytes"),
        (".hidden", ""),
        ("...", ""),
        ("..", "is not a base name"),
        (".", "is not a base name"),
        ("", "is not a base name"),
        ("a/b", "is not a base name"),
        ("a\0", "is not a base name"),
        ("a\n", "has a line break"),
        ("a\udcff", "is not UTF-8"),
    ],
)
def test_only_a_plain_name_travels(name: str, problem: str) -> None:
    assert base_name_problem(name) == problem


@given(st.text())
def test_what_passes_as_a_name_stays_in_its_directory(name: str) -> None:
    if not base_name_problem(name):
        assert Path("/in", name).parent == Path("/in")
        assert Path("/in", name).name == name


@needs_inotify
def test_the_last_closing_counts(tmp_path: Path) -> None:
    order = Ears().listen(tmp_path)
    for name in ("a", "b", "a"):
        (tmp_path / name).write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c").write_text("x")
    (tmp_path / "elsewhere" / "c").rename(tmp_path / "c")

    assert [name for name in order.names() if name != "elsewhere"] == ["b", "a", "c"]
    assert order.names() == order.names()
    order.close()


@needs_inotify
def test_half_an_order_is_none(tmp_path: Path) -> None:
    order = Ears().listen(tmp_path)
    (tmp_path / "a").write_text("x")
    assert order.names() == ["a"]
    event = EVENT.pack(1, IN_CLOSE_WRITE, 0, 16) + b"b".ljust(16, b"\0")
    order._note(event + EVENT.pack(-1, IN_Q_OVERFLOW, 0, 0) + event)

    assert order.names() == []
    (tmp_path / "c").write_text("x")
    assert order.names() == []
    order.close()


@needs_inotify
def test_ears_that_have_listened_elsewhere_tell_nothing_of_it(tmp_path: Path) -> None:
    ears = Ears()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = ears.listen(tmp_path / "first")
    (tmp_path / "first" / "a").write_text("x")
    first.close()
    (tmp_path / "first" / "b").write_text("x")

    second = ears.listen(tmp_path / "second")
    (tmp_path / "first" / "c").write_text("x")
    (tmp_path / "second" / "d").write_text("x")

    assert second.names() == ["d"]
    assert first.names() == []
    second.close()
    ears.close()
