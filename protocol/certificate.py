"""Certificates: who holds a key, what it may do and whom it may let in, signed by whoever let it in.

A cluster is its authority key, and every claim to belong to it is a chain of certificates that starts there:

    authority -> node                      the founder, or a node that the authority's holder certified directly
    authority -> admin -> node             a node that an admin approved
    authority -> invite -> node            a node that came with a token made with the authority key
    authority -> admin -> invite -> node   a node that came with a token made by an admin

An invite is a key of its own, with a certificate that names no roles (so that it is nobody) but may hand some out.
Its secret travels in a token, and the newcomer itself signs its node certificate with it. Every issuer binds what
is below it: roles, validity and the right to issue may only shrink. An invite has two periods for that reason:
until when it may admit, and how long those whom it admitted may stay. Everything here is checked offline, with the
authority key as the only thing known before; what a chain cannot prove is when it was made, which is what
admissions are for (see `trust`).
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from .codec import U8, Bytes16, Bytes32, Length, MalformedError, Range, decode
from .crypto import Crypto
from .errors import LocalProtocolError, RemoteProtocolError
from .ids import ClusterId, NodeId, cluster_id, node_text
from .record import CREDENTIAL_BYTES_MAX, Role
from .signed import BadSignatureError, Kind, Signed, sign, verify
from .values import dataclass, field

CHAIN_MAX = 3
"""Admin, invite, node: each further certificate would cost about 200 bytes of every record and handshake."""

NAME_BYTES_MAX = 63
"""As for a label of a host name."""

TOLERANCE_S = 300
"""How far the clocks of two honest nodes may differ; Kerberos has lived with the same five minutes since 1988."""

AUTHORITY_VALIDITY_S = 10 * 365 * 86_400
"""For what the authority signs itself: its key may be offline, so nobody should need it soon."""

NODE_VALIDITY_S = 365 * 86_400
INVITE_VALIDITY_S = 86_400
"""A token is used within the day; another one costs a command."""

MEMBER_ROLES = Role.COMPUTE | Role.SUBMIT
ALL_ROLES = MEMBER_ROLES | Role.ADMIN

Instant = Annotated[int, Range(0, 253_402_300_799)]
"""Seconds since 1970 UTC, up to the end of the year 9999, where calendars in messages end."""


class TrustError(RemoteProtocolError):
    """What another side showed does not prove what it should; each subclass calls for something else."""


class ForgedError(TrustError):
    """Not what it claims to be: malformed, or not signed by the author it names. Hang up; trying again is no use."""


class OtherClusterError(TrustError):
    """Genuine perhaps, but under another authority: the address or the token leads to the wrong cluster."""


class EscalationError(TrustError):
    """An issuer handed out more than it was given. Whoever holds the issuer's key is not to be trusted."""


class ExpiredError(TrustError):
    """Over. The node needs a new certificate."""


class NotYetValidError(TrustError):
    """Dated in our future: a clock is wrong, ours or theirs, and a person has to set it."""


class InviteOverError(TrustError):
    """The invitation was over when it was used: the newcomer needs a new token, members are not concerned."""


class CannotIssueError(LocalProtocolError):
    """We were asked to hand out what is not ours to give; the message tells the person who asked."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The body of a Signed of Kind.CERTIFICATE. Raises ValueError for fields that make no sense together."""

    subject: Bytes32
    """The key that is certified. First, because a token leaves it out (see `token`)."""
    name: Annotated[str, Length(0, NAME_BYTES_MAX)]
    """For people; empty for invites."""
    roles: U8
    """What the subject may do, see `record.Role`; 0 for an invite, which is no node."""
    not_before_s: Instant
    not_after_s: Instant
    grants: U8 = 0
    """Roles it may hand out; 0 if it may not issue certificates."""
    admits_until_s: Instant = 0
    """The latest start of a certificate issued under this one."""
    lasts_s: Instant = 0
    """How long a certificate issued under this one may last."""

    def __post_init__(self) -> None:
        if not self.name.isprintable() or len(self.name.encode()) > NAME_BYTES_MAX:
            raise ValueError(f"{self.name[:80]!r} is no name: at most {NAME_BYTES_MAX} bytes, all of them printable")
        if self.roles and not self.name.strip():
            raise ValueError("a node needs a name")
        if not self.roles and not self.grants:
            raise ValueError("a certificate without roles and without the right to issue is good for nothing")
        if not self.not_before_s <= self.not_after_s:
            raise ValueError("a certificate cannot end before it begins")

    @property
    def is_invite(self) -> bool:
        """Nobody's own certificate: it only lets others in."""
        return not self.roles

    def covers(self, instant_s: float) -> bool:
        """Whether it is valid then, give or take the tolerance."""
        return self.not_before_s - TOLERANCE_S <= instant_s <= self.not_after_s + TOLERANCE_S


@dataclass(frozen=True, slots=True)
class Admission:
    """The body of a Signed of Kind.ADMISSION: its author, a member, saw this certificate by its own clock."""

    certificate: Bytes16
    """Digest of the node's own certificate, see `certificate_digest`."""
    admitted_at_s: Instant


@dataclass(frozen=True, slots=True)
class Credential:
    """What a node shows to prove that it belongs: its chain, the authority's certificate first, its own last."""

    chain: Annotated[tuple[Signed, ...], Length(1, CHAIN_MAX)]
    admission: Signed | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Someone who can sign certificates: the authority itself (no chain) or the key at the end of a chain."""

    authority: bytes
    """Public key of the cluster's authority."""
    seed: bytes = field(repr=False)
    chain: tuple[Signed, ...] = ()


def found(crypto: Crypto, authority_seed: bytes, node_seed: bytes, name: str, now: float) -> Credential:
    """Found a cluster: the credential of its first node, which may do everything and issue everything."""
    issuer = Issuer(crypto.public_key(authority_seed), authority_seed)
    node = NodeId(crypto.public_key(node_seed))
    return certify(crypto, issuer, node, name, now, roles=ALL_ROLES, grants=ALL_ROLES, lasts_s=AUTHORITY_VALIDITY_S)


def certify(
    crypto: Crypto,
    issuer: Issuer,
    node: NodeId,
    name: str,
    now: float,
    *,
    roles: Role = MEMBER_ROLES,
    grants: Role = Role(0),
    lasts_s: int = NODE_VALIDITY_S,
) -> Credential:
    """Make a node's certificate; with `grants` it may issue in turn, as long and as much as the issuer may.

    A newcomer calls this with the issuer from its token and its own key. The period is cut to what the issuer may
    give. Raises CannotIssueError if the issuer may not give this, ValueError for a name that is none.
    """
    from_s, issues_until_s, ends_s, issues_s = _limits(issuer, now)
    until_s = min(from_s + lasts_s, from_s + issues_s, ends_s)
    rights = (int(grants), min(until_s, issues_until_s), issues_s) if grants else ()
    return Credential(_issue(crypto, issuer, Certificate(node, name, int(roles), from_s, until_s, *rights)))


def invite(
    crypto: Crypto,
    issuer: Issuer,
    seed: bytes,
    now: float,
    *,
    grants: Role = MEMBER_ROLES,
    admits_s: int = INVITE_VALIDITY_S,
    lasts_s: int = NODE_VALIDITY_S,
) -> Issuer:
    """Make an invite with the key of `seed`: it may admit for `admits_s`, those it admits may stay for `lasts_s`.

    Periods are cut to what the issuer may give. Raises CannotIssueError if the issuer may not give this.
    """
    from_s, issues_until_s, ends_s, issues_s = _limits(issuer, now)
    until_s = min(from_s + admits_s, issues_until_s)
    end_s = min(until_s + lasts_s, from_s + issues_s, ends_s)
    lasts_s = min(lasts_s, issues_s)
    certificate = Certificate(crypto.public_key(seed), "", 0, from_s, end_s, int(grants), until_s, lasts_s)
    return Issuer(issuer.authority, seed, _issue(crypto, issuer, certificate))


def certificate_digest(signed: Signed) -> bytes:
    """16 bytes that name a certificate in admissions: enough against a second one with the same digest."""
    return hashlib.blake2b(signed.author + signed.body, digest_size=16, person=b"pnode-admission").digest()


def read_credential(data: bytes) -> Credential:
    """Raises ForgedError unless the bytes spell a credential; nothing in it is verified yet."""
    if len(data) > CREDENTIAL_BYTES_MAX:
        raise ForgedError(f"a credential of {len(data)} bytes; none is longer than {CREDENTIAL_BYTES_MAX}")
    try:
        return decode(Credential, data)
    except MalformedError as error:
        raise ForgedError(f"what was shown is no credential: {error}") from None


def read_certificate(crypto: Crypto, cluster: ClusterId, signed: Signed) -> Certificate:
    """Raises BadSignatureError or MalformedError."""
    verify(crypto, signed, Kind.CERTIFICATE, cluster)
    return decode(Certificate, signed.body)


def check_chain(
    authority: bytes, chain: tuple[Signed, ...], read: Callable[[Signed], Certificate]
) -> tuple[Certificate, ...]:
    """Follow a chain down from the authority; `read` verifies one signature, as `read_certificate` does.

    What comes back holds for all time: whether it holds *now* is the question of `check_times`. Raises
    OtherClusterError, ForgedError or EscalationError.
    """
    if chain[0].author != authority:
        raise OtherClusterError(
            f"it belongs to another cluster: its authority is {node_text(NodeId(chain[0].author))}, "
            f"ours is {node_text(NodeId(authority))}; check the address and the token"
        )
    certificates: list[Certificate] = []
    for signed in chain:
        if certificates and signed.author != certificates[-1].subject:
            raise ForgedError("a certificate is not signed by the one above it in its chain")
        try:
            certificate = read(signed)
        except (BadSignatureError, MalformedError) as error:
            raise ForgedError(f"a certificate is not genuine: {error}") from None
        if certificates:
            _check_link(certificates[-1], certificate)
        certificates.append(certificate)
    return tuple(certificates)


def check_times(certificate: Certificate, now: float) -> None:
    """Raises ExpiredError or NotYetValidError. The last certificate speaks for its chain, being the shortest."""
    if certificate.covers(now):
        return
    who = f"the certificate of {certificate.name!r} ({node_text(NodeId(certificate.subject))})"
    if now > certificate.not_after_s:
        raise ExpiredError(
            f"{who} ran out {span_text(now - certificate.not_after_s)} ago, "
            f"at {instant_text(certificate.not_after_s)}; run 'pnode token' on a member, then "
            "'pnode start --token ...' on that node"
        )
    ahead_s = certificate.not_before_s - now
    raise NotYetValidError(
        f"{who} is dated {span_text(ahead_s)} in the future, {instant_text(certificate.not_before_s)}: the two "
        "machines' clocks differ; compare 'date -u' on both and set the wrong one"
    )


def check_admission(chain: tuple[Certificate, ...], admitted_at_s: int) -> None:
    """Raises a TrustError unless the last certificate was valid and all above it might admit at that moment."""
    check_times(chain[-1], admitted_at_s)
    until_s = min((issuer.admits_until_s for issuer in chain[:-1]), default=admitted_at_s)
    if admitted_at_s > until_s:
        raise InviteOverError(
            f"the invitation of {chain[-1].name!r} was over {span_text(admitted_at_s - until_s)} before it was used: "
            f"it held until {instant_text(until_s)}; run 'pnode token' on a member for a new one"
        )


def instant_text(instant_s: float) -> str:
    """ISO 8601 in UTC, for messages."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span_text(seconds: float) -> str:
    """A duration in one unit, for messages."""
    for unit, unit_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 1.5 * unit_s:
            return f"{round(seconds / unit_s)} {unit}s"
    whole_s = max(1, round(seconds))
    return f"{whole_s} seconds" if whole_s > 1 else "1 second"


def _limits(issuer: Issuer, now: float) -> tuple[int, int, int, int]:
    """What certificates from this issuer must keep to: their start, the last moment at which anything may be issued
    under them, their latest end and their longest duration, all in seconds."""
    now_s = int(now)
    if not issuer.chain:
        return now_s, now_s + AUTHORITY_VALIDITY_S, now_s + AUTHORITY_VALIDITY_S, AUTHORITY_VALIDITY_S
    own = decode(Certificate, issuer.chain[-1].body)
    if not own.grants:
        raise CannotIssueError(f"{own.name!r} may not let others in; run this on a node whose role is admin")
    if now_s > own.admits_until_s + TOLERANCE_S:
        raise CannotIssueError(
            f"the right to let others in ended at {instant_text(own.admits_until_s)}; run 'pnode token' on a member"
        )
    # A clock within the tolerance may lie outside of the period; a certificate must not.
    start_s = min(max(now_s, own.not_before_s), own.admits_until_s)
    return start_s, own.admits_until_s, own.not_after_s, own.lasts_s


def _issue(crypto: Crypto, issuer: Issuer, certificate: Certificate) -> tuple[Signed, ...]:
    # Whoever may issue needs room for one more below.
    if len(issuer.chain) >= (CHAIN_MAX - 1 if certificate.grants else CHAIN_MAX):
        raise CannotIssueError(
            f"a chain holds at most {CHAIN_MAX} certificates and this one would need more; run this on the founder"
        )
    if issuer.chain:
        try:
            _check_link(decode(Certificate, issuer.chain[-1].body), certificate)
        except EscalationError as error:
            raise CannotIssueError(str(error)) from None
    signed = sign(crypto, issuer.seed, Kind.CERTIFICATE, cluster_id(issuer.authority), certificate)
    return (*issuer.chain, signed)


def _check_link(issuer: Certificate, issued: Certificate) -> None:
    """Raises EscalationError unless everything in `issued` was the issuer's to give."""
    if issued.subject == issuer.subject:
        raise EscalationError("a certificate was signed by the key that it certifies")
    if (issued.roles | issued.grants) & ~issuer.grants:
        raise EscalationError(
            f"{issued.name or 'an invite'!r} was given {_roles_text(issued.roles | issued.grants)}, "
            f"but whoever signed may hand out {_roles_text(issuer.grants)}"
        )
    within = (
        issuer.not_before_s <= issued.not_before_s <= issuer.admits_until_s
        and issued.not_after_s <= issuer.not_after_s
        and issued.not_after_s - issued.not_before_s <= issuer.lasts_s
        and issued.admits_until_s <= issuer.admits_until_s
        and issued.lasts_s <= issuer.lasts_s
    )
    if not within:
        raise EscalationError(f"{issued.name or 'an invite'!r} was given a longer time than its issuer may give")


def _roles_text(roles: int) -> str:
    return (Role(roles).name or "no role").lower()
