"""Doctor: what it says of the node, of others, and of the ways to them."""

import io
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from pnode.node import doctor
from pnode.node.api import NodeStatus, PeerStatus
from pnode.node.checkup import Finding
from pnode.node.home import failure_file, hold_home, prepare_home
from pnode.node.plain import Instant

ME = PeerStatus(
    "ann", "a-1", "aa", "alive", True, ("compute",), ("192.0.2.1:4747",), 4, 1.0, 5.0, None, None, None, "pnode/1"
)
BOB = replace(
    ME, name="bob", id="b-1", key="bb", this=False, addresses=("192.0.2.2:4747",), delay_s=0.001, delay_age_s=3.0,
    clock_offset_s=0.002,
)  # fmt: skip


def words(findings: object) -> list[str]:
    return [f"{each.verdict} {each.text}" for each in findings]  # type: ignore[attr-defined]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said on the machine's real networks."""
    monkeypatch.setattr("pnode.node.doctor.interfaces", lambda: ())
    monkeypatch.setattr("pnode.node.checkup.port", lambda home: ())


@pytest.mark.usefixtures("quiet")
def test_where_no_node_has_ever_been_it_says_how_to_start_one(tmp_path: Path) -> None:
    found = list(doctor.examine(tmp_path / "none", ()))

    assert found[-1] == Finding(
        "node", "note", f"none runs in {tmp_path}/none", f"'pnode start --home {tmp_path}/none' starts one"
    )
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("quiet")
def test_why_the_last_node_has_ended_is_told(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    failure_file(tmp_path).write_text("the port is in use")

    (*_, last) = doctor.examine(tmp_path, ())

    assert (last.verdict, last.text) == ("trouble", f"none runs in {tmp_path}; the last one said: the port is in use")


@pytest.mark.usefixtures("quiet")
def test_a_node_that_does_not_answer_is_trouble(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    with hold_home(tmp_path):
        (*_, last) = doctor.examine(tmp_path, ())

    assert last.verdict == "trouble"
    assert last.text.startswith(f"one runs in {tmp_path} and does not answer: ")


@pytest.mark.usefixtures("quiet")
def test_a_seed_where_somebody_listens_is_told_from_one_where_nobody_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as gone:
        seeds = [f"127.0.0.1:{each.getsockname()[1]}" for each in (there, gone)]
        gone.close()
        found = [each for each in doctor.examine(tmp_path, seeds) if each.check == "seed"]

    assert words(found) == [
        f"ok somebody answers at {seeds[0]}",
        f"trouble {seeds[1]} is there, and nothing listens at that port",
    ]


def test_a_node_at_loopback_is_pointed_out_where_there_is_a_network() -> None:
    assert words(doctor.of_addresses(("127.0.0.1:1", "[::1]:1"), has_network=True)) == [
        "note it listens at loopback only: nodes on other machines cannot reach it"
    ]
    assert words(doctor.of_addresses(("127.0.0.1:1",), has_network=False)) == []
    assert words(doctor.of_addresses(("127.0.0.1:1", "192.0.2.1:1"), has_network=True)) == []


def test_who_answers_no_datagram_and_who_does_not_answer_at_all_is_told() -> None:
    deaf = replace(BOB, name="deaf", delay_s=None, delay_age_s=None)
    suspect, dead = (replace(BOB, name=name, state=name) for name in ("suspect", "dead"))
    left = replace(BOB, name="left", state="left")

    assert words(doctor.of_peers((ME, BOB, deaf, suspect, dead, left))) == [
        "note deaf is alive, but no datagram to it was answered lately: others, or TCP, vouch for it",
        "note suspect does not answer at the moment",
        "note dead is dead: nobody gets an answer from it",
        "ok 2 other nodes alive",
    ]


@pytest.mark.parametrize(
    ("offset_s", "line"),
    [
        (None, "note there is no session with another node, so no clock to compare with"),
        (0.002, "ok within 2.0 ms of those of 1 other node"),
        (-5.0, "note that of bob is 5.00 s behind this one's"),
        (90.0, "trouble that of bob is 90.0 s ahead of this one's"),
    ],
)
def test_clocks_that_differ_are_told(offset_s: float | None, line: str) -> None:
    assert words(doctor.clocks((ME, replace(BOB, clock_offset_s=offset_s)))) == [line]


def test_several_versions_are_worth_a_word_and_one_is_not() -> None:
    assert words(doctor.versions((ME, BOB))) == []
    assert words(doctor.versions((ME, replace(BOB, software="pnode/2")))) == [
        "note nodes of several versions: pnode/1, pnode/2"
    ]


def test_findings_are_written_with_what_to_do_and_their_sum() -> None:
    out = io.StringIO()

    doctor.write_findings(
        [Finding("port", "trouble", "it is taken", "take another"), Finding("home", "ok", "fine")], out
    )
    doctor.write_findings([], out)

    assert out.getvalue().splitlines() == [
        "trouble  port      it is taken",
        "                   -> take another",
        "ok       home      fine",
        "1 trouble, 0 notes",
        "nothing is wrong",
    ]


NODE = NodeStatus(
    "ready", "", "ann", "a-1", "aa", "cc", False, ("192.0.2.1:4747",), ("compute",), 2, "0.1", 1, Instant(0.0), 1.0,
    Path("/home"),
)  # fmt: skip


def test_whether_others_can_dial_this_node_is_told_with_who_has_tried() -> None:
    hidden = replace(NODE, reach="hidden", missed_by=("bob", "carl"), relays=("bob",))

    (good,) = doctor.of_reach(replace(NODE, reach="open", reached_by=("bob", "carl")))
    (note,) = doctor.of_reach(hidden)
    (trouble,) = doctor.of_reach(replace(hidden, relays=()))
    (unknown,) = doctor.of_reach(NODE)

    assert (good.verdict, good.text) == ("ok", "other nodes can dial this one: bob, carl did")
    assert note.verdict == "note"
    assert "bob, carl tried; those whom it has not dialled come through bob" in note.text
    assert "TCP and UDP port 4747" in note.advice
    assert trouble.verdict == "trouble"
    assert unknown.verdict == "note"
    assert list(doctor.of_reach(replace(NODE, peers=0))) == []


def test_a_peer_that_can_only_dial_out_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_dial", lambda address: "does not answer within 3 s")
    hidden = replace(BOB, relays=("carl",))

    (direct,) = doctor._ways((hidden,))
    (through,) = doctor._ways((replace(hidden, via="carl"),))

    assert (direct.verdict, direct.text) == ("note", "bob can only dial out: it dials this node")
    assert through.text == "bob can only dial out: its session goes through carl"
