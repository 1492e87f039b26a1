"""Views and questions made by hand for the mappers' tests."""

from collections.abc import Mapping, Sequence

from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Link, Parent, PeerView, Question, View

FREE = Link(0.0, float("inf"), 1.0)
LAN = Link(0.001, 1e8, 1.0)
PROGRAM = Program(ProgramKind.COMMAND, ("true",))


def node(letter: str) -> NodeId:
    """A node id that sorts like its letter."""
    return NodeId(letter.encode().rjust(32, b"\0"))


def peer(
    letter: str,
    *,
    free_in_s: float = 0.0,
    age_s: float = 0.0,
    cores: int = 1,
    speed: float = 1.0,
    cpu: float | None = 0.0,
    memory: float | None = 0.0,
) -> PeerView:
    return PeerView(node(letter), letter, cores, speed, free_in_s, age_s, cpu, memory, 2**30)


def view(
    me: str,
    peers: Sequence[PeerView],
    *,
    links: Mapping[str, Link] | None = None,
    run_s: Mapping[str, float] | None = None,
) -> View:
    """`links` by "AB" (source, target), LAN otherwise; `run_s` by task or node, else 1 s on a core of speed 1."""
    known = {(node(pair[0]), node(pair[1])): link for pair, link in (links or {}).items()}
    speeds = {one.node: one.speed for one in peers}
    seconds = run_s or {}

    def link(source: NodeId, target: NodeId) -> Link:
        return FREE if source == target else known.get((source, target), LAN)

    def run(task: str, where: NodeId) -> float:
        letter = where.decode().strip("\0")
        return seconds.get(task, seconds.get(letter, 1.0)) / speeds[where]

    return View(node(me), tuple(peers), link, run)


def task(name: str, *children: str, hint: tuple[str, ...] = (), **facts: int | bool) -> Task:
    return Task(name, children, PROGRAM, hint=hint, **facts)  # type: ignore[arg-type]  # facts are int or bool fields


def alone(*, hint: tuple[str, ...] = ()) -> Dag:
    return Dag((task("only", hint=hint),))


def ask(
    dag: Dag,
    name: str = "only",
    *,
    parents: Sequence[Parent] = (),
    excluded: Sequence[str] = (),
    mine: Sequence[tuple[str, float]] = (),
) -> Question:
    return Question(
        dag,
        name,
        tuple(parents),
        frozenset(node(letter) for letter in excluded),
        tuple((node(letter), seconds) for letter, seconds in mine),
    )


def letters(nodes: Sequence[NodeId]) -> str:
    return "".join(one.decode().strip("\0") for one in nodes)


def big_dag() -> Dag:
    """The ten tasks of jupiter.md 1.9."""
    return Dag(
        (
            task("task0", "task1", "task2", "task3", "task4", "task5"),
            task("task1", "task7", "task8"),
            task("task2", "task6"),
            task("task3", "task7", "task8"),
            task("task4", "task8"),
            task("task5", "task7"),
            task("task6", "task9"),
            task("task7", "task9"),
            task("task8", "task9"),
            task("task9"),
        )
    )


def star(leaves: int) -> Dag:
    names = [f"leaf{number:02}" for number in range(leaves)]
    return Dag((task("root", *names), *(task(name) for name in names)))
