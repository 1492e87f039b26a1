"""Facts: what a node is and who it is, as its shell tells the core."""

from .ids import ClusterId, NodeId
from .neighbourhood import Place
from .record import Address, NodeRecord, Role
from .values import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node is and which cluster it belongs, or was invited, to."""

    seed: bytes
    cluster: ClusterId
    credential: bytes


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

    def roles(self, granted: Role) -> Role:
        """What it does of what its credential lets it do."""
        return granted if self.computes else granted & ~Role.COMPUTE

    def record(self, roles: Role, credential: bytes) -> NodeRecord:
        """What it says of itself to others."""
        return NodeRecord(
            self.boot, self.name, self.addresses, int(roles), self.cores, self.memory_bytes, self.disk_bytes,
            self.speed, self.gpus, self.software, self.boot, credential,
        )  # fmt: skip

    def place(self, me: NodeId, identity: Identity, roles: Role) -> Place:
        """What it knows of itself when it takes part in jobs."""
        return Place(
            me, self.name, identity.seed, identity.cluster, self.boot, self.cores, self.memory_bytes, self.speed,
            bool(roles & Role.COMPUTE),
        )  # fmt: skip
