"""Starting and stopping nodes as real processes, with a fake service in the place of the real one."""

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pnode.node import cli, launch
from pnode.node.api import NodeStatus, Pulled, PulledFile
from pnode.node.commands import NodeClient, NoNodeError
from pnode.node.demo import RESULT_LINES, DemoError, DemoSettings, LocalCluster, run_demo, write_results
from pnode.node.home import (
    HomeError,
    HomeInUseError,
    control_socket,
    default_home,
    failure_file,
    hold_home,
    inhabitant,
    last_failure,
    log_file,
    prepare_home,
)
from pnode.node.identity import Cluster, Identity
from pnode.node.launch import (
    LaunchError,
    NodeOptions,
    end_process,
    read_options,
    report_failure,
    report_ready,
    spawn,
    start_node,
    stop_node,
    wait_until_ready,
)
from pnode.node.plain import to_plain

ROOT = Path(__file__).parents[2]
DIAMOND = ROOT / "examples" / "diamond" / "dag.txt"
FAKE = (sys.executable, "-m", "tests.node.fake_service")

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def _fake_service_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@contextmanager
def started(options: NodeOptions) -> Iterator[NodeStatus]:
    process, status = start_node(options, service=FAKE)
    try:
        yield status
    finally:
        end_process(process)


def test_options_arrive_as_they_were_given(tmp_path: Path) -> None:
    options = NodeOptions(
        tmp_path, "pnode1-x", ("h:1", "[::1]:2"), "n", "127.0.0.1", 0, 2, mdns=False, timing="fast", tied=True,
        emulated_speed=0.5, machine_speed=1.25,
    )  # fmt: skip
    line = json.dumps(to_plain(NodeOptions, options)).encode() + b"\n"

    assert read_options(io.BytesIO(line + b"more")) == options


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], {}),
        (["--no-mdns"], {"mdns": False}),
        (["--mdns", "--timing", "wan"], {"mdns": True, "timing": "wan"}),
        (["--listen", "all"], {"listen": "all"}),
        (["--emulate-speed", "0.25"], {"emulated_speed": 0.25}),
    ],
)
def test_the_node_is_told_only_what_was_said_at_this_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: dict[str, Any],
) -> None:
    def refuse(options: NodeOptions, *_: object, **__: object) -> None:
        raise LaunchError(repr(options))

    monkeypatch.setattr("pnode.node.cli_start.start_node", refuse)

    assert cli.main(["start", "--home", str(tmp_path), *words]) == 1
    assert capsys.readouterr().err == f"pnode: {NodeOptions(tmp_path, **told)!r}\n"


@pytest.mark.parametrize("line", [b"", b"rubbish\n", b"[]\n", b'{"home": 1}\n'])
def test_a_service_that_was_not_started_by_pnode_says_who_starts_it(line: bytes) -> None:
    with pytest.raises(LaunchError, match="'pnode start'"):
        read_options(io.BytesIO(line))


def test_a_node_that_is_ready_can_be_asked_and_stopped(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    with started(NodeOptions(home, name="alpha")) as status:
        assert status.name == "alpha"
        assert inhabitant(home) == status.pid
        assert log_file(home).read_text() == "ready\n"
        assert stat.S_IMODE(log_file(home).stat().st_mode) == 0o600
        assert stat.S_IMODE(home.stat().st_mode) == 0o700

        stop_node(home)

    assert inhabitant(home) is None
    assert not control_socket(home).exists()
    with pytest.raises(NoNodeError):
        stop_node(home)


def test_the_token_is_on_no_command_line(tmp_path: Path) -> None:
    with started(NodeOptions(tmp_path, token="pnode1-secret")) as status:
        words = Path(f"/proc/{status.pid}/cmdline")
        if not words.exists():
            pytest.skip("no /proc here")

        assert b"pnode1-secret" not in words.read_bytes()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refused", "the port 4747 is in use: choose another with --port"),
        ("failing", "nobody answered at 192.0.2.7:4747"),
        ("crashing", "the node ended with status 7 before it was ready: its log is .*node.log"),
        ("killed", "the node was ended by signal 9 before it was ready"),
    ],
)
def test_a_node_that_does_not_start_says_why_and_is_gone(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(LaunchError, match=words):
        start_node(NodeOptions(tmp_path, name=name), service=FAKE)

    assert inhabitant(tmp_path) is None


def test_a_node_that_takes_too_long_says_what_it_is_doing(tmp_path: Path) -> None:
    process = spawn(NodeOptions(tmp_path, name="slow"), service=FAKE)
    try:
        with pytest.raises(LaunchError, match=r"not ready after 2 s: asking 192.0.2.7:4747; its log"):
            wait_until_ready(process, tmp_path, timeout_s=2)
    finally:
        end_process(process)

    assert inhabitant(tmp_path) is None


def test_a_node_that_takes_up_much_from_its_journal_is_waited_for(tmp_path: Path) -> None:
    process = spawn(NodeOptions(tmp_path, name="busy"), service=FAKE)
    try:
        assert wait_until_ready(process, tmp_path, timeout_s=2).state == "ready"
    finally:
        end_process(process)


def test_an_old_failure_is_forgotten(tmp_path: Path) -> None:
    report_failure(tmp_path, "long ago")
    assert last_failure(tmp_path) == "long ago"
    with pytest.raises(LaunchError, match="status 7"):
        start_node(NodeOptions(tmp_path, name="crashing"), service=FAKE)

    report_failure(tmp_path, "again")
    report_ready(tmp_path)

    assert last_failure(tmp_path) == ""


def test_a_reason_takes_no_more_room_on_a_full_disk_than_there_was_before(tmp_path: Path) -> None:
    report_ready(tmp_path)
    before = failure_file(tmp_path).stat()

    for reason in ("the disk\nis full", "ä" * 10_000, "short"):
        report_failure(tmp_path, reason)
        after = failure_file(tmp_path).stat()

        assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert last_failure(tmp_path) == "short"


def test_a_command_without_a_node_says_why_the_last_one_has_ended(tmp_path: Path) -> None:
    report_failure(tmp_path, "the disk is full")

    with pytest.raises(
        NoNodeError, match=r"start one with 'pnode start --home .*'; the last one ended: the disk is full"
    ):
        NodeClient(tmp_path).status()


def test_a_node_that_does_not_listen_is_ended_all_the_same(tmp_path: Path) -> None:
    process = spawn(NodeOptions(tmp_path, name="deaf"), service=FAKE)
    while not inhabitant(tmp_path):
        time.sleep(0.01)
    time.sleep(0.2)  # for it to ignore SIGTERM

    with pytest.raises(LaunchError, match=f"still stopping after 0 s: 'kill {process.pid}'"):
        stop_node(tmp_path, timeout_s=0.2)
    end_process(process, timeout_s=0.2)

    assert process.returncode == -signal.SIGKILL


def test_two_nodes_do_not_share_a_home(tmp_path: Path) -> None:
    with started(NodeOptions(tmp_path)) as first:
        with pytest.raises(LaunchError, match=r"a node is running in .* already"):
            start_node(NodeOptions(tmp_path), service=FAKE)

        assert inhabitant(tmp_path) == first.pid


def test_a_home_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with hold_home(tmp_path):
        assert inhabitant(tmp_path) == os.getpid()
        with pytest.raises(HomeInUseError), hold_home(tmp_path):
            pass

    assert inhabitant(tmp_path) is None


def test_a_look_at_the_lock_does_not_stop_a_node_that_starts(tmp_path: Path) -> None:
    import fcntl
    import threading

    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open() as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        threading.Timer(0.05, fcntl.flock, (looked_at, fcntl.LOCK_UN)).start()

        with hold_home(tmp_path):
            assert inhabitant(tmp_path) == os.getpid()


def test_a_home_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="Not a directory; choose another with --home"):
        prepare_home(tmp_path / "file" / "home")
    with pytest.raises(HomeError, match="at most 103"):
        prepare_home(tmp_path / ("long" * 30))


def test_the_home_follows_the_platform_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_home() == tmp_path / ".local" / "share" / "pnode"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_home() == tmp_path / ".local" / "share" / "pnode"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home() == Path("/data/pnode")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_home() == tmp_path / "Library" / "Application Support" / "pnode"
    monkeypatch.setenv("PNODE_HOME", "~/mine")
    assert default_home() == tmp_path / "mine"


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "LOG_BYTES_MAX", 10)
    log_file(tmp_path).write_text("long enough to be put aside\n")

    with started(NodeOptions(tmp_path)):
        assert log_file(tmp_path).read_text() == "ready\n"
        assert log_file(tmp_path).with_name("node.log.1").read_text().startswith("long enough")


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands start the fake service."""
    monkeypatch.setattr(launch.start_node, "__kwdefaults__", {"to_terminal": False, "service": FAKE})


def test_pnode_start_says_which_jobs_it_goes_on_with(
    tmp_path: Path, faked: None, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert cli.main(["start", "--home", str(tmp_path), "--name", "resuming"]) == 0
        out = capsys.readouterr().out
        assert f"it goes on with 2 jobs from before: 'pnode jobs --home {tmp_path}' lists them\n" in out
        assert cli.main(["start", "--home", str(tmp_path)]) == 0
        assert "goes on" not in capsys.readouterr().out
    finally:
        assert cli.main(["stop", "--home", str(tmp_path)]) == 0


@pytest.mark.parametrize(("name", "told"), [("beta", "another node is called beta, too: "), ("zeta", "")])
def test_pnode_start_says_that_a_name_is_taken(
    tmp_path: Path, faked: None, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    try:
        assert cli.main(["start", "--home", str(tmp_path), "--name", name]) == 0
    finally:
        assert cli.main(["stop", "--home", str(tmp_path)]) == 0

    err = capsys.readouterr().err
    assert err.startswith(f"note: {told}") if told else err == ""


def test_pnode_start_founds_and_its_last_line_is_for_the_others(
    tmp_path: Path, faked: None, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert cli.main(["start", "--home", str(tmp_path), "--name", "alpha"]) == 0

        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"node alpha (k3vq7x2m-4f) is ready in cluster {'ef' * 16}, founded here"
        assert lines[1] == "it listens at 192.0.2.5:4747 and sees 1 other node"
        assert lines[-1] == "pnode start --token pnode1-secret"
        assert cli.main(["start", "--home", str(tmp_path)]) == 0
        assert "runs already" in capsys.readouterr().out
    finally:
        assert cli.main(["stop", "--home", str(tmp_path)]) == 0

    assert inhabitant(tmp_path) is None


def test_a_founder_that_comes_back_makes_no_new_token(
    tmp_path: Path, faked: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Identity(tmp_path).save_cluster(Cluster(bytes(32)))
    try:
        assert cli.main(["start", "--home", str(tmp_path)]) == 0
    finally:
        assert cli.main(["stop", "--home", str(tmp_path)]) == 0

    out = capsys.readouterr().out
    assert "founded here" in out
    assert "--token" not in out
    assert f"\n'pnode token --home {tmp_path}' prints the line that lets others join\n" in out


def test_pnode_start_in_the_foreground_ends_with_ctrl_c(tmp_path: Path) -> None:
    program = (
        "import sys; from pnode.node import cli, launch;"
        f"launch.start_node.__kwdefaults__ = {{'to_terminal': False, 'service': {FAKE!r}}};"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "start", "--foreground", "--home", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert lines[-1] == "pnode start --token pnode1-secret\n"
        assert inhabitant(tmp_path)

        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert (process.returncode, err) == (0, "stopping\n")
    assert inhabitant(tmp_path) is None


def settings(tmp_path: Path, **changes: object) -> DemoSettings:
    values: dict[str, Any] = {
        "dag": DIAMOND,
        "nodes": 2,
        "inputs": (),
        "mapper": "wave-greedy",
        "output": tmp_path / "out",
        "keep": False,
    }
    return DemoSettings(**{**values, **changes})


@pytest.fixture
def workplaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where demos put their nodes' homes."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def test_a_demo_runs_a_dag_from_nothing_to_its_result_and_leaves_nothing(tmp_path: Path, workplaces: Path) -> None:
    out = io.StringIO()

    status = run_demo(settings(tmp_path), out, FAKE)

    assert status == 0
    text = out.getvalue()
    assert "alpha (k3vq7x2m-4f) founded a cluster" in text
    assert "beta (k3vq7x2m-4f) joined it" in text
    assert "split running on beta" in text
    assert "beta       1  2.00 s  split" in text
    assert "4.00 s of tasks in" in text
    assert "--- merge_result.txt ---\n42\n" in text
    assert text.endswith("2 nodes stopped\n")
    assert list(workplaces.iterdir()) == []


def test_a_demo_makes_the_input_where_the_application_can(tmp_path: Path, workplaces: Path) -> None:
    dag = tmp_path / "app" / "dag.txt"
    dag.parent.mkdir()
    dag.write_text(DIAMOND.read_text())
    maker = dag.with_name("make_input.py")
    maker.write_text("import sys, pathlib\npathlib.Path(sys.argv[1], 'made.txt').write_text('x')\n")
    maker.chmod(0o755)
    shutil.copytree(DIAMOND.parent / "scripts", dag.parent / "scripts")
    out = io.StringIO()

    assert run_demo(settings(tmp_path, dag=dag, nodes=1), out, FAKE) == 0
    assert "making the input with" in out.getvalue()
    assert "/input\n" in out.getvalue()

    maker.write_text("import sys; print('what a pity', file=sys.stderr); sys.exit(3)\n")
    with pytest.raises(DemoError, match=r"make_input.py failed: what a pity; give the input with --input"):
        run_demo(settings(tmp_path, dag=dag), out, FAKE)
    assert list(workplaces.iterdir()) == []


def test_a_demo_can_leave_the_homes_behind(tmp_path: Path, workplaces: Path) -> None:
    out = io.StringIO()

    run_demo(settings(tmp_path, nodes=1, keep=True), out, FAKE)

    (place,) = workplaces.iterdir()
    assert log_file(place / "alpha").exists()
    assert f"kept in {place}" in out.getvalue()


def test_a_demo_whose_nodes_do_not_start_says_why(tmp_path: Path, workplaces: Path) -> None:
    crash = (sys.executable, "-c", "import sys; print('oh dear', file=sys.stderr); sys.exit(9)")

    with pytest.raises(DemoError, match=r"node alpha: the node ended with status 9 .*oh dear"):
        run_demo(settings(tmp_path), io.StringIO(), crash)

    assert list(workplaces.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cluster_ends_however_the_demo_ends(tmp_path: Path, number: signal.Signals) -> None:
    place = tmp_path / "c"
    place.mkdir()
    program = (
        "import sys, time; from pathlib import Path; from pnode.node.demo import LocalCluster;"
        "from pnode.node.launch import interrupted_by_signals\n"
        "with interrupted_by_signals(), LocalCluster(Path(sys.argv[1]), 2, sys.stdout, tuple(sys.argv[2:])):\n"
        "    print('up', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(place), *FAKE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        while process.stdout.readline() not in ("up\n", ""):
            pass
        homes = [place / "alpha", place / "beta"]
        assert all(inhabitant(home) for home in homes)

        process.send_signal(number)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    deadline = time.monotonic() + 10
    while any(inhabitant(home) is not None for home in homes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [inhabitant(home) for home in homes] == [None, None]


def test_a_node_that_does_not_listen_yet_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.node.demo.STOP_S_MAX", 60.0)
    busy = (sys.executable, "-c", "import time; time.sleep(5)")
    cluster = LocalCluster(tmp_path, 1, io.StringIO(), busy)
    process = cluster._spawn("alpha", None)

    cluster.__exit__()

    assert process.returncode == -signal.SIGTERM


def test_a_demo_says_that_it_does_not_show_all_of_a_result(tmp_path: Path) -> None:
    long, short, out = tmp_path / "long.txt", tmp_path / "short.txt", io.StringIO()
    short.write_text("one\ntwo\n")
    long.write_text("line\n" * RESULT_LINES)

    write_results(Pulled(tmp_path, tuple([PulledFile(path, path.stat().st_size) for path in (short, long)])), out)

    shown = out.getvalue().splitlines()
    assert shown[:4] == ["--- short.txt ---", "one", "two", "--- long.txt ---"]
    assert shown[4 : 4 + RESULT_LINES - 2] == ["line"] * (RESULT_LINES - 2)
    assert shown[4 + RESULT_LINES - 2] == "... and more, in the file"


def test_a_demo_without_a_dag_needs_the_source_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.node.demo.EXAMPLE", tmp_path / "absent")

    with pytest.raises(DemoError, match=r"'pnode demo dag.txt'.*clone.*'pnode demo examples/stdlib'"):
        run_demo(settings(tmp_path, dag=None), io.StringIO(), FAKE)


def test_the_nodes_of_a_demo_have_the_speeds_that_were_asked_for_in_turn(tmp_path: Path) -> None:
    with LocalCluster(tmp_path, 3, io.StringIO(), FAKE, (0.5, 1.0)) as cluster:
        told = [NodeClient(tmp_path / name) for name in cluster.processes]

        assert [node.status().emulated_speed for node in told] == [0.5, 1.0, 0.5]
        assert cluster.machine_speed is not None
        assert [node.peers()[0].speed for node in told] == [
            speed * cluster.machine_speed for speed in (0.5, 1.0, 0.5)
        ]


def test_a_cluster_that_is_left_by_an_error_stops(tmp_path: Path) -> None:
    def fail_inside() -> None:
        with LocalCluster(tmp_path, 1, io.StringIO(), FAKE) as cluster:
            assert cluster.founder.status().name == "alpha"
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert inhabitant(tmp_path / "alpha") is None
