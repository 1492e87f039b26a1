"""Node records: the slow facts about a node, signed by the node itself."""

from enum import IntFlag
from typing import Annotated

from .codec import U8, U16, U32, U63, Bytes8, Length, Name, Range
from .values import dataclass

ADDRESSES_MAX = 8
"""More interfaces than this on one host are virtual bridges; the record must fit one datagram."""

CREDENTIAL_BYTES_MAX = 900
"""Three certificates and an admission need about 700 bytes; a record with it must fit a 1,400-byte datagram."""


RELAYS_MAX = 3
"""Named by a node that nobody can dial: one may die while another is too busy."""


class Role(IntFlag):
    """What a node may do in the cluster."""

    COMPUTE = 1
    SUBMIT = 2
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node listens, TCP and UDP alike."""

    host: Annotated[str, Length(1, 255)]
    port: Annotated[int, Range(1, 65535)]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What a node says of itself. The signature's author is the node's id; a higher incarnation replaces a lower."""

    incarnation: U63
    name: Annotated[str, Length(1, 63)]
    addresses: Annotated[tuple[Address, ...], Length(1, ADDRESSES_MAX)]
    roles: U8
    cores: U16
    memory_bytes: U63
    disk_bytes: U63
    speed: Annotated[float, Range(1e-3, 1e3)]
    """Measured speed of one core relative to the reference machine (1.0)."""
    gpus: U16
    software: Annotated[str, Length(0, 63)]
    """Versions, e.g. `pnode/0.1.0 python/3.11.7 linux`."""
    boot: U32
    """Seconds since 1970 at which the node process started; tells a restart from a refutation."""
    credential: Annotated[bytes, Length(0, CREDENTIAL_BYTES_MAX)]
    """Certificate chain and admission (see `certificate`), so that any member can check the author alone."""
    labels: Annotated[tuple[tuple[Name, Name], ...], Length(0, 16)] = ()
    relays: Annotated[tuple[Bytes8, ...], Length(0, RELAYS_MAX)] = ()
    """The first bytes of the keys of members through whom others reach this node, since they cannot dial it; nothing
    of a node that can be dialled (see `reaching`)."""
