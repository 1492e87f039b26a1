"""The storm: lets the faults of a schedule happen to a cluster, and puts an end to all of them.

Faults of different troubles may overlap. What takes a state away (a cut, a pause) is counted or ends by itself; a
machine that is off cannot be paused, and one that is lost for good stays lost. Of every job that somebody was told is
safe one whole copy is left: the machine that alone has it comes back with what it had (`spared` counts these).
"""

from collections.abc import Callable, Iterator

from pnode.protocol.jobspec import FileRef
from pnode.protocol.values import dataclass, field, replace
from pnode.sim.cluster import Cluster
from pnode.sim.disk import SYNC_S, Rows
from pnode.sim.host import Host
from pnode.sim.network import Link, LinkModel

from .faults import FOR_EVER, Fault, Kind

OFF = (Kind.CRASH, Kind.POWER, Kind.WIPE, Kind.BACKUP)

SPARED_S = 5.0
"""How long a machine is off that was to be lost for good."""


@dataclass(slots=True)
class Storm:
    """Applies faults to hosts."""

    cluster: Cluster
    is_last_copy: Callable[[Host], bool]
    """Whether a host alone has something that must not be lost."""
    going_down: Callable[[Host], None]
    """Told before a machine goes off."""
    is_over: bool = False
    lost: dict[int, None] = field(default_factory=dict)
    """Hosts that never come back."""
    spared: int = 0
    hit: int = 0
    backups: dict[int, tuple[Rows, dict[bytes, FileRef]]] = field(default_factory=dict)
    _slow: dict[int, int] = field(default_factory=dict)

    def schedule(self, faults: list[Fault]) -> None:
        """Let them come at their times, from now on."""
        engine = self.cluster.engine
        for fault in faults:
            engine.after(fault.at_s, self.strike, fault)
            if fault.kind is Kind.BACKUP:
                for host in fault.hosts:
                    engine.after(max(0.0, fault.at_s - fault.amount), self._back_up, host)

    def strike(self, fault: Fault) -> None:
        """Let one fault begin."""
        if self.is_over:
            return
        self.hit += 1
        if fault.kind in OFF:
            for number in fault.hosts:
                self.switch_off(self.cluster.hosts[number], fault)
        else:
            ends = self._begin(fault)
            if fault.for_s:
                self.cluster.engine.after(fault.for_s, self._end, ends)

    def calm(self) -> None:
        """The end of all faults: everything works, and whoever is to come back does so."""
        self.is_over = True
        self.cluster.network.heal_everything()
        for host in self.cluster.hosts:
            host.slowness = 1.0
            host.set_drift(0.0)
            host.disk.sync_s = SYNC_S
            host.workshop.is_full = False
            host.resume()
            if not host.up and host.number not in self.lost:
                self.cluster.restart(host)

    # -- machines that go off ----------------------------------------------------------------------------------------

    def switch_off(self, host: Host, fault: Fault) -> None:
        """A crash of some kind, unless it is off already."""
        if not host.up:
            return
        self.going_down(host)
        is_final = fault.for_s == FOR_EVER
        if (is_final or fault.kind in (Kind.WIPE, Kind.BACKUP)) and self.is_last_copy(host):
            self.spared += 1
            fault = replace(fault, kind=Kind.CRASH, for_s=SPARED_S if is_final else fault.for_s)
            is_final = False
        if fault.kind is Kind.CRASH:
            host.crash(keep_writes=True)
        else:
            host.crash(torn=self.cluster.engine.generator(f"torn/{host.number}/{host.life}"), silently=True)
            self._change_disk(host, fault.kind)
        if is_final:
            self.lost[host.number] = None
        else:
            self.cluster.engine.after(fault.for_s, self._switch_on, host)

    def _switch_on(self, host: Host) -> None:
        if not host.up and not self.is_over and host.number not in self.lost:
            self.cluster.restart(host)

    def _change_disk(self, host: Host, kind: Kind) -> None:
        """At once, not when the host is back: what it will not have then counts as a copy no longer."""
        if kind is Kind.WIPE:
            host.disk.wipe()
            host.content.clear()
        elif kind is Kind.BACKUP and host.number in self.backups:
            rows, content = self.backups[host.number]
            host.disk.restore(rows)
            for digest in [digest for digest in host.content if digest not in content]:
                del host.content[digest]
            host.content.update(content)  # what was let go since

    def _back_up(self, number: int) -> None:
        host = self.cluster.hosts[number]
        if number not in self.backups:
            self.backups[number] = (host.disk.backup(), dict(host.content))

    # -- everything else ---------------------------------------------------------------------------------------------

    def _begin(self, fault: Fault) -> list[Callable[[], None]]:
        """Let it begin; what ends it comes back."""
        hosts = [self.cluster.hosts[number] for number in fault.hosts]
        network = self.cluster.network
        match fault.kind:
            case Kind.PAUSE:
                for host in hosts:
                    host.pause()
                return [host.resume for host in hosts]
            case Kind.SLOW:
                return [end for host in hosts for end in self._slowed(host, fault.amount)]
            case Kind.DRIFT:
                for host in hosts:
                    host.set_drift(fault.amount)
                return [lambda host=host: host.set_drift(0.0) for host in hosts]  # type: ignore[misc]
            case Kind.SLOW_DISK:
                for host in hosts:
                    host.disk.sync_s = fault.amount
                return [lambda host=host: _disk_well(host) for host in hosts]  # type: ignore[misc]
            case Kind.FULL_DISK:
                for host in hosts:
                    host.workshop.is_full = True
                return [lambda host=host: _disk_empty(host) for host in hosts]  # type: ignore[misc]
            case Kind.CUT | Kind.CUT_ONE_WAY:
                links = list(_links(fault))
                for link in links:
                    network.cut(*link)
                return [lambda link=link: network.heal(*link) for link in links]  # type: ignore[misc]
            case Kind.CLOG:
                for link in _links(fault):
                    network.clog(*link, fault.for_s)
            case Kind.BAD_LINK:
                links = list(_links(fault))
                for link in links:
                    network.links[link] = replace(network.model, loss=max(network.model.loss, fault.amount))
                return [lambda link=link: _forget(network.links, link) for link in links]  # type: ignore[misc]
            case Kind.RESET:
                for source, target in _links(fault):
                    self.cluster.hosts[source].sessions.reset(self.cluster.hosts[target].id)
            case Kind.MOVE:
                self.cluster.move(*hosts)
        return []

    def _slowed(self, host: Host, times: float) -> list[Callable[[], None]]:
        host.slowness = max(host.slowness, times)
        self._slow[host.number] = self._slow.get(host.number, 0) + 1

        def end() -> None:
            self._slow[host.number] -= 1
            if not self._slow[host.number]:
                host.slowness = 1.0

        return [end]

    def _end(self, ends: list[Callable[[], None]]) -> None:
        if not self.is_over:
            for end in ends:
                end()


def _disk_well(host: Host) -> None:
    host.disk.sync_s = SYNC_S


def _disk_empty(host: Host) -> None:
    host.workshop.is_full = False


def _forget(links: dict[Link, LinkModel], link: Link) -> None:
    links.pop(link, None)


def _links(fault: Fault) -> Iterator[Link]:
    """The directions that a fault is about."""
    for host in fault.hosts:
        for other in fault.others:
            yield (host, other)
            if fault.kind is not Kind.CUT_ONE_WAY:
                yield (other, host)
