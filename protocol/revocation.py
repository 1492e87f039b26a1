"""Revocations: which keys are no longer believed, whatever their certificates say.

The authority and every admin may sign lists of keys. What is revoked is the union of all lists, a set that only
grows, so nodes that have heard the same lists believe the same whatever the order, and two admins who revoke at the
same time on the two sides of a partition need not agree on anything. An author's next list repeats its earlier ones,
which makes those superfluous; only what no other list of the same author covers is kept and passed on. Numbered
versions were not used: a set needs none, and two lists with the same number would divide the cluster for good.

A node's key is struck with everything that was ever certified with it, since whoever has it can write any date. An
invite's key is struck from the moment of its revocation on: a token that got into wrong hands is worth no more, and
those who were admitted with it before stay (see `trust` for why that moment can be believed).

One rule stands above the union: an admin whom the authority revokes takes its lists along, since whoever stole an
admin's key may have revoked everybody with it. Between admins there is no such rule; otherwise two of them could
revoke each other in turns. Except for that a revoked key never comes back: somebody revoked by mistake joins with a
new key.
"""

from collections.abc import Iterable
from typing import Annotated

from .certificate import Certificate, Instant
from .codec import Bytes32, Length
from .errors import LocalProtocolError, RemoteProtocolError
from .signed import Signed
from .values import dataclass

REVOKED_MAX = 1024
"""Keys on one list: 42 KiB, which fits a control frame. A quota for each author, so that a stolen admin key cannot
use up the authority's."""

LISTS_MAX = 4
"""Lists of one author; more than one only if a key signed at two places that had not heard from each other."""

AUTHORS_MAX = 32
"""Admins whose lists are kept. The authority's always are, and it can make room by revoking admins."""


class TooManyRevocationsError(RemoteProtocolError):
    """No room for another list: the authority has to revoke an admin before this can be heard."""


class ListFullError(LocalProtocolError):
    """This author has revoked all that one author can."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """The body of a Signed of Kind.REVOCATION."""

    entries: Annotated[tuple[tuple[Bytes32, Instant], ...], Length(1, REVOKED_MAX)]
    """Keys, and since when each is revoked."""


@dataclass(frozen=True, slots=True)
class _Heard:
    signed: Signed
    since_s: dict[bytes, int]
    rests_on: tuple[bytes, ...]
    """The keys that give the author its right to revoke; none for the authority."""


class Revocations:
    """All lists that count. Signatures and the right to revoke are the caller's to check."""

    def __init__(self, authority: bytes) -> None:
        self._authority = authority
        self._lists: dict[bytes, tuple[_Heard, ...]] = {}
        self._since_s: dict[bytes, int] = {}

    @property
    def lists(self) -> tuple[Signed, ...]:
        """Everything that a newcomer needs to hear."""
        return tuple([heard.signed for lists in self._lists.values() for heard in lists])

    def strikes(self, chain: tuple[Certificate, ...], admitted_at_s: int | None) -> Certificate | None:
        """The certificate whose revocation takes the whole chain along, if there is one."""
        for certificate in chain:
            since_s = self._since_s.get(certificate.subject)
            if since_s is None:
                continue
            if not certificate.is_invite or admitted_at_s is None or admitted_at_s >= since_s:
                return certificate
        return None

    def hear(self, signed: Signed, revocation: Revocation, rests_on: tuple[bytes, ...]) -> bool:
        """Take over a list; returns whether it was news. Raises TooManyRevocationsError."""
        before = self._lists.get(signed.author, ())
        new = _Heard(signed, dict(revocation.entries), rests_on)
        if any(new.since_s.keys() <= heard.since_s.keys() for heard in before):
            return False
        kept = [heard for heard in before if not heard.since_s.keys() <= new.since_s.keys()]
        admins = len(self._lists) - (self._authority in self._lists)
        if len(kept) >= LISTS_MAX or (not before and signed.author != self._authority and admins >= AUTHORS_MAX):
            raise TooManyRevocationsError("there is no room for another list of revoked keys")
        self._lists[signed.author] = (*kept, new)
        self._count()
        return True

    def next(self, author: bytes, keys: tuple[bytes, ...], now: float) -> Revocation:
        """The list that the author has to sign in order to revoke these keys too. Raises ListFullError."""
        merged = _union(self._lists.get(author, ()))
        for key in keys:
            merged.setdefault(key, int(now))
        if len(merged) > REVOKED_MAX:
            raise ListFullError(f"one admin can revoke at most {REVOKED_MAX} keys; let another admin revoke this one")
        return Revocation(tuple(merged.items()))

    def _count(self) -> None:
        """Drop the lists of those whom the authority revoked, then unite the rest."""
        banned = _union(self._lists.get(self._authority, ()))
        self._lists = {
            author: lists
            for author, lists in self._lists.items()
            if not any(key in banned for heard in lists for key in heard.rests_on)
        }
        self._since_s = _union([heard for lists in self._lists.values() for heard in lists])


def _union(lists: Iterable[_Heard]) -> dict[bytes, int]:
    """The earliest moment counts."""
    since_s: dict[bytes, int] = {}
    for heard in lists:
        for key, at_s in heard.since_s.items():
            since_s[key] = min(at_s, since_s.get(key, at_s))
    return since_s
