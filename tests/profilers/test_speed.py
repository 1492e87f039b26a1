"""The speed of a core: the best of some rounds, and what a process of its own says."""

import subprocess
import sys
import time

import pytest

from pnode.profilers import speed
from pnode.profilers.speed import speed_index


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_the_speed_index_is_that_of_the_best_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    rounds_s = iter([0.008, 0.002, 0.004, 0.032, 0.001])

    def play() -> None:
        clock.now += next(rounds_s)

    monkeypatch.setattr(time, "perf_counter", clock.monotonic)
    monkeypatch.setattr(speed, "_round", lambda *_: play())
    monkeypatch.setattr(speed, "ROUNDS_MIN", 3)

    assert speed_index(0.045) == pytest.approx(speed.REFERENCE_ROUND_S / 0.002)
    assert list(rounds_s) == [0.001]


def test_a_real_core_is_within_what_a_node_record_may_say() -> None:
    assert 1e-3 < speed_index(0.01) < 1e3


def test_the_speed_index_runs_a_few_rounds_however_small_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[None] = []
    monkeypatch.setattr(speed, "_round", lambda *_: rounds.append(None))

    speed_index(0.0)

    assert len(rounds) == speed.ROUNDS_MIN


def test_its_file_runs_with_nothing_installed() -> None:
    said = subprocess.run([sys.executable, "-I", "-S", speed.__file__], capture_output=True, text=True, check=True)

    assert 1e-3 < float(said.stdout) < 1e3
    assert said.stderr == ""
