"""memberlist's figures, and the life of a case."""

import math

import pytest

from pnode.protocol.ids import NodeId
from pnode.protocol.signed import Signed
from pnode.protocol.suspicion import (
    Case,
    Cases,
    confirmations_expected,
    quorum,
    suspicion_min_s,
    suspicion_timeout_s,
)

ACCUSED = NodeId(b"x" * 32)


def accusation(number: int) -> Signed:
    return Signed(bytes([number]) * 32, b"s" * 64, b"")


@pytest.mark.parametrize(
    ("members", "seconds"),
    [(0, 4.0), (1, 4.0), (8, 4.0), (10, 4.0), (16, 4.8), (64, 7.2), (256, 9.6), (10_000, 16.0)],
)
def test_the_shortest_suspicion_is_memberlists(members: int, seconds: float) -> None:
    assert suspicion_min_s(4, members, 1.0) == pytest.approx(seconds, abs=0.04)


@pytest.mark.parametrize(
    ("confirmations", "expected", "elapsed_s", "remaining_s"),
    [(0, 3, 0, 30.0), (1, 3, 2, 14.0), (2, 3, 3, 4.81), (3, 3, 4, -2.0), (4, 3, 5, -3.0), (5, 3, 10, -8.0)],
)
def test_the_time_that_remains_is_memberlists(
    confirmations: int, expected: int, elapsed_s: float, remaining_s: float
) -> None:
    timeout_s = suspicion_timeout_s(confirmations, expected, 2.0, 30.0)

    assert timeout_s - elapsed_s == pytest.approx(remaining_s, abs=0.005)


def test_where_nobody_can_confirm_the_shortest_time_holds_at_once() -> None:
    assert suspicion_timeout_s(0, 0, 2.0, 30.0) == 2.0


@pytest.mark.parametrize(
    ("multiplier", "members", "expected"),
    [(4, 3, 0), (4, 4, 2), (4, 100, 2), (6, 5, 0), (6, 6, 4), (3, 2, 0), (3, 3, 1)],
)
def test_confirmations_are_expected_where_there_are_enough_others(
    multiplier: int, members: int, expected: int
) -> None:
    assert confirmations_expected(multiplier, members) == expected


@pytest.mark.parametrize(("members", "accusers"), [(1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (4096, 3)])
def test_a_death_needs_three_accusers_where_there_are_so_many(members: int, accusers: int) -> None:
    assert quorum(members) == accusers


def test_distinct_accusers_shorten_a_case_and_the_same_one_twice_does_not() -> None:
    cases = Cases(4, 6, 1.0)
    cases.accuse(ACCUSED, accusation(1), 16, 100.0)
    alone = cases.deadline
    cases.accuse(ACCUSED, accusation(1), 16, 101.0)
    assert cases.deadline == alone == pytest.approx(100.0 + 6 * 4.816, abs=0.01)
    cases.accuse(ACCUSED, accusation(2), 16, 101.0)
    two = cases.deadline
    cases.accuse(ACCUSED, accusation(3), 16, 102.0)
    three = cases.deadline

    assert 100.0 + 4.8 < three < two < alone
    assert three == pytest.approx(100.0 + 4.816, abs=0.01)
    case = cases.get(ACCUSED)
    assert case is not None
    assert case.full
    assert [signed.author[0] for signed in cases.evidence(ACCUSED)] == [1, 2, 3]


def test_a_case_whose_time_is_up_comes_up_once_and_stays_on_record() -> None:
    cases = Cases(4, 6, 1.0)
    cases.accuse(ACCUSED, accusation(1), 3, 100.0)

    assert cases.due(103.9) == []
    assert cases.due(104.0) == [ACCUSED]
    assert cases.due(200.0) == []
    assert cases.deadline == math.inf
    assert len(cases.evidence(ACCUSED)) == 1


def test_a_settled_case_runs_anew_from_the_next_accusation() -> None:
    cases = Cases(4, 6, 1.0)
    cases.accuse(ACCUSED, accusation(1), 3, 100.0)
    cases.settle(ACCUSED)
    assert cases.deadline == math.inf
    cases.accuse(ACCUSED, accusation(2), 3, 150.0)

    assert cases.deadline == 154.0


def test_closing_a_case_names_the_accusers() -> None:
    cases = Cases(4, 6, 1.0)
    cases.accuse(ACCUSED, accusation(1), 5, 100.0)
    cases.accuse(ACCUSED, accusation(2), 5, 100.0)

    assert cases.close(ACCUSED) == (bytes([1]) * 32, bytes([2]) * 32)
    assert cases.close(ACCUSED) == ()
    assert cases.get(ACCUSED) is None
    assert cases.evidence(ACCUSED) == ()
    assert cases.deadline == math.inf


def test_time_in_which_we_did_not_listen_is_granted_to_open_cases() -> None:
    cases = Cases(4, 6, 1.0)
    other = NodeId(b"y" * 32)
    cases.accuse(other, accusation(1), 16, 50.0)
    cases.settle(other)
    cases.accuse(ACCUSED, accusation(1), 16, 100.0)
    before = cases.deadline
    cases.postpone(7.0)
    assert cases.deadline == before + 7.0
    cases.accuse(ACCUSED, accusation(2), 16, 108.0)
    cases.accuse(ACCUSED, accusation(3), 16, 108.0)

    assert cases.deadline == pytest.approx(107.0 + 4.816, abs=0.01)


def test_the_evidence_of_the_most_patient_profile_is_bounded() -> None:
    case = Case(100, 1.0, 2.0, 0.0)
    for number in range(8):
        case.accusations[NodeId(bytes([number]) * 32)] = accusation(number)

    assert case.full
