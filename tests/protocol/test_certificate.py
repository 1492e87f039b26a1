import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.certificate import (
    ALL_ROLES,
    AUTHORITY_VALIDITY_S,
    CHAIN_MAX,
    INVITE_VALIDITY_S,
    MEMBER_ROLES,
    NODE_VALIDITY_S,
    TOLERANCE_S,
    Admission,
    CannotIssueError,
    Certificate,
    Credential,
    EscalationError,
    ExpiredError,
    ForgedError,
    InviteOverError,
    Issuer,
    NotYetValidError,
    OtherClusterError,
    TrustError,
    certificate_digest,
    certify,
    check_admission,
    check_chain,
    check_times,
    found,
    instant_text,
    invite,
    read_certificate,
    read_credential,
    span_text,
)
from pnode.protocol.codec import decode, encode
from pnode.protocol.ids import cluster_id
from pnode.protocol.record import CREDENTIAL_BYTES_MAX, Role
from pnode.protocol.signed import Kind, Signed, sign

from .credentials import ADMIN, AUTHORITY, CRYPTO, DAY, FOUNDING, HOUR, INVITE, MINUTE, NOW, YEAR, node, seed

LONG_NAME = "n" * 63


def read(signed: Signed) -> Certificate:
    return read_certificate(CRYPTO, cluster_id(AUTHORITY.authority), signed)


def certificates(credential: Credential) -> tuple[Certificate, ...]:
    return check_chain(AUTHORITY.authority, credential.chain, read)


def last(issuer: Issuer) -> Certificate:
    return decode(Certificate, issuer.chain[-1].body)


# -- what is issued


def test_the_founder_holds_one_certificate_of_the_authority_and_may_do_everything_for_ten_years() -> None:
    (own,) = certificates(found(CRYPTO, seed("authority"), seed("founder"), "alpha", NOW))

    assert own == Certificate(
        node("founder"), "alpha", int(ALL_ROLES), int(NOW), int(NOW) + AUTHORITY_VALIDITY_S,
        int(ALL_ROLES), int(NOW) + AUTHORITY_VALIDITY_S, AUTHORITY_VALIDITY_S,
    )  # fmt: skip
    assert AUTHORITY_VALIDITY_S == 10 * YEAR


def test_an_invite_admits_for_a_day_nodes_that_last_a_year_and_is_no_node_itself() -> None:
    own = last(INVITE)

    assert own.is_invite
    assert own.admits_until_s - own.not_before_s == INVITE_VALIDITY_S == DAY
    assert own.lasts_s == NODE_VALIDITY_S == YEAR
    assert own.not_after_s == own.admits_until_s + own.lasts_s
    assert own.grants == MEMBER_ROLES


@pytest.mark.parametrize("issuer", [INVITE, ADMIN, AUTHORITY], ids=["invite", "admin", "authority"])
def test_whoever_may_issue_makes_a_node_for_a_year_that_may_not_issue_in_turn(issuer: Issuer) -> None:
    *_, own = certificates(certify(CRYPTO, issuer, node("beta"), "beta", NOW + HOUR))

    assert (own.subject, own.name, own.roles) == (node("beta"), "beta", MEMBER_ROLES)
    assert (own.not_before_s, own.not_after_s) == (NOW + HOUR, NOW + HOUR + YEAR)
    assert own.grants == 0


def test_a_token_of_an_admin_leads_to_a_chain_of_three() -> None:
    guest = invite(CRYPTO, ADMIN, seed("another invite"), NOW)

    chain = certificates(certify(CRYPTO, guest, node("beta"), "beta", NOW))

    assert [certificate.name for certificate in chain] == ["founder", "", "beta"]
    assert chain[0].is_invite is chain[2].is_invite is False


def test_an_admin_can_be_made_that_lets_others_in_as_long_as_itself_may_stay() -> None:
    admin = certify(CRYPTO, AUTHORITY, node("second"), "second", NOW, roles=ALL_ROLES, grants=MEMBER_ROLES)
    issuer = Issuer(AUTHORITY.authority, seed("second"), admin.chain)

    *_, own = certificates(certify(CRYPTO, issuer, node("beta"), "beta", NOW + YEAR - DAY))

    assert own.not_after_s == NOW + YEAR  # cut to what its issuer has left


def test_a_deputy_lets_others_in_no_longer_than_it_may_stay_itself() -> None:
    *_, own = certificates(certify(CRYPTO, ADMIN, node("deputy"), "deputy", NOW, grants=MEMBER_ROLES))

    assert own.admits_until_s == own.not_after_s == NOW + YEAR


def test_periods_are_cut_to_those_of_the_issuer() -> None:
    late = NOW + AUTHORITY_VALIDITY_S - HOUR

    guest = last(invite(CRYPTO, ADMIN, seed("late"), late))

    assert guest.admits_until_s == guest.not_after_s == NOW + AUTHORITY_VALIDITY_S


@pytest.mark.parametrize(("offset_s", "start_s"), [(-4 * MINUTE, 0), (DAY + 4 * MINUTE, DAY)])
def test_a_clock_within_the_tolerance_still_makes_a_certificate_within_the_invites_period(
    offset_s: float, start_s: float
) -> None:
    *_, own = certificates(certify(CRYPTO, INVITE, node("beta"), "beta", NOW + offset_s))

    assert own.not_before_s == NOW + start_s


def test_an_honest_newcomer_does_not_use_an_invite_that_is_over() -> None:
    with pytest.raises(CannotIssueError, match="run 'pnode token' on a member"):
        certify(CRYPTO, INVITE, node("beta"), "beta", NOW + DAY + TOLERANCE_S + 1)


def test_nobody_issues_without_the_right_to() -> None:
    beta = certify(CRYPTO, INVITE, node("beta"), "beta", NOW)
    issuer = Issuer(AUTHORITY.authority, seed("beta"), beta.chain)

    with pytest.raises(CannotIssueError, match="'beta' may not let others in"):
        invite(CRYPTO, issuer, seed("x"), NOW)
    with pytest.raises(CannotIssueError, match="'beta' may not let others in"):
        certify(CRYPTO, issuer, node("gamma"), "gamma", NOW)


def test_nobody_hands_out_roles_that_are_not_its_to_give() -> None:
    with pytest.raises(CannotIssueError, match=r"given compute\|submit\|admin, .* hand out compute\|submit"):
        certify(CRYPTO, INVITE, node("beta"), "beta", NOW, roles=ALL_ROLES)


def test_an_issuer_needs_room_for_one_more_in_the_chain() -> None:
    deputy = certify(CRYPTO, ADMIN, node("deputy"), "deputy", NOW, grants=MEMBER_ROLES)
    issuer = Issuer(AUTHORITY.authority, seed("deputy"), deputy.chain)
    assert len(certify(CRYPTO, issuer, node("beta"), "beta", NOW).chain) == CHAIN_MAX

    with pytest.raises(CannotIssueError, match="at most 3 certificates"):
        invite(CRYPTO, issuer, seed("x"), NOW)
    with pytest.raises(CannotIssueError, match="at most 3 certificates"):
        certify(CRYPTO, issuer, node("beta"), "beta", NOW, grants=Role.COMPUTE)


def test_the_longest_credential_stays_within_its_bound() -> None:
    admin = certify(CRYPTO, AUTHORITY, node("a"), LONG_NAME, NOW, roles=ALL_ROLES, grants=ALL_ROLES)
    guest = invite(CRYPTO, Issuer(AUTHORITY.authority, seed("a"), admin.chain), seed("i"), NOW)
    chain = certify(CRYPTO, guest, node("b"), LONG_NAME, NOW).chain
    admission = Admission(certificate_digest(chain[-1]), int(NOW))
    signed = sign(CRYPTO, seed("a"), Kind.ADMISSION, cluster_id(AUTHORITY.authority), admission)

    size = len(encode(Credential(chain, signed)))

    assert len(chain) == CHAIN_MAX
    assert 600 < size <= CREDENTIAL_BYTES_MAX


def test_a_seed_is_never_shown() -> None:
    assert repr(seed("invite"))[2:-1] not in repr(INVITE)
    assert "seed" not in repr(INVITE)


# -- what a certificate may say


@pytest.mark.parametrize(
    ("name", "roles", "grants", "why"),
    [
        ("", 3, 0, "needs a name"),
        ("  ", 3, 0, "needs a name"),
        ("a\x1b[31mb", 3, 0, "is no name"),
        ("a\nb", 3, 0, "is no name"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}evil", 3, 0, "is no name"),
        ("n" * 64, 3, 0, "is no name"),
        ("é" * 32, 3, 0, "is no name"),
        ("beta", 0, 0, "good for nothing"),
    ],
)
def test_a_certificate_that_makes_no_sense_is_not_made(name: str, roles: int, grants: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Certificate(node("beta"), name, roles, 0, 1, grants)


def test_a_certificate_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="cannot end before it begins"):
        Certificate(node("beta"), "beta", 3, 10, 9)


def test_a_certificate_that_makes_no_sense_is_forged_when_it_comes_from_others() -> None:
    body = encode(Certificate(node("beta"), "beta", 3, 0, 1)).replace(b"beta", b"be\x07a")
    signed = sign(CRYPTO, AUTHORITY.seed, Kind.CERTIFICATE, cluster_id(AUTHORITY.authority), body)

    with pytest.raises(ForgedError, match=r"not genuine: .* is no name"):
        check_chain(AUTHORITY.authority, (signed,), read)


# -- chains


def chain_below(issuer: Issuer, certificate: Certificate) -> tuple[Signed, ...]:
    signed = sign(CRYPTO, issuer.seed, Kind.CERTIFICATE, cluster_id(issuer.authority), certificate)
    return (*issuer.chain, signed)


START, END = int(NOW), int(NOW) + YEAR


@pytest.mark.parametrize(
    "certificate",
    [
        Certificate(node("b"), "b", Role.ADMIN, START, END),
        Certificate(node("b"), "b", Role.COMPUTE | 64, START, END),
        Certificate(node("b"), "b", Role.COMPUTE, START, END, int(Role.ADMIN), START, YEAR),
        Certificate(node("b"), "b", Role.COMPUTE, START - 1, END - 1),
        Certificate(node("b"), "b", Role.COMPUTE, START + DAY + 1, END),
        Certificate(node("b"), "b", Role.COMPUTE, START, END + 1),
        Certificate(node("b"), "b", Role.COMPUTE, START + DAY, END + DAY + 1),
        Certificate(node("b"), "b", Role.COMPUTE, START, END, int(Role.COMPUTE), START + DAY + 1, YEAR),
        Certificate(node("b"), "b", Role.COMPUTE, START, END, int(Role.COMPUTE), START + DAY, YEAR + 1),
        Certificate(node("invite"), "b", Role.COMPUTE, START, END),
    ],
    ids=[
        "role", "unknown role", "granted role", "starts before", "starts after the invite was open",
        "lasts longer", "ends after the invite", "admits longer", "grants longer", "the invite's own key",
    ],
)  # fmt: skip
def test_an_issuer_cannot_hand_out_more_than_it_has(certificate: Certificate) -> None:
    with pytest.raises(EscalationError):
        check_chain(AUTHORITY.authority, chain_below(INVITE, certificate), read)


@pytest.mark.parametrize(
    "certificate",
    [
        Certificate(node("b"), "b", MEMBER_ROLES, START, END),
        Certificate(node("b"), "b", Role.COMPUTE, START + DAY, END + DAY),
        Certificate(node("b"), "b", Role.COMPUTE, START, END, int(Role.COMPUTE), START + DAY, YEAR),
    ],
    ids=["everything", "at the last moment", "issues as long"],
)
def test_an_issuer_can_hand_out_all_that_it_has(certificate: Certificate) -> None:
    *_, own = check_chain(AUTHORITY.authority, chain_below(INVITE, certificate), read)

    assert own == certificate


def test_a_chain_below_a_node_that_may_not_issue_is_refused() -> None:
    beta = Issuer(AUTHORITY.authority, seed("beta"), certify(CRYPTO, AUTHORITY, node("beta"), "beta", NOW).chain)

    with pytest.raises(EscalationError, match="may hand out no role"):
        check_chain(AUTHORITY.authority, chain_below(beta, Certificate(node("c"), "c", 1, START, END)), read)


def test_a_self_signed_certificate_belongs_to_another_cluster() -> None:
    mine = Issuer(node("beta"), seed("beta"))

    with pytest.raises(OtherClusterError, match=r"another cluster.*check the address and the token"):
        check_chain(AUTHORITY.authority, chain_below(mine, Certificate(node("beta"), "beta", 7, START, END)), read)


def test_a_chain_whose_links_do_not_meet_is_forged() -> None:
    other = invite(CRYPTO, AUTHORITY, seed("other"), NOW)
    chain = certify(CRYPTO, other, node("beta"), "beta", NOW).chain

    with pytest.raises(ForgedError, match="not signed by the one above"):
        check_chain(AUTHORITY.authority, (INVITE.chain[0], chain[1]), read)


def test_a_signature_for_another_cluster_or_another_purpose_is_forged() -> None:
    certificate = FOUNDING.chain[0].body
    for kind, cluster in ((Kind.CERTIFICATE, cluster_id(node("x"))), (Kind.JOB, cluster_id(AUTHORITY.authority))):
        signed = sign(CRYPTO, AUTHORITY.seed, kind, cluster, certificate)

        with pytest.raises(ForgedError, match="not signed by the author"):
            check_chain(AUTHORITY.authority, (signed,), read)


def test_a_credential_is_read_as_it_was_written() -> None:
    assert read_credential(encode(FOUNDING)) == FOUNDING


def test_a_chain_of_four_is_no_credential() -> None:
    four = encode(Credential(FOUNDING.chain * 4))

    with pytest.raises(ForgedError, match="an array of 1 to 3 items"):
        read_credential(four)


def test_a_credential_beyond_its_bound_is_not_even_decoded() -> None:
    with pytest.raises(ForgedError, match="901 bytes"):
        read_credential(bytes(901))
    with pytest.raises(ForgedError, match="no credential"):
        read_credential(bytes(900))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_credential(data: bytes) -> None:
    with pytest.raises(TrustError):
        certificates(read_credential(data))


# -- times


def test_a_certificate_is_valid_in_its_period_give_or_take_five_minutes() -> None:
    own = Certificate(node("b"), "b", 1, START, END)

    for now in (START - 300, START, END, END + 300):
        check_times(own, now)
    with pytest.raises(NotYetValidError, match=r"'b' .* dated 5 minutes in the future.*compare 'date -u' on both"):
        check_times(own, START - 301)
    with pytest.raises(
        ExpiredError, match=r"'b' .* ran out 5 minutes ago, at 2028-01-15T08:00:00Z; run 'pnode token'"
    ):
        check_times(own, END + 301)


def test_an_admission_counts_while_the_invite_is_open_and_the_certificate_valid() -> None:
    chain = certificates(certify(CRYPTO, INVITE, node("b"), "b", NOW + HOUR))

    for at in (START + HOUR - 300, START + DAY):
        check_admission(chain, at)
    with pytest.raises(InviteOverError, match=r"over 3 hours before it was used: .*'pnode token'"):
        check_admission(chain, START + DAY + 3 * HOUR)
    with pytest.raises(NotYetValidError):
        check_admission(chain, START + HOUR - 301)


def test_an_admission_needs_every_issuer_in_the_chain_to_be_open() -> None:
    guest = invite(CRYPTO, ADMIN, seed("another invite"), NOW)
    chain = certificates(certify(CRYPTO, guest, node("b"), "b", NOW))

    check_admission(chain, START + DAY)
    with pytest.raises(InviteOverError):
        check_admission(chain, START + DAY + 1)


def test_an_admission_of_what_the_authority_signed_is_never_late() -> None:
    check_admission(certificates(FOUNDING), START + YEAR)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"),
        (1.6, "2 seconds"), (89, "89 seconds"), (90, "2 minutes"), (5399, "90 minutes"), (5400, "2 hours"),
     (129_599, "36 hours"), (129_600, "2 days"), (40 * 86_400, "40 days")],
)  # fmt: skip
def test_a_span_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_an_instant_is_told_in_utc() -> None:
    assert instant_text(NOW + 0.9) == "2027-01-15T08:00:00Z"
