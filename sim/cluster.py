"""A simulated cluster: real Peer cores with their certificates on one engine and one network."""

from collections.abc import Callable, Mapping
from random import Random

from pnode.mappers.catalogue import KNOWN
from pnode.profilers.profile import Profile
from pnode.protocol.certificate import Issuer, certify, found, invite
from pnode.protocol.codec import decode, encode, share
from pnode.protocol.effects import Run
from pnode.protocol.events import Event, Submit
from pnode.protocol.ids import JobId, NodeId, cluster_id
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Hollow, Receipt
from pnode.protocol.jobspec import JobSpec
from pnode.protocol.ledger import Segment
from pnode.protocol.legacy import Legacy
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.peer import Facts, Identity, Peer
from pnode.protocol.planning import planned
from pnode.protocol.record import Address, NodeRecord
from pnode.protocol.signed import Signed
from pnode.protocol.trust import Trust
from pnode.protocol.values import dataclass, field, replace

from .crypto import SimulatedCrypto
from .disk import Disk
from .engine import Engine
from .host import Host, RunModel
from .network import LinkModel, Network

PORT = 4440

REPLY_S_MAX = 30.0
"""Virtual seconds within which a peer answers its user."""


def one_second(host: Host, run: Run) -> tuple[float, str]:
    """The simplest run model: what the specification expects, or a second, divided by the host's speed."""
    return (run.task.expected_s or 1.0) / host.peer.facts.speed, ""


@dataclass(slots=True)
class Cluster:
    """Hosts by number. The first founds the cluster, the others join with its token."""

    engine: Engine
    network: Network
    run_model: RunModel = one_second
    settings: MembershipSettings = field(default_factory=MembershipSettings)
    hosts: list[Host] = field(default_factory=list)
    crypto: SimulatedCrypto = field(default_factory=SimulatedCrypto)
    _authority: Issuer | None = None
    _by_node: dict[NodeId, Host] = field(default_factory=dict)
    _by_address: dict[Address, Host] = field(default_factory=dict)
    _requests: int = 0
    _moves: int = 0

    def __post_init__(self) -> None:
        share(Segment, JobSpec)

    def host_at(self, address: Address) -> Host | None:
        host = self._by_address.get(address)
        return host if host is not None and host.up else None

    def host_of(self, node: NodeId) -> Host | None:
        host = self._by_node.get(node)
        return host if host is not None and host.up else None

    def machine_at(self, address: Address) -> Host | None:
        return self._by_address.get(address)

    def name_of(self, node: NodeId) -> str:
        return self._by_node[node].peer.facts.name

    def add(
        self,
        speed: float = 1.0,
        cores: int = 1,
        seeds: tuple[Address, ...] | None = None,
        clock_offset_s: float = 0.0,
        is_sampling: bool = True,
    ) -> Host:
        """A further host, switched on: it founds the cluster or joins through `seeds` (the first host)."""
        number = len(self.hosts)
        name = f"n{number}"
        rng = self.engine.generator(f"host/{number}")
        seed = rng.randbytes(32)
        node = NodeId(self.crypto.public_key(seed))
        authority = self._issuer()
        credential = self._credential(authority, seed, node, name, self.engine.now + clock_offset_s)
        address = Address(f"10.0.{number // 250}.{number % 250 + 1}", PORT)
        boot = int(self.engine.now)
        facts = Facts(name, (address,), cores, 8 << 30, 64 << 30, speed, "pnode/sim", boot)
        identity = Identity(seed, cluster_id(authority.authority), credential)
        peer = self._peer(identity, facts, rng)
        host = Host(
            number, address, self.engine, self.network, self, self.run_model, peer, clock_offset_s=clock_offset_s,
            is_sampling=is_sampling,
        )  # fmt: skip
        self.hosts.append(host)
        self._by_node[node] = host
        self._by_address[address] = host
        host.begin(
            seeds if seeds is not None else tuple(other.address for other in self.hosts[:1] if other is not host)
        )
        return host

    def move(self, *hosts: Host) -> None:
        """Give a host an address that nobody has had yet; of several each that of the next one."""
        self._moves += 1
        fresh = Address(f"10.1.{self._moves // 250}.{self._moves % 250 + 1}", PORT)
        addresses = [host.address for host in hosts[1:]] or [fresh]
        for host in hosts:
            del self._by_address[host.address]
        for host, address in zip(hosts, [*addresses, hosts[0].address], strict=False):
            self._by_address[address] = host
            host.move(address)

    def restart(self, host: Host, keep_disk: bool = True) -> Host:
        """Switch a crashed host on again, with what its journal holds."""
        old = host.peer
        if not keep_disk:
            host.disk.wipe()
            host.content.clear()
        identity = replace(old.identity, credential=old.joining.credential)
        boot = max(old.facts.boot + 1, int(self.engine.now))
        facts = replace(old.facts, boot=boot, addresses=(host.address,))
        rng = self.engine.generator(f"host/{host.number}/{facts.boot}")
        host.peer = self._peer(identity, facts, rng)
        hollows = [decode(Hollow, value) for _, value in host.disk.rows("hollow")]
        jobs, segments = _signed(host.disk, "job"), _signed(host.disk, "segment")
        host.peer.restore(Legacy(jobs, segments, hollows))
        records = [(NodeId(key), decode(NodeRecord, row)) for key, row in host.disk.rows("peer")]
        heard_of = [(NodeId(key), row) for key, row in host.disk.rows("credential")]
        remembered = (*((node, record.credential) for node, record in records), *heard_of)
        host.begin(tuple(other.address for other in self.hosts if other is not host), remembered)
        return host

    def submit(self, host: Host, spec: JobSpec) -> JobId:
        """Hand a job in at a host, which plans it if the mapper is a planner; its input files are taken to be in that
        host's store."""
        for item in spec.items:
            host.content.update({file.digest: file for file in item.files})
        if spec.application is not None:
            host.content[spec.application.digest] = spec.application
        with_plan = encode(self._planned(host, replace(spec, created_s=host.now)))
        receipt = decode(Receipt, self.request(host, lambda request: Submit(request, with_plan)))
        return JobId(receipt.job)

    def _planned(self, host: Host, spec: JobSpec) -> JobSpec:
        neighbours, jobs = host.peer.neighbours, host.peer.jobs
        if neighbours is None or jobs is None or spec.mapper not in jobs.desk.mappers:
            return spec
        view = neighbours.view_of(spec.name, spec.dag, None, host.now)
        return planned(jobs.desk.mappers[spec.mapper], spec, view, self.engine.generator(f"plan/{self._requests}"))

    def request(self, host: Host, event: Callable[[int], Event]) -> bytes:
        """Put a request to a host's peer, run until the reply, and return its value; an error is an assertion."""
        self._requests += 1
        number = self._requests
        host.deliver(event(number))
        assert self.engine.run_until(lambda: number in host.replies, REPLY_S_MAX), "no reply"
        reply = host.replies[number]
        assert reply.error is None, reply.error
        return reply.value

    def job(self, host: Host, job: JobId) -> Job:
        """What a host knows of a job."""
        jobs = host.peer.jobs
        assert jobs is not None
        return jobs.desk.jobs[job]

    def everyone_knows_everyone(self) -> bool:
        """Whether all hosts that are up see all others that are up, and only those, alive."""
        up = [host for host in self.hosts if host.up]
        ids = {host.id: None for host in up}
        return all(
            host.peer.membership is not None and sorted((*host.peer.membership.alive(), host.id)) == sorted(ids)
            for host in up
        )

    def _peer(self, identity: Identity, facts: Facts, rng: Random) -> Peer:
        trust = Trust(self.crypto, self._issuer().authority)
        profile = Profile(NodeId(self.crypto.public_key(identity.seed)))
        return Peer(identity, facts, self.crypto, trust, profile, KNOWN, rng, self.settings)

    def _issuer(self) -> Issuer:
        if self._authority is None:
            authority_seed = self.engine.generator("authority").randbytes(32)
            self._authority = Issuer(self.crypto.public_key(authority_seed), authority_seed)
        return self._authority

    def _credential(self, authority: Issuer, seed: bytes, node: NodeId, name: str, now: float) -> bytes:
        if not self.hosts:
            return encode(found(self.crypto, authority.seed, seed, name, now))
        guest = invite(self.crypto, authority, self.engine.generator("invite").randbytes(32), self.engine.now)
        return encode(certify(self.crypto, guest, node, name, now))


def make_cluster(
    count: int,
    seed: int,
    model: LinkModel | None = None,
    run_model: RunModel = one_second,
    speeds: Mapping[int, float] | None = None,
    cores: int = 1,
) -> Cluster:
    """A cluster of so many hosts that know each other. Raises AssertionError if they do not within a minute."""
    engine = Engine(seed)
    cluster = Cluster(engine, Network(engine, model or LinkModel()), run_model)
    for number in range(count):
        cluster.add(speed=(speeds or {}).get(number, 1.0), cores=cores)
    assert engine.run_until(cluster.everyone_knows_everyone, 60.0), (
        f"seed {seed}: {count} nodes did not find together"
    )
    return cluster


def _signed(disk: Disk, table: str) -> list[Signed]:
    return [decode(Signed, value) for _, value in disk.rows(table)]
