"""Lineage: the members that a node believes in, each with the path that leads to it from the authority.

A path is what a stranger has to be shown: somebody whom the authority certified, whom that one witnessed, and so on.
Believing somebody and being able to show why are two things: who was established stays believed when somebody on its
path runs out or is revoked later, and is an orphan until another member vouches for it (see `trust`).
"""

from collections.abc import Iterator
from math import inf

from .certificate import TrustError
from .claim import Claim
from .ids import NodeId
from .revocation import Revocations
from .values import dataclass

MEMBERS_MAX = 4096
"""As for the table of members (reference: membership.md 4.8)."""

PATH_MAX = 64
"""Credentials on a path; that many fit one control frame. When newcomers pick random members as their witnesses, the
longest path among n is about e ln n, which is 23 for a full table."""


class TableFullError(TrustError):
    """It belongs here, but we know as many members as we can."""


@dataclass(frozen=True, slots=True)
class Member:
    """A claim that was established, with the witness as it stood then, so that following witnesses never goes round
    in a circle even after they renewed their certificates through each other."""

    claim: Claim
    witness: "Member | None"
    depth: int
    """Credentials on its path, its own included."""

    @property
    def ends_s(self) -> int:
        return self.claim.own.not_after_s

    def path(self) -> "list[Member]":
        """From itself up to a node certified by the authority."""
        members = [self]
        while members[-1].witness is not None:
            members.append(members[-1].witness)
        return members


class Lineage:
    """The table of those believed. Whether a claim deserves to be in it is for the caller to say."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations
        self._members: dict[NodeId, Member] = {}
        self._rootless: dict[NodeId, None] = {}
        """Members recalled whose witness has not turned up again yet; they have no path until then."""

    def __iter__(self) -> Iterator[NodeId]:
        return iter(sorted(self._members))

    def get(self, node: NodeId) -> Member | None:
        """Somebody in the table, who may have run out meanwhile."""
        return self._members.get(node)

    def member(self, node: NodeId | None, now: float) -> Member | None:
        """Somebody in good standing."""
        member = None if node is None else self._members.get(node)
        return member if member is not None and member.claim.own.covers(now) else None

    def voice(self, node: NodeId | None, now: float) -> Member | None:
        """Somebody whose word counts: in good standing, and with room for one more below it."""
        member = self.member(node, now)
        return member if member is not None and member.depth < PATH_MAX else None

    def path(self, node: NodeId) -> list[Claim]:
        """From the authority's side down to somebody in the table; empty for others."""
        member = self._members.get(node)
        return [] if member is None else [link.claim for link in reversed(member.path())]

    def remember(self, claim: Claim, now: float) -> None:
        """Take in an established claim, unless what is there says more. Raises TableFullError."""
        witness = None if claim.direct else self.voice(claim.witness, now)
        member = Member(claim, witness, 1 if witness is None else witness.depth + 1)
        old = self.member(claim.node, now)
        if old is None or self._is_better(member, old):
            self._put(member, now)

    def recall(self, claim: Claim, now: float) -> None:
        """Take in a claim that was established before this node started, by whomever. Raises TableFullError."""
        self._put(Member(claim, None, 1), now)
        self._rootless[claim.node] = None

    def reunite(self, now: float) -> None:
        """Give those recalled without a path the one that leads through their witness, where it is known by now."""
        before = -1
        while before != len(self._rootless):
            before = len(self._rootless)
            for node in tuple(self._rootless):
                member = self.member(node, now)
                if member is not None:
                    self.remember(member.claim, now)
                if member is None or self._members[node].witness is not None:
                    del self._rootless[node]

    def forget_ended(self, now: float) -> None:
        self._members = {node: member for node, member in self._members.items() if member.claim.own.covers(now)}

    def forget_revoked(self) -> None:
        self._members = {node: member for node, member in self._members.items() if not self._is_revoked(member)}

    def path_ends_s(self, member: Member) -> float:
        """Until when a stranger can follow the path to a member; minus infinity if it cannot even now."""
        path = member.path()
        if not path[-1].claim.direct or any(self._is_revoked(link) for link in path):
            return -inf
        return min(link.ends_s for link in path)

    def orphans(self, before_s: float) -> list[Member]:
        """Those whose path ends before that moment and before they do themselves."""
        return [old for old in self._members.values() if self.path_ends_s(old) < min(old.ends_s, before_s)]

    def _is_better(self, new: Member, old: Member) -> bool:
        """A newer certificate, or a path that holds longer to the same one, or a shorter path that holds as long."""
        if new.claim.digest != old.claim.digest:
            return new.claim.own.not_before_s >= old.claim.own.not_before_s
        return (self.path_ends_s(new), -new.depth) > (self.path_ends_s(old), -old.depth)

    def _is_revoked(self, member: Member) -> bool:
        return self._revocations.strikes(member.claim.chain, member.claim.admitted_at_s) is not None

    def _put(self, member: Member, now: float) -> None:
        if member.claim.node not in self._members and len(self._members) >= MEMBERS_MAX:
            self.forget_ended(now)
            if len(self._members) >= MEMBERS_MAX:
                raise TableFullError(
                    f"{MEMBERS_MAX} members are known here already, which is as many as there can be"
                )
        self._members[member.claim.node] = member
