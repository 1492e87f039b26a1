"""Habits: a node comes back as it was started last."""

from pathlib import Path

from pnode.node.habits import Habits, recall, resolve
from pnode.node.launch import ALL_INTERFACES, NodeOptions
from pnode.protocol.codec import encode

HOME = Path("/nowhere")
LAST = Habits("alpha", "127.0.0.1", 4800, 3, mdns=False, timing="fast")


def test_a_bare_start_repeats_the_last_one() -> None:
    assert resolve(NodeOptions(HOME), LAST) == LAST


def test_a_first_start_has_defaults_and_the_hosts_name() -> None:
    habits = resolve(NodeOptions(HOME), None)

    assert (habits.listen, habits.port, habits.cores, habits.mdns, habits.timing) == ("", 0, 0, True, "lan")
    assert habits.name


def test_what_a_person_says_counts_for_more() -> None:
    said = NodeOptions(HOME, name="beta", listen="::1", port=5000, cores=1, mdns=True, timing="wan")

    assert resolve(said, LAST) == Habits("beta", "::1", 5000, 1, mdns=True, timing="wan")


def test_all_interfaces_can_be_asked_for_again() -> None:
    assert resolve(NodeOptions(HOME, listen=ALL_INTERFACES), LAST).listen == ""


def test_habits_survive_the_journal_and_what_is_none_is_forgotten() -> None:
    assert recall(encode(LAST)) == LAST
    assert recall(b"") is None
    assert recall(b"\xc1") is None
