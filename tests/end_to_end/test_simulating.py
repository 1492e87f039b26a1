"""The simulator through the command line: a scenario, a comparison, a sweep that is killed and goes on."""

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from .hosts import PNODE, pnode

pytestmark = pytest.mark.processes

STUDIES = Path(__file__).parents[2] / "examples" / "studies"

STUDY = """
mappers = ["wave-greedy", "wave-random"]
[[layered]]
count = 30
tasks = 20
nodes = 4
ccr = 1.0
"""

JOURNAL_S_MAX = 60.0


def test_a_scenario_is_run_compared_and_drawn(tmp_path: Path) -> None:
    ran = pnode(
        "sim", "run", STUDIES / "two-sites.toml", "--mapper", "wave-hint", "--gantt", "run.html", cwd=tmp_path
    )
    compared = pnode("sim", "compare", STUDIES / "two-sites.toml", "--seeds", 2, "--json", cwd=tmp_path)

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("two sites, wave-hint, seed 0\n")
    assert "<svg" in (tmp_path / "run.html").read_text()
    assert (compared.status, compared.err) == (0, "")
    assert len(json.loads(compared.out)["runs"]) == 2 * 5


def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    journal = tmp_path / "pnode-study" / "journal.jsonl"
    with subprocess.Popen([PNODE, "sim", "sweep", "study.toml", "--workers", "2"], cwd=tmp_path) as sweep:
        wait_for_lines(journal, 10)
        workers = psutil.Process(sweep.pid).children(recursive=True)
        sweep.kill()
    _, alive = psutil.wait_procs(workers, timeout=20.0)
    recorded = [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]

    resumed = pnode("sim", "sweep", "study.toml", "--workers", 2, "--json", cwd=tmp_path)
    alone = pnode("sim", "sweep", "study.toml", "--workers", 1, "--out", "alone", cwd=tmp_path)

    assert alive == [], "workers outlive the sweep"
    assert (resumed.status, resumed.err, alone.status) == (0, "", 0)
    assert json.loads(resumed.out)["runs"] == 90
    assert journal.read_text().startswith("".join(recorded))
    assert len(journal.read_text().splitlines()) == 90
    for name in ("results.csv", "results.jsonl", "summary.json"):
        assert (tmp_path / "pnode-study" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def wait_for_lines(path: Path, lines: int) -> None:
    deadline = time.monotonic() + JOURNAL_S_MAX
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < deadline, f"{path} has not got {lines} lines within {JOURNAL_S_MAX:g} s"
        time.sleep(0.01)


def test_a_mistake_in_a_scenario_is_told_with_file_and_key(tmp_path: Path) -> None:
    text = (STUDIES / "two-sites.toml").read_text().replace('"10 MB/s"', '"10 MBs"')
    (tmp_path / "mine.toml").write_text(text)

    told = pnode("sim", "run", "mine.toml", cwd=tmp_path).complaint()

    assert told.startswith("mine.toml: network.link[0].bandwidth: ")
