import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol import claim
from pnode.protocol.certificate import (
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
    read_credential,
)
from pnode.protocol.claim import Claim, Claims, RevokedError, WrongSubjectError
from pnode.protocol.codec import encode
from pnode.protocol.crypto import Sodium
from pnode.protocol.ids import cluster_id
from pnode.protocol.revocation import Revocation, Revocations
from pnode.protocol.signed import Kind, Signed, sign

from .credentials import (
    ADMIN,
    AUTHORITY,
    CRYPTO,
    DAY,
    FOUNDER,
    HOUR,
    INVITE,
    MINUTE,
    NOW,
    YEAR,
    forged,
    invited,
    node,
    seed,
    vouched,
)

START, END = int(NOW), int(NOW) + YEAR


class Counting(Sodium):
    """Counts verifications."""

    def __init__(self) -> None:
        self.verified = 0

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        self.verified += 1
        return super().verify(public_key, message, signature)


def read(name: str, credential: bytes, now: float = NOW) -> Claim:
    return Claims(CRYPTO, AUTHORITY.authority, Revocations(AUTHORITY.authority)).read(node(name), credential, now)


def revoking(name: str, since_s: float) -> Claims:
    revocations = Revocations(AUTHORITY.authority)
    signed = Signed(AUTHORITY.authority, bytes(64), b"the signature is checked elsewhere")
    revocations.hear(signed, Revocation(((node(name), int(since_s)),)), ())
    return Claims(CRYPTO, AUTHORITY.authority, revocations)


def test_a_claim_says_what_the_credential_proves() -> None:
    credential = vouched(invited("beta"), "founder", NOW + HOUR)

    proven = read("beta", credential)

    assert (proven.node, proven.credential) == (node("beta"), credential)
    assert (proven.own.name, proven.own.roles) == ("beta", 3)
    assert (proven.witness, proven.admitted_at_s) == (node("founder"), START + HOUR)
    assert not proven.direct


def test_what_the_authority_signed_itself_is_direct() -> None:
    proven = read("founder", FOUNDER)

    assert proven.direct
    assert proven.witness is None
    assert proven.admitted_at_s is None


def test_the_authority_of_another_cluster_is_refused() -> None:
    other = Issuer(node("other authority"), seed("other authority"))

    with pytest.raises(OtherClusterError):
        read("b", forged(other, Certificate(node("b"), "b", 3, START, END)))


def test_the_certificate_of_another_key_is_refused() -> None:
    with pytest.raises(WrongSubjectError, match=r"that of 'beta' \(.*\), but .* shows it"):
        read("gamma", invited("beta"))


def test_an_invite_shown_as_a_node_is_refused() -> None:
    """Otherwise the key in a token would be a member certified by the authority, and could admit itself."""
    with pytest.raises(EscalationError, match="invite's certificate as if it were a node's"):
        read("invite", forged(INVITE))


def test_a_chain_of_two_invites_is_no_node() -> None:
    below = Certificate(node("second invite"), "", 0, START, END, 3, START + DAY, YEAR)

    with pytest.raises(EscalationError, match="invite's certificate as if it were a node's"):
        read("second invite", forged(INVITE, below))


def test_an_escalated_certificate_is_refused() -> None:
    with pytest.raises(EscalationError):
        read("b", forged(INVITE, Certificate(node("b"), "b", 7, START, END)))


@pytest.mark.parametrize(
    ("offset_s", "error"),
    [(-HOUR, NotYetValidError), (-6 * MINUTE, NotYetValidError), (-4 * MINUTE, None), (YEAR + 4 * MINUTE, None),
     (YEAR + 6 * MINUTE, ExpiredError), (YEAR + HOUR, ExpiredError)],
)  # fmt: skip
def test_clocks_may_differ_by_five_minutes_both_ways(offset_s: float, error: type[TrustError] | None) -> None:
    if error is None:
        assert read("beta", invited("beta"), NOW + offset_s).own.name == "beta"
    else:
        with pytest.raises(error):
            read("beta", invited("beta"), NOW + offset_s)


def test_a_newcomer_whose_clock_is_an_hour_fast_is_told_to_compare_clocks() -> None:
    with pytest.raises(NotYetValidError, match="60 minutes in the future"):
        read("beta", invited("beta", now=NOW + HOUR), NOW)


def test_an_admission_for_another_certificate_is_refused() -> None:
    lent = read_credential(vouched(invited("beta"), "founder", NOW)).admission
    chain = read_credential(invited("gamma")).chain
    credential = encode(Credential(chain, lent))

    with pytest.raises(ForgedError, match="another certificate"):
        read("gamma", credential)


def test_an_admission_for_an_earlier_certificate_of_the_same_node_is_refused() -> None:
    lent = read_credential(vouched(invited("beta"), "founder", NOW)).admission
    chain = read_credential(invited("beta", now=NOW + HOUR)).chain

    with pytest.raises(ForgedError, match="another certificate"):
        read("beta", encode(Credential(chain, lent)), NOW + HOUR)


def test_nobody_admits_itself() -> None:
    with pytest.raises(ForgedError, match="its subject's own word"):
        read("beta", vouched(invited("beta"), "beta", NOW))


def test_an_admission_outside_of_the_invites_period_is_refused_whoever_signed_it() -> None:
    credential = vouched(invited("beta"), "founder", NOW + DAY + 1)

    with pytest.raises(InviteOverError):
        read("beta", credential, NOW + 2 * DAY)


def test_a_statement_of_another_kind_is_no_admission() -> None:
    shown = read_credential(vouched(invited("beta"), "founder", NOW))
    assert shown.admission is not None
    cluster = cluster_id(AUTHORITY.authority)
    for body, kind in ((shown.admission.body, Kind.SUSPICION), (b"\x90", Kind.ADMISSION)):
        other = sign(CRYPTO, seed("founder"), kind, cluster, body)

        with pytest.raises(ForgedError, match="an admission is not genuine"):
            read("beta", encode(Credential(shown.chain, other)))


# -- revocation


def test_a_revoked_node_is_refused() -> None:
    with pytest.raises(RevokedError, match=r"'beta' \(.*\) is no longer believed: its key was revoked"):
        revoking("beta", NOW).read(node("beta"), vouched(invited("beta"), "founder", NOW), NOW)


def test_everything_that_a_revoked_admin_let_in_is_refused() -> None:
    approved = vouched(invited("beta", ADMIN), "founder", NOW)

    with pytest.raises(RevokedError, match=r"the key of 'founder' .*, which let it in, was revoked"):
        revoking("founder", NOW + DAY).read(node("beta"), approved, NOW + DAY)


def test_a_revoked_invite_admits_nobody_but_those_whom_it_admitted_before_stay() -> None:
    claims = revoking("invite", NOW + HOUR)
    now = NOW + 2 * HOUR

    early = claims.read(node("early"), vouched(invited("early"), "founder", NOW + HOUR - 1), now)
    assert early.admitted_at_s == NOW + HOUR - 1
    for late in (invited("late"), vouched(invited("late"), "founder", NOW + HOUR)):
        with pytest.raises(RevokedError, match=r"the invitation of 'late' .* was withdrawn"):
            claims.read(node("late"), late, now)


def test_who_has_nothing_to_do_with_a_revoked_key_is_not_refused() -> None:
    assert revoking("beta", NOW).read(node("gamma"), invited("gamma"), NOW).own.name == "gamma"


# -- bytes from outside


@pytest.mark.parametrize("issuer", [INVITE, ADMIN], ids=["token", "approval"])
def test_a_credential_with_any_bit_flipped_is_refused(issuer: Issuer) -> None:
    credential = vouched(invited("beta", issuer), "founder", NOW)
    claims = Claims(CRYPTO, AUTHORITY.authority, Revocations(AUTHORITY.authority))
    claims.read(node("beta"), credential, NOW)  # so that a cache could be fooled

    for at in range(len(credential)):
        for bit in range(8):
            damaged = credential[:at] + bytes([credential[at] ^ 1 << bit]) + credential[at + 1 :]
            with pytest.raises(TrustError):
                claims.read(node("beta"), damaged, NOW)


def test_a_credential_cut_anywhere_is_refused() -> None:
    credential = vouched(invited("beta"), "founder", NOW)

    for end in range(len(credential)):
        with pytest.raises(ForgedError):
            read("beta", credential[:end])


@given(st.binary(max_size=950))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ForgedError):
        read("beta", data)


# -- the cache


def test_each_signature_is_verified_once() -> None:
    crypto = Counting()
    claims = Claims(crypto, AUTHORITY.authority, Revocations(AUTHORITY.authority))
    beta, gamma = vouched(invited("beta"), "founder", NOW), invited("gamma")

    claims.read(node("beta"), beta, NOW)
    assert crypto.verified == 3
    claims.read(node("beta"), beta, NOW)
    assert crypto.verified == 3
    claims.read(node("gamma"), gamma, NOW)
    assert crypto.verified == 4  # the invite's certificate was known


def test_only_so_many_signatures_are_remembered_the_most_recently_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "SIGNATURES_MAX", 3)
    crypto = Counting()
    claims = Claims(crypto, AUTHORITY.authority, Revocations(AUTHORITY.authority))
    for name in ("a", "b", "c"):  # the invite and two nodes fit
        claims.read(node(name), invited(name), NOW)
    assert crypto.verified == 4

    claims.read(node("b"), invited("b"), NOW)
    assert crypto.verified == 4
    claims.read(node("a"), invited("a"), NOW)
    assert crypto.verified == 5


def test_a_signature_that_failed_is_not_remembered() -> None:
    crypto = Counting()
    claims = Claims(crypto, AUTHORITY.authority, Revocations(AUTHORITY.authority))
    genuine = read_credential(FOUNDER).chain[0]
    damaged = encode(Credential((Signed(genuine.author, bytes(64), genuine.body),)))

    for attempt in (1, 2):
        with pytest.raises(ForgedError):
            claims.read(node("founder"), damaged, NOW)
        assert crypto.verified == attempt
