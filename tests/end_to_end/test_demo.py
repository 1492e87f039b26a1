"""The demonstration: a whole cluster for one command, and nothing of it left behind."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from .applications import EXAMPLES, squares
from .hosts import PNODE, eventually, pnode

pytestmark = pytest.mark.processes


def test_the_demonstration_runs_a_graph_and_leaves_nothing_but_results(tmp_path: Path) -> None:
    ran = pnode("demo", EXAMPLES / "diamond" / "dag.txt", "--nodes", 2, "--output", tmp_path / "to", cwd=tmp_path)

    assert ran.status == 0, ran
    assert "alpha" in ran.out
    assert "beta" in ran.out
    assert "2 nodes stopped" in ran.out
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == [
        "ferry_statistics.txt",
        "workshop_statistics.txt",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["to"]


def test_when_the_demonstration_is_killed_its_nodes_end_by_themselves(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("d")  # a short name: homes will be made in it, and a socket's name has 103 bytes
    diary = place / "diary"
    dag, numbers = squares(place / "squares", range(4), pause_s=600, diary=diary)
    words: list[str | Path] = [PNODE, "demo", dag, "--input", numbers, "--nodes", "2"]
    environment = {**os.environ, "TMPDIR": str(place)}
    with subprocess.Popen(words, cwd=place, env=environment, stdout=subprocess.DEVNULL) as demo:
        try:
            eventually(lambda: diary.exists() and diary.read_text(), "task that has begun")
            below = psutil.Process(demo.pid).children(recursive=True)
        finally:
            demo.kill()

    gone, alive = psutil.wait_procs(below, timeout=20.0)

    assert len(gone) >= 3, "two nodes and a task"
    assert alive == []
