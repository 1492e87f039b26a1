"""Tokens: an invitation to a cluster as one word that a person can paste into a shell.

    pnode1-<base64url of: length, 2 bytes | check of the length, 1 | body | check of all before, 4>

The body holds the authority's public key, which pins the cluster; the secret of an invite and the certificates that
make it one (see `certificate`), which prove the invitation; and addresses of members, which are only hints where to
dial. People see tokens cut in half by a terminal and misread by a mail program far more often than forged, so
length and checks come first and each mishap has a message of its own. A forged token fails at its signatures.

Every character counts when it is copied, so nothing is sent that can be derived: the invite's key follows from 16
secret bytes; the keys that sign and the key that is certified follow from each other; addresses are binary. A token
made with the authority key and with one address has about 230 characters, one made by an admin about 410.

A token is a secret until the invite has run out: messages never repeat any of it, and neither does `repr`.
"""

import base64
import hashlib
import ipaddress
import re
from functools import partial
from itertools import groupby
from typing import Annotated

from .certificate import (
    CHAIN_MAX,
    INVITE_VALIDITY_S,
    MEMBER_ROLES,
    NODE_VALIDITY_S,
    TOLERANCE_S,
    Certificate,
    Issuer,
    TrustError,
    check_chain,
    instant_text,
    invite,
    read_certificate,
    span_text,
)
from .codec import Bytes16, Bytes32, Bytes64, Length, MalformedError, Range, decode, encode
from .crypto import SEED_BYTES, Crypto
from .errors import RemoteProtocolError
from .ids import ClusterId, cluster_id
from .record import ADDRESSES_MAX, Address, Role
from .signed import Signed
from .values import dataclass, field, replace

FORMAT = 1
"""The number in `pnode1-`; it changes when older versions could no longer read the body."""

_PREFIX = f"pnode{FORMAT}-"
_SHAPE = re.compile(r"pnode([0-9]{1,4})-(.*)")
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
_HEAD_BYTES = 3
_CHECK_BYTES = 4
"""One mistyped token in four thousand million passes, and fails at its signatures then."""

_SUBJECT_AT = 1
_SUBJECT_HEAD = b"\xc4\x20"
"""Where and how the subject's key stands in an encoded certificate: first in its array, as 32 bytes."""


class TokenError(RemoteProtocolError):
    """A token is of no use; the message is one line that says why and what to do."""


class NotATokenError(TokenError):
    """Something else was given in a token's place."""


class NewerTokenError(TokenError):
    """A later version of pnode made it."""


class CutTokenError(TokenError):
    """Its end is missing."""


class MistypedTokenError(TokenError):
    """It is not as it was printed."""


class ForgedTokenError(TokenError):
    """It is as it was printed, but whoever printed it had no right to invite, or is no pnode."""


class TokenExpiredError(TokenError):
    """It was used too late."""


class TokenNotYetValidError(TokenError):
    """It was made in our future: this machine's clock is wrong."""


@dataclass(frozen=True, slots=True)
class Token:
    """An invitation whose signatures fit; its time may be over (see `check`)."""

    issuer: Issuer
    """Signs the newcomer's certificate, see `certificate.certify`."""
    invite: Certificate
    addresses: tuple[Address, ...]
    text: str = field(repr=False)

    @property
    def authority(self) -> bytes:
        return self.issuer.authority

    @property
    def cluster(self) -> ClusterId:
        return cluster_id(self.authority)

    def check(self, now: float) -> None:
        """Raises TokenExpiredError or TokenNotYetValidError by this machine's clock; a member's has the last word."""
        over_s = now - self.invite.admits_until_s
        if over_s > TOLERANCE_S:
            raise TokenExpiredError(
                f"the token ran out {span_text(over_s)} ago, at {instant_text(self.invite.admits_until_s)}; "
                "run 'pnode token' on a member for a new one (if that cannot be, compare 'date -u' on both)"
            )
        early_s = self.invite.not_before_s - now
        if early_s > TOLERANCE_S:
            raise TokenNotYetValidError(
                f"this machine's clock seems wrong by about {span_text(early_s)}: it is {instant_text(now)} here, "
                f"but the token was made at {instant_text(self.invite.not_before_s)}; compare 'date -u' with a "
                "member's and set the clock"
            )


@dataclass(frozen=True, slots=True)
class _Link:
    """A certificate without what follows from its neighbours: its author, and in the last one the subject."""

    signature: Bytes64
    body: Annotated[bytes, Length(1, 255)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Hosts with the same port; see `_packed` for how they are written."""

    port: Annotated[int, Range(1, 65535)]
    hosts: Annotated[tuple[Annotated[bytes, Length(1, 257)], ...], Length(1, ADDRESSES_MAX)]


@dataclass(frozen=True, slots=True)
class _Body:
    authority: Bytes32
    secret: Bytes16
    links: Annotated[tuple[_Link, ...], Length(1, CHAIN_MAX - 1)]
    places: Annotated[tuple[_Place, ...], Length(0, ADDRESSES_MAX)]


def make_token(
    crypto: Crypto,
    issuer: Issuer,
    secret: bytes,
    addresses: tuple[Address, ...],
    now: float,
    *,
    grants: Role = MEMBER_ROLES,
    admits_s: int = INVITE_VALIDITY_S,
    lasts_s: int = NODE_VALIDITY_S,
) -> Token:
    """Invite others with 16 fresh secret bytes; `addresses` are those of members, the best first.

    The authority as issuer gives the shortest token. Raises CannotIssueError if the issuer may not invite.
    """
    guest = invite(crypto, issuer, _seed(secret), now, grants=grants, admits_s=admits_s, lasts_s=lasts_s)
    links = [_Link(signed.signature, signed.body) for signed in guest.chain]
    links[-1] = _Link(links[-1].signature, _without_subject(links[-1].body))
    text = _armoured(encode(_Body(issuer.authority, secret, tuple(links), _places(addresses[:ADDRESSES_MAX]))))
    return parse_token(crypto, text)


def parse_token(crypto: Crypto, text: str) -> Token:
    """Read and verify what a person gave as a token, line breaks included. Raises a TokenError; ignores time."""
    try:
        word = "".join(text.split())
        body = decode(_Body, _bared(word))
        chain = _chain(crypto, body)
        read = partial(read_certificate, crypto, cluster_id(body.authority))
        certificate = check_chain(body.authority, chain, read)[-1]
        addresses = tuple([Address(_host(packed), place.port) for place in body.places for packed in place.hosts])
    except (MalformedError, TrustError) as error:
        raise ForgedTokenError(f"the token is complete but not genuine: {error}; ask for another one") from None
    if not certificate.is_invite or len(addresses) > ADDRESSES_MAX:
        raise ForgedTokenError("the token is complete but is no invitation; ask for another one")
    return Token(Issuer(body.authority, _seed(body.secret), chain), certificate, addresses, word)


def readdress(crypto: Crypto, token: Token, addresses: tuple[Address, ...]) -> Token:
    """The same invitation with other addresses, which no signature covers: a member may know better ones."""
    body = decode(_Body, _bared(token.text))
    return parse_token(crypto, _armoured(encode(replace(body, places=_places(addresses[:ADDRESSES_MAX])))))


def _seed(secret: bytes) -> bytes:
    """The invite's key from half as many secret bytes; 128 bits are as hard to guess as an Ed25519 key."""
    return hashlib.blake2b(secret, digest_size=SEED_BYTES, person=b"pnode-invite").digest()


def _chain(crypto: Crypto, body: _Body) -> tuple[Signed, ...]:
    """Put back what was left out. Raises MalformedError."""
    guest = crypto.public_key(_seed(body.secret))
    bodies = [link.body for link in body.links]
    bodies[-1] = bodies[-1][:_SUBJECT_AT] + _SUBJECT_HEAD + guest + bodies[-1][_SUBJECT_AT:]
    authors = [body.authority, *(decode(Certificate, above).subject for above in bodies[:-1])]
    return tuple(
        [
            Signed(author, link.signature, whole)
            for author, link, whole in zip(authors, body.links, bodies, strict=True)
        ]
    )


def _without_subject(body: bytes) -> bytes:
    return body[:_SUBJECT_AT] + body[_SUBJECT_AT + len(_SUBJECT_HEAD) + 32 :]


def _armoured(body: bytes) -> str:
    """Bytes as a word that tells when it was damaged."""
    length = len(body).to_bytes(2, "big")
    whole = length + _check(length, 1) + body
    return _PREFIX + base64.urlsafe_b64encode(whole + _check(whole, _CHECK_BYTES)).decode().rstrip("=")


def _bared(word: str) -> bytes:
    """The body inside of a word. Raises the TokenError that fits the damage."""
    letters = _letters(word)
    head = base64.urlsafe_b64decode(letters[:4]) if len(letters) >= 4 else b""
    if head and _check(head[:2], 1) != head[2:]:
        raise MistypedTokenError("the token is mistyped near its beginning; copy the whole word once more")
    size = _HEAD_BYTES + int.from_bytes(head[:2], "big") + _CHECK_BYTES
    wanted = -(-size * 4 // 3)  # base64 without padding, rounded up
    if not head or len(letters) < wanted:
        found = f"{len(word)} of its {len(_PREFIX) + wanted}" if head else f"only {len(word)}"
        raise CutTokenError(f"the token is cut short: {found} characters are here; copy the whole word")
    if len(letters) > wanted:
        raise MistypedTokenError(f"the token is too long by {len(letters) - wanted}; copy that word alone")
    whole = base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
    # The last letter may have bits to spare, so that only encoding again shows that it was changed.
    if (
        _check(whole[:-_CHECK_BYTES], _CHECK_BYTES) != whole[-_CHECK_BYTES:]
        or _armoured(whole[_HEAD_BYTES:-_CHECK_BYTES]) != word
    ):
        raise MistypedTokenError("the token is mistyped; copy the whole word once more")
    return whole[_HEAD_BYTES:-_CHECK_BYTES]


def _letters(word: str) -> str:
    """What follows the prefix, all of it letters that a token may have."""
    if word and _PREFIX.startswith(word):
        raise CutTokenError("the token is cut short: only its beginning is here; copy the whole word")
    shape = _SHAPE.fullmatch(word)
    if shape is None:
        raise NotATokenError(f"that is no token: tokens begin with {_PREFIX}; 'pnode token' on a member makes one")
    if int(shape[1]) != FORMAT:
        raise NewerTokenError(
            f"the token has format {int(shape[1])} and this pnode reads format {FORMAT}; "
            "install the version of pnode that made it"
        )
    strange = _STRANGE.search(shape[2])
    if strange is not None:
        raise MistypedTokenError(
            f"the token is mistyped: no token has a {strange[0]!a} in it; copy the whole word once more"
        )
    return shape[2]


def _check(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size, person=b"pnode-token").digest()


def _places(addresses: tuple[Address, ...]) -> tuple[_Place, ...]:
    """A node has one port, so neighbours in the list share it."""
    return tuple(
        [
            _Place(port, tuple([_packed(address.host) for address in group]))
            for port, group in groupby(addresses, lambda address: address.port)
        ]
    )


def _packed(host: str) -> bytes:
    """4 or 16 bytes for an IP address; any other host as text, filled up with NULs to some other length."""
    try:
        packed = ipaddress.ip_address(host).packed
    except ValueError:
        packed = b""
    if packed and str(ipaddress.ip_address(packed)) == host:  # unlike `fe80::1%eth0`, which names an interface too
        return packed
    text = host.encode()
    while len(text) in (4, 16):
        text += b"\0"
    return text


def _host(packed: bytes) -> str:
    """Raises MalformedError."""
    if len(packed) in (4, 16):
        return str(ipaddress.ip_address(packed))
    try:
        host = packed.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        host = ""
    if not host.isprintable() or not host:
        raise MalformedError("an address has no host")
    return host
