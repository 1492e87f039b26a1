"""Trust: whom a node believes to be a member, and why it can.

A chain of certificates (see `certificate`) proves who handed what to whom, but not when: every date in it was
written by whoever signed. That matters because of invites. An invite's key travels in a token through chats and
shell histories, and its certificate has to outlive its admission period by as long as the nodes under it may last.
Whoever finds the token a month later can sign a node certificate with it and date it back to the day on which the
invite was open, and no reader of that chain can tell. Asking a server would answer it; there is none.

Hence *admissions*. A newcomer shows its chain to any living member. The member looks at its own clock, and if the
invite is still open, signs one short statement: I saw this certificate then. The newcomer carries the statement
with its chain from then on. A chain of more than one certificate counts only with the admission of a *witness*
which the reader already believes to be a member in good standing; a chain of one comes straight from the authority
and needs none, so belief has somewhere to begin. Starting from those, a stranger with nothing but the authority's
key can follow a *path* (founder, whom the founder witnessed, whom that one witnessed ...) and establish the whole
cluster offline, in whatever order the credentials arrive.

What an admission protects against: a token that was found or sold after its time, since no honest member will
countersign it, and one that was found in its time, from the moment on when somebody revokes its key; a newcomer
with a wrong clock, since only the witness's counts; an admission moved to another certificate, since it names one
by its digest. What it does not protect against: whoever uses the token while it is open, which is what tokens are
for; a *member* that keeps its token and vouches for back-dated keys, since its word is what we go by. Such a member
could work under its own name anyway. When it is found out, revoking it shuts that door: nothing that it witnesses
counts any longer, so it cannot come back under a new name. Whom it let in before is told by the admission that each
carries, and is revoked by name. Nor does it replace revocation: a stolen node key is good until it is revoked or
runs out, and so is everything certified by it.

A witness counts as long as it is in good standing itself. One that runs out or is revoked would leave those whom it
admitted without a path, although they did nothing wrong: those who know them still believe them, strangers could
not. They are *orphans*, and any member with a sound path adopts them: it vouches for the same certificate with the
original date, because it knows, and from then on gives strangers that path. So a witness may go and its word stays.
"""

from collections.abc import Iterable

from .certificate import (
    Admission,
    Credential,
    EscalationError,
    ForgedError,
    TrustError,
    check_admission,
    read_credential,
)
from .claim import Claim, Claims
from .codec import MalformedError, decode, encode
from .crypto import Crypto
from .ids import NodeId, cluster_id, node_text
from .lineage import Lineage, TableFullError
from .record import Role
from .revocation import Revocation, Revocations
from .signed import BadSignatureError, Kind, Signed, sign, verify
from .values import dataclass

Shown = tuple[NodeId, bytes]
"""A node and the credential that it shows, encoded."""

Refused = list[tuple[NodeId, TrustError]]
"""Who was not believed, and why."""

ADOPTION_AHEAD_S = 30 * 86_400
"""Orphans are adopted that long before their path ends, since those with a better one may be away for a while."""


class NotAdmittedError(TrustError):
    """Genuine, but nobody known here has witnessed it: ask for its path, or witness it."""


class CannotVouchError(TrustError):
    """We were asked to witness and have no standing that would help: whoever asked has to ask another member."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node may do, as proven by its credential."""

    node: NodeId
    name: str
    roles: Role
    not_after_s: int
    admitted: bool
    """False: it was invited, but its admission is missing or its witness is nobody known."""
    witness: NodeId | None
    """Who admitted it; None if the authority itself did or nobody has yet."""


class Trust:
    """One node's beliefs about who belongs to the cluster. Starts with the authority's key and nothing else."""

    def __init__(self, crypto: Crypto, authority: bytes) -> None:
        self.authority = authority
        self.cluster = cluster_id(authority)
        self._crypto = crypto
        self._revocations = Revocations(authority)
        self._claims = Claims(crypto, authority, self._revocations)
        self._lineage = Lineage(self._revocations)

    def check(self, node: NodeId, credential: bytes, now: float) -> Standing:
        """What the credential shown by `node` is worth now. Changes no belief.

        That `node` holds its key is for the caller to prove (handshake, signature). Raises a TrustError.
        """
        claim = self._claims.read(node, credential, now)
        return _standing(claim, self._is_admitted(claim, now))

    def learn(self, node: NodeId, credential: bytes, now: float) -> Standing:
        """Check, and remember the node if it is admitted. Raises a TrustError, TableFullError included."""
        claim = self._claims.read(node, credential, now)
        if not self._is_admitted(claim, now):
            return _standing(claim, admitted=False)
        self._lineage.remember(claim, now)
        self._lineage.reunite(now)
        return _standing(claim, admitted=True)

    def learn_many(self, shown: Iterable[Shown], now: float) -> Refused:
        """Learn a table whose nodes witnessed each other, in any order; returns whom it could not learn, and why."""
        refused, left = self._spread(shown, now)
        self._lineage.reunite(now)
        return refused + [(claim.node, _not_admitted(claim)) for claim in left]

    def recall(self, shown: Iterable[Shown], revocations: Iterable[Signed], now: float) -> Refused:
        """After a restart: take over what this very node had learnt and heard before, from its own disk.

        Unlike in `learn_many` an admission counts whoever witnessed it, and a list of revocations whoever signed it:
        both were checked when they came, and their authors may have gone since. Raises ForgedError for a damaged list
        rather than forget who was revoked.
        """
        refused, left = self._spread(shown, now)
        for claim in left:
            try:
                if claim.admitted_at_s is None:
                    raise _not_admitted(claim)
                self._lineage.recall(claim, now)
            except TrustError as error:
                refused.append((claim.node, error))
        for signed in revocations:
            self._hear(signed)
        return refused

    def witness(self, node: NodeId, credential: bytes, now: float, seed: bytes) -> bytes:
        """Admit a newcomer, or vouch again for somebody known: its credential with our admission, and learnt.

        `seed` is our node's key. Raises InviteOverError for a newcomer that comes too late, another TrustError for a
        credential that is wrong in itself, CannotVouchError if our own word would not help it.
        """
        me = NodeId(self._crypto.public_key(seed))
        self._must_be_able_to_vouch(me, node, now)
        claim = self._claims.read(node, credential, now)
        if claim.direct:
            self._lineage.remember(claim, now)
            return credential
        known = self._known(claim, now)
        if known is None or known.admitted_at_s is None:
            admission = Admission(claim.digest, int(now))
            check_admission(claim.chain, admission.admitted_at_s)
        else:
            admission = Admission(claim.digest, known.admitted_at_s)
        signed = sign(self._crypto, seed, Kind.ADMISSION, self.cluster, admission)
        vouched = encode(Credential(read_credential(credential).chain, signed))
        self.learn(node, vouched, now)
        return vouched

    def standing(self, node: NodeId) -> Standing | None:
        """What is believed of a node; None for strangers and the revoked. Mind `not_after_s`: those who have run out
        stay here until the next `upkeep`, although nothing else in this class relies on them any longer."""
        member = self._lineage.get(node)
        return None if member is None else _standing(member.claim, admitted=True)

    def known(self) -> list[NodeId]:
        """Everybody who has a standing, in ascending order."""
        return list(self._lineage)

    def upkeep(self, now: float, seed: bytes) -> list[NodeId]:
        """Forget who has run out, and adopt orphans; returns the adopted. `seed` is our node's key.

        To be called after a revocation was heard and every hour or so; cheap when there is nothing to do.
        """
        self._lineage.forget_ended(now)
        me = self._lineage.voice(NodeId(self._crypto.public_key(seed)), now)
        if me is None:
            return []
        ends_s = self._lineage.path_ends_s(me)
        if ends_s < now:
            return []
        orphans = [orphan.claim for orphan in self._lineage.orphans(min(now + ADOPTION_AHEAD_S, ends_s))]
        for claim in orphans:
            self.witness(claim.node, claim.credential, now, seed)
        return sorted(claim.node for claim in orphans)

    def path(self, node: NodeId) -> list[Shown]:
        """What a stranger needs to establish a member: at most `lineage.PATH_MAX` credentials, from one certified by
        the authority down to the node's own. Empty for a node that is not known."""
        return [(claim.node, claim.credential) for claim in self._lineage.path(node)]

    def paths(self) -> list[Shown]:
        """What a newcomer needs to establish everybody, each credential once."""
        return list(dict.fromkeys(shown for node in self._lineage for shown in self.path(node)))

    @property
    def revocations(self) -> tuple[Signed, ...]:
        """Every list that counts, for newcomers and for the disk."""
        return self._revocations.lists

    def revoke(self, nodes: Iterable[NodeId], now: float, seed: bytes) -> Signed:
        """Revoke keys of nodes or invites as the authority or as an admin, believed here at once; to be spread.

        Raises EscalationError or NotAdmittedError if the key of `seed` may not, ListFullError if it has revoked too
        many already.
        """
        author = self._crypto.public_key(seed)
        self._must_be_able_to_revoke(author, now)
        revocation = self._revocations.next(author, tuple(nodes), now)
        signed = sign(self._crypto, seed, Kind.REVOCATION, self.cluster, revocation)
        self._hear(signed)
        return signed

    def hear_revocation(self, signed: Signed, now: float) -> bool:
        """Believe a list of revoked keys; returns whether it was news, to be spread and acted on: sessions with and
        work for nodes that have no `standing` any more have to end.

        Raises NotAdmittedError if its author is unknown here (learn its path, then hear the list again),
        EscalationError if the author is no admin, ForgedError, or TooManyRevocationsError.
        """
        self._must_be_able_to_revoke(signed.author, now)
        return self._hear(signed)

    def _hear(self, signed: Signed) -> bool:
        try:
            verify(self._crypto, signed, Kind.REVOCATION, self.cluster)
            revocation = decode(Revocation, signed.body)
        except (BadSignatureError, MalformedError) as error:
            raise ForgedError(f"a list of revocations is not genuine: {error}") from None
        author = self._lineage.get(NodeId(signed.author))
        rests_on = () if author is None else tuple([certificate.subject for certificate in author.claim.chain])
        news = self._revocations.hear(signed, revocation, rests_on)
        self._lineage.forget_revoked()
        return news

    def _must_be_able_to_revoke(self, author: bytes, now: float) -> None:
        if author == self.authority:
            return
        member = self._lineage.member(NodeId(author), now)
        if member is None:
            raise NotAdmittedError(f"{node_text(NodeId(author))} revokes keys, but is no member known here")
        if not member.claim.own.roles & Role.ADMIN:
            raise EscalationError(
                f"{member.claim.own.name!r} revokes keys, but is no admin; do it on an admin's machine"
            )

    def _must_be_able_to_vouch(self, me: NodeId, node: NodeId, now: float) -> None:
        if node == me:
            raise CannotVouchError("a node cannot vouch for itself; another member has to")
        member = self._lineage.member(me, now)
        if member is None or self._lineage.path_ends_s(member) < now:
            raise CannotVouchError(
                "this node's own admission cannot be shown to strangers; join through another member"
            )
        if self._lineage.voice(me, now) is None:
            raise CannotVouchError(
                f"{member.depth} nodes admitted one another in a row; join through the founder instead"
            )

    def _is_admitted(self, claim: Claim, now: float) -> bool:
        """By the authority itself, because we know so already, or because its witness counts."""
        if claim.direct or self._known(claim, now) is not None:
            return True
        return self._lineage.voice(claim.witness, now) is not None

    def _known(self, claim: Claim, now: float) -> Claim | None:
        """The claim by which we believe in the same certificate already."""
        member = self._lineage.member(claim.node, now)
        return member.claim if member is not None and member.claim.digest == claim.digest else None

    def _spread(self, shown: Iterable[Shown], now: float) -> tuple[Refused, list[Claim]]:
        """Verify every credential once, then let belief spread from witnesses to those who wait for them.

        Returns who was refused, and the claims whose witness was never established.
        """
        refused: Refused = []
        established: list[Claim] = []
        waiting: dict[NodeId | None, list[Claim]] = {}
        for node, credential in shown:
            try:
                claim = self._claims.read(node, credential, now)
            except TrustError as error:
                refused.append((node, error))
                continue
            if self._is_admitted(claim, now):
                established.append(claim)
            else:
                waiting.setdefault(claim.witness, []).append(claim)
        for claim in established:  # which grows meanwhile
            try:
                self._lineage.remember(claim, now)
            except TableFullError as error:
                refused.append((claim.node, error))
                continue
            if self._lineage.voice(claim.node, now) is not None:
                established += waiting.pop(claim.node, ())
        return refused, [claim for claims in waiting.values() for claim in claims]


def _standing(claim: Claim, admitted: bool) -> Standing:
    own = claim.own
    return Standing(claim.node, own.name, Role(own.roles), own.not_after_s, admitted, claim.witness)


def _not_admitted(claim: Claim) -> NotAdmittedError:
    who = f"{claim.own.name!r} ({node_text(claim.node)})"
    if claim.witness is None:
        return NotAdmittedError(f"{who} was invited, but no member has admitted it yet")
    return NotAdmittedError(f"{who} was admitted by {node_text(claim.witness)}, who is no member known here")
