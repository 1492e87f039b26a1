"""Claims: what a credential proves by itself, whoever else is believed.

That is everything but the witness: the chain leads down from the authority to the node that shows it, nobody in it
was revoked, it is valid now, and the admission, if there is one, is for this certificate and came while the invite
was open. Whether the witness counts is left to `trust`.
"""

from typing import TypeVar

from .certificate import (
    Admission,
    Certificate,
    EscalationError,
    ForgedError,
    TrustError,
    certificate_digest,
    check_admission,
    check_chain,
    check_times,
    read_credential,
)
from .codec import MalformedError, decode
from .crypto import Crypto
from .ids import ClusterId, NodeId, cluster_id, node_text
from .revocation import Revocations
from .signed import BadSignatureError, Kind, Signed, verify
from .values import dataclass

T = TypeVar("T")

SIGNATURES_MAX = 8192
"""Verified certificates and admissions that are remembered: one of each for a full table of members."""


class WrongSubjectError(TrustError):
    """It is somebody else's: the other side shows what it has seen, or the wrong node answered."""


class RevokedError(TrustError):
    """Its key, or one above it, was revoked: hang up, and forget its work."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A credential of which everything is proven that can be proven alone."""

    node: NodeId
    credential: bytes
    chain: tuple[Certificate, ...]
    digest: bytes
    """Names the node's own certificate."""
    admitted_at_s: int | None
    witness: NodeId | None
    """Whoever signed the admission, a member or not; None without one."""

    @property
    def own(self) -> Certificate:
        return self.chain[-1]

    @property
    def direct(self) -> bool:
        """Certified by the authority itself."""
        return len(self.chain) == 1


class Claims:
    """Reads credentials and verifies each signature in them once, the least recently used forgotten first."""

    def __init__(self, crypto: Crypto, authority: bytes, revocations: Revocations) -> None:
        self._crypto = crypto
        self._authority = authority
        self._cluster: ClusterId = cluster_id(authority)
        self._revocations = revocations
        self._verified: dict[tuple[Kind, Signed], object] = {}

    def read(self, node: NodeId, credential: bytes, now: float) -> Claim:
        """The claim that `node` makes by showing a credential. Raises a TrustError."""
        shown = read_credential(credential)
        chain = check_chain(self._authority, shown.chain, self._certificate)
        own = chain[-1]
        if own.subject != node:
            raise WrongSubjectError(f"the certificate is that of {_who(own)}, but {node_text(node)} shows it")
        if own.is_invite:
            raise EscalationError(f"{node_text(node)} shows an invite's certificate as if it were a node's")
        check_times(own, now)
        digest = certificate_digest(shown.chain[-1])
        admitted_at_s = None if shown.admission is None else self._admitted_at_s(shown.admission, node, digest)
        self._check_revoked(chain, admitted_at_s)
        if admitted_at_s is not None:
            check_admission(chain, admitted_at_s)
        witness = None if shown.admission is None else NodeId(shown.admission.author)
        return Claim(node, credential, chain, digest, admitted_at_s, witness)

    def _check_revoked(self, chain: tuple[Certificate, ...], admitted_at_s: int | None) -> None:
        struck = self._revocations.strikes(chain, admitted_at_s)
        if struck is None:
            return
        if struck.is_invite:
            raise RevokedError(f"the invitation of {_who(chain[-1])} was withdrawn; it needs another token")
        what = "its key" if struck is chain[-1] else f"the key of {_who(struck)}, which let it in,"
        raise RevokedError(f"{_who(chain[-1])} is no longer believed: {what} was revoked; join anew with another key")

    def _admitted_at_s(self, signed: Signed, node: NodeId, digest: bytes) -> int:
        """When the author of an admission says that it saw the certificate with that digest."""
        try:
            admission = self._verify(Kind.ADMISSION, Admission, signed)
        except (BadSignatureError, MalformedError) as error:
            raise ForgedError(f"an admission is not genuine: {error}") from None
        if admission.certificate != digest or signed.author == node:
            raise ForgedError("an admission is for another certificate, or its subject's own word")
        return admission.admitted_at_s

    def _certificate(self, signed: Signed) -> Certificate:
        return self._verify(Kind.CERTIFICATE, Certificate, signed)

    def _verify(self, kind: Kind, wire_class: type[T], signed: Signed) -> T:
        """Raises BadSignatureError, MalformedError."""
        value = self._verified.pop((kind, signed), None)
        if not isinstance(value, wire_class):
            verify(self._crypto, signed, kind, self._cluster)
            value = decode(wire_class, signed.body)
            if len(self._verified) >= SIGNATURES_MAX:
                del self._verified[next(iter(self._verified))]
        self._verified[kind, signed] = value  # last in order: most recently used
        return value


def _who(certificate: Certificate) -> str:
    return f"{certificate.name!r} ({node_text(NodeId(certificate.subject))})"
