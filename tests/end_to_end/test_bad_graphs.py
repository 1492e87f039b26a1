"""Task graphs that are not as they should be: one line names the file, the line and the mistake, and nothing runs."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .applications import EXAMPLES, write
from .hosts import Host, Hosts

pytestmark = pytest.mark.processes

TASK = "def task(file, pathin, pathout):\n    pass\n"

GRAPHS: dict[str, tuple[Mapping[str, str], str, str]] = {
    "cycle": ({"dag.txt": "3\na 1 true b\nb 2 true c\nc 1 true b\n"}, "dag.txt:", "cycle"),
    "unknown child": ({"dag.txt": "2\na 1 true b\nb 1 true nobody\n"}, "dag.txt:3:", "nobody"),
    "too few lines": ({"dag.txt": "3\na 1 true b\nb 1 true home\n"}, "dag.txt:1:", "3 DAG lines"),
    "too many lines": ({"dag.txt": "1\na 1 true b\nb 1 true home\n"}, "dag.txt:", "1"),
    "no number": ({"dag.txt": "a 1 true b\nb 1 true home\n"}, "dag.txt:1:", "number"),
    "NUM_INPUTS too small": (
        {"dag.txt": "3\na 1 true c\nb 1 true c\nc 1 true home\n"},
        "dag.txt:4:",
        "NUM_INPUTS 1",
    ),
    "NUM_INPUTS zero": ({"dag.txt": "2\na 0 true b\nb 1 true home\n"}, "dag.txt:2:", "NUM_INPUTS 0"),
    "FLAG": ({"dag.txt": "2\na 1 maybe b\nb 1 true home\n"}, "dag.txt:2:", "maybe"),
    "missing module": ({"dag.txt": "2\na 1 true c\nc 1 true home\n"}, "dag.txt:3:", "no program"),
    "no task in the module": (
        {"dag.txt": "1\na 1 true home\n", "scripts/a.py": "def other():\n    pass\n"},
        "a.py:",
        "task",
    ),
    "wrong syntax in the module": (
        {"dag.txt": "1\na 1 true home\n", "scripts/a.py": TASK + "def (:\n"},
        "a.py:3:",
        "Python",
    ),
    "empty": ({"dag.txt": ""}, "dag.txt:", "empty"),
    "unknown key": (
        {"dag.toml": '[task.a]\ncommand = ["true"]\n\n[task.b]\ncolour = "red"\n'},
        "dag.toml:4:",
        "colour",
    ),
    "wrong TOML": ({"dag.toml": '[task.a]\ncommand = "true\n'}, "dag.toml:2:", "TOML"),
}
"""What is wrong: (the files, where the mistake is said to be, a word of what is said about it)."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    hosts = Hosts(tmp_path_factory.mktemp("g"))
    try:
        yield hosts.cluster("alpha")[0]
    finally:
        hosts.end()


@pytest.mark.parametrize(("files", "place", "word"), GRAPHS.values(), ids=GRAPHS)
def test_a_mistake_is_named_with_its_file_and_line(
    node: Host, tmp_path: Path, files: Mapping[str, str], place: str, word: str
) -> None:
    write(tmp_path, {"scripts/a.py": TASK, "scripts/b.py": TASK})
    dag = write(tmp_path, files)

    complaint = node.pnode("submit", dag, "--input", __file__).complaint()

    assert place in complaint
    assert word in complaint


@pytest.mark.parametrize("size", [4096, 10_000_000], ids=["a program", "10 MB of noise"])
def test_a_file_that_is_no_text_is_refused(node: Host, tmp_path: Path, size: int) -> None:
    dag = tmp_path / "dag.txt"
    dag.write_bytes(random.Random(4747).randbytes(size))

    complaint = node.pnode("submit", dag, "--input", __file__).complaint()

    assert "dag.txt" in complaint
    assert len(complaint) < 500


def test_a_file_that_does_not_exist_is_named(node: Host, tmp_path: Path) -> None:
    dag = EXAMPLES / "diamond" / "dag.txt"

    no_dag = node.pnode("submit", tmp_path / "nothing.txt").complaint()
    no_input = node.pnode("submit", dag, "--input", tmp_path / "nothing.txt").complaint()

    assert "nothing.txt" in no_dag
    assert "nothing.txt" in no_input


def test_a_mapper_that_does_not_exist_is_refused_with_those_that_do(node: Host) -> None:
    complaint = node.pnode("submit", EXAMPLES / "diamond" / "dag.txt", "--mapper", "wave-tidal").complaint()

    assert "wave-tidal" in complaint
    assert "wave-greedy" in complaint


def test_a_job_that_does_not_exist_is_an_error_of_every_command_about_jobs(node: Host) -> None:
    complaints = [node.pnode(command, "zzzz").complaint() for command in ("job", "logs", "pull", "cancel")]

    assert all("zzzz" in complaint for complaint in complaints)


def test_nothing_of_all_this_was_submitted(node: Host) -> None:
    assert node.jobs() == ()
