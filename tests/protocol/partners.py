"""Partners for tests: nodes reduced to what they do about jobs (`Jobs`), on virtual time, all within earshot.

Frames arrive at once and in order, unless a test cuts a way; content that somebody has arrives at once, unless the
test brings it itself; runs end when the test ends them. Whatever a node does that others can notice is written down
as a line, and `take` gives the lines since the last time: a test that compares them has also said that nothing else
was sent. Confirmations are left out; `is_quiet` asks whether every segment was confirmed.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from pnode.protocol.codec import decode, encode
from pnode.protocol.dag import Dag, Task
from pnode.protocol.desk import Desk
from pnode.protocol.effects import (
    Cancel,
    Effect,
    Erase,
    Fetch,
    Keep,
    LetGo,
    Notify,
    Recall,
    Release,
    Reply,
    Run,
    Save,
    Send,
    Sync,
    Unit,
)
from pnode.protocol.events import Fetched, FetchFailed, RunEnded, Submit, Synced
from pnode.protocol.frames import Frames
from pnode.protocol.ids import JobId, NodeId, digest_of
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import FRAMES, Deliver, Delivered, Hollow, Receipt
from pnode.protocol.jobs import Jobs
from pnode.protocol.jobspec import FileRef, Item, JobSpec
from pnode.protocol.jobstate import ABOUT_THE_JOB, UnitKey
from pnode.protocol.ledger import ANY_QUEUE, Ledger, Segment, Statement, StatementKind
from pnode.protocol.legacy import Legacy
from pnode.protocol.neighbourhood import Place
from pnode.protocol.signed import Signed
from pnode.protocol.trust import Shown
from pnode.protocol.view import Choice, Link, LinkFigure, PeerView, Question, Score, View

from .ledgers import COMMAND, NOTHING
from .members import CLUSTER, FakeCrypto, seed_of

START = 1000.0
MEMORY_BYTES = 2**30
CODEC = Frames(FRAMES)

DAY_S = 86_400.0

FALSE_BOOT = 1000
"""Feeds of words put into somebody's mouth begin here: each has one segment, so that none is ever missing."""


def task(name: str, *children: str, **fields: object) -> Task:
    return Task(name, children, COMMAND, **({"final": not children} | fields))  # type: ignore[arg-type]


def spec(
    *tasks: Task, items: int = 1, files: tuple[FileRef, ...] = (), nonce: bytes = b"n" * 16, **fields: object
) -> JobSpec:
    """A job whose items have all the same files, or none. Only its origin keeps it, unless `replicas` are said."""
    fields.setdefault("replicas", 0)
    inputs = tuple(Item(f"k{number}", files) for number in range(items))
    return JobSpec("test", Dag(tasks), inputs, "script", 0.0, nonce, **fields)  # type: ignore[arg-type]


def file(name: str, content: str = "") -> FileRef:
    """A file; with the same content two names are the same content."""
    return FileRef(name, 5, digest_of((content or name).encode()))


@dataclass(slots=True)
class Script:
    """A mapper that prefers whom the test says, and after them everybody in the order of their names."""

    name: str = "script"
    prefer: dict[str, tuple[NodeId, ...]] = field(default_factory=dict)
    queue_s: float = ANY_QUEUE
    """How long it believes every queue to be; ANY_QUEUE when it does not mind."""
    questions: list[Question] = field(default_factory=list)

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        self.questions.append(question)
        able = {peer.node: peer.name for peer in view.peers if peer.node not in question.excluded}
        liked = [node for node in self.prefer.get(question.task, ()) if node in able]
        ranking = dict.fromkeys((*liked, *sorted(able, key=lambda node: able[node])))
        minds = self.queue_s != ANY_QUEUE
        return Choice(tuple(Score(node, 0.0, 0.0, self.queue_s, 0.0) for node in ranking), minds)


class Mute:
    """A mapper that finds nobody."""

    name = "script"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        return Choice(())


@dataclass(slots=True)
class Notes:
    """A profile that writes down what it is shown and believes what the test says."""

    expected_s: dict[str, float] = field(default_factory=dict)
    """By program; what the task says of itself where nothing stands here, else a second."""
    transfers: list[tuple[NodeId, int, float]] = field(default_factory=list)
    runs: list[tuple[str, NodeId, float]] = field(default_factory=list)

    def observe_round_trip(self, peer: NodeId, rtt_s: float, now: float, place: bytes = b"") -> None:
        raise AssertionError("jobs measure no round trips")

    def hear_place(self, node: NodeId, place: bytes, now: float) -> None:
        raise AssertionError("jobs hear of nobody's place")

    def place(self) -> bytes:
        raise AssertionError("jobs do not ask where they are")

    def observe_transfer(self, source: NodeId, size_bytes: int, seconds: float, now: float) -> None:
        self.transfers.append((source, size_bytes, seconds))

    def observe_run(self, program: str, node: NodeId, speed: float, seconds: float, now: float) -> None:
        self.runs.append((program, node, seconds))

    def hear_links(self, node: NodeId, figures: tuple[LinkFigure, ...], now: float) -> None:
        raise AssertionError("jobs hear of no links")

    def forget(self, node: NodeId) -> None:
        raise AssertionError("jobs forget nobody's speed")

    def my_figures(self, now: float) -> tuple[LinkFigure, ...]:
        return ()

    def link(self, source: NodeId, target: NodeId, now: float) -> Link:
        return Link(0.0, 1e9, 1.0)

    def knows(self, program: str, expected_s: float) -> bool:
        return program in self.expected_s or expected_s > 0

    def run_s(self, program: str, node: NodeId, speed: float, expected_s: float) -> float:
        return self.expected_s.get(program) or expected_s or 1.0


@dataclass(slots=True)
class Near:
    """What a partner believes of the others: all are members, alive and may do anything unless the test says not."""

    circle: "Circle"
    me: NodeId
    gone: list[NodeId] = field(default_factory=list)
    suspect: list[NodeId] = field(default_factory=list)
    unknown: list[NodeId] = field(default_factory=list)
    uncertified: list[NodeId] = field(default_factory=list)
    barred: list[NodeId] = field(default_factory=list)
    """May not submit."""

    def view(self, job: Job, task: Task, now: float) -> View:
        partners = self.circle.partners.values()
        alive = (each for each in partners if not self.is_gone(each.id) and not self.is_suspect(each.id))
        peers = (PeerView(each.id, each.name, 1, 1.0, 0.0, 0.0, 0.0, 0.0, MEMORY_BYTES) for each in alive)
        run_s = {each.name: each.expected_s or 1.0 for each in job.spec.dag.tasks}
        return View(self.me, tuple(peers), lambda source, target: Link(0.0, 1e9, 1.0), lambda name, node: run_s[name])

    def members(self) -> list[NodeId]:
        everybody = (each.id for each in self.circle.partners.values())
        return [node for node in everybody if node not in self.gone and node not in self.unknown]

    def is_gone(self, node: NodeId) -> bool:
        return node in self.gone

    def is_suspect(self, node: NodeId) -> bool:
        return node in self.suspect

    def is_known(self, node: NodeId) -> bool:
        return node not in self.unknown

    def boot_of(self, node: NodeId) -> int:
        return max(each.jobs.desk.place.boot for each in self.circle.partners.values() if each.id == node)

    def name_of(self, node: NodeId) -> str:
        return self.circle.name_of(node)

    def speed_of(self, node: NodeId) -> float:
        return 1.0

    def is_certified(self, node: NodeId) -> bool:
        return node not in self.uncertified

    def credentials_of(self, node: NodeId) -> list[Shown]:
        return [] if node in self.uncertified else [(node, b"credential")]

    def hear_of(self, shown: tuple[Shown, ...], now: float) -> None:
        for node, _ in shown:
            if node in self.uncertified:
                self.uncertified.remove(node)

    def may_submit(self, node: NodeId) -> bool:
        return node not in self.barred

    def load_known_since(self, node: NodeId) -> float:
        return -math.inf


@dataclass(slots=True)
class Partner:
    """One node, with its journal."""

    name: str
    jobs: Jobs
    near: Near
    notes: Notes
    up: bool = True
    rows: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    written_s: dict[tuple[str, bytes], float] = field(default_factory=dict)
    store: dict[bytes, None] = field(default_factory=dict)
    """Digests of the content that it has."""
    running: dict[Unit, Run] = field(default_factory=dict)
    fetching: dict[bytes, Fetch] = field(default_factory=dict)
    """What it has asked for and not got."""
    replies: dict[int, Reply] = field(default_factory=dict)
    syncs: list[Sync] = field(default_factory=list)
    """What its disk has not written yet."""
    unseen: dict[str, None] = field(default_factory=dict)
    """Whom it has not met since it was restarted."""

    @property
    def id(self) -> NodeId:
        return self.jobs.desk.me

    @property
    def held(self) -> list[UnitKey]:
        """Units that it has accepted, of all jobs."""
        return [key for job in self.jobs.desk.jobs.values() for key in job.held]

    @property
    def job(self) -> Job:
        """The only one it knows."""
        (job,) = self.jobs.desk.jobs.values()
        return job


class Circle:
    """The partners and what is said among them."""

    def __init__(self, *names: str, brings: bool = True, cores: int = 1, **place: object) -> None:
        self.now = START
        self.crypto = FakeCrypto()
        self.mapper = Script()
        self.brings = brings
        """Whether content that somebody has arrives by itself."""
        self.slow_disks = False
        """Whether a Sync is through only when the test says so."""
        self.deaf: list[tuple[str, str]] = []
        """Ways (from, to) on which every frame is lost."""
        self.frames: list[tuple[str, str, object]] = []
        """Everything that was sent: (from, to, message)."""
        self._lines: list[str] = []
        self._placed: list[str] = []
        self._under_way: deque[Callable[[], None]] = deque()
        self._requests = 0
        self._place = {"cores": cores, "memory_bytes": MEMORY_BYTES, "speed": 1.0, "computes": True} | place
        self.partners: dict[str, Partner] = {}
        for number, name in enumerate(names, 1):
            self.partners[name] = self._partner(name, seed_of(number), 1, Notes())

    def __getitem__(self, name: str) -> Partner:
        return self.partners[name]

    def id_of(self, name: str) -> NodeId:
        return self.partners[name].id

    def name_of(self, node: NodeId) -> str:
        return next((each.name for each in self.partners.values() if each.id == node), node.hex()[:8])

    def prefer(self, task: str, *names: str) -> None:
        """Whom the mapper takes for a task."""
        self.mapper.prefer[task] = tuple(self.id_of(name) for name in names)

    # -- what happens ------------------------------------------------------------------------------------------------

    def submit(self, name: str, job: JobSpec) -> JobId:
        """Submit at a partner, which has the input, and let everybody talk; it has to be answered by that."""
        return JobId(self.receipt(name, self.submit_unanswered(name, job)).job)

    def submit_unanswered(self, name: str, job: JobSpec) -> int:
        """The same, if guardians are waited for; returns the number of the request."""
        inputs = (each.digest for item in job.items for each in item.files)
        self[name].store.update(dict.fromkeys(inputs))
        if job.application is not None:
            self[name].store[job.application.digest] = None
        return self.ask(name, lambda number: Submit(number, encode(job)))

    def receipt(self, name: str, request: int) -> Receipt:
        """What a partner was told about the keeping of the job that was submitted by that request."""
        return decode(Receipt, self[name].replies[request].value)

    def ask(self, name: str, event: Callable[[int], object]) -> int:
        """Put a request; returns its number."""
        self._requests += 1
        self.tell(name, event(self._requests))
        return self._requests

    def tell(self, name: str, event: object) -> None:
        """Something happens at a partner."""
        self.do(self[name], self[name].jobs.handle(event, self.now))  # type: ignore[arg-type]
        self.settle()

    def end(
        self,
        name: str,
        task: str,
        *outputs: FileRef,
        failure: str = "",
        item: int = 0,
        timed_out: bool = False,
        contents: tuple[bytes, ...] = (),
    ) -> None:
        """The run of a task ends; without `outputs` a success has written one file that is called after it."""
        (run,) = (run for run in self[name].running.values() if (run.unit.task, run.unit.item) == (task, item))
        written = () if failure else outputs or (file(f"{task}_out"),)
        del self[name].running[run.unit]
        self[name].store.update(dict.fromkeys(each.digest for each in written))
        status = 1 if failure else 0
        self.tell(
            name,
            RunEnded(run.unit, failure, status, written, NOTHING, NOTHING, "", 1.0, timed_out, contents=contents),
        )

    def bring(self, name: str, content: FileRef, source: str | None = None) -> None:
        """Content arrives at a partner."""
        self._bring(self[name], content, source)
        self.settle()

    def bring_all(self) -> None:
        """From now on all content arrives by itself. What was asked for before does, too, or fails."""
        self.brings = True
        for partner in self.partners.values():
            for fetch in partner.fetching.values():
                self._deliver(partner, fetch)
        self.settle()

    def refuse(self, name: str, content: FileRef, reason: str = "refused") -> None:
        """A partner's fetch fails."""
        self._refuse(self[name], content, reason)
        self.settle()

    def sync(self, name: str) -> None:
        """A partner's disk has written everything."""
        self._synced(self[name])
        self.settle()

    def crash(self, name: str, *, unsynced: bool = False) -> None:
        """A partner is switched off, perhaps before what it wrote at this instant was safe; nobody notices yet."""
        partner = self[name]
        partner.up = False
        partner.running.clear()
        partner.fetching.clear()
        partner.syncs.clear()
        if unsynced:
            partner.rows = {key: row for key, row in partner.rows.items() if partner.written_s[key] < self.now}

    def miss(self, name: str, *by: str) -> None:
        """The others, or those named, take a partner for dead."""
        for each in by or [other for other in self.partners if other != name]:
            partner = self[each]
            partner.near.gone.append(self.id_of(name))
            if partner.up:
                self.do(partner, partner.jobs.member_gone(self.id_of(name), self.now))
        self.settle()

    def suspect(self, name: str, *by: str) -> None:
        """The others, or those named, get no answer from a partner."""
        for each in by or [other for other in self.partners if other != name]:
            partner = self[each]
            partner.near.suspect.append(self.id_of(name))
            self.do(partner, partner.jobs.member_suspected(self.id_of(name), self.now))
        self.settle()

    def kill(self, name: str) -> None:
        """It crashes and everybody knows."""
        self.crash(name)
        self.miss(name)

    def meet(self, name: str, *by: str) -> None:
        """The others, or those named, see a partner again, or for the first time, or restarted; it sees those whom it
        has not seen since its own start."""
        for each in by or [other for other in self.partners if other != name]:
            self._see(self[each], self[name])
            if each in self[name].unseen:
                self._see(self[name], self[each])
        self.settle()

    def forget(self, name: str, *kinds: StatementKind) -> None:
        """A partner's disk loses the segments in which it has said such a thing itself."""
        for key, row in list(self[name].rows.items()):
            said = decode(Signed, row)
            if key[0] == "segment" and said.author == self.id_of(name) and _tells(said, kinds):
                del self[name].rows[key]

    def rows_with(self, name: str, kind: StatementKind) -> int:
        """How many segments on a partner's disk tell of such a thing."""
        said = (decode(Signed, row) for (table, _), row in self[name].rows.items() if table == "segment")
        return sum(_tells(each, (kind,)) for each in said)

    def restart(self, name: str, *, unknown: tuple[str, ...] = ()) -> None:
        """A crashed partner starts again with what is on its disk, not knowing some; nobody has noticed yet."""
        partner = self[name]
        place = partner.jobs.desk.place
        fresh = self._partner(name, place.seed, place.boot + 1, partner.notes)
        partner.up, partner.near, partner.jobs = True, fresh.near, fresh.jobs
        partner.near.unknown += [self.id_of(other) for other in unknown if other != name]
        partner.unseen = {other: None for other in self.partners if other != name}
        jobs, segments = (
            [decode(Signed, row) for (table, _), row in partner.rows.items() if table == wanted]
            for wanted in ("job", "segment")
        )
        hollows = [decode(Hollow, row) for (table, _), row in partner.rows.items() if table == "hollow"]
        self.do(partner, partner.jobs.restore(Legacy(jobs, segments, hollows), self.now))
        self.settle()

    # -- time and talk -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everybody talk until all have said what they have to say at this moment."""
        for _ in range(1000):
            due = [each for each in self.partners.values() if each.up and each.jobs.deadline <= self.now]
            for partner in due:
                self.do(partner, partner.jobs.tick(self.now))
            if not due and not self._under_way:
                return
            self._carry()
        raise AssertionError("they never stop talking")

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (due_s := self._due_s) <= end:
            self.now = max(self.now, due_s)
            self.settle()
        self.now = end

    @property
    def deadline(self) -> float:
        """When somebody has something to do; that a job is released one day does not count."""
        return self._due_s if self._due_s < self.now + DAY_S else math.inf

    @property
    def _due_s(self) -> float:
        return min((each.jobs.deadline for each in self.partners.values() if each.up), default=math.inf)

    def take(self) -> list[str]:
        """What was done since the last time, in order."""
        lines, self._lines = self._lines, []
        self._placed.clear()
        return lines

    def placed(self) -> list[str]:
        """Who has given what to whom since the last time, itself included; forgets everything else that was done."""
        placed, self._placed = self._placed, []
        self._lines.clear()
        return placed

    def is_quiet(self) -> bool:
        """Whether nothing is under way, unconfirmed or unread."""
        up = (each for each in self.partners.values() if each.up)
        return not self.take() and all(each.jobs.desk.delivery.deadline == math.inf for each in up)

    def say(self, sender: str, receiver: str, message: object) -> None:
        """A message comes to a partner that its sender's own machine has not sent, and even if it is deaf to it."""
        partner = self[receiver]
        self.do(partner, partner.jobs.message(self.id_of(sender), message, self.now))  # type: ignore[arg-type]
        self.settle()

    def utter(self, sender: str, receiver: str, *statements: Statement, signer: str = "") -> None:
        """Let a partner hear what the sender's own machine has not said, signed by the sender or somebody else."""
        (job,) = {job.id: job for each in self.partners.values() for job in each.jobs.desk.jobs.values()}.values()
        self[sender].jobs.register.known(job.id, job.signed, self.id_of(sender))
        self._requests += 1
        seed = self[signer or sender].jobs.desk.place.seed
        entry = Ledger(job.id).write(self.crypto, CLUSTER, seed, FALSE_BOOT + self._requests, statements)
        self.say(sender, receiver, Deliver(job.id, (entry.signed,), job.signed))

    def do(self, partner: Partner, effects: list[Effect]) -> None:
        """Carry out what a machine wants."""
        for effect in effects:
            match effect:
                case Send():
                    receiver = self.name_of(effect.peer)
                    message = CODEC.decode(effect.payload)
                    self.frames.append((partner.name, receiver, message))
                    if not isinstance(message, Delivered):
                        self._note(f"{partner.name} > {receiver}: {self._words(partner.name, message)}")
                    self._under_way.append(partial(self._arrive, partner.name, receiver, message))
                case Save():
                    partner.rows[(effect.table, effect.key)] = effect.value
                    partner.written_s[(effect.table, effect.key)] = self.now
                    if effect.table == "segment":
                        self._read(partner, decode(Signed, effect.value))
                case Erase():
                    partner.rows.pop((effect.table, effect.key), None)
                case Sync():
                    partner.syncs.append(effect)
                    if not self.slow_disks:
                        self._under_way.append(partial(self._synced, partner))
                case LetGo():
                    for digest in effect.digests:
                        partner.store.pop(digest, None)
                    self._note(f"{partner.name} lets go of {len(effect.digests)}")
                case Release():
                    self._note(f"{partner.name} releases what the job needed")
                case Notify():
                    pass
                case Reply():
                    partner.replies[effect.request] = effect
                    self._note(f"{partner.name} is told: {effect.error or 'done'}")
                case Run():
                    partner.running[effect.unit] = effect
                    behind = "" if effect.behind is None else f" behind {_unit(effect.behind)}"
                    self._note(f"{partner.name} runs {_unit(effect.unit)}{behind}")
                case Cancel():
                    self._note(f"{partner.name} ends {_unit(effect.unit)}")
                    del partner.running[effect.unit]  # nobody may end what does not run
                case Recall():
                    self._note(f"{partner.name} recalls {_unit(effect.unit)}")
                case Fetch():
                    self._fetch(partner, effect)
                case Keep():
                    partner.store[effect.digest] = None
                    self._note(f"{partner.name} keeps {effect.content.decode()}")
                case _:
                    raise AssertionError(f"jobs do not want {effect}")

    # -- inside ------------------------------------------------------------------------------------------------------

    def _see(self, partner: Partner, other: Partner) -> None:
        """A member is there again, in the eyes of one partner."""
        if not (partner.up and other.up):
            return
        for absent in (partner.near.gone, partner.near.unknown):
            if other.id in absent:
                absent.remove(other.id)
        partner.unseen.pop(other.name, None)
        partner.jobs.session_opened(other.id)
        self.do(partner, partner.jobs.member_back(other.id, self.now))

    def _partner(self, name: str, seed: bytes, boot: int, notes: Notes) -> Partner:
        me = NodeId(self.crypto.public_key(seed))
        place = Place(me=me, name=name, seed=seed, cluster=CLUSTER, boot=boot, **self._place)  # type: ignore[arg-type]
        near = Near(self, me)
        jobs = Jobs(Desk(place, self.crypto, near, notes, {"script": self.mapper}, Random(boot)))
        jobs.mail.confirm_within_s = jobs.desk.unhurried_s = 0.0  # so that all has been said when they are quiet
        return Partner(name, jobs, near, notes)

    def _synced(self, partner: Partner) -> None:
        syncs, partner.syncs = partner.syncs, []
        for sync in syncs:
            self.do(partner, partner.jobs.handle(Synced(sync.number), self.now))

    def _note(self, line: str) -> None:
        self._lines.append(line)

    def _fetch(self, partner: Partner, fetch: Fetch) -> None:
        assert fetch.file.digest not in partner.fetching, "it is under way already"
        sources = [self.name_of(node) for node in fetch.sources]
        self._note(f"{partner.name} fetches {fetch.file.name} from {', '.join(sources)}")
        partner.fetching[fetch.file.digest] = fetch
        if self.brings:
            self._deliver(partner, fetch)

    def _deliver(self, partner: Partner, fetch: Fetch) -> None:
        """Let content arrive, or the fetch fail."""
        sources = [self.name_of(node) for node in fetch.sources]
        if fetch.file.digest in partner.store:
            self._under_way.append(lambda: self._bring(partner, fetch.file, None))
            return
        having = [name for name in sources if self[name].up and fetch.file.digest in self[name].store]
        if having:
            self._under_way.append(lambda: self._bring(partner, fetch.file, having[0]))
        else:
            self._under_way.append(lambda: self._refuse(partner, fetch.file, "nobody has it"))

    def _refuse(self, partner: Partner, content: FileRef, reason: str) -> None:
        if partner.fetching.pop(content.digest, None) is not None:  # else it was switched off meanwhile
            self.do(partner, partner.jobs.handle(FetchFailed(content, reason), self.now))

    def _bring(self, partner: Partner, content: FileRef, source: str | None) -> None:
        partner.fetching.pop(content.digest, None)
        partner.store[content.digest] = None
        node = None if source is None else self.id_of(source)
        self.do(partner, partner.jobs.handle(Fetched(content, node, content.size_bytes, 0.5), self.now))

    def _carry(self) -> None:
        """Let everything that is under way arrive."""
        arriving, self._under_way = self._under_way, deque()
        for arrive in arriving:
            arrive()

    def _arrive(self, sender: str, receiver: str, message: object) -> None:
        partner = self[receiver]
        if partner.up and (sender, receiver) not in self.deaf:
            self.do(partner, partner.jobs.message(self.id_of(sender), message, self.now))  # type: ignore[arg-type]

    def _read(self, partner: Partner, signed: Signed) -> None:
        """Note whom a partner has given something."""
        statements = decode(Segment, signed.body).statements if signed.author == partner.id else ()
        assignments = (each for each in statements if each.kind == StatementKind.ASSIGNED)
        self._placed += [f"{partner.name}: {self._unit(each)} to {self._whom(each)}" for each in assignments]

    def _words(self, sender: str, message: object) -> str:
        """What a message says, for people."""
        if not isinstance(message, Deliver):
            return type(message).__name__
        parts = []
        for signed in message.segments:
            author = self.name_of(NodeId(signed.author))
            words = ", ".join(self._word(each) for each in decode(Segment, signed.body).statements)
            parts.append(words if author == sender else f"({author}: {words})")
        return "; ".join(parts)

    def _word(self, statement: Statement) -> str:
        kind = StatementKind(statement.kind)
        if kind in ABOUT_THE_JOB:
            return kind.name
        whom = f" to {self._whom(statement)}" if kind is StatementKind.ASSIGNED else ""
        return f"{kind.name} {self._unit(statement)}{whom}"

    def _whom(self, statement: Statement) -> str:
        return self.name_of(NodeId(statement.node))

    def _unit(self, statement: Statement) -> str:
        dag, *_ = {job.spec.dag: None for each in self.partners.values() for job in each.jobs.desk.jobs.values()}
        return _unit(Unit(JobId(b""), dag.tasks[statement.task].name, statement.item, statement.attempt))


def _tells(said: Signed, kinds: tuple[StatementKind, ...]) -> bool:
    return any(each.kind in kinds for each in decode(Segment, said.body).statements)


def _unit(unit: Unit) -> str:
    item = f"[{unit.item}]" if unit.item else ""
    return f"{unit.task}{item}#{unit.attempt}"
