"""The socket for calls, with clients that say what a test says, and a node that makes jobs of nothing."""

import os
import stat
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from pnode.node import calls
from pnode.node.api import RefusedError
from pnode.node.callmessages import (
    FRAME_BYTES_MAX,
    INLINE_BYTES_MAX,
    PARCEL,
    PREFIX,
    VALUES,
    Abandon,
    Batch,
    Came,
    Ended,
    Full,
    Message,
    Taken,
    Unpacker,
    Welcome,
    pack,
)
from pnode.node.calls import serve_calls
from pnode.node.home import calls_socket, parcel_file
from pnode.node.store import Store
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.events import CancelJob, ResultsPulled
from pnode.protocol.ids import JobId, digest_of
from pnode.protocol.jobspec import GIVEN_BYTES_MAX, FileRef, JobSpec
from pnode.protocol.jobstate import Phase

SECONDS_MAX = 10.0


class FakeJob:
    """A job that comes to what a test says."""

    def __init__(self, spec: JobSpec) -> None:
        self.id = spec.nonce
        self.spec = spec
        self.released = False
        self.results: dict[int, FileRef] = {}
        self.looked_at: Counter[int] = Counter()
        """How often somebody wanted to know what has come of a task."""
        self.state = self
        self.phase = Phase.RUNNING

    def latest_results(self) -> Iterator[tuple[int, int]]:
        return iter([(task, 0) for task in reversed(self.results)])

    def unit(self, key: tuple[int, int]) -> Any:
        self.looked_at[key[0]] += 1
        file = self.results.get(key[0])
        return SimpleNamespace(result=file and SimpleNamespace(outcome=SimpleNamespace(outputs=(file,))))


@dataclass
class FakeNode:
    """As much of a node as clients of the socket have to do with."""

    home: Path
    name: str = "alpha"
    jobs: dict[bytes, FakeJob] = field(default_factory=dict)
    heard: list[object] = field(default_factory=list)
    refusal: str = ""
    slow: trio.Event | None = None
    """Nothing is taken in before this."""
    disk: trio.Event | None = None
    """Nothing is in the journal before this."""
    clock: Callable[[], float] = field(default=lambda: 0.0)

    def __post_init__(self) -> None:
        self.store = Store(self.home / "store")
        self.options = SimpleNamespace(home=self.home)
        self.pins = SimpleNamespace(restored=trio.Event())
        self.pins.restored.set()
        self.shortages: dict[object, str] = {}
        self.detours: dict[object, object] = {}
        self.driver = self
        self.record = SimpleNamespace(cores=3)
        self._changed = trio.Event()
        others = {b"b": SimpleNamespace(cores=4), b"c": None}
        membership = SimpleNamespace(record=self.record, alive=lambda: list(others), record_of=others.get)
        desk = SimpleNamespace(jobs=self.jobs)
        self.peer = SimpleNamespace(
            jobs=SimpleNamespace(desk=desk), neighbours=SimpleNamespace(membership=membership)
        )

    def change(self, topic: str, subject: bytes) -> trio.Event:
        return self._changed

    def deliver(self, event: object) -> None:
        self.heard.append(event)

    async def ask(self, event: Callable[[int], object]) -> bytes:
        self.heard.append(event(1))
        return b""

    async def written(self) -> None:
        if self.disk is not None:
            await self.disk.wait()
        if self.refusal:
            raise RefusedError(self.refusal)

    def news(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def job_of(self, batch: Batch) -> FakeJob:
        return self.jobs[batch.nonce]

    def come(self, batch: Batch, task: int, content: bytes) -> FileRef:
        """The outcomes of a task are here."""
        job = self.job_of(batch)
        job.results[task] = self.store.add_bytes(content, "f.0")
        self.news()
        return job.results[task]

    def end(self, batch: Batch, phase: Phase) -> None:
        self.job_of(batch).phase = phase
        self.news()


class FakeSubmission:
    """Makes jobs."""

    def __init__(self, node: FakeNode, driver: object, jobs: object, near: object, nonce: bytes) -> None:
        self._node = node
        self._nonce = nonce

    def known(self) -> FakeJob | None:
        return self._node.jobs.get(self._nonce)

    async def take_in(self, spec: JobSpec, mapper: object) -> FakeJob:
        if self._node.slow is not None:
            await self._node.slow.wait()
        await trio.lowlevel.checkpoint()
        if self._node.refusal:
            raise RefusedError(self._node.refusal)
        assert spec.nonce not in self._node.jobs, "two jobs were made of one batch"
        job = self._node.jobs[spec.nonce] = FakeJob(spec)
        return job


@pytest.fixture(autouse=True)
def _no_real_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "Submission", FakeSubmission)
    monkeypatch.setattr(calls, "job_reason", lambda job, directory: "it was too hot")


class Client:
    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._unpacker = Unpacker()
        self._heard: list[Message] = []

    async def say(self, *messages: Message) -> None:
        await self.stream.send_all(b"".join(map(pack, messages)))

    async def hear(self) -> Message:
        while not self._heard:
            received = await self.stream.receive_some()
            if not received:
                raise EOFError
            self._heard += self._unpacker.feed(received)
        return self._heard.pop(0)

    async def hears_nothing(self) -> bool:
        await trio.testing.wait_all_tasks_blocked(0.01)
        with trio.move_on_after(0):
            await self.hear()
            return False
        return True


class Scene:
    """A node whose socket is served."""

    def __init__(self, node: FakeNode) -> None:
        self.node = node
        self.path = calls_socket(node.home)
        self.clients: list[Client] = []

    async def client(self) -> Client:
        """Has been welcomed."""
        client = Client(await trio.open_unix_socket(os.fspath(self.path)))
        self.clients.append(client)
        assert await client.hear() == Welcome("alpha", 7)
        return client

    async def taken(self, client: Client, batch: Batch) -> FakeJob:
        """Hand it in."""
        await client.say(batch)
        assert await client.hear() == Taken(batch.number, batch.nonce)
        return self.node.job_of(batch)


@asynccontextmanager
async def serving(home: Path) -> AsyncIterator[Scene]:
    with trio.fail_after(SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            scene = Scene(FakeNode(home))
            await nursery.start(serve_calls, scene.path, scene.node)
            yield scene
            for client in scene.clients:
                await client.stream.aclose()
            nursery.cancel_scope.cancel()
    assert not scene.path.exists()


def run(test: Callable[[Scene], Any], home: Path) -> None:
    async def main() -> None:
        async with serving(home) as scene:
            await test(scene)

    trio.run(main)


def batch(number: int = 1, tasks: int = 1, parcel: bytes = b"parcel", **fields: Any) -> Batch:
    program = Program(ProgramKind.CALLS, ("f", "0", "1", PARCEL))
    graph = tuple(Task(f"f.{at}", (), program, final=True) for at in range(tasks))
    return Batch(number, number.to_bytes(16, "big"), "try: f", "session", graph, parcel, **fields)


def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        assert stat.S_IMODE(scene.path.stat().st_mode) == 0o600

    run(test, tmp_path)


def test_a_batch_is_taken_told_of_and_over(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch(tasks=2)
        job = await scene.taken(client, one)
        second = scene.node.come(one, 1, b"second")
        told = [await client.hear()]
        first = scene.node.come(one, 0, b"first")
        told.append(await client.hear())
        early = await client.hears_nothing()
        scene.node.end(one, Phase.DONE)

        assert told == [Came(1, 1, second, b"second"), Came(1, 0, first, b"first")]
        assert early
        assert await client.hear() == Ended(1, "done")
        assert scene.node.heard == [ResultsPulled(JobId(job.id))]

    run(test, tmp_path)


def test_a_task_is_not_looked_at_whenever_another_ends(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch(tasks=5)
        job = await scene.taken(client, one)
        for task in (3, 0, 4, 1):
            scene.node.come(one, task, bytes([task]))
            assert isinstance(await client.hear(), Came)
        scene.node.news()

        assert await client.hears_nothing()
        assert job.looked_at == {3: 1, 0: 1, 4: 1, 1: 1}

    run(test, tmp_path)


def test_a_result_is_told_when_its_content_is_here(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch(tasks=3)
        job = await scene.taken(client, one)
        for task, content in ((1, b"late"), (0, b"later")):
            job.results[task] = FileRef("f.0", len(content), digest_of(content))
        scene.node.news()
        nothing = await client.hears_nothing()
        told = []
        for task, content in ((2, b"here"), (1, b"late"), (0, b"later")):
            scene.node.come(one, task, content)
            told.append(await client.hear())

        assert nothing
        assert [(came.task, came.content) for came in told if isinstance(came, Came)] == [
            (2, b"here"), (1, b"late"), (0, b"later"),
        ]  # fmt: skip

    run(test, tmp_path)


def test_a_result_that_has_taken_the_place_of_another_is_told(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch(tasks=2)
        job = await scene.taken(client, one)
        job.results[0] = FileRef("f.0", 4, digest_of(b"gone"))
        scene.node.news()
        nothing = await client.hears_nothing()
        del job.results[0]
        scene.node.come(one, 1, b"one")
        told = [await client.hear()]
        scene.node.come(one, 0, b"anew")
        told.append(await client.hear())

        assert nothing
        assert [(came.task, came.content) for came in told if isinstance(came, Came)] == [(1, b"one"), (0, b"anew")]

    run(test, tmp_path)


def test_outcomes_do_not_wait_for_the_journal(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one, scene.node.disk = await scene.client(), batch(), trio.Event()
        await client.say(one)
        await trio.testing.wait_all_tasks_blocked(0.01)
        scene.node.come(one, 0, b"first")
        scene.node.end(one, Phase.DONE)

        assert isinstance(await client.hear(), Came)
        assert await client.hears_nothing()
        scene.node.disk.set()
        assert await client.hear() == Taken(1, one.nonce)
        assert await client.hear() == Ended(1, "done")

    run(test, tmp_path)


def test_where_the_journal_has_failed_nobody_is_told_that_a_job_is_taken(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one, scene.node.disk = await scene.client(), batch(), trio.Event()
        await client.say(one)
        await trio.testing.wait_all_tasks_blocked(0.01)
        scene.node.refusal = "the disk is full"
        scene.node.disk.set()

        assert await client.hears_nothing()

    run(test, tmp_path)


def test_a_job_is_what_the_batch_says(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        earlier = scene.node.store.add_bytes(b"earlier", "e")
        one = batch(values=b"values", files=(earlier,), replicas=2)
        spec = (await scene.taken(await scene.client(), one)).spec

        assert (spec.name, spec.dag.tasks, spec.replicas) == (one.name, one.tasks, 2)
        (item,) = spec.items
        assert item.key == "session"
        assert [(file.name, file.digest) for file in item.files] == [
            (PARCEL, digest_of(b"parcel")), (VALUES, digest_of(b"values")), ("e", earlier.digest),
        ]  # fmt: skip
        assert spec.contents == (b"parcel", b"values")

    run(test, tmp_path)


def test_an_earlier_outcome_that_is_an_input_is_on_the_disk_whatever_becomes_of_its_job(tmp_path: Path) -> None:
    """Many short ones do not fit into a message; each came with its job's ledger, and has no file so far."""

    async def test(scene: Scene) -> None:
        earlier = FileRef("e", 5, digest_of(b"short"))
        scene.node.store.hold(b"short", earlier.digest, b"earlier job")
        await scene.taken(await scene.client(), batch(files=(earlier,)))
        scene.node.store.unpin(b"earlier job")

        assert Store(scene.node.store.root).read(earlier.digest) == b"short"

    run(test, tmp_path)


@pytest.mark.parametrize("size", [GIVEN_BYTES_MAX, GIVEN_BYTES_MAX + 1, INLINE_BYTES_MAX])
@pytest.mark.parametrize("values", [b"", b"values", bytes(GIVEN_BYTES_MAX + 1)], ids=["none", "short", "long"])
def test_what_is_too_long_for_a_specification_is_in_the_store(tmp_path: Path, size: int, values: bytes) -> None:
    async def test(scene: Scene) -> None:
        spec = (await scene.taken(await scene.client(), batch(parcel=bytes(size), values=values))).spec
        contents = dict(zip(spec.items[0].files, spec.contents, strict=False))
        found = {
            file.name: contents[file] if file in contents else scene.node.store.read(file.digest)
            for file in spec.items[0].files
        }

        assert found == {PARCEL: bytes(size)} | ({VALUES: values} if values else {})
        assert all(digest_of(content) == file.digest for file, content in contents.items())

    run(test, tmp_path)


def test_a_parcel_in_a_file_is_taken_from_there(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        one, content = batch(parcel=b""), os.urandom(INLINE_BYTES_MAX + 1)
        path = parcel_file(scene.node.home, one.nonce)
        path.write_bytes(content)
        client = await scene.client()
        job = await scene.taken(client, one)
        gone = not path.exists()
        path.write_bytes(content)
        await scene.taken(await scene.client(), one)

        assert scene.node.store.read(job.spec.items[0].files[0].digest) == content
        assert gone
        assert not path.exists()

    run(test, tmp_path)


def test_what_cannot_be_a_job_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client = await scene.client()
        await client.say(batch(1, parcel=b""), batch(2, files=(FileRef("gone", 3, digest_of(b"abc")),)))
        refused = {message.number: message for message in [await client.hear(), await client.hear()]}  # type: ignore[union-attr]  # both have one

        assert {message.state for message in refused.values()} == {"refused"}  # type: ignore[union-attr]  # as above
        assert "No such file" in refused[1].reason  # type: ignore[union-attr]  # as above
        assert "not in the store" in refused[2].reason  # type: ignore[union-attr]  # as above

    run(test, tmp_path)


def test_what_the_node_refuses_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, scene.node.refusal = await scene.client(), "it rains"
        await client.say(batch())
        first = await client.hear()
        scene.node.refusal = ""

        assert first == Ended(1, "refused", "it rains")
        assert (await scene.taken(client, batch())).spec.name == "try: f"

    run(test, tmp_path)


@pytest.mark.parametrize(("phase", "state"), [(Phase.FAILED, "failed"), (Phase.CANCELLED, "cancelled")])
def test_how_a_job_ends_is_told_with_the_reason(tmp_path: Path, phase: Phase, state: str) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch(tasks=2)
        await scene.taken(client, one)
        file = scene.node.come(one, 0, b"first")
        told = await client.hear()
        scene.node.end(one, phase)

        assert told == Came(1, 0, file, b"first")
        assert await client.hear() == Ended(1, state, "it was too hot")

    run(test, tmp_path)


def test_results_that_are_not_kept_any_more_are_not_waited_for(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch()
        job = await scene.taken(client, one)
        job.results[0] = FileRef("f.0", 3, digest_of(b"gone"))
        job.released = True
        scene.node.end(one, Phase.DONE)

        assert await client.hear() == Ended(1, "failed", "its results are not kept any more")

    run(test, tmp_path)


def test_outcomes_too_long_for_a_message_are_told_by_their_place(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch()
        await scene.taken(client, one)
        file = scene.node.come(one, 0, bytes(INLINE_BYTES_MAX + 1))
        came = await client.hear()

        assert isinstance(came, Came)
        assert (came.content, came.file) == (b"", file)
        assert Path(came.path).read_bytes() == bytes(INLINE_BYTES_MAX + 1)

    run(test, tmp_path)


def test_only_what_is_kept_is_told(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        program = Program(ProgramKind.CALLS, ("f", "0", "1", PARCEL))
        graph = (Task("f.0", ("f.1",), program), Task("f.1", (), program, final=True))
        one = Batch(1, bytes(16), "try: f", "session", graph, b"parcel")
        client = await scene.client()
        await scene.taken(client, one)
        scene.node.come(one, 0, b"first")
        silent = await client.hears_nothing()
        file = scene.node.come(one, 1, b"second")

        assert silent
        assert await client.hear() == Came(1, 1, file, b"second")

    run(test, tmp_path)


def test_a_job_that_nobody_wants_is_cancelled(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one, other = await scene.client(), batch(1), batch(2)
        await scene.taken(client, one)
        await scene.taken(client, other)
        await client.say(Abandon(1), Abandon(99))
        await trio.testing.wait_all_tasks_blocked(0.01)

        assert scene.node.heard == [CancelJob(1, JobId(one.nonce))]
        scene.node.end(one, Phase.CANCELLED)
        assert await client.hear() == Ended(1, "cancelled", "it was too hot")

    run(test, tmp_path)


def test_a_job_that_nobody_wants_before_it_is_one_is_cancelled_then(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one, scene.node.slow = await scene.client(), batch(), trio.Event()
        await client.say(one, Abandon(1))
        await trio.testing.wait_all_tasks_blocked(0.01)
        before = list(scene.node.heard)
        scene.node.slow.set()

        assert before == []
        assert await client.hear() == Taken(1, one.nonce)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert scene.node.heard == [CancelJob(1, JobId(one.nonce))]

    run(test, tmp_path)


def test_what_a_client_has_handed_in_is_taken_in_though_it_has_gone(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one, scene.node.slow = await scene.client(), batch(), trio.Event()
        await client.say(one)
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        scene.node.slow.set()
        await trio.testing.wait_all_tasks_blocked(0.01)

        assert list(scene.node.jobs) == [one.nonce]

    run(test, tmp_path)


def test_a_batch_that_is_handed_in_again_meanwhile_is_one_job(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one, scene.node.slow = await scene.client(), batch(), trio.Event()
        await client.say(one)
        again = await scene.client()
        await again.say(one)
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        scene.node.slow.set()

        assert await again.hear() == Taken(1, one.nonce)
        assert len(scene.node.jobs) == 1

    run(test, tmp_path)


def test_a_client_that_comes_back_is_told_everything_once_more(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch(tasks=2)
        await scene.taken(client, one)
        first = scene.node.come(one, 0, b"first")
        told = await client.hear()
        await client.stream.aclose()
        scene.node.come(one, 1, b"second")
        scene.node.end(one, Phase.DONE)
        again = await scene.client()
        await again.say(one)
        heard = [await again.hear() for _ in range(4)]

        assert told == Came(1, 0, first, b"first")
        assert Counter(map(type, heard)) == {Taken: 1, Came: 2, Ended: 1}
        assert isinstance(heard[-1], Ended)
        assert told in heard

    run(test, tmp_path)


def test_a_batch_that_is_under_way_is_not_begun_again(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        client, one = await scene.client(), batch()
        await scene.taken(client, one)
        await client.say(one)

        assert await client.hears_nothing()

    run(test, tmp_path)


@pytest.mark.parametrize(
    "garbage",
    [PREFIX.pack(FRAME_BYTES_MAX + 1, 1), PREFIX.pack(0, 77), PREFIX.pack(2, 1) + b"ab"],
    ids=["long", "kind", "body"],
)
def test_a_client_that_talks_nonsense_is_hung_up_on_and_no_other_is(tmp_path: Path, garbage: bytes) -> None:
    async def test(scene: Scene) -> None:
        strange, other = await scene.client(), await scene.client()
        await strange.stream.send_all(garbage)
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await strange.hear()

        assert (await scene.taken(other, batch())).spec.name == "try: f"

    run(test, tmp_path)


def test_a_client_that_hears_nothing_stops_nobody_else(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        deaf, other = await scene.client(), await scene.client()
        one = batch(1, tasks=200)
        await scene.taken(deaf, one)
        for at in range(200):
            scene.node.come(one, at, bytes(50_000) + str(at).encode())
        two = batch(2)
        await scene.taken(other, two)
        file = scene.node.come(two, 0, b"first")

        assert await other.hear() == Came(2, 0, file, b"first")

    run(test, tmp_path)


def test_a_client_for_which_there_is_no_room_is_told_so_and_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CLIENTS_MAX", 1)

    async def test(scene: Scene) -> None:
        first = await scene.client()
        second = Client(await trio.open_unix_socket(os.fspath(scene.path)))
        scene.clients.append(second)
        told = await second.hear()
        with pytest.raises(EOFError):
            await second.hear()
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)

        assert told == Full(1)
        assert await (await scene.client()).hears_nothing()

    run(test, tmp_path)


def test_a_client_has_no_more_batches_under_way_than_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BATCHES_MAX", 2)

    async def test(scene: Scene) -> None:
        client = await scene.client()
        await scene.taken(client, batch(1))
        await scene.taken(client, batch(2))
        await client.say(batch(3))
        waits = await client.hears_nothing()
        scene.node.come(batch(1), 0, b"first")
        scene.node.end(batch(1), Phase.DONE)
        heard = [await client.hear() for _ in range(3)]

        assert waits
        assert [type(message) for message in heard] == [Came, Ended, Taken]

    run(test, tmp_path)
