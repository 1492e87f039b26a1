"""Enrolment: which cluster a node belongs to when it starts, and with what credential it knocks.

A home without a cluster founds one, or takes up an invitation; a home with one stays in it. All three end in the same
thing: an authority's public key and a credential.
"""

import os

from pnode.protocol.certificate import CannotIssueError, Issuer, certify, found
from pnode.protocol.codec import encode
from pnode.protocol.crypto import SEED_BYTES, Crypto
from pnode.protocol.ids import NodeId, cluster_id
from pnode.protocol.record import Address
from pnode.protocol.token import Token, make_token, parse_token, readdress
from pnode.protocol.values import dataclass, replace

from .identity import Cluster, Identity

SECRET_BYTES = 16
"""Of an invitation: enough that nobody guesses it before it expires."""


class EnrolmentError(Exception):
    """A node cannot be part of the cluster it was started for; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Where a node belongs."""

    cluster: Cluster
    seeds: tuple[Address, ...]
    """Addresses of members that came with the invitation."""
    founded: bool
    """Whether this very start has founded the cluster."""


def enrol(
    identity: Identity,
    crypto: Crypto,
    name: str,
    token_text: str | None,
    now: float,
    *,
    admitted: bool,
    was_admitted: bool = True,
    seeds: bool = False,
) -> Enrolment:
    """Found a cluster, accept an invitation, or come back. Raises EnrolmentError, HomeError or TokenError.

    `admitted` tells whether an earlier run of this home was admitted and still is: then a token only adds addresses,
    and is passed on to others in place of the one that the home came with, if it lets them in for longer.
    `was_admitted` tells whether any was, at any time: a home that nobody has let in may try another cluster.
    `seeds` tells whether somebody has named members' addresses: who does that does not mean to found a cluster.
    """
    cluster = identity.cluster()
    if token_text is not None and cluster is not None and not (cluster.authority_seed or was_admitted):
        cluster = None
    if seeds and token_text is None and cluster is None:
        raise EnrolmentError(
            "this machine is in no cluster yet: an address alone lets nobody in; run the line with --token that "
            "'pnode token' prints on a member"
        )
    if token_text is not None:
        return _accept(identity, crypto, name, cluster, parse_token(crypto, token_text), now, admitted=admitted)
    if cluster is not None:
        return Enrolment(cluster, _seeds(crypto, cluster), founded=False)
    return _found(identity, crypto, name, now)


def invite(crypto: Crypto, cluster: Cluster, addresses: tuple[Address, ...], hours: float, now: float) -> Token:
    """An invitation to a cluster: a new one at the founder, the one it came with at any other member, with addresses
    at which somebody listens now.

    Raises EnrolmentError if a member's own has run out.
    """
    if cluster.authority_seed:
        issuer = Issuer(cluster.authority_key, cluster.authority_seed)
        return make_token(crypto, issuer, os.urandom(SECRET_BYTES), addresses, now, admits_s=round(hours * 3600))
    if not cluster.token:
        raise EnrolmentError("this node has no invitation to pass on: run 'pnode token' on the node that founded it")
    token = parse_token(crypto, cluster.token)
    if token.invite.admits_until_s <= now:
        raise EnrolmentError("the invitation has run out: run 'pnode token' on the node that founded the cluster")
    return readdress(crypto, token, addresses)


def _found(identity: Identity, crypto: Crypto, name: str, now: float) -> Enrolment:
    authority_seed = os.urandom(SEED_BYTES)
    credential = encode(found(crypto, authority_seed, identity.seed(), name, now))
    cluster = Cluster(crypto.public_key(authority_seed), credential, "", authority_seed)
    identity.save_cluster(cluster)
    return Enrolment(cluster, (), founded=True)


def _accept(
    identity: Identity,
    crypto: Crypto,
    name: str,
    cluster: Cluster | None,
    token: Token,
    now: float,
    *,
    admitted: bool,
) -> Enrolment:
    if cluster is not None and cluster.authority_key != token.authority:
        ours, theirs = cluster_id(cluster.authority_key).hex()[:8], token.cluster.hex()[:8]
        raise EnrolmentError(
            f"this home belongs to cluster {ours}, the token is for cluster {theirs}: start without --token, "
            "or give a new home with --home"
        )
    if cluster is not None and (cluster.authority_seed or admitted):
        if not cluster.authority_seed and _admits_until_s(crypto, cluster) < token.invite.admits_until_s:
            cluster = replace(cluster, token=token.text)
            identity.save_cluster(cluster)
        return Enrolment(cluster, token.addresses, founded=False)
    token.check(now)
    node = NodeId(crypto.public_key(identity.seed()))
    try:
        credential = encode(certify(crypto, token.issuer, node, name, now))
    except (CannotIssueError, ValueError) as error:
        raise EnrolmentError(f"the invitation cannot be accepted: {error}") from None
    accepted = replace(cluster or Cluster(token.authority), credential=credential, token=token.text)
    identity.save_cluster(accepted)
    return Enrolment(accepted, token.addresses, founded=False)


def _seeds(crypto: Crypto, cluster: Cluster) -> tuple[Address, ...]:
    """The addresses in the token that this home was enrolled with: better than nothing when all peers have moved."""
    return parse_token(crypto, cluster.token).addresses if cluster.token else ()


def _admits_until_s(crypto: Crypto, cluster: Cluster) -> float:
    """For how long the token that this home would pass on lets others in."""
    return parse_token(crypto, cluster.token).invite.admits_until_s if cluster.token else 0.0
