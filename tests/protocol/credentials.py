"""People with keys, for tests about who belongs to a cluster. A name stands for its seed: every run is the same."""

import hashlib

from pnode.protocol.certificate import (
    Admission,
    Certificate,
    Credential,
    Issuer,
    certificate_digest,
    certify,
    found,
    invite,
    read_credential,
)
from pnode.protocol.codec import encode
from pnode.protocol.crypto import Sodium
from pnode.protocol.ids import NodeId, cluster_id
from pnode.protocol.signed import Kind, Signed, sign
from pnode.protocol.trust import Trust

CRYPTO = Sodium()
NOW = 1_800_000_000.0
MINUTE, HOUR, DAY, YEAR = 60, 3_600, 86_400, 365 * 86_400


def seed(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=32).digest()


def node(name: str) -> NodeId:
    return NodeId(CRYPTO.public_key(seed(name)))


AUTHORITY = Issuer(node("authority"), seed("authority"))
FOUNDING = found(CRYPTO, seed("authority"), seed("founder"), "founder", NOW)
FOUNDER = encode(FOUNDING)
ADMIN = Issuer(node("authority"), seed("founder"), FOUNDING.chain)
INVITE = invite(CRYPTO, AUTHORITY, seed("invite"), NOW)
"""Open for a day, for nodes that may stay for a year."""


def invited(name: str, issuer: Issuer = INVITE, now: float = NOW) -> bytes:
    """The credential of somebody who used an invitation and has not been admitted yet."""
    return encode(certify(CRYPTO, issuer, node(name), name, now))


def forged(issuer: Issuer, *certificates: Certificate) -> bytes:
    """A credential with whatever the issuer cares to sign, rules or no rules."""
    return encode(Credential((*issuer.chain, *(_signed(issuer, certificate) for certificate in certificates))))


def _signed(issuer: Issuer, certificate: Certificate) -> Signed:
    return sign(CRYPTO, issuer.seed, Kind.CERTIFICATE, cluster_id(issuer.authority), certificate)


def vouched(credential: bytes, witness: str, now: float) -> bytes:
    """With an admission by anybody at all, who asks no questions."""
    chain = read_credential(credential).chain
    admission = Admission(certificate_digest(chain[-1]), int(now))
    return encode(
        Credential(chain, sign(CRYPTO, seed(witness), Kind.ADMISSION, cluster_id(node("authority")), admission))
    )


def stranger() -> Trust:
    """Somebody who knows nothing but the authority's key."""
    return Trust(CRYPTO, node("authority"))


def member(*names: str, now: float = NOW) -> Trust:
    """The beliefs of a member that admitted these, by the founder's key."""
    trust = stranger()
    trust.learn(node("founder"), FOUNDER, now)
    for name in names:
        trust.witness(node(name), invited(name, now=now), now, seed("founder"))
    return trust


def credential_of(trust: Trust, name: str) -> bytes:
    return trust.path(node(name))[-1][1]
