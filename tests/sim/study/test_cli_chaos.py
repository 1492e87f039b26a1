"""`pnode sim chaos` in this process: what it prints and how it ends."""

import json
from collections.abc import Callable

import pytest

from pnode.node import cli
from pnode.sim.chaos import run as running

SMALL = ["sim", "chaos", "--nodes", "3", "--minutes", "0.1"]

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs the word; (exit status, whatever it has printed)."""

    def run(*words: str) -> tuple[int, str]:
        status = cli.main([*SMALL, *words])
        out, err = capsys.readouterr()
        return status, out + err

    return run


def test_a_seed_that_holds_ends_well_and_names_its_trace(say: Say) -> None:
    status, output = say("--seed", "1")

    assert status == 0
    assert output.startswith("0 of 1 seeds failed (")
    assert "\ntrace " in output


def test_several_seeds_are_one_json_value(say: Say) -> None:
    status, output = say("--seed", "3", "--seeds", "2", "--json", "--workers", "1")

    assert status == 0
    assert [record["options"]["seed"] for record in json.loads(output)] == [3, 4]


def test_a_failing_seed_prints_the_command_that_repeats_it_and_a_short_schedule(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "FORMING_S_MAX", 0.0)

    status, output = say("--seed", "2")

    assert status == 1
    assert "seed 2 failed: " in output
    assert "again: pnode sim chaos --seed 2 --nodes 3 --minutes 0.1\n" in output
    assert "shortened: pnode sim chaos --seed 2 --nodes 3 --minutes 0.1 --faults none --jobs none" in output


def test_a_story_tells_what_is_going_to_happen(say: Say) -> None:
    status, output = say("--seed", "2", "--story", "--faults", "none", "--jobs", "0")

    assert status == 0
    assert "job 0: " in output
    assert "fault 0: " not in output


def test_a_list_that_is_none_is_used_wrongly(say: Say) -> None:
    status, output = say("--faults", "1,x")

    assert status == 2
    assert "'1,x' is no list of numbers, expected for instance 3,7,12 or none" in output
