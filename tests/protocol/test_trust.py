from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol import lineage, revocation
from pnode.protocol.certificate import (
    ALL_ROLES,
    MEMBER_ROLES,
    EscalationError,
    ExpiredError,
    ForgedError,
    InviteOverError,
    Issuer,
    NotYetValidError,
    TrustError,
    certify,
    found,
    invite,
)
from pnode.protocol.claim import RevokedError, WrongSubjectError
from pnode.protocol.codec import encode
from pnode.protocol.ids import NodeId, cluster_id
from pnode.protocol.lineage import PATH_MAX, TableFullError
from pnode.protocol.record import CREDENTIAL_BYTES_MAX, Role
from pnode.protocol.revocation import ListFullError
from pnode.protocol.signed import Kind, Signed, sign
from pnode.protocol.token import make_token, parse_token
from pnode.protocol.trust import (
    ADOPTION_AHEAD_S,
    CannotVouchError,
    NotAdmittedError,
    Standing,
    Trust,
)

from .credentials import (
    ADMIN,
    AUTHORITY,
    CRYPTO,
    DAY,
    FOUNDER,
    HOUR,
    NOW,
    YEAR,
    credential_of,
    invited,
    member,
    node,
    seed,
    stranger,
    vouched,
)

NAMES = ("beta", "gamma", "delta", "epsilon")


def line() -> Trust:
    """A cluster in which each newcomer was admitted by the one before: founder, beta, gamma, delta, epsilon."""
    beliefs = member()
    for witness, name in zip(("founder", *NAMES), NAMES, strict=False):
        beliefs.witness(node(name), invited(name), NOW, seed(witness))
    return beliefs


def names(beliefs: Trust) -> set[str]:
    standings = [beliefs.standing(known) for known in beliefs.known()]
    return {standing.name for standing in standings if standing is not None}


def second_admin(beliefs: Trust, now: float = NOW) -> None:
    """Make somebody an admin by the authority's own hand."""
    credential = encode(certify(CRYPTO, AUTHORITY, node("admin"), "admin", now, roles=ALL_ROLES, grants=ALL_ROLES))
    assert beliefs.learn(node("admin"), credential, now).admitted


# -- who is believed


def test_the_founder_is_believed_by_whoever_knows_the_authority() -> None:
    standing = stranger().check(node("founder"), FOUNDER, NOW)

    assert standing == Standing(node("founder"), "founder", ALL_ROLES, int(NOW) + 10 * YEAR, True, None)


def test_checking_changes_no_belief() -> None:
    beliefs = stranger()

    beliefs.check(node("founder"), FOUNDER, NOW)

    assert beliefs.known() == []
    assert beliefs.standing(node("founder")) is None
    assert beliefs.path(node("founder")) == []


def test_somebody_invited_is_not_admitted_until_a_member_witnesses_it() -> None:
    beliefs = member()
    before = beliefs.learn(node("beta"), invited("beta"), NOW)
    assert (before.admitted, before.witness) == (False, None)
    assert names(beliefs) == {"founder"}

    credential = beliefs.witness(node("beta"), invited("beta"), NOW, seed("founder"))

    after = beliefs.standing(node("beta"))
    assert after == beliefs.check(node("beta"), credential, NOW)
    assert after == Standing(node("beta"), "beta", MEMBER_ROLES, int(NOW) + YEAR, True, node("founder"))
    assert beliefs.known() == sorted([node("founder"), node("beta")])


def test_an_admission_counts_for_every_member_that_knows_the_witness_and_for_no_stranger() -> None:
    credential = credential_of(member("beta"), "beta")

    assert member("gamma").learn(node("beta"), credential, NOW).admitted
    assert not stranger().learn(node("beta"), credential, NOW).admitted


def test_a_newcomer_with_the_token_of_an_admin_is_admitted_by_another_newcomer() -> None:
    token = make_token(CRYPTO, ADMIN, bytes(16), (), NOW)
    beliefs = member("beta")
    theirs = parse_token(CRYPTO, token.text)

    mine = encode(certify(CRYPTO, theirs.issuer, node("gamma"), "gamma", NOW + HOUR))
    credential = beliefs.witness(node("gamma"), mine, NOW + HOUR, seed("beta"))

    assert len(credential) <= CREDENTIAL_BYTES_MAX
    standing = beliefs.standing(node("gamma"))
    assert standing is not None
    assert standing.witness == node("beta")


def test_an_admin_approves_somebody_without_a_token() -> None:
    beliefs = member()

    approved = certify(CRYPTO, ADMIN, node("beta"), "beta", NOW, roles=Role.COMPUTE)
    credential = beliefs.witness(node("beta"), encode(approved), NOW, seed("founder"))

    assert beliefs.check(node("beta"), credential, NOW).roles is Role.COMPUTE
    assert beliefs.check(node("beta"), credential, NOW).admitted


def test_the_authority_can_admit_without_any_witness() -> None:
    credential = encode(certify(CRYPTO, AUTHORITY, node("beta"), "beta", NOW))

    assert stranger().learn(node("beta"), credential, NOW).admitted
    assert member().witness(node("beta"), credential, NOW, seed("founder")) == credential


def test_a_credential_is_good_only_for_the_node_that_it_names() -> None:
    beliefs = member("beta")

    with pytest.raises(WrongSubjectError):
        beliefs.check(node("gamma"), credential_of(beliefs, "beta"), NOW)
    with pytest.raises(WrongSubjectError):
        beliefs.learn(node("gamma"), credential_of(beliefs, "beta"), NOW)
    with pytest.raises(WrongSubjectError):
        beliefs.witness(node("gamma"), invited("beta"), NOW, seed("founder"))


def test_a_member_that_shows_its_certificate_without_the_admission_is_known_by_it() -> None:
    """Its answer may have been lost on the way: it asks again, also when the invite is over by then."""
    beliefs = member("beta")
    first = credential_of(beliefs, "beta")
    later = NOW + 30 * DAY

    assert beliefs.check(node("beta"), invited("beta"), later).admitted
    assert beliefs.witness(node("beta"), invited("beta"), later, seed("founder")) == first


def test_somebody_known_by_one_certificate_is_only_invited_by_another() -> None:
    beliefs = member("beta")

    assert not beliefs.check(node("beta"), invited("beta", now=NOW + 1), NOW + 1).admitted


def test_a_renewed_certificate_takes_the_place_of_the_old_one_and_not_the_other_way_round() -> None:
    beliefs = member("beta")
    old = credential_of(beliefs, "beta")
    later = NOW + 300 * DAY
    again = invite(CRYPTO, AUTHORITY, seed("second invite"), later)

    beliefs.witness(node("beta"), invited("beta", again, later), later, seed("founder"))
    beliefs.learn(node("beta"), old, later)

    standing = beliefs.standing(node("beta"))
    assert standing is not None
    assert standing.not_after_s == later + YEAR


def test_somebody_whose_time_is_over_is_no_longer_believed_nor_its_word() -> None:
    beliefs = line()
    over = NOW + YEAR + HOUR
    fresh = vouched(invited("zeta", invite(CRYPTO, AUTHORITY, seed("new"), over), over), "beta", over)

    with pytest.raises(ExpiredError):
        beliefs.check(node("beta"), credential_of(beliefs, "beta"), over)
    assert not beliefs.check(node("zeta"), fresh, over).admitted
    assert beliefs.upkeep(over, seed("founder")) == []
    assert names(beliefs) == {"founder"}


# -- clocks and periods


def test_a_newcomer_whose_clock_is_an_hour_fast_is_refused_with_a_word_about_clocks() -> None:
    with pytest.raises(NotYetValidError, match="compare 'date -u'"):
        member().witness(node("beta"), invited("beta", now=NOW + HOUR), NOW, seed("founder"))


def test_a_newcomer_whose_clock_is_four_minutes_off_is_admitted() -> None:
    for offset_s in (-240, 240):
        beliefs = member()
        credential = beliefs.witness(node("beta"), invited("beta", now=NOW + offset_s), NOW, seed("founder"))

        assert member().check(node("beta"), credential, NOW).admitted


def test_the_witness_goes_by_its_own_clock() -> None:
    """One that is an hour slow lets somebody in an hour late, which does no harm to anybody else."""
    beliefs = member()
    credential = beliefs.witness(node("beta"), invited("beta"), NOW + DAY - 1800, seed("founder"))

    assert member().check(node("beta"), credential, NOW + DAY + 1800).admitted


def test_an_invite_that_is_over_admits_nobody() -> None:
    beliefs = member()
    assert beliefs.witness(node("beta"), invited("beta"), NOW + DAY, seed("founder"))

    with pytest.raises(
        InviteOverError, match=r"'gamma' was over 2 hours .*run 'pnode token' on a member for a new one"
    ):
        beliefs.witness(node("gamma"), invited("gamma"), NOW + DAY + 2 * HOUR, seed("founder"))
    assert names(beliefs) == {"founder", "beta"}


# -- an invite that leaked, after its time (see the page at the top of `trust`)

LATE = NOW + 30 * DAY
BACKDATED = invited("thief", now=NOW + HOUR)
"""Made a month after the invite was over, and nobody can tell."""


def test_a_backdated_certificate_is_worth_nothing_by_itself() -> None:
    assert not member("beta").learn(node("thief"), BACKDATED, LATE).admitted


def test_no_honest_member_witnesses_a_backdated_certificate() -> None:
    with pytest.raises(InviteOverError):
        member("beta").witness(node("thief"), BACKDATED, LATE, seed("beta"))


def test_a_backdated_certificate_with_a_backdated_admission_of_its_own_is_worth_nothing() -> None:
    beliefs = member("beta")

    with pytest.raises(ForgedError):
        beliefs.learn(node("thief"), vouched(BACKDATED, "thief", NOW + HOUR), LATE)
    for accomplice in ("nobody", "invite", "accomplice"):
        assert not beliefs.learn(node("thief"), vouched(BACKDATED, accomplice, NOW + HOUR), LATE).admitted


def test_thieves_who_vouch_for_each_other_in_a_ring_are_worth_nothing() -> None:
    ring = [("a", "b"), ("b", "c"), ("c", "a")]
    shown = [(node(name), vouched(invited(name), witness, NOW)) for name, witness in ring]
    beliefs = member("beta")

    refused = beliefs.learn_many(shown, LATE)

    assert sorted(who for who, _ in refused) == sorted(who for who, _ in shown)
    assert all(type(why) is NotAdmittedError for _, why in refused)
    assert names(beliefs) == {"founder", "beta"}


def test_the_authoritys_own_word_is_needed_to_be_without_a_witness() -> None:
    """The invite's key signs its own certificate as if it were the authority's child with roles."""
    upgraded = found(CRYPTO, seed("invite"), seed("thief"), "thief", NOW)

    with pytest.raises(TrustError, match="another cluster"):
        member().learn(node("thief"), encode(upgraded), LATE)


def test_a_member_cannot_admit_by_a_date_when_the_invite_was_over() -> None:
    with pytest.raises(InviteOverError):
        member("beta").learn(node("thief"), vouched(BACKDATED, "beta", NOW + DAY + 1), LATE)


def test_a_member_that_vouches_for_backdated_keys_cannot_once_it_is_revoked() -> None:
    """What an admission does not protect against, and what does."""
    beliefs = member("beta")
    assert beliefs.check(node("thief"), vouched(BACKDATED, "beta", NOW + HOUR), LATE).admitted

    beliefs.revoke([node("beta")], LATE, seed("founder"))

    assert not beliefs.check(node("thief"), vouched(BACKDATED, "beta", NOW + HOUR), LATE).admitted


def test_an_invite_that_leaked_in_time_is_shut_by_revoking_its_key() -> None:
    beliefs = member("beta")
    early = credential_of(beliefs, "beta")

    beliefs.revoke([node("invite")], NOW + HOUR, seed("founder"))

    with pytest.raises(RevokedError, match="withdrawn"):
        beliefs.witness(node("thief"), invited("thief", now=NOW + HOUR), NOW + HOUR, seed("founder"))
    assert beliefs.check(node("beta"), early, NOW + 2 * HOUR).admitted
    assert names(beliefs) == {"founder", "beta"}


# -- who can witness


def test_a_node_that_is_no_member_cannot_witness() -> None:
    with pytest.raises(CannotVouchError, match="join through another member"):
        member().witness(node("gamma"), invited("gamma"), NOW, seed("beta"))


def test_a_node_cannot_witness_for_itself() -> None:
    with pytest.raises(CannotVouchError, match="cannot vouch for itself"):
        member("beta").witness(node("beta"), invited("beta"), NOW, seed("beta"))


def test_a_node_whose_own_witness_was_revoked_cannot_witness() -> None:
    beliefs = line()
    beliefs.revoke([node("beta")], NOW, seed("founder"))

    with pytest.raises(CannotVouchError, match="join through another member"):
        beliefs.witness(node("zeta"), invited("zeta"), NOW, seed("gamma"))


def test_a_row_of_witnesses_ends_before_its_path_becomes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "PATH_MAX", 5)
    beliefs = line()
    assert len(beliefs.path(node("epsilon"))) == 5

    with pytest.raises(CannotVouchError, match="5 nodes admitted one another in a row"):
        beliefs.witness(node("zeta"), invited("zeta"), NOW, seed("epsilon"))
    too_long = vouched(invited("zeta"), "epsilon", NOW)
    assert not beliefs.check(node("zeta"), too_long, NOW).admitted
    assert [who for who, _ in beliefs.learn_many([(node("zeta"), too_long)], NOW)] == [node("zeta")]
    everybody = [*beliefs.paths(), (node("zeta"), too_long)]
    assert [who for who, _ in stranger().learn_many(everybody, NOW)] == [node("zeta")]
    beliefs.witness(node("eta"), invited("eta"), NOW, seed("founder"))
    beliefs.witness(node("theta"), invited("theta"), NOW, seed("eta"))
    beliefs.revoke([node("eta")], NOW, seed("founder"))
    assert beliefs.upkeep(NOW, seed("epsilon")) == []
    assert beliefs.upkeep(NOW, seed("delta")) == [node("theta")]


def test_the_longest_path_fits_one_control_frame() -> None:
    assert PATH_MAX * (CREDENTIAL_BYTES_MAX + 32 + 8) < 64 * 1024


# -- strangers


def test_a_stranger_follows_the_path_to_a_member() -> None:
    path = line().path(node("epsilon"))
    assert [who for who, _ in path] == [node("founder"), *(node(name) for name in NAMES)]
    newcomer = stranger()

    assert newcomer.learn_many(path, NOW) == []
    assert names(newcomer) == {"founder", *NAMES}


@pytest.mark.parametrize("order", list(permutations(range(5)))[::7])
def test_a_table_is_established_in_any_order(order: tuple[int, ...]) -> None:
    table = line().paths()
    newcomer = stranger()

    assert newcomer.learn_many([table[i] for i in order], NOW) == []
    assert newcomer.known() == line().known()


def test_whoever_hangs_on_a_missing_witness_is_not_established_and_the_others_are() -> None:
    table = [shown for shown in line().paths() if shown[0] != node("gamma")]
    newcomer = stranger()

    refused = newcomer.learn_many(reversed(table), NOW)

    assert names(newcomer) == {"founder", "beta"}
    assert {who for who, _ in refused} == {node("delta"), node("epsilon")}
    assert all(isinstance(why, NotAdmittedError) for _, why in refused)
    assert any("'delta'" in str(why) and "who is no member known here" in str(why) for _, why in refused)


def test_a_table_with_rotten_entries_gives_all_the_others() -> None:
    table = line().paths()
    rotten = [(node("x"), b"rubbish"), (node("y"), invited("y")), (node("z"), credential_of(line(), "beta"))]
    newcomer = stranger()

    refused = dict(newcomer.learn_many([*rotten, *table, *rotten], NOW))

    assert names(newcomer) == {"founder", *NAMES}
    assert isinstance(refused[node("x")], ForgedError)
    assert isinstance(refused[node("y")], NotAdmittedError)
    assert "no member has admitted it yet" in str(refused[node("y")])
    assert isinstance(refused[node("z")], WrongSubjectError)


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_any_tree_of_witnesses_in_any_order_is_established_by_every_newcomer(number: int, size: int) -> None:
    rng = Random(number)
    beliefs, people = member(), ["founder"]
    for i in range(size):
        beliefs.witness(node(f"n{i}"), invited(f"n{i}"), NOW, seed(rng.choice(people)))
        people.append(f"n{i}")
    table = beliefs.paths()
    rng.shuffle(table)
    newcomer = stranger()

    assert newcomer.learn_many(table, NOW) == []
    assert newcomer.known() == beliefs.known()
    assert all(stranger().learn_many(newcomer.path(known), NOW) == [] for known in newcomer.known())


def test_renewing_through_each_other_does_not_lead_strangers_round_in_a_circle() -> None:
    beliefs = member("beta")
    beliefs.witness(node("gamma"), invited("gamma"), NOW, seed("beta"))
    later = NOW + 200 * DAY
    again = invite(CRYPTO, AUTHORITY, seed("second invite"), later)
    beliefs.witness(node("beta"), invited("beta", again, later), later, seed("gamma"))

    path = beliefs.path(node("beta"))
    newcomer = stranger()

    assert [who for who, _ in path] == [node("founder"), node("beta"), node("gamma"), node("beta")]
    assert newcomer.learn_many(reversed(path), later) == []
    assert newcomer.standing(node("beta")) == beliefs.standing(node("beta"))


def test_a_shorter_path_is_preferred() -> None:
    beliefs = line()

    beliefs.learn(node("epsilon"), vouched(invited("epsilon"), "beta", NOW), NOW)
    assert len(beliefs.path(node("epsilon"))) == 3
    beliefs.learn(node("epsilon"), vouched(invited("epsilon"), "gamma", NOW), NOW)
    assert len(beliefs.path(node("epsilon"))) == 3


# -- bounds


def test_a_full_table_takes_nobody_new_but_still_learns_about_those_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MEMBERS_MAX", 3)
    beliefs = member("beta", "gamma")

    with pytest.raises(TableFullError):
        beliefs.witness(node("delta"), invited("delta"), NOW, seed("founder"))
    with pytest.raises(TableFullError):
        beliefs.learn(node("delta"), vouched(invited("delta"), "founder", NOW), NOW)
    refused = beliefs.learn_many([(node("delta"), vouched(invited("delta"), "founder", NOW))], NOW)
    assert [type(why) for _, why in refused] == [TableFullError]
    assert names(beliefs) == {"founder", "beta", "gamma"}
    assert beliefs.learn(node("beta"), vouched(invited("beta", now=NOW + 1), "founder", NOW + 1), NOW + 1).admitted


def test_a_full_table_forgets_those_who_have_run_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MEMBERS_MAX", 3)
    beliefs = member("beta", "gamma")
    later = NOW + YEAR + DAY
    again = invite(CRYPTO, AUTHORITY, seed("second invite"), later)

    beliefs.witness(node("delta"), invited("delta", again, later), later, seed("founder"))

    assert names(beliefs) == {"founder", "delta"}


# -- revocation


def test_a_revoked_node_loses_its_standing_and_does_not_get_it_back() -> None:
    beliefs = member("beta", "gamma")
    credential = credential_of(beliefs, "beta")

    beliefs.revoke([node("beta")], NOW, seed("founder"))

    assert beliefs.standing(node("beta")) is None
    assert names(beliefs) == {"founder", "gamma"}
    for attempt in (beliefs.check, beliefs.learn):
        with pytest.raises(RevokedError):
            attempt(node("beta"), credential, NOW)
    with pytest.raises(RevokedError):
        beliefs.witness(node("beta"), invited("beta"), NOW, seed("founder"))


def test_revoking_an_admin_takes_along_whom_its_key_let_in() -> None:
    beliefs = member("beta")
    second_admin(beliefs)
    issuer = Issuer(AUTHORITY.authority, seed("admin"), certify_admin_chain())
    beliefs.witness(node("gamma"), invited("gamma", issuer), NOW, seed("beta"))
    assert names(beliefs) == {"founder", "beta", "admin", "gamma"}

    beliefs.revoke([node("admin")], NOW, seed("founder"))

    assert names(beliefs) == {"founder", "beta"}


def certify_admin_chain() -> tuple[Signed, ...]:
    return certify(CRYPTO, AUTHORITY, node("admin"), "admin", NOW, roles=ALL_ROLES, grants=ALL_ROLES).chain


def test_a_list_is_news_once_and_acts_the_same_everywhere() -> None:
    here, there = member("beta", "gamma"), member("beta", "gamma")

    signed = here.revoke([node("beta")], NOW, seed("founder"))

    assert there.hear_revocation(signed, NOW)
    assert not there.hear_revocation(signed, NOW)
    assert there.known() == here.known()
    assert there.revocations == here.revocations == (signed,)
    assert not here.hear_revocation(signed, NOW)


def test_a_later_list_repeats_the_earlier_one() -> None:
    here, there = member("beta", "gamma"), member("beta", "gamma")
    first = here.revoke([node("beta")], NOW, seed("founder"))

    second = here.revoke([node("gamma")], NOW + 1, seed("founder"))

    assert there.hear_revocation(second, NOW + 1)
    assert not there.hear_revocation(first, NOW + 1)
    assert names(there) == {"founder"}


def test_the_authority_revokes_without_being_a_member() -> None:
    beliefs = member("beta")

    signed = member("beta").revoke([node("founder")], NOW, seed("authority"))

    assert beliefs.hear_revocation(signed, NOW)
    assert names(beliefs) == {"beta"}


def test_the_authority_itself_cannot_be_revoked() -> None:
    beliefs = member()

    beliefs.revoke([NodeId(AUTHORITY.authority)], NOW, seed("founder"))

    assert beliefs.check(node("founder"), FOUNDER, NOW).admitted


def test_only_admins_revoke() -> None:
    beliefs = member("beta", "gamma")
    by_beta = sign_list("beta", node("gamma"))

    with pytest.raises(EscalationError, match="'beta' revokes keys, but is no admin"):
        beliefs.hear_revocation(by_beta, NOW)
    with pytest.raises(EscalationError):
        beliefs.revoke([node("gamma")], NOW, seed("beta"))
    with pytest.raises(NotAdmittedError, match="no member known here"):
        beliefs.hear_revocation(sign_list("unknown", node("gamma")), NOW)
    assert names(beliefs) == {"founder", "beta", "gamma"}


def sign_list(author: str, *keys: bytes, kind: Kind = Kind.REVOCATION) -> Signed:
    body = revocation.Revocation(tuple((key, int(NOW)) for key in keys))
    return sign(CRYPTO, seed(author), kind, cluster_id(AUTHORITY.authority), body)


def test_an_admin_that_was_revoked_or_has_run_out_revokes_nobody() -> None:
    beliefs = member("beta")
    second_admin(beliefs)
    with pytest.raises(NotAdmittedError):
        beliefs.hear_revocation(sign_list("admin", node("beta")), NOW + 11 * YEAR)
    beliefs.revoke([node("admin")], NOW, seed("founder"))

    with pytest.raises(NotAdmittedError):
        beliefs.hear_revocation(sign_list("admin", node("beta")), NOW)
    assert names(beliefs) == {"founder", "beta"}


def test_the_authority_undoes_what_a_stolen_admin_key_did_by_revoking_it() -> None:
    beliefs = member("beta")
    second_admin(beliefs)
    shown = beliefs.paths()
    beliefs.revoke([node("founder"), node("beta")], NOW, seed("admin"))
    assert names(beliefs) == {"admin"}

    beliefs.revoke([node("admin")], NOW, seed("authority"))
    beliefs.learn_many(shown, NOW)

    assert names(beliefs) == {"founder", "beta"}


def test_a_list_that_is_damaged_or_of_another_kind_is_forged() -> None:
    beliefs = member("beta")
    genuine = sign_list("founder", node("beta"))
    flipped = Signed(genuine.author, genuine.signature, genuine.body[:-1] + bytes([genuine.body[-1] ^ 1]))
    empty = sign(CRYPTO, seed("founder"), Kind.REVOCATION, cluster_id(AUTHORITY.authority), b"\x91\x90")

    for signed in (flipped, sign_list("founder", node("beta"), kind=Kind.RECORD), empty):
        with pytest.raises(ForgedError, match="not genuine"):
            beliefs.hear_revocation(signed, NOW)
    assert names(beliefs) == {"founder", "beta"}


def test_one_admin_cannot_revoke_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "REVOKED_MAX", 1)
    beliefs = member("beta", "gamma")
    beliefs.revoke([node("beta")], NOW, seed("founder"))

    with pytest.raises(ListFullError):
        beliefs.revoke([node("gamma")], NOW, seed("founder"))


# -- orphans


def test_those_whom_a_revoked_node_admitted_are_adopted_and_strangers_can_follow() -> None:
    beliefs = line()
    original = credential_of(beliefs, "gamma")
    late = NOW + 100 * DAY
    beliefs.revoke([node("beta")], late, seed("founder"))
    assert names(beliefs) == {"founder", "gamma", "delta", "epsilon"}  # they did nothing wrong

    adopted = beliefs.upkeep(late, seed("founder"))

    assert adopted == sorted([node("gamma"), node("delta"), node("epsilon")])
    assert beliefs.upkeep(late, seed("founder")) == []
    newcomer = stranger()
    assert newcomer.learn_many(beliefs.paths(), late) == []
    assert newcomer.hear_revocation(beliefs.revocations[0], late)
    assert names(newcomer) == {"founder", "gamma", "delta", "epsilon"}
    assert newcomer.check(node("gamma"), original, late).admitted  # though it still shows the revoked one's word


def test_without_adoption_a_stranger_believes_none_of_them() -> None:
    beliefs = line()
    beliefs.revoke([node("beta")], NOW, seed("founder"))
    newcomer = member()
    newcomer.hear_revocation(beliefs.revocations[0], NOW)

    newcomer.learn_many(beliefs.paths(), NOW)

    assert names(newcomer) == {"founder"}


def test_who_is_admitted_again_keeps_the_original_date() -> None:
    beliefs = member("beta")
    beliefs.witness(node("gamma"), invited("gamma"), NOW + HOUR, seed("beta"))
    beliefs.revoke([node("beta")], NOW + 50 * DAY, seed("founder"))

    beliefs.upkeep(NOW + 50 * DAY, seed("founder"))

    assert credential_of(beliefs, "gamma") == vouched(invited("gamma"), "founder", NOW + HOUR)


def test_those_whose_witness_will_soon_run_out_are_adopted_in_time() -> None:
    beliefs = member("beta")
    beliefs.witness(node("gamma"), invited("gamma", now=NOW + DAY), NOW + DAY, seed("beta"))
    assert beliefs.upkeep(NOW + YEAR - ADOPTION_AHEAD_S - 1, seed("founder")) == []

    adopted = beliefs.upkeep(NOW + YEAR - ADOPTION_AHEAD_S + 1, seed("founder"))

    assert adopted == [node("gamma")]
    assert [who for who, _ in beliefs.path(node("gamma"))] == [node("founder"), node("gamma")]
    assert names(beliefs) == {"founder", "beta", "gamma"}


def test_who_has_no_sound_path_itself_adopts_nobody() -> None:
    beliefs = line()
    beliefs.revoke([node("beta")], NOW, seed("founder"))

    assert beliefs.upkeep(NOW, seed("gamma")) == []
    assert beliefs.upkeep(NOW, seed("no member")) == []


def test_who_is_an_orphan_adopts_no_other_orphan() -> None:
    """Both witnesses have run out, one after the other: the later path is of no more use than the earlier."""
    beliefs = member()
    for i, (witness, name) in enumerate([("w1", "beta"), ("w2", "gamma")]):
        beliefs.witness(node(witness), invited(witness, now=NOW + i), NOW + i, seed("founder"))
        beliefs.witness(node(name), invited(name, now=NOW + DAY), NOW + DAY, seed(witness))
    later = NOW + YEAR + HOUR

    assert beliefs.upkeep(later, seed("gamma")) == []
    assert beliefs.upkeep(later, seed("beta")) == []
    assert beliefs.upkeep(later, seed("founder")) == sorted([node("beta"), node("gamma")])


# -- across restarts


def test_a_member_recalls_what_it_had_learnt_and_heard() -> None:
    before = line()
    before.revoke([node("epsilon")], NOW, seed("founder"))
    after = stranger()

    refused = after.recall(before.paths(), before.revocations, NOW)

    assert refused == []
    assert after.known() == before.known()
    assert after.revocations == before.revocations
    assert all(after.path(known) == before.path(known) for known in before.known())


def test_a_member_recalls_orphans_and_lists_whose_authors_have_gone() -> None:
    before = line()
    second_admin(before)
    before.revoke([node("beta")], NOW, seed("admin"))
    before.revoke([node("admin")], NOW, seed("founder"))
    rows = [before.path(known)[-1] for known in before.known()]
    after = stranger()

    refused = after.recall(rows, before.revocations, NOW)

    assert refused == []
    assert after.known() == before.known()
    with pytest.raises(RevokedError):
        after.check(node("beta"), vouched(invited("beta"), "founder", NOW), NOW)
    assert after.upkeep(NOW, seed("founder")) == sorted([node("gamma"), node("delta"), node("epsilon")])
    assert stranger().learn_many(after.paths(), NOW) == []


def test_who_recalled_only_itself_gets_its_path_back_when_it_meets_its_witnesses_again() -> None:
    before = line()
    after = stranger()
    assert after.recall(before.path(node("delta"))[3:] + before.path(node("gamma"))[2:], (), NOW) == []
    assert names(after) == {"gamma", "delta"}
    assert after.path(node("delta")) == before.path(node("delta"))[3:]
    with pytest.raises(CannotVouchError):
        after.witness(node("zeta"), invited("zeta"), NOW, seed("delta"))

    after.learn_many(before.path(node("beta")), NOW)

    assert after.path(node("delta")) == before.path(node("delta"))
    assert after.witness(node("zeta"), invited("zeta"), NOW, seed("delta"))


def test_who_was_recalled_and_revoked_or_ran_out_before_its_witness_came_back_does_not_come_back_with_it() -> None:
    before = line()
    after = stranger()
    rows = [before.path(node(name))[-1] for name in ("gamma", "delta")]
    revoked = before.revoke([node("gamma")], NOW, seed("founder"))
    assert after.recall(rows, [revoked], NOW) == []
    assert names(after) == {"delta"}

    assert after.learn(node("founder"), FOUNDER, NOW + 2 * YEAR).admitted
    after.upkeep(NOW + 2 * YEAR, seed("founder"))

    assert names(after) == {"founder"}


def test_what_was_never_admitted_or_no_longer_counts_is_not_recalled() -> None:
    after = stranger()
    rows = [(node("founder"), FOUNDER), (node("beta"), invited("beta")), (node("gamma"), b"")]

    refused = after.recall(rows, (), NOW)

    assert [(who, type(why)) for who, why in refused] == [
        (node("gamma"), ForgedError),
        (node("beta"), NotAdmittedError),
    ]
    assert names(after) == {"founder"}


def test_no_more_is_recalled_than_the_table_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(node(name), vouched(invited(name), "gone", NOW)) for name in NAMES]
    monkeypatch.setattr(lineage, "MEMBERS_MAX", 3)
    after = stranger()

    refused = after.recall(rows, (), NOW)

    assert [(who, type(why)) for who, why in refused] == [(node("epsilon"), TableFullError)]


def test_a_damaged_list_on_disk_is_an_error_rather_than_forgotten() -> None:
    genuine = sign_list("founder", node("beta"))

    with pytest.raises(ForgedError):
        stranger().recall([], [Signed(genuine.author, bytes(64), genuine.body)], NOW)
