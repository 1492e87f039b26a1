"""The commands, each run in this process against a node behind a real control socket: what they print, and how they
end."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, TextIO

import click
import pytest
import trio

import pnode.node
from pnode.node import __main__ as program
from pnode.node import cli, cli_jobs, cli_options, cli_start, follow
from pnode.node.api import JobDetail, JobStatus, NodeStatus, PeerStatus, Submitted
from pnode.node.cli_options import speeds
from pnode.node.commands import NodeClient
from pnode.node.home import hold_home
from pnode.node.plain import from_plain
from pnode.protocol import jobspec

from .fake_node import ASK_THERE, ENDED, FAILED_JOB, JOB, NOBODY_YET, STORY, FakeNode, running

DIAMOND = Path(__file__).parents[2] / "examples" / "diamond" / "dag.txt"


class Shell:
    """Runs commands in a home and hands out what they printed."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """(exit status, standard output, standard error)"""
        status = cli.main([*map(str, words), "--home", str(self._home)])
        out, err = self._capsys.readouterr()
        return status, out, err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNODE_HOME", str(tmp_path))
    return Shell(tmp_path, capsys)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FakeNode]:
    with running(FakeNode(tmp_path)) as node:
        yield node


def test_status_shows_how_the_node_is(shell: Shell, node: FakeNode) -> None:
    status, out, err = shell("status")

    assert (status, err) == (0, "")
    assert "alpha  k3vq7x2m-4f\n" in out
    assert "192.0.2.5:4747, [2001:db8::5]:4747\n" in out
    assert "for 61 s as process 4711, version 0.1.0\n" in out


def test_peers_shows_every_figure_and_its_age(shell: Shell, node: FakeNode) -> None:
    status, out, err = shell("peers")

    assert (status, err) == (0, "")
    titles, alpha, beta = out.splitlines()
    assert titles.split("  ")[0] == "name"
    assert re.split(" {2,}", alpha) == [
        "alpha (this)", "k3vq7x2m-4f", "alive", "192.0.2.5:4747", "-", "12%", "40%", "1", "2", "3.21 s", "0 s", "-",
        "compute,submit,admin", "4", "1.00", "12 s",
    ]  # fmt: skip
    assert beta.split()[:4] == ["beta", "zzzzyyyy-ab", "suspect", "192.0.2.5:4747"]
    assert "1.2 ms" in beta


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["status"], NodeStatus),
        (["peers"], tuple[PeerStatus, ...]),
        (["jobs"], tuple[JobStatus, ...]),
        (["job", "abcd"], JobDetail),
    ],
)
def test_json_is_exactly_one_value_that_can_be_read_back(
    shell: Shell, node: FakeNode, words: list[str], kind: Any
) -> None:
    status, out, err = shell(*words, "--json")

    assert (status, err) == (0, "")
    assert from_plain(kind, json.loads(out)) == getattr(NodeClient(node.home), words[0])(*words[1:])


def test_instants_are_iso_8601_in_json(shell: Shell, node: FakeNode) -> None:
    assert json.loads(shell("jobs", "--json")[1])[0]["submitted_at"] == "2025-11-21T12:00:00.000Z"


def test_jobs_shows_all_that_run_and_the_latest_of_those_that_have_ended(shell: Shell, node: FakeNode) -> None:
    shown = cli_jobs.ENDED_JOBS_SHOWN
    early = replace(ENDED, id="early", state="running")
    node.listed = (early, *(replace(ENDED, id=f"ended{number}") for number in range(shown + 3)))

    lines = shell("jobs")[1].splitlines()

    assert [line.split()[0] for line in lines[1:-1]] == ["early", *(f"ended{3 + n}" for n in range(shown))]
    assert lines[-1] == "and 3 earlier jobs: 'pnode jobs --all' shows them too"
    assert len(shell("jobs", "--all")[1].splitlines()) == 1 + len(node.listed)
    assert len(json.loads(shell("jobs", "--json")[1])) == len(node.listed)


def test_jobs_lists_them_or_says_how_to_make_one(shell: Shell, node: FakeNode) -> None:
    status, out, _ = shell("jobs")

    assert status == 0
    assert out.splitlines()[2].split()[:6] == ["abcdefgh", "done", "2/2", "4.20", "s", "diamond"]
    node.listed = ()
    assert "'pnode submit dag.txt'" in shell("jobs")[1]
    assert json.loads(shell("jobs", "--json")[1]) == []


def test_job_shows_its_tasks(shell: Shell, node: FakeNode) -> None:
    status, out, _ = shell("job", "abcd")

    assert status == 0
    lines = out.splitlines()
    assert lines[0].startswith(
        "job abcdefgh (diamond): done, 2/2 done after 4.20 s, submitted at alpha 2025-11-21T12"
    )
    assert lines[1] == "kept by alpha (origin), beta"
    assert lines[3].split() == ["split", "done", "beta", "500", "ms", "2.00", "s", "2025-11-21T12:00:00Z"]


def test_job_shows_at_length_why_it_failed(shell: Shell, node: FakeNode) -> None:
    node.listed = (FAILED_JOB,)

    status, out, _ = shell("job", "abcd")

    assert status == 0
    assert "split failed on beta: exit status 3\n" in out
    assert out.endswith("  | Traceback\n  |   boom\n  | ValueError: [no]\n")


def test_explain_shows_the_numbers_that_a_choice_was_made_by(shell: Shell, node: FakeNode) -> None:
    status, out, _ = shell("explain", "abcd", "merge")

    assert status == 0
    title, columns, beta, alpha, passed = out.splitlines()
    assert title == (
        "merge, attempt 2 (since gamma is gone): given to beta by alpha 2025-11-21T12:00:00Z, mapper wave-greedy;"
        " running"
    )
    assert re.split(" {2,}", columns) == ["candidate", "total", "inputs in", "core in", "runs for"]
    assert re.split(" {2,}", beta) == ["beta", "3", "12 ms", "0 s", "2.00 s"]
    assert re.split(" {2,}", alpha) == ["alpha", "12.5", "0 s", "10.5 s", "2.00 s"]
    assert passed == "not gamma: it is dead"
    assert node.asked == [("explain", "abcdefgh", "merge")]


def test_explain_says_where_to_ask_or_what_is_waited_for(shell: Shell, node: FakeNode) -> None:
    node.explained = (ASK_THERE, NOBODY_YET)

    status, out, _ = shell("explain", "abcd", "merge")

    assert status == 0
    assert out.splitlines() == [
        "merge, attempt 1: given to beta by alpha 2025-11-21T12:00:00Z, mapper wave-greedy; running",
        "the numbers are at delta",
        "merge is given to nobody yet",
        "split has not started",
    ]
    assert [each["attempt"] for each in json.loads(shell("explain", "abcd", "merge", "--json")[1])] == [1, 0]


def test_a_job_is_recorded_where_the_user_is(shell: Shell, node: FakeNode, tmp_path: Path) -> None:
    status, out, _ = shell("job", "abcd", "--record", "run.json")

    assert (status, out) == (0, f"job abcdefgh: 3 attempts in {tmp_path}/run.json\n")
    assert (tmp_path / "run.json").exists()
    assert json.loads(shell("job", "abcd", "--record", "run.json", "--json")[1])["attempts"] == 3
    node.listed = (JOB,)
    assert shell("job", "abcd", "--record", "run.json")[1].startswith("job abcdefgh so far: 3 attempts")


def test_a_recording_that_has_no_place_is_refused_by_its_own_name(
    shell: Shell, node: FakeNode, tmp_path: Path
) -> None:
    status, out, err = shell("job", "abcd", "--record", "absent/run.json")

    assert (status, out, node.asked) == (2, "", [])
    assert f"Invalid value for '--record': there is no directory {tmp_path}/absent" in err


@pytest.mark.parametrize("command", ["job", "logs", "pull", "cancel"])
@pytest.mark.parametrize(
    ("prefix", "words"),
    [("zz", "no job has an id that begins with 'zz'"), ("abc", "'abc' could be any of 2 jobs (abcdefgh, abcwxyz2)")],
)
def test_an_id_that_does_not_name_one_job_is_refused(
    shell: Shell, node: FakeNode, command: str, prefix: str, words: str
) -> None:
    status, out, err = shell(command, prefix)

    assert (status, out) == (1, "")
    assert err.startswith("pnode: ")
    assert words in err
    assert err.count("\n") == 1


def test_logs_prints_what_all_tasks_wrote(shell: Shell, node: FakeNode) -> None:
    status, out, _ = shell("logs", "abcd")

    assert status == 0
    assert out.startswith("==> split stdout (attempt 1 on beta) <==\none\ntwo\n==> split stderr")
    assert out.endswith("careful\n==> merge stdout (attempt 1 on gamma) <==\nmerged\n")


def test_logs_of_one_task_and_as_json(shell: Shell, node: FakeNode) -> None:
    status, out, _ = shell("logs", "abcd", "merge", "--json")

    assert status == 0
    assert [chunk["text"] for chunk in json.loads(out)] == ["merged\n"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_logs_that_are_empty_say_why(shell: Shell, node: FakeNode, words: list[str]) -> None:
    node.chunks = ()
    node.listed = (STORY[1],)

    status, out, err = shell("logs", "abcd", *words)

    assert (status, out) == (0, "[]\n" if words else "")
    assert err == (
        "nothing printed yet: split is running on beta, and what it prints is shown when it has ended; merge waits\n"
    )


def test_pull_puts_results_beside_the_user_unless_told(shell: Shell, node: FakeNode, tmp_path: Path) -> None:
    assert shell("pull", "abcd") == (
        0, f"1 file in {tmp_path}/pnode-abcdefgh\n  {tmp_path}/pnode-abcdefgh/merge_result.txt  3 B\n", "",
    )  # fmt: skip
    status, out, _ = shell("pull", "abcd", "--output", "deep/results", "--json")

    assert status == 0
    assert json.loads(out)["directory"] == f"{tmp_path}/deep/results"


def test_pull_of_a_job_that_runs_is_refused(shell: Shell, node: FakeNode) -> None:
    status, _, err = shell("pull", "abcw")

    assert status == 1
    assert "is not done" in err


def test_cancel_tells_how_far_the_job_was(shell: Shell, node: FakeNode) -> None:
    assert shell("cancel", "abcw") == (0, "job abcwxyz2 cancelled: 0/2 tasks were done\n", "")
    assert shell("cancel", "abcd") == (0, "job abcdefgh had ended before (done): 2/2 tasks were done\n", "")


def test_the_line_to_run_elsewhere_stands_alone_at_the_end(shell: Shell, node: FakeNode) -> None:
    status, out, _ = shell("token", "--hours", "1")

    assert status == 0
    assert out.splitlines()[-1] == "pnode start --token pnode1-secret"
    assert "2025-11-21T13:00:00Z" in out


def test_who_passes_on_a_line_is_told_that_it_cannot_be_made_to_last(shell: Shell, node: FakeNode) -> None:
    node.founded = False

    assert "--hours is not applied" in shell("token", "--hours", "1")[2]
    assert shell("token")[2] == ""
    node.founded = True
    assert shell("token", "--hours", "1")[2] == ""


def test_map_prints_jupiters_lines_and_nothing_else(shell: Shell, node: FakeNode) -> None:
    status, out, err = shell("map", DIAMOND, "--mapper", "wave-random")

    assert (status, out) == (0, "split\tbeta\nmerge\talpha\n")
    assert err == "note: nodes.txt is a hint\n"
    assert node.asked == [("map", DIAMOND, (), "wave-random")]


def test_map_gives_the_scores_in_json(shell: Shell, node: FakeNode) -> None:
    assert json.loads(shell("map", DIAMOND, "--json")[1])["placements"][0]["scores"][0]["total_s"] == 3.0


def test_submit_sends_absolute_paths_and_says_what_to_do_next(shell: Shell, node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("a b")

    status, out, err = shell("submit", DIAMOND, "--input", "data", "--name", "try")

    assert (status, err) == (0, "note: sample_input/ is the input\n")
    assert out == (
        "job abcdefgh submitted: 'pnode job abcdefgh' shows how far it is, --follow until its end\n"
        "kept by 3 other nodes and this one\n"
    )
    assert node.asked == [("submit", DIAMOND, (tmp_path / "data",), "wave-plan", "try", None)]


ALONE = "kept here only: if this machine is lost, so is the job"


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ((1, 1, 1), "kept by 1 other node and this one"),
        ((1, 1, 3), "kept by 1 other node and this one: there are no more"),
        ((2, 3, 3), "kept by 2 other nodes and this one so far, of 3 that should: the rest has been too slow"),
        ((0, 0, 3), f"{ALONE}; no other node is there"),
        ((0, 0, 0), ALONE),
        ((0, 2, 2), f"{ALONE}, until one of 2 other nodes that should keep it has it"),
    ],
    ids=str,
)  # fmt: skip
def test_a_submitter_is_told_who_keeps_the_job(
    shell: Shell, node: FakeNode, kept: tuple[int, int, int], text: str
) -> None:
    node.kept = kept

    _, out, _ = shell("submit", DIAMOND, "--replicas", kept[2])
    submitted = from_plain(Submitted, json.loads(shell("submit", DIAMOND, "--json")[1]))

    assert out.splitlines()[1] == text
    assert node.asked[0][-1] == kept[2]
    assert (submitted.guarded, submitted.wanted, submitted.replicas, submitted.settled) == (*kept, True)
    assert shell("submit", DIAMOND, "--follow")[1].splitlines()[0] == f"job abcdefgh, {text}"


def test_so_many_replicas_may_be_asked_for_as_a_job_can_have(shell: Shell, node: FakeNode) -> None:
    status, _, err = shell("submit", DIAMOND, "--replicas", jobspec.REPLICAS_MAX + 1)

    assert (status, cli_options.REPLICAS) == (2, jobspec.REPLICAS)
    assert "17 is not in the range 0<=x<=16" in err
    assert shell("submit", DIAMOND, "--replicas", jobspec.REPLICAS_MAX)[0] == 0


def test_ctrl_c_while_others_get_the_job_leaves_it_running(
    shell: Shell, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def interrupted(text: str) -> None:
        told.append(text)
        if len(told) == 1:
            raise KeyboardInterrupt

    node.settles, node.unsettled = False, 2
    monkeypatch.setattr(cli_jobs, "notice", interrupted)

    status, out, _ = shell("submit", DIAMOND)

    assert (status, out) == (130, "")
    assert told == [
        "job abcdefgh runs; the other nodes that keep it are still getting it and its inputs",
        "job abcdefgh goes on: 'pnode job abcdefgh --follow' shows it again, 'pnode cancel abcdefgh' ends it",
    ]


def test_ctrl_c_before_a_job_is_taken_in_leaves_nobody_in_doubt(
    shell: Shell, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Submitted:
        raise KeyboardInterrupt

    monkeypatch.setattr(NodeClient, "submit", interrupted)

    assert shell("submit", DIAMOND) == (
        130, "", "the node had not answered yet: 'pnode jobs' shows whether it has taken the job in\n",
    )  # fmt: skip


def test_ctrl_c_before_a_node_is_ready_leaves_nobody_in_doubt(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_start, "start_node", interrupted)

    assert shell("start") == (130, "", "stopped before it was ready: no node was started\n")


def test_a_node_that_ends_before_it_has_said_who_keeps_the_job_is_told(shell: Shell, tmp_path: Path) -> None:
    class Leaving(FakeNode):
        async def submit(self, **_: object) -> AsyncGenerator[Submitted, None]:  # type: ignore[override]
            yield Submitted("abcdefgh", "", (), 0, 0, 3, False)

    with running(Leaving(tmp_path)):
        status, _, err = shell("submit", DIAMOND)

    assert status == 1
    assert "the node ended before it had said who keeps the job" in err


@pytest.mark.parametrize("name", ["dag.txt", "configuration.txt", "DAG/configuration.txt"])
def test_a_directory_stands_for_the_one_dag_in_it(shell: Shell, node: FakeNode, tmp_path: Path, name: str) -> None:
    dag = tmp_path / "app" / name
    shutil.copytree(DIAMOND.parent / "scripts", tmp_path / "app" / "scripts")
    dag.parent.mkdir(exist_ok=True)
    dag.write_text(DIAMOND.read_text())
    (tmp_path / "words.txt").write_text("a b")

    for command in ("submit", "map"):
        assert shell(command, "app", "--input", "words.txt")[0] == 0

    assert [asked[:2] for asked in node.asked] == [("submit", dag), ("map", dag)]


@pytest.mark.parametrize("command", ["submit", "map", "demo"])
def test_a_directory_with_no_dag_or_several_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert cli.main([command, str(tmp_path)]) == 2
    assert "has no DAG: looked for dag.txt, configuration.txt, dag.toml, DAG/dag.txt" in capsys.readouterr().err
    (tmp_path / "dag.txt").touch()
    (tmp_path / "DAG").mkdir()
    (tmp_path / "DAG" / "dag.toml").touch()

    assert cli.main([command, str(tmp_path)]) == 2
    assert "has several DAGs (dag.txt, DAG/dag.toml): name the file" in capsys.readouterr().err


def test_submit_as_json(shell: Shell, node: FakeNode) -> None:
    assert json.loads(shell("submit", DIAMOND, "--json")[1])["id"] == "abcdefgh"


def test_following_on_a_pipe_tells_changes_and_then_fetches_the_results(
    shell: Shell, node: FakeNode, tmp_path: Path
) -> None:
    status, out, _ = shell("submit", DIAMOND, "--follow")

    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "job abcdefgh, kept by 3 other nodes and this one"
    assert [line[10:] for line in lines[1:4]] == [
        "split running on beta", "split done on beta in 2.00 s", "merge done on gamma in 2.00 s",
    ]  # fmt: skip
    assert (tmp_path / "pnode-abcdefgh" / "merge_result.txt").read_text() == "42\n"
    assert lines[-1].endswith("merge_result.txt  3 B")


def test_following_with_json_prints_one_value_at_the_end(shell: Shell, node: FakeNode, tmp_path: Path) -> None:
    status, out, err = shell("submit", DIAMOND, "--follow", "--json", "--output", "results")

    followed = from_plain(follow.Followed, json.loads(out))
    assert status == 0
    assert followed.job == ENDED
    assert followed.results is not None
    assert followed.results.files[0].path == tmp_path / "results" / "merge_result.txt"
    assert "split running on beta" in err


def test_the_exit_status_is_the_jobs_and_the_reason_is_told(shell: Shell, node: FakeNode) -> None:
    node.story = (JOB, FAILED_JOB)

    status, out, _ = shell("submit", DIAMOND, "--follow")

    assert status == 1
    assert "split failed on beta: exit status 3\nits standard error ended with\n  | Traceback\n" in out
    node.story = (JOB, replace(JOB, state="cancelled", reason="cancelled at beta"))
    status, out, _ = shell("submit", DIAMOND, "--follow")
    assert status == 1
    assert out.endswith("\ncancelled at beta\n")


def test_a_job_can_be_followed_again(shell: Shell, node: FakeNode, tmp_path: Path) -> None:
    status, out, _ = shell("job", "abcd", "--follow", "--output", "results")

    assert status == 0
    assert out.startswith("job abcdefgh\n")
    assert "split running on beta" in out
    assert (tmp_path / "results" / "merge_result.txt").read_text() == "42\n"
    assert node.asked == [("follow", "abcdefgh")]
    node.story = (JOB, FAILED_JOB)
    assert shell("job", "abcd", "--follow")[0] == 1


def test_ctrl_c_ends_the_watching_and_not_the_job(
    shell: Shell, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(snapshots: Iterator[JobDetail], out: TextIO) -> JobDetail:
        next(snapshots)
        raise KeyboardInterrupt

    monkeypatch.setattr(follow, "follow_job", interrupted)

    status, _, err = shell("submit", DIAMOND, "--follow")

    assert status == 130
    assert err.endswith(
        "job abcdefgh goes on: 'pnode job abcdefgh --follow' shows it again, 'pnode cancel abcdefgh' ends it\n"
    )


def test_a_node_that_goes_away_while_followed_is_told(shell: Shell, tmp_path: Path) -> None:
    class Leaving(FakeNode):
        async def follow(self, job: str) -> AsyncGenerator[JobDetail, None]:
            yield JOB
            self.stopped.set()
            await trio.sleep_forever()

    with running(Leaving(tmp_path)):
        status, _, err = shell("submit", DIAMOND, "--follow")

    assert status == 1
    assert "'pnode job abcdefgh --follow' at any of them shows it again" in err
    assert "the node ended in the middle of 'follow'" in err


@pytest.mark.parametrize("words", [["submit", DIAMOND], ["job", "abcd"]])
def test_output_without_follow_is_a_mistake(shell: Shell, node: FakeNode, words: list[object]) -> None:
    status, _, err = shell(*words, "--output", "x")

    assert status == 2
    assert "--output needs --follow" in err
    assert node.asked == []


def test_a_bad_dag_is_told_without_asking_any_node(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "dag.txt").write_text("2\na 1 true b\nb 1 true a\n")

    for command in ("submit", "map"):
        status, out, err = shell(command, "dag.txt")

        assert (status, out) == (2, "")
        assert err.startswith("pnode: ")
        assert "dag.txt" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [["status"], ["peers"], ["jobs"], ["job", "a"], ["logs", "a"], ["pull", "a"], ["cancel", "a"], ["token"],
     ["explain", "a", "b"], ["job", "a", "--record", "run.json"],
     ["stop"], ["submit", DIAMOND], ["map", DIAMOND]],
)  # fmt: skip
def test_without_a_node_every_command_says_how_to_start_one(
    shell: Shell, tmp_path: Path, words: list[object]
) -> None:
    assert shell(*words) == (
        1, "", f"pnode: no node is running here (looked at {tmp_path}/control.sock): start one with 'pnode start'\n",
    )  # fmt: skip


def test_advice_names_the_home_where_commands_would_look_elsewhere(
    shell: Shell, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PNODE_HOME", str(tmp_path / "of another"))

    _, submitted, _ = shell("submit", DIAMOND)
    _, _, nobody = Shell(tmp_path / "no node", capsys)("jobs")

    assert f"'pnode job abcdefgh --home {tmp_path}' shows how far it is" in submitted
    assert nobody.endswith(f"start one with 'pnode start --home '{tmp_path}/no node''\n")


@pytest.mark.parametrize(
    ("words", "words_told"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["job"], "Missing argument 'JOB'"),
        (["submit", "absent.txt"], "'absent.txt' does not exist"),
        (["submit", DIAMOND, "--input", "absent"], "'absent' does not exist"),
        (["map", DIAMOND, "--mapper", "psychic"], "there is no mapper 'psychic'; known are wave-plan"),
        (["start", "--seed", "nowhere"], "'nowhere' is no address"),
        (["start", "--seed", "::1:80"], "an IPv6 host in brackets"),
        (["start", "--seed", "host:0"], "between 1 and 65535"),
        (["start", "--seed", "host:" + "1" * 5000], "between 1 and 65535"),
        (["start", "--cores", "0"], "--cores"),
        (["token", "--hours", "0"], "--hours"),
        (["start", "--emulate-speed", "1.5"], "--emulate-speed"),
        (["job", "abcd", "--record", "run.json", "--follow"], "follow the job first, then record it"),
    ],
)
def test_a_command_used_wrongly_ends_with_2_and_says_where_help_is(
    shell: Shell, words: list[object], words_told: str
) -> None:
    status, out, err = shell(*words)

    assert (status, out) == (2, "")
    assert words_told in err
    assert "--help')" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("text", "shares"), [("", ()), ("2", (1.0,)), ("1,0.5,2", (0.5, 0.25, 1.0))])
def test_speeds_are_shares_of_the_fastest(text: str, shares: tuple[float, ...]) -> None:
    assert speeds(text) == shares


@pytest.mark.parametrize("text", ["1,x", "1,,2", "0", "1,-1", "inf", "nan", "1,0.001"])
def test_speeds_that_no_node_can_have_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=re.escape(repr(text))):
        speeds(text)


@pytest.mark.parametrize("address", ["host:1", "192.0.2.1:65535", "[::1]:4747"])
def test_addresses_are_understood(address: str) -> None:
    from pnode.node.cli_options import host_and_port

    assert host_and_port(address) == address


def test_every_command_has_an_example_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.WORDS:
        assert cli.main([name, "--help"]) == 0

        help_text = capsys.readouterr().out
        assert f"  pnode {name}" in help_text.partition("Example")[2], name


def test_what_is_said_of_a_command_before_it_is_loaded_is_how_its_help_begins() -> None:
    context = click.Context(cli.cli)
    for name, (_, text) in cli.WORDS.items():
        command = cli.cli.get_command(context, name)

        assert command is not None
        assert (command.name, command.get_short_help_str(200)) == (name, text)


def test_help_loads_no_command_and_nothing_about_mail() -> None:
    program = (
        "import json, sys; from pnode.node import cli; cli.main(['--help']);"
        "print(); print(json.dumps(sorted(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True).stdout

    loaded = json.loads(shown.splitlines()[-1])
    commands = [name for name in loaded if name.startswith(("pnode.node.cli_", "pnode.sim.study.cli_"))]
    assert commands == ["pnode.node.cli_answer", "pnode.node.cli_options"]
    assert [name for name in loaded if name in ("email", "importlib.metadata", "pnode.node.api")] == []


def cli_help(capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["--help"]) == 0
    return capsys.readouterr().out


def test_pnode_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0

    out, err = capsys.readouterr()
    assert (out, err) == (cli_help(capsys), "")
    assert out.count("\n") > 20


def test_a_bug_is_one_line_that_says_where_more_is(tmp_path: Path) -> None:
    program = (
        "import sys; from pnode.node import cli, commands\n"
        "def broken(self): raise ZeroDivisionError('a\\nbug')\n"
        "commands.NodeClient.jobs = broken; sys.exit(cli.main(['jobs']))"
    )

    def ended(**environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, env={**os.environ, **environment})

    brief, long = ended(), ended(PNODE_DEBUG="1")

    assert (brief.returncode, brief.stdout) == (1, "")
    assert brief.stderr.startswith(
        "pnode: this is a mistake in pnode itself: ZeroDivisionError: a bug (PNODE_DEBUG=1"
    )
    assert brief.stderr.count("\n") == 1
    assert long.returncode == 1
    assert "Traceback" in long.stderr


def test_the_home_can_come_from_the_environment(
    shell: Shell, node: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PNODE_HOME", str(node.home))

    assert cli.main(["status"]) == 0


def test_stop_waits_until_the_home_is_free(shell: Shell, tmp_path: Path) -> None:
    with running(FakeNode(tmp_path)) as node:
        assert shell("stop") == (0, "stopped\n", "")

        assert node.stopped.is_set()


def test_a_start_beside_a_running_node_says_so(shell: Shell, node: FakeNode, tmp_path: Path) -> None:
    with hold_home(tmp_path):
        status, out, _ = shell("start")

        assert status == 0
        assert "node alpha (k3vq7x2m-4f) runs already in cluster efefefef" in out
        assert out.splitlines()[-1] == "'pnode token' prints the line that lets others join"
        assert json.loads(shell("start", "--json")[1])["already"] is True


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ""),
        (["--name", "alpha"], ""),
        (["--name", "omega"], "--name is"),
        (["--port", "5000", "--cores", "1", "--no-mdns"], "--port, --cores, --mdns/--no-mdns are"),
        (["--emulate-speed", "0.5"], "--emulate-speed is"),
    ],
)
def test_options_that_come_too_late_are_told(
    shell: Shell, node: FakeNode, tmp_path: Path, words: list[str], told: str
) -> None:
    with hold_home(tmp_path):
        status, _, err = shell("start", *words)

    expected = f"note: {told} not applied, since the node runs already: 'pnode stop' first, then start it so\n"
    assert (status, err) == (0, expected if told else "")


def test_a_start_where_a_node_is_just_starting_asks_for_patience(shell: Shell, tmp_path: Path) -> None:
    with hold_home(tmp_path):
        status, _, err = shell("start")

    assert status == 1
    assert "try again in a moment" in err


@pytest.mark.parametrize("token", ["pnode1-AAAA", "rubbish", "pnode9-xyz"])
def test_a_token_of_no_use_is_told_before_anything_is_started(shell: Shell, tmp_path: Path, token: str) -> None:
    status, out, err = shell("start", "--token", token)

    assert (status, out) == (2, "")
    assert err.startswith("pnode: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_home_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")

    assert cli.main(["start", "--home", str(tmp_path / "file" / "home")]) == 1

    assert "cannot make the home directory" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error_to_speak_of(tmp_path: Path) -> None:
    with running(FakeNode(tmp_path)):
        command = [sys.executable, "-m", "pnode.node.cli", "peers", "--home", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=20)

    assert b"Traceback" not in err
    assert process.returncode != 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["peers"], ["peers", "--json"], ["--help"]])
def test_output_that_cannot_be_written_is_told(tmp_path: Path, words: list[str]) -> None:
    with running(FakeNode(tmp_path)), Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "pnode.node", *words], stdout=full, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PNODE_HOME": str(tmp_path)}, timeout=20,
        )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (
        1, "pnode: cannot write to standard output: No space left on device\n",
    )  # fmt: skip


def test_a_command_whose_output_is_closed_says_nothing(tmp_path: Path) -> None:
    with running(FakeNode(tmp_path)):
        ended = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "pnode.node", "peers", "--home", str(tmp_path)],
            stderr=subprocess.PIPE, text=True, timeout=20,
        )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (0, "")


def test_ctrl_c_before_the_command_line_is_loaded_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Impatient(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "pnode.node.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "pnode.node.cli")
    monkeypatch.delattr(pnode.node, "cli")
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])

    assert program.main() == 130

    assert capsys.readouterr() == ("", "")


def test_commands_start_without_what_only_nodes_need(tmp_path: Path) -> None:
    with running(FakeNode(tmp_path)):
        program = (
            "import sys; from pnode.node.cli import main; status = main(sys.argv[1:]);"
            "print(sorted({'trio', 'rich', 'nacl', 'scipy', 'zeroconf', 'msgpack', 'numpy'} & set(sys.modules)),"
            " file=sys.stderr); sys.exit(status)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program, "jobs", "--home", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=20,
        )

    assert (ended.returncode, ended.stderr) == (0, "[]\n")
