"""What cannot be had is told with the reason, and is no error."""

from dataclasses import replace
from pathlib import Path

import pytest

from . import environment
from .contest import Results, present
from .contestant import CONTESTANTS, Kind
from .environment import AbsentError, complaint, provide


def test_the_reason_is_the_last_line_that_pip_calls_an_error() -> None:
    said = "WARNING: slow\nERROR: Could not find a version\nERROR: No matching distribution found for x\nnotice"

    assert complaint(said) == "No matching distribution found for x"
    assert complaint("something else\n") == "something else"
    assert complaint("") == "it does not say why"


def test_a_program_that_is_not_there_is_told_with_the_way_to_it() -> None:
    with pytest.raises(AbsentError, match="there is no pnode-no-such-program on this machine; buy it"):
        provide(["nothing"], {"pnode-no-such-program": "buy it"})


def test_without_an_environment_only_what_needs_none_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "python")
    theirs = [each for each in CONTESTANTS if each.kind is not Kind.OURS]
    results, said = Results(), list[str]()

    found = present(theirs, results, said.append)

    peers = {each.name for each in CONTESTANTS if each.kind is Kind.PEER}
    assert {each.name for each in theirs} - {each.name for each in found} == peers == results.absent.keys()
    assert len(said) == len(peers)
    assert "make bench-peers" in results.absent["Ray"]


def test_pnode_is_measured_as_its_users_have_it_or_not_at_all(tmp_path: Path) -> None:
    ours = [each for each in CONTESTANTS if each.kind is Kind.OURS]
    results, said = Results(), list[str]()
    elsewhere = replace(ours[0], commands={"W1": (str(tmp_path / "python"), "-m", "it")})

    assert {program for each in ours for program, *_ in each.commands.values()} == {str(environment.INSTALLED)}
    assert not present([elsewhere], results, said.append)
    assert results.absent == {elsewhere.name: f"there is no {tmp_path / 'python'}; make bench"}
