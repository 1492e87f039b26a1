"""Limits: how much, and for how long, the transport lets others take."""

from pnode.protocol.values import dataclass


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Where a node listens and what it bears. Defaults are those of membership.md 4.8 if nothing else is said."""

    host: str = ""
    """The interface to listen at, by name or address; empty for all of them."""
    port: int = 0
    """For TCP and UDP alike; 0 for any that is free."""
    connect_timeout_s: float = 5.0
    """From the first packet to the accepted connection; the handshake has a deadline of its own."""
    stagger_s: float = 0.1
    """The next address is tried after this long, or when the one before has failed. On a LAN one answers in 1 ms."""
    dials_max: int = 64
    """At once; others wait for their turn. More would only meet in the same queues."""
    handshakes_max: int = 50
    """Connections whose handshake is not finished; beyond, newcomers are hung up on."""
    handshakes_per_host_max: int = 8
    """The same per source address, so that one host cannot take all. Loopback is exempt: everybody here shares it."""
    sessions_max: int = 1024
    strangers_max: int = 256
    """Of them, with nodes that are not known to be members (yet): an invitation that is over, or keys that somebody
    makes by the hundred for one, must not keep members out."""
    bulk_streams_per_peer_max: int = 8
    """Inbound. Four fetches at once and their successors; each costs about 5 MiB."""
    outbox_bytes_max: int = 32 * 1024 * 1024
    """What may wait for one peer: eight of the largest messages. A peer that lets more pile up is not reading."""
    outbox_messages_max: int = 65_536
    """Small messages cost about 100 bytes each beside their content."""
    session_idle_s: float = 60.0
    """A session in which nobody says anything for so long is ended; the next message dials again. May be `inf`."""
    session_lifetime_s: float = 86_400.0
    """Then a new handshake looks at the credentials again."""
    stall_s: float = 20.0
    """A peer that takes no data for so long is gone."""
    bulk_stall_s: float = 60.0
    """A bulk stream on which nothing comes or goes for so long is broken; a source may have to read a slow disk."""
    leave_s: float = 1.0
    """How long an orderly end may take: the last messages out, and the other side's farewell in."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 0 and 65535")
