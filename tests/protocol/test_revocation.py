from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol import revocation
from pnode.protocol.certificate import Certificate
from pnode.protocol.codec import encode
from pnode.protocol.revocation import ListFullError, Revocation, Revocations, TooManyRevocationsError
from pnode.protocol.signed import Signed

AUTHORITY = bytes(32)
ADMINS = [bytes([100 + i]) * 32 for i in range(8)]
KEYS = [bytes([1 + i]) * 32 for i in range(8)]


def signed(author: bytes, body: Revocation) -> Signed:
    return Signed(author, bytes(64), encode(body))


def hear(revocations: Revocations, author: bytes, body: Revocation) -> bool:
    return revocations.hear(signed(author, body), body, () if author == AUTHORITY else (author,))


def listing(*keys: bytes, at_s: int = 10) -> Revocation:
    return Revocation(tuple((key, at_s) for key in keys))


def revoked(revocations: Revocations) -> list[bytes]:
    """Which of the keys count as revoked."""
    return [key for key in KEYS + ADMINS if revocations.strikes((owned(key),), None) is not None]


def owned(key: bytes, invite: bool = False) -> Certificate:
    return Certificate(key, "" if invite else "x", 0 if invite else 3, 0, 100, 3, 100, 100)


def test_what_is_revoked_is_the_union_of_all_lists() -> None:
    revocations = Revocations(AUTHORITY)

    assert hear(revocations, AUTHORITY, listing(KEYS[0]))
    assert hear(revocations, ADMINS[0], listing(KEYS[1]))
    assert hear(revocations, ADMINS[1], listing(KEYS[1], KEYS[2]))
    assert revoked(revocations) == KEYS[:3]
    assert len(revocations.lists) == 3


def test_what_an_earlier_list_of_the_same_author_says_is_no_news() -> None:
    revocations = Revocations(AUTHORITY)
    assert hear(revocations, AUTHORITY, listing(KEYS[0], KEYS[1]))

    assert not hear(revocations, AUTHORITY, listing(KEYS[0], KEYS[1]))
    assert not hear(revocations, AUTHORITY, listing(KEYS[1]))
    assert revoked(revocations) == KEYS[:2]


def test_a_list_replaces_those_that_it_repeats() -> None:
    revocations = Revocations(AUTHORITY)
    hear(revocations, AUTHORITY, listing(KEYS[0]))
    longer = revocations.next(AUTHORITY, (KEYS[1],), 20.0)

    assert hear(revocations, AUTHORITY, longer)
    assert longer.entries == ((KEYS[0], 10), (KEYS[1], 20))
    assert revocations.lists == (signed(AUTHORITY, longer),)


def test_lists_of_an_author_that_signed_at_two_places_both_count_until_it_repeats_them() -> None:
    revocations = Revocations(AUTHORITY)
    hear(revocations, AUTHORITY, listing(KEYS[0], at_s=15))
    hear(revocations, AUTHORITY, listing(KEYS[1], KEYS[2]))
    hear(revocations, AUTHORITY, listing(KEYS[0], KEYS[3]))
    assert len(revocations.lists) == 2
    assert revoked(revocations) == KEYS[:4]

    merged = revocations.next(AUTHORITY, (), 99.0)
    hear(revocations, AUTHORITY, merged)

    assert list(revocations.lists) == [signed(AUTHORITY, merged)]
    assert dict(merged.entries) == dict.fromkeys(KEYS[:4], 10)


@given(st.permutations(range(5)), st.data())
def test_the_order_in_which_lists_are_heard_does_not_matter(order: list[int], data: st.DataObject) -> None:
    keys = st.lists(st.sampled_from(KEYS + ADMINS), min_size=1, unique=True)
    authors = [AUTHORITY, ADMINS[0], ADMINS[0], ADMINS[1], ADMINS[2]]
    lists = [(author, listing(*data.draw(keys), at_s=data.draw(st.integers(0, 99)))) for author in authors]
    one, other = Revocations(AUTHORITY), Revocations(AUTHORITY)
    for author, body in lists:
        hear(one, author, body)
    for i in order:
        hear(other, *lists[i])

    assert revoked(one) == revoked(other)


def test_an_admin_whom_the_authority_revokes_takes_its_lists_along() -> None:
    lists = [
        (AUTHORITY, listing(ADMINS[0])),
        (ADMINS[1], listing(KEYS[1])),
    ]
    for order in permutations(lists):
        revocations = Revocations(AUTHORITY)
        hear(revocations, ADMINS[0], listing(KEYS[0], ADMINS[1]))
        for author, body in order:
            hear(revocations, author, body)

        assert revoked(revocations) == [KEYS[1], ADMINS[0]]
        assert len(revocations.lists) == 2


def test_admins_who_revoke_each_other_are_both_revoked() -> None:
    revocations = Revocations(AUTHORITY)

    hear(revocations, ADMINS[0], listing(ADMINS[1]))
    hear(revocations, ADMINS[1], listing(ADMINS[0]))

    assert revoked(revocations) == ADMINS[:2]


def test_a_list_does_not_outlive_the_right_that_its_author_had_it_from() -> None:
    revocations = Revocations(AUTHORITY)
    body = listing(KEYS[0])
    revocations.hear(signed(ADMINS[1], body), body, (ADMINS[0], ADMINS[1]))  # ADMINS[0] made ADMINS[1] one

    hear(revocations, AUTHORITY, listing(ADMINS[0]))

    assert revoked(revocations) == ADMINS[:1]


def test_a_node_is_struck_at_once_and_an_invite_from_its_revocation_on() -> None:
    revocations = Revocations(AUTHORITY)
    hear(revocations, AUTHORITY, listing(KEYS[0], KEYS[1], at_s=10))
    invite, node = owned(KEYS[0], invite=True), owned(KEYS[1])
    below = owned(KEYS[2])

    assert revocations.strikes((invite, below), None) == invite
    assert revocations.strikes((invite, below), 10) == invite
    assert revocations.strikes((invite, below), 9) is None
    assert revocations.strikes((node, below), 9) == node
    assert revocations.strikes((below,), 9) is None


def test_the_earliest_revocation_of_an_invite_counts() -> None:
    revocations = Revocations(AUTHORITY)
    chain = (owned(KEYS[0], invite=True), owned(KEYS[2]))
    hear(revocations, ADMINS[0], listing(KEYS[0], at_s=20))
    hear(revocations, AUTHORITY, listing(KEYS[0], at_s=10))
    hear(revocations, ADMINS[1], listing(KEYS[0], at_s=30))

    assert revocations.strikes(chain, 9) is None
    assert revocations.strikes(chain, 10) is not None


def test_one_author_cannot_revoke_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "REVOKED_MAX", 3)
    revocations = Revocations(AUTHORITY)
    hear(revocations, AUTHORITY, listing(*KEYS[:2]))

    assert len(revocations.next(AUTHORITY, (KEYS[0], KEYS[2]), 0.0).entries) == 3
    with pytest.raises(ListFullError, match="at most 3 keys"):
        revocations.next(AUTHORITY, (KEYS[2], KEYS[3]), 0.0)
    assert len(revocations.next(ADMINS[0], (KEYS[3],), 0.0).entries) == 1


def test_one_author_cannot_keep_many_lists() -> None:
    revocations = Revocations(AUTHORITY)
    for key in KEYS[:4]:
        hear(revocations, ADMINS[0], listing(key))

    with pytest.raises(TooManyRevocationsError):
        hear(revocations, ADMINS[0], listing(KEYS[4]))
    assert hear(revocations, ADMINS[0], listing(KEYS[0], KEYS[4]))  # takes the place of another


def test_the_authority_is_heard_however_many_admins_were_and_can_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "AUTHORS_MAX", 2)
    revocations = Revocations(AUTHORITY)
    hear(revocations, ADMINS[0], listing(KEYS[0]))
    hear(revocations, ADMINS[1], listing(KEYS[1]))
    with pytest.raises(TooManyRevocationsError):
        hear(revocations, ADMINS[2], listing(KEYS[2]))

    assert hear(revocations, ADMINS[1], listing(KEYS[1], KEYS[3]))
    assert hear(revocations, AUTHORITY, listing(ADMINS[0]))
    assert hear(revocations, ADMINS[2], listing(KEYS[2]))
    assert revoked(revocations) == [KEYS[1], KEYS[2], KEYS[3], ADMINS[0]]
