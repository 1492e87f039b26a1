"""What the core asks of its shell: values that say what to do in the world, never calls."""

from .dag import Task
from .ids import Digest, JobId, NodeId
from .jobspec import FileRef
from .record import Address
from .values import dataclass


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a session to whoever answers at one of these addresses; ends in SessionOpened or DialFailed."""

    addresses: tuple[Address, ...]
    peer: NodeId | None
    """Who is expected there; None while only an address is known. Anybody else is hung up on."""


@dataclass(frozen=True, slots=True)
class Send:
    """A frame to a peer over its session, in order. Without a session the shell dials first (`Peer.addresses_of`);
    what cannot be delivered is dropped and reported once as DialFailed or SessionClosed."""

    peer: NodeId
    payload: bytes


@dataclass(frozen=True, slots=True)
class SendDatagram:
    """One datagram to a peer, sealed by the shell; may be lost."""

    peer: NodeId
    address: Address
    payload: bytes


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End the session with a peer."""

    peer: NodeId
    reason: str


@dataclass(frozen=True, slots=True)
class Knock:
    """See whether a peer answers, as itself, at one of these addresses, and hang up; ends in Knocked."""

    peer: NodeId
    addresses: tuple[Address, ...]
    nonce: int


@dataclass(frozen=True, slots=True)
class Meet:
    """Dial a relay, by its addresses, show it the ticket, and answer whoever calls through it as if we had been
    dialled. A relay that is the caller itself wants content over this very connection."""

    relay: NodeId
    ticket: bytes
    caller: NodeId


@dataclass(frozen=True, slots=True)
class Unit:
    """One attempt at one task for one item of one job: what a node is asked to run."""

    job: JobId
    task: str
    item: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Run:
    """Start a unit; all its inputs and its application are in the store. Ends in RunEnded."""

    unit: Unit
    task: Task
    calls: tuple[tuple[FileRef, ...], ...]
    """The unit's inputs, one group per call, calls one after the other."""
    application: FileRef | None
    environment: tuple[tuple[str, str], ...]
    """Facts about the job and the node for the task's environment, beside the task's own."""
    behind: Unit | None = None
    """A unit that was started before and whose core this one uses: not before that has ended."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a unit that was started, its whole process tree; a RunEnded still follows."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class Recall:
    """Do not start a unit that waits behind another, if it still does; then a RunEnded says that it has not begun."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get content into the store from one of the peers that have it; ends in Fetched or FetchFailed.
    Content that is already there is Fetched at once."""

    file: FileRef
    sources: tuple[NodeId, ...]
    owner: JobId | None = None
    """The job that needs it: the store keeps it, also for want of room, until that is released."""
    lasting: bool = False
    """Whether it is to be on the disk before it is Fetched, so that it outlives a failure of the machine."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Have this content in the store for as long as the job is kept; it is in its ledger, and so on the disk."""

    content: bytes
    digest: Digest
    owner: JobId


@dataclass(frozen=True, slots=True)
class Save:
    """Put a row into the journal, in this order. A later Reply waits for it; a Send does not, so that others may know
    what a crash has lost here."""

    table: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Erase:
    """Take a row out of the journal, in the order of the Saves around it."""

    table: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Sync:
    """Say when all rows saved so far are on the disk; ends in Synced."""

    number: int


@dataclass(frozen=True, slots=True)
class Release:
    """Nothing that a job needed is needed here any more: its content may go when room is short."""

    job: JobId


@dataclass(frozen=True, slots=True)
class LetGo:
    """A job that goes on does not need this content any more: unless another one does it may go at once."""

    job: JobId
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Notify:
    """Something that people may be waiting for has changed: ("job", id) or ("members", b"")."""

    topic: str
    subject: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request of the shell (see `events`): `error` is None when it was done."""

    request: int
    value: bytes
    error: str | None


Effect = (
    Dial
    | Send
    | SendDatagram
    | Disconnect
    | Knock
    | Meet
    | Run
    | Cancel
    | Recall
    | Fetch
    | Keep
    | Release
    | LetGo
    | Save
    | Erase
    | Sync
    | Notify
    | Reply
)

__all__ = [
    "Cancel", "Dial", "Digest", "Disconnect", "Effect", "Erase", "Fetch", "Keep", "Knock", "LetGo", "Meet",
    "Notify", "Recall", "Release", "Reply", "Run", "Save", "Send", "SendDatagram", "Sync", "Unit",
]  # fmt: skip
