"""What is measured of real processes, of the simulated ones beside them, and of two hundred in one process."""

import gc
from pathlib import Path
from statistics import median

import pytest

from pnode.protocol.load import Load
from pnode.protocol.record import Address, NodeRecord
from pnode.protocol.roster import Member
from pnode.protocol.signed import Signed
from pnode.protocol.view import LinkFigure

from ..chaos.machines import Machine, SuiteError
from . import estimates, lag, prediction, processes
from .prediction import predicted

LOG = """\
2026-11-22 09:16:48,217 INFO pnode.node.driver member: peer=bbbb state=alive
2026-11-22 09:16:50,000 INFO pnode.node.driver member: peer=bbbb state=suspect
2026-11-22 09:16:55,500 INFO pnode.node.driver member: peer=cccc state=dead
2026-11-22 09:16:56,500 INFO pnode.node.driver member: peer=bbbb state=dead
a line of somebody else, as long as a time
2026-11-22 09:17:56,500 INFO pnode.node.driver member: peer=bbbb state=dead
"""


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    found = [Machine(name, tmp_path / name, "lan", id=name * 4) for name in "ab"]
    for machine in found:
        machine.home.mkdir()
    (found[0].home / "node.log").write_text(LOG)
    (found[1].home / "node.log").write_text("")
    return found


def test_a_log_says_when_a_member_was_given_up(machines: list[Machine]) -> None:
    ann, bob = machines

    [met_s] = processes._all_first([ann], bob, 0.0, ("alive",))
    [suspected_s] = processes._all_first([ann], bob, met_s, ("suspect", "dead"))
    [dead_s] = processes._all_first([ann], bob, met_s, ("dead",))
    [again_s] = processes._all_first([ann], bob, dead_s + 1.0, ("dead",))

    assert [at_s - met_s for at_s in (suspected_s, dead_s, again_s)] == pytest.approx([1.783, 8.283, 68.283])


def test_a_log_that_does_not_say_it_is_an_error(machines: list[Machine]) -> None:
    with pytest.raises(SuiteError, match="not all logs say that b is one of dead"):
        processes._all_first(machines, machines[1], 0.0, ("dead",))


def test_simulated_nodes_are_stopped_killed_and_joined_as_real_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "SEEDS", range(2))
    monkeypatch.setattr(prediction, "ROUNDS", 2)
    monkeypatch.setattr(prediction, "JOINS", 1)

    seen = predicted(4, [(20.0, 30.0, 0.0)] * 10, 0.001).samples

    assert seen.keys() == processes.TITLES.keys()
    assert {name: len(samples) for name, samples in seen.items() if "_s" in name and "per" not in name} == {
        **dict.fromkeys([name for name in seen if name.startswith(("stopped", "killed"))], 4),
        "join_spread_s": 2,
    }
    assert median(seen["killed_suspected_s"]) < 0.5 < median(seen["stopped_suspected_s"])
    assert median(seen["killed_all_dead_s"]) < median(seen["stopped_all_dead_s"])


def test_a_load_that_moves_and_delays_that_vary_cost_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "SEEDS", range(1))
    monkeypatch.setattr(prediction, "ROUNDS", 0)
    monkeypatch.setattr(prediction, "JOINS", 0)
    still = [(20.0, 30.0, 0.0)] * 20
    moving = [(20.0 + 40.0 * (second % 2), 30.0, 0.0) for second in range(20)]

    calm, busy, noisy = (
        predicted(16, loads, rtt_s).samples["bytes_per_s"][0]
        for loads, rtt_s in ((still, 0.0004), (moving, 0.0004), (still, 0.010))
    )

    assert calm < busy
    assert calm < noisy


def test_a_ratio_beyond_a_quarter_is_bold() -> None:
    real, simulated = prediction.Seen(), prediction.Seen()
    for name in processes.TITLES:
        real.note(name, 1.2)
        simulated.note(name, 1.0)
    real.samples["bytes_per_s"] = [1.3]

    lines = processes._beside(real, simulated)

    assert [line.split("|")[1].strip() for line in lines if "**" in line] == [processes.TITLES["bytes_per_s"]]


def test_lateness_is_told_of_every_tick_and_the_collector_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "NODES", 4)
    monkeypatch.setattr(lag, "SPREAD_S", 1.0)
    monkeypatch.setattr(lag, "SETTLE_S", 2.0)
    monkeypatch.setattr(lag, "WATCHED_S", 1.0)

    lines = lag.told()

    ticks = int(lines[2].split("|")[2])
    assert 4 * 4 <= ticks <= 4 * 6
    assert gc.isenabled()


@pytest.mark.parametrize("record", [Address, LinkFigure, Load, Member, NodeRecord, Signed])
def test_of_what_there_are_thousands_nothing_has_a_dictionary(record: type) -> None:
    assert "__slots__" in vars(record)
    assert "__dict__" not in {name for kind in record.__mro__ for name in vars(kind)}


def test_a_rate_that_is_off_by_more_than_a_tenth_is_bold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "SEEDS", range(1))

    assert estimates._rate_cell(100, 0.001, 0) == "1.00 (1.00)"
    assert estimates.Row("delay", 0.2, 0.1).cells() == ("delay", "10 %", "**20 %**")
    monkeypatch.setattr(estimates, "arrival_rate", lambda _: 1.2 * 100 * estimates.MBIT_BYTES_PER_S)
    assert estimates._rate_cell(100, 0.001, 0) == "**1.20 (1.20)**"
