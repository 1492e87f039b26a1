"""Facts: what a node is and who it is, as its shell tells the core."""

from .ids import ClusterId
from .record import Address
from .values import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """What a node is, as its shell found it: the basis of its record."""

    name: str
    addresses: tuple[Address, ...]
    cores: int
    memory_bytes: int
    disk_bytes: int
    speed: float
    software: str
    boot: int
    gpus: int = 0
    computes: bool = True


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node is and which cluster it belongs, or was invited, to."""

    seed: bytes
    cluster: ClusterId
    credential: bytes
