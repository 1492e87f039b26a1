"""Small ledgers for tests: authors with keys, a two-task job, statements in a line."""

from dataclasses import replace

from pnode.protocol.attempts import outputs_mark
from pnode.protocol.crypto import Sodium
from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.ids import ClusterId, JobId, NodeId, digest_of
from pnode.protocol.jobspec import FileRef, Item, JobSpec
from pnode.protocol.ledger import Entry, Ledger, Outcome, Statement, StatementKind, When

CRYPTO = Sodium()
CLUSTER = ClusterId(b"c" * 16)
JOB = JobId(b"j" * 16)
SEEDS = tuple(bytes([number]) * 32 for number in range(4))
NODES = tuple(NodeId(CRYPTO.public_key(seed)) for seed in SEEDS)
NOTHING = FileRef("nothing", 0, digest_of(b""))
COMMAND = Program(ProgramKind.COMMAND, ("true",))


def task(name: str, *children: str, **fields: object) -> Task:
    return Task(name, children, COMMAND, final=not children, **fields)  # type: ignore[arg-type]


def job_spec(*tasks: Task, items: int = 1) -> JobSpec:
    tasks = tasks or (task("first", "second"), task("second"))
    inputs = tuple(
        Item(f"k{number}", (FileRef(f"k{number}_in", 5, digest_of(b"%d" % number)),)) for number in range(items)
    )
    return JobSpec("test", Dag(tasks), inputs, "wave-greedy", 0.0, b"n" * 16)


def outcome(seconds: float = 1.0, *outputs: FileRef) -> Outcome:
    return Outcome(seconds, 0, outputs, NOTHING, NOTHING, "", digest_of(b"lineage"))


def statement(
    kind: StatementKind, unit: tuple[int, int] = (0, 0), attempt: int = 1, at_s: float = 1.0, **fields: object
) -> Statement:
    if kind in (StatementKind.FINISHED, StatementKind.FAILED):
        fields.setdefault("outcome", outcome())
    return Statement(kind, *unit, attempt, at_s, **fields)  # type: ignore[arg-type]


def when(said: Statement) -> When:
    """When it was said, by somebody whose clock goes right."""
    return 0, 0, round(said.at_s * 1000)


def made(task: int, attempt: int, written: FileRef, *used: FileRef) -> Statement:
    """A task has written this, out of that."""
    marks = tuple(outputs_mark((each,)) for each in used)
    return statement(StatementKind.FINISHED, (task, 0), attempt, outcome=replace(outcome(1.0, written), used=marks))


def chain(length: int, *, forks_at: int | None = None) -> list[Entry]:
    """A feed of the first author; if it forks, it is another one from there on."""
    ledger = Ledger(JOB)
    instants = [at + (1000.0 if forks_at is not None and at >= forks_at else 0.0) for at in range(length)]
    said = (statement(StatementKind.STARTED, at_s=at_s) for at_s in instants)
    return [ledger.write(CRYPTO, CLUSTER, SEEDS[0], 1, (each,)) for each in said]
