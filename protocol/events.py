"""What the shell tells the core: things that happened in the world, as values."""

from .effects import Unit
from .ids import Digest, JobId, NodeId
from .jobspec import FileRef
from .record import Address
from .values import dataclass


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A handshake has ended well: the other side holds the key of `peer` and showed this credential."""

    peer: NodeId
    credential: bytes
    address: Address | None
    """Where we dialled, None if they did."""
    via: NodeId | None = None
    """The relay it goes through; None if it is a connection of the two nodes."""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session ended, orderly or not."""

    peer: NodeId
    reason: str
    orderly: bool


@dataclass(frozen=True, slots=True)
class DialFailed:
    """Nobody fit to talk to answered."""

    addresses: tuple[Address, ...]
    peer: NodeId | None
    reason: str
    """One line per address tried, for people."""
    refused: tuple[Address, ...] = ()
    """Those at which a machine answered that nobody listens: its kernel knows, whoever may be cut off or asleep."""


@dataclass(frozen=True, slots=True)
class Knocked:
    """How it went to dial a peer that wants to know whether it can be dialled."""

    peer: NodeId
    nonce: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Received:
    """One frame of a session."""

    peer: NodeId
    payload: bytes


@dataclass(frozen=True, slots=True)
class DatagramReceived:
    """One authentic, fresh datagram."""

    peer: NodeId
    payload: bytes


@dataclass(frozen=True, slots=True)
class Discovered:
    """Addresses at which a node of this cluster may be; never trusted, only dialled."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """This machine has other addresses than it had: another network, or another lease."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class LoadSampled:
    """What the machine is doing now."""

    cpu_percent: float
    memory_percent: float
    lag_s: float
    """How late the event loop ran; a slow observer must not accuse others."""


@dataclass(frozen=True, slots=True)
class SpeedMeasured:
    """It is known how fast this machine's cores are; until then the node went by an earlier figure or by none."""

    speed: float
    """Relative to the reference core."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Somebody at this node wants to know now how far away the others are."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Content is in the store."""

    file: FileRef
    source: NodeId | None
    """Who sent it; None if it was there already."""
    received_bytes: int
    """What the source sent: less than the file if an earlier attempt had left something."""
    seconds: float
    """From the first byte to the last, at the receiver."""


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """None of the sources could give it."""

    file: FileRef
    reason: str
    ours: bool = False
    """There is no room for it here, or our disk fails: no source is to blame."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A unit has ended, in whatever way."""

    unit: Unit
    failure: str
    """Why it failed, for people; empty when it succeeded."""
    exit_status: int
    """Of the failing call; negative for a signal, 0 when it succeeded."""
    outputs: tuple[FileRef, ...]
    """In the order in which they go to children: as returned if the task named them, else as they were closed."""
    stdout: FileRef
    stderr: FileRef
    stderr_tail: str
    """The last lines, at most 2,000 characters."""
    seconds: float
    """Wall-clock time of all calls."""
    timed_out: bool = False
    """It was ended since it ran longer than its walltime."""
    ours: bool = False
    """It failed since there is no room here for what it needs or wrote, or our disk fails: try it elsewhere."""
    contents: tuple[bytes, ...] = ()
    """Of the outputs, each at most `statements.CONTENT_BYTES_MAX` long, if they are to travel with the result."""
    begun: bool = True
    """False if it was never started, since it waited behind another: nothing has come of it, and nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Synced:
    """The rows that were saved before a Sync are on the disk."""

    number: int


@dataclass(frozen=True, slots=True)
class Submit:
    """Somebody at this node submits a job; answered by a Reply whose value is an encoded `jobmessages.Receipt`."""

    request: int
    spec: bytes
    """An encoded JobSpec; its files are in the store already."""


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Somebody at this node cancels a job."""

    request: int
    job: JobId


@dataclass(frozen=True, slots=True)
class FindJobs:
    """Somebody at this node asks which jobs there are in the cluster; the Reply's value is empty, the answers are in
    `Peer.jobs`."""

    request: int


@dataclass(frozen=True, slots=True)
class WatchJob:
    """Somebody at this node wants to see a job: its ledger is kept here from now on."""

    request: int
    job: JobId


@dataclass(frozen=True, slots=True)
class ResultsPulled:
    """Somebody at this node has fetched the results of a job that is known here."""

    job: JobId


@dataclass(frozen=True, slots=True)
class Leave:
    """The node is about to stop: say so."""

    request: int


Event = (
    SessionOpened
    | SessionClosed
    | DialFailed
    | Knocked
    | Received
    | DatagramReceived
    | Discovered
    | Moved
    | LoadSampled
    | SpeedMeasured
    | Measure
    | Fetched
    | FetchFailed
    | RunEnded
    | Synced
    | Submit
    | CancelJob
    | FindJobs
    | WatchJob
    | ResultsPulled
    | Leave
)

__all__ = [
    "CancelJob", "DatagramReceived", "DialFailed", "Digest", "Discovered", "Event", "FetchFailed", "Fetched",
    "FindJobs", "Knocked", "Leave", "LoadSampled", "Measure", "Moved", "Received", "ResultsPulled", "RunEnded",
    "SessionClosed", "SessionOpened", "SpeedMeasured", "Submit", "Synced", "WatchJob",
]  # fmt: skip
