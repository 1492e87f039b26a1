"""Habits: how a node was last started, so that it comes back the same way when nobody says otherwise.

A node that listened on one address only must not become reachable from everywhere because somebody typed a bare
`pnode start`; and whoever remembers its name and port should find it again.
"""

import socket
from typing import Annotated

from pnode.protocol.codec import U16, Length, MalformedError, decode
from pnode.protocol.values import dataclass

from .launch import ALL_INTERFACES, NodeOptions

NAME_BYTES_MAX = 63
"""Of a node's name, in certificates and records."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What a node does unless told otherwise."""

    name: Annotated[str, Length(0, 255)]
    listen: Annotated[str, Length(0, 255)]
    """Host or address; empty for all interfaces."""
    port: U16
    """0 when it has not listened yet."""
    cores: U16
    """How many it offers; 0 for all."""
    mdns: bool
    timing: Annotated[str, Length(1, 16)]


def recall(row: bytes) -> Habits | None:
    """What `codec.encode` made of habits at the last start; None if there was none, or of another version."""
    try:
        return decode(Habits, row) if row else None
    except MalformedError:
        return None


def resolve(options: NodeOptions, last: Habits | None) -> Habits:
    """What a person says now, else what held at the last start, else the defaults."""
    before = last or Habits(_host_name(), "", 0, 0, mdns=True, timing="lan")
    listen = before.listen if options.listen is None else options.listen
    return Habits(
        name=options.name or before.name,
        listen="" if listen == ALL_INTERFACES else listen,
        port=before.port if options.port is None else options.port,
        cores=before.cores if options.cores is None else options.cores,
        mdns=before.mdns if options.mdns is None else options.mdns,
        timing=options.timing or before.timing,
    )


def _host_name() -> str:
    short = socket.gethostname().partition(".")[0]
    return short.encode()[:NAME_BYTES_MAX].decode(errors="ignore") or "node"
