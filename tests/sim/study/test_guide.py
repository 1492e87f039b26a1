"""The guide, docs/simulator.md: what it tells people to type works as it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pnode.node import cli
from pnode.sim.study import cli_sweep
from pnode.sim.study.output import TRACES

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "simulator.md").read_text()


def blocks(language: str) -> list[str]:
    """What stands between fences of that language."""
    parts = re.split(r"^```(.*)\n", GUIDE, flags=re.MULTILINE)  # text, fence, inside, fence, text, ...
    return [inside for fence, inside in zip(parts[1::4], parts[2::4], strict=True) if fence == language]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where people are who follow the guide."""
    shutil.copytree(ROOT / "examples" / "studies", tmp_path / "examples" / "studies")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_does_what_it_is_for(
    clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_sweep, "cores", lambda: 1)  # other processes would take longer to begin than to work
    printed: list[str] = []
    for line in "".join(blocks("")).splitlines():
        if line.startswith("pnode sim "):
            # Of the whole size, which the line has by default, a run of chaos takes minutes.
            size = ["--nodes", "6", "--minutes", "1"] if line.startswith("pnode sim chaos") else []
            assert cli.main([*line.split()[1:], *size]) == 0, line
            printed.append(capsys.readouterr().out)

    assert len(printed) >= 9
    made = ("run.html", "spread.svg", "slr.html", "blend.json", "mine.toml", "worst/heft-against-wave-plan.toml")
    assert [name for name in made if not (clone / name).exists()] == []


def test_what_is_shown_of_a_run_has_the_figures_that_are_printed(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not their values, which change whenever a mapper does."""
    shown = next(block for block in blocks("") if block.startswith("two sites, wave-plan"))
    assert cli.main(["sim", "run", "examples/studies/two-sites.toml", "--mapper", "wave-plan"]) == 0

    assert [line[:14] for line in capsys.readouterr().out.splitlines()] == [line[:14] for line in shown.splitlines()]


def test_every_program_runs(clone: Path) -> None:
    for number, program in enumerate(blocks("python")):
        (clone / f"program{number}.py").write_text(program)
        ran = subprocess.run(
            [sys.executable, "-W", "error", f"program{number}.py"],
            cwd=clone,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith("mapper ")


def test_every_suffix_of_a_trace_is_told() -> None:
    assert [suffix for suffix in TRACES if f"`{suffix}`" not in GUIDE] == []


def test_the_scenario_that_is_shown_runs(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = next(block for block in blocks("toml") if block.startswith('name = "two sites"'))
    (clone / "mine.toml").write_text(shown)

    assert cli.main(["sim", "export", "examples/studies/two-sites.toml", "--out", "blend.json"]) == 0
    assert cli.main(["sim", "run", "mine.toml"]) == 0
    assert "two sites, heft, seed 0\n" in capsys.readouterr().out
