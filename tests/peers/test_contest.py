"""Everybody plays in turns, and who fails at a workload is not asked for it again."""

import sys
from pathlib import Path

import psutil
import pytest

from .contest import Results, hold
from .contestant import Contestant, Kind
from .family import adopting
from .workload import WORKLOADS

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="daemons are adopted by a call of Linux")

W1 = WORKLOADS[0]

PLAYS = """print('{"figure": "independent", "value": 5}\\n{"done": true}')"""
FAILS = "raise SystemExit('TooBadError: no')"


def contestant(name: str, program: str) -> Contestant:
    return Contestant(name, Kind.PEER, {W1.key: (sys.executable, "-c", program)}, Path(), "")


def held(*contestants: Contestant, rounds: int = 2) -> tuple[Results, list[str]]:
    """What came out, and who played, in their order."""
    results, said = Results(), list[str]()
    with adopting() as family:
        hold(family, WORKLOADS[:2], contestants, rounds, results, said.append)
    turns = [line.partition(", ")[2].partition(":")[0] for line in said if line.startswith(W1.key)]
    return results, turns


def test_contestants_play_in_turns() -> None:
    results, turns = held(contestant("A", PLAYS), contestant("B", PLAYS))

    assert turns == ["A", "B", "A", "B"]
    assert results.samples == {("independent", "A"): [5.0, 5.0], ("independent", "B"): [5.0, 5.0]}
    assert not results.failures


def test_who_fails_is_not_asked_again_and_the_others_go_on() -> None:
    results, turns = held(contestant("A", FAILS), contestant("B", PLAYS))

    assert turns == ["A", "B", "B"]
    assert results.failures == {("W1", "A"): "ended with status 1: TooBadError: no"}


def test_the_load_is_looked_at_before_every_round_and_at_the_end() -> None:
    results, _ = held(contestant("A", PLAYS), rounds=3)

    assert len(results.loads) == 2 * 3 + 1
