"""A turn takes down what is told, ends by its deadline, and leaves nobody behind."""

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .contestant import HERE
from .family import Family, adopting
from .turn import Patience, Played, Turn, last_words

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="daemons are adopted by a call of Linux")

SLEEPER = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"

DAEMON = f"""
import json, subprocess, sys
with subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], stdout=subprocess.PIPE) as parent:
    print(json.dumps({{"figure": "daemon", "value": int(parent.stdout.readline())}}))
    parent.wait()
    print(json.dumps({{"done": True}}), flush=True)
    parent.stdout.close()
"""
"""A process whose grandchild outlives its parent."""


@pytest.fixture
def family() -> Iterator[Family]:
    with adopting() as found:
        yield found
        found.end()


def play(family: Family, program: str, **patience: float) -> Played:
    return Turn(family, [sys.executable, "-c", program], Path(), Patience(**patience)).play()


def test_a_figure_is_taken_down_and_other_output_is_not(family: Family) -> None:
    played = play(family, """print('{"figure": "x", "value": 2}\\nnoise\\n{broken\\n{"done": true}')""")

    assert played == Played({"x": 2.0})


def test_an_end_without_a_last_word_is_a_failure_with_its_reason(family: Family) -> None:
    played = play(family, """print('{"figure": "x", "value": 2}', flush=True); 1 / 0""")

    assert played == Played({"x": 2.0}, "ended with status 1: ZeroDivisionError: division by zero")


def test_a_turn_ends_by_its_deadline(family: Family) -> None:
    played = play(family, "import time; time.sleep(60)", deadline_s=0.2)

    assert played == Played({}, "not done after 0.2 s")
    assert family.members() == []


def test_a_daemon_is_ended_with_its_turn(family: Family) -> None:
    played = play(family, DAEMON)

    assert not played.reason
    assert not psutil.pid_exists(int(played.figures["daemon"]))


def test_who_was_there_before_is_no_member_of_the_family(family: Family) -> None:
    with psutil.Popen([sys.executable, "-c", "input()"], stdin=-1) as before, adopting() as later:
        later.end()

        assert before.is_running()
        assert [process.pid for process in family.members()] == [before.pid]
        before.kill()


@pytest.mark.parametrize(("with_client", "least_mb", "most_mb"), [("true", 1.0, 100.0), ("false", 0.0, 0.0)])
def test_the_client_is_a_part_of_what_is_idle_only_if_it_says_so(
    family: Family, with_client: str, least_mb: float, most_mb: float
) -> None:
    program = f"""
import sys
print('{{"idle": {{"with_client": {with_client}}}}}', flush=True)
sys.stdin.readline()
print('{{"done": true}}', flush=True)
"""

    played = play(family, program, settle_s=0.0, observed_s=0.01)

    assert least_mb <= played.figures["idle_memory"] <= most_mb
    assert not played.reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", ""),
        ("warning\nValueError: no\nat exit: nothing\n", "ValueError: no"),
        ("ray.exceptions.GetTimeoutError: late\nbye", "ray.exceptions.GetTimeoutError: late"),
        ("one\ntwo\n", "two"),
    ],
)
def test_the_last_words_are_the_error_if_there_is_one(said: str, reason: str) -> None:
    assert last_words(said) == reason


def test_players_are_where_the_peers_look_for_them() -> None:
    assert (HERE / "players" / "player.py").exists()
