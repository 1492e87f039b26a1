"""The node: its parts put together, kept running, and taken apart in order.

    starting -> joining -> ready -> (stopping) -> ended
                   \\-> failed: the reason is left in the home for whoever started the node

`service` is the process around it.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

import trio

from pnode.mappers.catalogue import KNOWN
from pnode.profilers.profile import Profile
from pnode.profilers.resources import machine_facts
from pnode.protocol.certificate import TrustError
from pnode.protocol.codec import decode, encode
from pnode.protocol.crypto import Sodium
from pnode.protocol.effects import Effect, Fetch, Run
from pnode.protocol.events import Event, Fetched, Leave, RunEnded
from pnode.protocol.handshake import Passport
from pnode.protocol.ids import JobId, NodeId, job_text
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Hollow
from pnode.protocol.legacy import Legacy
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.peer import Facts, Peer
from pnode.protocol.peer import Identity as PeerIdentity
from pnode.protocol.record import NodeRecord
from pnode.protocol.signed import Signed
from pnode.protocol.trust import Trust

from .bulk import BulkStream
from .calls import serve_calls
from .control import serve_control
from .dialing import UnreachableError
from .discovery import serve_discovery
from .driver import Driver
from .early import Early
from .emulation import run_at
from .enrolment import Enrolment, enrol
from .executor import Executor
from .habits import recall, resolve
from .hands import Hands
from .home import calls_socket, control_socket
from .housekeeping import Pins
from .identity import Identity
from .journal import Journal, JournalFile
from .launch import NodeOptions, report_ready, software
from .limits import TransportSettings
from .listening import PortInUseError
from .office import Office
from .pace import Pace
from .probing import Probing
from .sampling import Sampling
from .seeding import StartError, seed_address
from .store import Store
from .streams import StreamError
from .transfer import NoRoomError, Transfer
from .transport import Transport
from .whereabouts import Whereabouts

logger = logging.getLogger(__name__)

PORT = 4747
"""Where a node listens unless told otherwise; not registered for anything."""

JOIN_S_MAX = 12.0
"""After this a node that was invited gives up: every address has been tried twice, and a person is waiting."""
OTHERS_S = 1.0
"""The same when somebody has refused it for good: others may see it differently, if they are there at all."""
HOPELESS_S = 2.0
"""The same when nobody can be discovered and every known address has failed."""

LOOK_ROUND_S = 1.0
"""For the exchange of tables after the admission."""

LEAVE_S_MAX = 2.0
"""For the farewell; a network that is gone must not hold up the end."""

FAREWELL_S = 0.2
"""For the datagrams of the farewell to go out."""

_TIMINGS: dict[str, Callable[[], MembershipSettings]] = {
    "lan": MembershipSettings.lan,
    "wan": MembershipSettings.wan,
    "fast": MembershipSettings.fast,
}


class Node:
    """All parts of one node, put together."""

    def __init__(self, options: NodeOptions) -> None:
        self.options = options
        self.started_s = time.time()
        self._began_s = time.monotonic()
        self.crypto = Sodium()
        self.identity = Identity(options.home)
        self.me = NodeId(self.crypto.public_key(self.identity.seed()))
        self.journal = Journal(JournalFile(options.home / "journal.db"))
        self.pace = Pace(self.journal)
        self.habits = resolve(options, recall(dict(self.journal.rows("place")).get(b"habits", b"")))
        self.name = self.habits.name
        self._admission = self._earlier_admission()
        self.enrolment: Enrolment = enrol(
            self.identity,
            self.crypto,
            self.name,
            options.token,
            self.started_s,
            admitted=bool(self._admission),
            was_admitted=self.me in dict(self.journal.rows("credential")),
            seeds=bool(options.seeds),
        )
        self.boot = self.identity.next_boot(self.started_s)
        self.store = Store(options.home / "store")
        self.pins = Pins(self.store, self.me)
        self.transfer = Transfer(self.store)
        self.executor = Executor(options.home, self.store, has_lanes=options.emulated_speed >= 1.0)
        self.profile = Profile(self.me)
        self.probing = Probing(self.transfer, self.profile, self.clock, self.open_stream)
        self.trust = Trust(self.crypto, self.enrolment.cluster.authority_key)
        self.peer: Peer | None = None
        self.driver: Driver | None = None
        self.ready = False
        self._remembers_others = False  # from an earlier run
        self.resumed = 0
        """Unfinished jobs of an earlier run."""
        self.shortages: dict[JobId, str] = {}
        """Jobs for which there was no room at the last try, and what was said then."""
        self.detours: dict[JobId, dict[NodeId, NodeId]] = {}
        """Jobs of which content came here through a relay: which, by its source."""
        self._journaled: dict[bytes, bytes] = {}
        """The rows of jobs that were there at the start."""
        self.early = Early()
        self.stopping = trio.Event()
        self.transport = self._make_transport(0)

    def clock(self) -> float:
        """Seconds since 1970 that never go back, whatever is done to the machine's clock meanwhile."""
        return self.started_s + time.monotonic() - self._began_s

    async def serve(self) -> None:
        """Run every part until `stopping`, then leave the cluster in order."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_signals)
            if self.options.tied:
                nursery.start_soon(self._watch_parent)
            await nursery.start(serve_control, control_socket(self.options.home), Office(self))
            await self._listen(nursery)
            await nursery.start(self.transfer.serve_idle)
            peer = self.peer = self._make_peer()
            driver = self.driver = self._make_driver(peer)
            self.early.hand_over(driver.deliver)
            await nursery.start(driver.serve, self._begin)
            nursery.start_soon(self._watch_journal, driver)
            nursery.start_soon(self.pins.serve, self._known_jobs)
            if self.options.machine_speed is None:
                nursery.start_soon(self.pace.tell, self.deliver, self.options.emulated_speed)
            await nursery.start(self.executor.serve)
            nursery.start_soon(self.probing.serve, lambda: peer.neighbours, self.transport.relays_content)
            whereabouts = Whereabouts(self.transport, peer.facts.addresses, self.deliver)
            nursery.start_soon(whereabouts.serve)
            if self.habits.mdns:
                announce = partial(serve_discovery, self.trust.cluster, self.me, deliver=self.deliver)
                nursery.start_soon(whereabouts.announce, announce)
            await self._join(peer, driver)
            self._take_up()
            await self._look_round(peer, driver)
            self.ready = True
            await nursery.start(serve_calls, calls_socket(self.options.home), self)
            report_ready(self.options.home)
            logger.info("ready: node=%s cluster=%s", self.name, self.trust.cluster.hex())
            await self.stopping.wait()
            await self._leave(driver)
            if driver.failure is not None:
                raise driver.failure
            nursery.cancel_scope.cancel()

    def _earlier_admission(self) -> bytes:
        """The credential with which an earlier run of this home was admitted; empty if it is good for nothing now."""
        cluster, credential = self.identity.cluster(), dict(self.journal.rows("credential")).get(self.me, b"")
        if cluster is None or not credential:
            return b""
        try:
            Trust(self.crypto, cluster.authority_key).check(self.me, credential, self.started_s)
        except TrustError as error:
            logger.warning("the admission from an earlier start is void: %s", error)
            return b""
        return credential

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _listen(self, nursery: trio.Nursery) -> None:
        """Listen where the person says, else where this node listened last, else at the usual port, else anywhere:
        tokens and the memories of others carry our address. Raises CannotListenError."""
        wanted = (self.options.port,) if self.options.port is not None else (self.habits.port or PORT, 0)
        for port in wanted:
            self.transport = self._make_transport(port)
            try:
                await nursery.start(self.transport.serve)
            except PortInUseError:
                if port == wanted[-1]:
                    raise
            else:
                break
        self.habits = replace(self.habits, port=self.transport.port)
        await self.journal.save([("place", b"habits", encode(self.habits))])

    def _make_transport(self, port: int) -> Transport:
        passport = Passport(self.identity.seed(), self.enrolment.cluster.authority_key, self._credential, self.crypto)
        return Transport(
            passport,
            boot=self.boot,
            admit=self._admit,
            deliver=self.deliver,
            room=lambda: trio.lowlevel.checkpoint() if self.driver is None else self.driver.room(),
            addresses_of=lambda node: () if self.peer is None else self.peer.addresses_of(node),
            relays_of=lambda node: () if self.peer is None else self.peer.relays_of(node),
            lookup=lambda short: None if self.peer is None else self.peer.by_short(short),
            serve_bulk=self._serve_bulk,
            clock=self.clock,
            settings=TransportSettings(host=self.habits.listen, port=port),
        )

    def _make_peer(self) -> Peer:
        facts = machine_facts(self.options.home)
        machine_speed = self.options.machine_speed or self.pace.best
        credential = self._admission or self.enrolment.cluster.credential
        peer = Peer(
            PeerIdentity(self.identity.seed(), self.trust.cluster, credential),
            Facts(
                self.name,
                self.transport.addresses(),
                self.habits.cores or facts.cores,
                facts.memory_bytes,
                facts.disk_bytes,
                machine_speed * self.options.emulated_speed,
                software(self.options),
                self.boot,
            ),
            self.crypto,
            self.trust,
            self.profile,
            KNOWN,
            Random(int.from_bytes(os.urandom(16), "big")),  # noqa: S311  # for spreading load, not for secrets
            _TIMINGS.get(self.habits.timing, MembershipSettings.lan)(),
        )
        rows = self.journal.rows
        self._journaled = dict(rows("job"))
        jobs = [decode(Signed, value) for value in self._journaled.values()]
        segments = [decode(Signed, value) for _, value in rows("segment")]
        hollows = [decode(Hollow, value) for _, value in rows("hollow")]
        peer.restore(Legacy(jobs, segments, hollows))
        return peer

    def _make_driver(self, peer: Peer) -> Driver:
        hands = Hands(self._run_unit, self.executor, self.fetch, self.pins.hold, self.pins.let_go, self._release)
        return Driver(peer, self.transport, self.journal, self.clock, hands, Sampling(lambda: peer.is_busy))

    def _begin(self) -> list[Effect]:
        """The first effects: whom to dial, from all that is known."""
        assert self.peer is not None
        records = [(NodeId(node), decode(NodeRecord, value)) for node, value in self.journal.rows("peer")]
        self._remembers_others = any(node != self.me for node, _ in records)
        known = tuple(address for _, record in records for address in record.addresses)
        seeds = (*map(seed_address, self.options.seeds), *self.enrolment.seeds, *known)
        heard_of = [(NodeId(node), credential) for node, credential in self.journal.rows("credential")]
        remembered = (*((node, record.credential) for node, record in records), *heard_of)
        return self.peer.start(tuple(dict.fromkeys(seeds)), self.clock(), remembered)

    def _credential(self) -> bytes:
        return self.enrolment.cluster.credential if self.peer is None else self.peer.joining.credential

    def _admit(self, node: NodeId, credential: bytes) -> None:
        self.trust.check(node, credential, self.clock())

    def deliver(self, event: Event) -> None:
        if self.driver is not None:
            self.driver.deliver(event)
        else:
            self.early.keep(event)

    # -- effects that take time --------------------------------------------------------------------------------------

    def _release(self, job: JobId) -> None:
        """Nothing that a job needed is needed here any more."""
        self.pins.release(job)
        self.shortages.pop(job, None)
        self.detours.pop(job, None)

    async def _run_unit(self, run: Run) -> RunEnded:
        await self.pins.restored.wait()
        self.pins.pin(run.unit.job, ())  # which the executor adds to
        return await run_at(self.options.emulated_speed, self.executor.run, run)

    async def fetch(self, fetch: Fetch) -> Fetched:
        """Get content into the store, pinned for its owner from before it is there. Raises FetchError."""
        await self.pins.restored.wait()
        if fetch.owner is not None:
            self.pins.pin(fetch.owner, [fetch.file.digest])
            self.shortages.pop(fetch.owner, None)
        try:
            fetching = self.transfer.fetch(fetch.file, fetch.sources, self.open_stream, lasting=fetch.lasting)
            arrival = await fetching
        except NoRoomError as error:
            if fetch.owner is not None:
                self.shortages[fetch.owner] = str(error)
                logger.warning("job=%s %s", job_text(fetch.owner), error)
            raise
        self.probing.heed(arrival)
        relay = None if arrival.source is None else self.transport.content_via(arrival.source)
        if fetch.owner is not None and arrival.source is not None and relay is not None:
            self.detours.setdefault(fetch.owner, {})[arrival.source] = relay
        return Fetched(fetch.file, arrival.source, arrival.received_bytes, arrival.seconds)

    async def _serve_bulk(self, peer: NodeId, stream: BulkStream) -> None:
        if self.trust.standing(peer) is not None:  # only members get content, invited strangers do not
            await self.transfer.serve(peer, stream)

    async def open_stream(self, node: NodeId) -> BulkStream:
        """A stream for content to a member. Raises StreamError."""
        try:
            return await self.transport.open_bulk(node, () if self.peer is None else self.peer.addresses_of(node))
        except UnreachableError as error:
            raise StreamError(str(error)) from None

    def _take_up(self) -> None:
        """The core has read the journal: see what it goes on with."""
        jobs = self._known_jobs()
        self.pins.restore(jobs)
        unfinished = [job for job in jobs if job.id in self._journaled and not job.state.is_over]
        self.resumed = len(unfinished)
        for job in unfinished:
            logger.info("resumed: job=%s name=%s", job_text(job.id), job.spec.name)

    def _known_jobs(self) -> tuple[Job, ...]:
        jobs = None if self.peer is None else self.peer.jobs
        return () if jobs is None else tuple(jobs.desk.jobs.values())

    # -- services ----------------------------------------------------------------------------------------------------

    async def _join(self, peer: Peer, driver: Driver) -> None:
        """Return when this node is a member. Raises StartError when that cannot be."""
        began = trio.current_time()
        while not peer.is_member:
            patience_s = JOIN_S_MAX if self.habits.mdns or not peer.joining.is_hopeless else HOPELESS_S
            if trio.current_time() > began + (OTHERS_S if peer.joining.refusal else patience_s):
                break
            with trio.move_on_after(HOPELESS_S / 4):
                await driver.change("joining", b"").wait()
        if peer.joining.refusal is not None:
            raise StartError(f"the cluster refused this node: {peer.joining.refusal}")
        if not peer.is_member:
            failures = dict.fromkeys(peer.joining.dial_failures.values())
            tried = "; ".join(failures) or "no address of a member is known: name one with --seed HOST:PORT"
            raise StartError(f"no member of the cluster let this node in: {tried}")

    async def _look_round(self, peer: Peer, driver: Driver) -> None:
        """Who has just come sees the others a moment later; who asks at once should, too. A new founder is alone."""
        is_alone = bool(self.enrolment.cluster.authority_seed) and not self._remembers_others
        with trio.move_on_after(0 if is_alone else LOOK_ROUND_S):
            while peer.membership is not None and not peer.membership.alive():
                await driver.change("members", b"").wait()

    async def _leave(self, driver: Driver) -> None:
        with trio.move_on_after(LEAVE_S_MAX), driver.request(Leave) as request:
            await request.answered.wait()  # in whatever way
            await trio.sleep(FAREWELL_S)

    async def _watch_journal(self, driver: Driver) -> None:
        """What a node cannot write down it must not promise: it ends, and in order, so that others take over now."""
        await driver.failed.wait()
        if not self.ready:
            assert driver.failure is not None
            raise driver.failure
        self.stopping.set()

    async def _watch_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                logger.info("stopping: signal %s", signal.Signals(number).name)
                self.stopping.set()

    async def _watch_parent(self) -> None:
        """Standard input ends when whoever started us is gone."""
        descriptor = sys.stdin.fileno()
        while await trio.to_thread.run_sync(os.read, descriptor, 4096, abandon_on_cancel=True):
            pass
        self.stopping.set()
