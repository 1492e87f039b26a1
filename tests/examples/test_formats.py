"""Our own parser reads the examples as they are meant."""

from pathlib import Path

import pytest

from pnode.protocol.jupiter import parse_configuration

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("example", "tasks", "first", "last"), [("diamond", 4, "task0", "task3"), ("stdlib", 14, "split", "report")]
)
def test_the_graph_of_an_example_has_one_entry_and_one_end(example: str, tasks: int, first: str, last: str) -> None:
    file = EXAMPLES / example / "dag.txt"

    entries = parse_configuration(file.name, file.read_text()).entries

    children = {child for entry in entries for child in entry.children}
    assert len(entries) == tasks
    assert [entry.name for entry in entries if entry.name not in children] == [first]
    assert [entry.name for entry in entries if entry.children == ("home",)] == [last]
