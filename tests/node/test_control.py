"""The control socket: one request and its answer per connection, and nothing that a client does hurts the node."""

import contextlib
import json
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.node.api import (
    AmbiguousJobError,
    ApiError,
    JobDetail,
    JobStatus,
    NodeStatus,
    NoSuchJobError,
    PeerStatus,
    RefusedError,
    match_job,
)
from pnode.node.commands import REQUEST_BYTES_MAX, JobChange, NodeClient, NodeGoneError, NoNodeError
from pnode.node.control import CLIENTS_MAX, METHODS, REQUEST_S_MAX, serve_control
from pnode.node.home import control_socket
from pnode.node.plain import Instant, Plain, PlainError, from_plain, to_plain

from .fake_node import DONE, ENDED, JOB, RUNNING, STORY, FakeNode, running


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FakeNode]:
    with running(FakeNode(tmp_path)) as node:
        yield node


def connected(node: FakeNode) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(control_socket(node.home)))
    return connection


def answer_to(node: FakeNode, line: bytes) -> list[Any]:
    """Everything that the node says to a raw line before it closes."""
    replies = []
    with connected(node) as connection, connection.makefile("rb") as lines:
        # The node need not read to the end of what it refuses.
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(line)
        with contextlib.suppress(ConnectionResetError):
            for reply in lines:
                replies.append(json.loads(reply))  # noqa: PERF401  # those before the reset count
    return replies


def test_only_its_user_can_open_the_control_socket(node: FakeNode) -> None:
    mode = control_socket(node.home).stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_every_answer_reaches_the_client_as_the_node_gave_it(node: FakeNode) -> None:
    client = NodeClient(node.home)

    assert client.status() == trio.run(node.status)
    assert client.peers() == trio.run(node.peers)
    assert client.jobs() == trio.run(node.jobs)
    assert client.job("abcd") == ENDED
    assert client.token(2.0) == trio.run(node.token, 2.0)
    assert client.map(Path("/d"), (), "m") == trio.run(node.map, Path("/d"), (), "m")
    assert client.pull("abcd", node.home / "out") == trio.run(node.pull, "abcd", node.home / "out")
    assert client.explain("abcd", "merge") == trio.run(node.explain, "abcd", "merge")
    assert client.record("abcd", node.home / "run") == trio.run(node.record, "abcd", node.home / "run")
    assert client.cancel("abcw").state == "cancelled"
    assert tuple(client.logs("abcd", None)) == node.chunks


def test_arguments_reach_the_node_with_their_types(node: FakeNode) -> None:
    NodeClient(node.home).submit(Path("/a/dag.txt"), (Path("/b"), Path("/c")), "wave-random", None)

    assert node.asked == [("submit", Path("/a/dag.txt"), (Path("/b"), Path("/c")), "wave-random", None, None)]


def test_a_follower_sees_every_snapshot_though_only_changes_travel(node: FakeNode) -> None:
    snapshots = list(NodeClient(node.home).follow("abcd"))

    assert snapshots == list(STORY)
    replies = answer_to(node, b'{"method": "follow", "arguments": {"job": "abcd"}}\n')
    assert [len(reply["item"]["units"]) for reply in replies[:-1]] == [2, 1, 1, 1]
    assert replies[-1] == {"end": True}


def test_a_follower_that_leaves_ends_its_request(tmp_path: Path) -> None:
    with running(FakeNode(tmp_path, lasts=True)) as node:
        client = NodeClient(node.home)
        snapshots = client.follow("abcd")
        next(snapshots)
        snapshots.close()
        client.status()

        assert wait_until_set(node.left)


def wait_until_set(event: trio.Event) -> bool:
    async def look() -> bool:
        with trio.move_on_after(5):
            while not event.is_set():
                await trio.sleep(0.01)
        return event.is_set()

    return trio.run(look)


@pytest.mark.parametrize(
    ("prefix", "kind", "words"),
    [
        ("zzz", NoSuchJobError, "'pnode jobs'"),
        ("abc", AmbiguousJobError, "2 jobs"),
        ("abcw", RefusedError, "not done"),
    ],
)
def test_a_refusal_reaches_the_client_as_the_same_error(node: FakeNode, prefix: str, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        NodeClient(node.home).pull(prefix, node.home / "out")


def test_trouble_with_the_callers_files_is_a_refusal_that_names_the_file(node: FakeNode) -> None:
    blocked = node.home / "blocked"
    blocked.write_text("")

    with pytest.raises(RefusedError, match="blocked: File exists"):
        NodeClient(node.home).pull("abcd", blocked)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"\n", "not a line of JSON"),
        (b"\xff\xfe\x00garbage\n", "not a line of JSON"),
        (b"[" * 100_000 + b"\n", "not a line of JSON"),
        (b"[1, 2]\n", "no method None"),
        (b'{"method": ["status"]}\n', "no method"),
        (b'{"method": "__init__", "arguments": {}}\n', "no method '__init__'"),
        (b'{"method": "status"}\n', "takes the arguments"),
        (b'{"method": "job", "arguments": {"id": "a"}}\n', "{job}"),
        (b'{"method": "job", "arguments": {"job": 7}}\n', "7 stands where str belongs"),
        (b"x" * (REQUEST_BYTES_MAX + 100_000), "at most"),
    ],
)
def test_what_is_no_request_is_refused_and_the_node_goes_on(node: FakeNode, line: bytes, words: str) -> None:
    replies = answer_to(node, line)

    assert len(replies) == 1
    assert replies[0]["error"]["kind"] == "RefusedError"
    assert words in replies[0]["error"]["message"]
    assert NodeClient(node.home).status().state == "ready"


def test_a_client_that_leaves_in_the_middle_of_its_line_is_forgotten(node: FakeNode) -> None:
    for beginning in (b"", b'{"method": "sta'):
        with connected(node) as connection:
            connection.sendall(beginning)

    assert NodeClient(node.home).status().state == "ready"


def test_more_clients_than_one_person_has_terminals_are_refused_until_one_leaves(node: FakeNode) -> None:
    idle = [connected(node) for _ in range(CLIENTS_MAX)]
    with pytest.raises(RefusedError, match="32 commands"):
        NodeClient(node.home).status()
    for connection in idle:
        connection.close()
    # The node learns of their end in its own time; a client that comes after that is served.
    while True:
        try:
            status = NodeClient(node.home).status()
            break
        except RefusedError:
            continue

    assert status.state == "ready"


def test_a_client_that_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    async def wait_silently() -> float:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, control_socket(tmp_path), FakeNode(tmp_path))
            began = trio.current_time()
            async with await trio.open_unix_socket(control_socket(tmp_path)) as connection:
                assert await connection.receive_some() == b""
            nursery.cancel_scope.cancel()
        return trio.current_time() - began

    waited_s = trio.run(wait_silently, clock=trio.testing.MockClock(autojump_threshold=0.01))

    assert waited_s == pytest.approx(REQUEST_S_MAX)


def test_without_a_node_the_client_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NoNodeError, match=f"looked at {control_socket(tmp_path)}.*'pnode start --home"):
        NodeClient(tmp_path).status()


def test_the_socket_of_a_node_that_died_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(control_socket(tmp_path)))
    with pytest.raises(NoNodeError):
        NodeClient(tmp_path).status()

    with running(FakeNode(tmp_path)):
        assert NodeClient(tmp_path).status().state == "ready"
    assert not control_socket(tmp_path).exists()


def test_a_mistake_of_the_node_itself_is_not_hidden(tmp_path: Path) -> None:
    class Broken(FakeNode):
        async def jobs(self) -> NoReturn:
            raise KeyError("a bug")

    async def serve() -> None:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_control, control_socket(tmp_path), Broken(tmp_path))
                with pytest.raises(NodeGoneError, match="'jobs'"):
                    await trio.to_thread.run_sync(NodeClient(tmp_path).jobs)

    with pytest.RaisesGroup(pytest.RaisesExc(KeyError), flatten_subgroups=True):
        trio.run(serve)


def test_the_client_offers_every_method_of_the_node() -> None:
    assert METHODS.keys() == {name for name in vars(NodeClient) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("prefix", "found"), [("abc", "abcdefgh"), (" ABC ", "abcdefgh"), ("zz", "zz"), ("zzz", "zzzz")]
)
def test_a_job_is_found_by_the_beginning_of_its_id(prefix: str, found: str) -> None:
    assert match_job(prefix, ["abcdefgh", "zz", "zzzz"]) == found


def test_a_change_holds_only_the_units_that_differ() -> None:
    after = replace(JOB, units=(RUNNING, JOB.units[1], DONE))

    change = JobChange.between(JOB, after)

    assert change.at == (0, 2)
    assert change.applied_to(JOB) == after


def test_a_change_that_does_not_follow_on_is_an_error() -> None:
    change = JobChange.between(JOB, replace(JOB, units=(*JOB.units, DONE)))

    with pytest.raises(PlainError, match="unit 2 follows on 0"):
        change.applied_to(None)


def test_values_of_a_neighbouring_version_are_understood() -> None:
    plain = to_plain(JobStatus, JobStatus("abc", "", "n", "done", "", "o", False, 1, 2, Instant(0.0), 1.5))
    assert isinstance(plain, dict)

    assert from_plain(JobStatus, {**plain, "colour": "blue", "elapsed_s": 1}).elapsed_s == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "asleep"}, "JobStatus: 'asleep' is none of running, done, failed, cancelled"),
        ({"units_done": True}, "True stands where int belongs"),
        ({"submitted_at": "noon"}, "'noon' is not an instant"),
        ({"submitted_at": 5}, "5 is not an instant"),
    ],
)
def test_values_that_do_not_fit_are_named(change: Any, words: str) -> None:
    plain = to_plain(JobStatus, JobStatus("abc", "", "n", "done", "", "o", False, 1, 2, Instant(0.0), 1.5))
    assert isinstance(plain, dict)

    with pytest.raises(PlainError, match=words):
        from_plain(JobStatus, {**plain, **change})


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(PlainError, match="JobStatus lacks id, key"):
        from_plain(JobStatus, {})


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@settings(max_examples=50)
@given(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "units", "state"]), inner),
        max_leaves=8,
    )
)
def test_no_plain_value_surprises_the_reader(plain: Plain) -> None:
    for kind in (NodeStatus, PeerStatus, JobDetail, tuple[JobStatus, ...]):
        try:
            from_plain(kind, plain)
        except PlainError:
            continue
        assert plain == []


def test_an_answer_that_makes_no_sense_is_an_error_and_no_crash(tmp_path: Path) -> None:
    class Odd(FakeNode):
        async def status(self) -> NodeStatus:
            asleep: Any = "asleep"
            return replace(await super().status(), state=asleep)

    with running(Odd(tmp_path)), pytest.raises(ApiError, match="another version"):
        NodeClient(tmp_path).status()
