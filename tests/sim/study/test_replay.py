"""Replays: the run of a live job beside what the simulator makes of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pnode.sim.formats.recording import parse_recording
from pnode.sim.schedule.validator import validate
from pnode.sim.study.cli import sim
from pnode.sim.study.replay import replay

from ..formats.recordings import text


def test_tasks_run_on_their_nodes_as_soon_as_inputs_and_cores_allow() -> None:
    replayed = replay(parse_recording("run.json", text(items=1)))

    rows = {row["task"]: row for row in replayed.table().records()}
    assert (rows["split"]["predicted_start_s"], rows["split"]["predicted_finish_s"]) == (0.0, 1.0)
    assert (rows["left"]["predicted_start_s"], rows["left"]["predicted_finish_s"]) == (1.0, 3.0)
    # 1,000 bytes over 10 kB/s after 0.1 s of latency.
    assert rows["right"]["predicted_start_s"] == pytest.approx(1.2)
    assert rows["right"]["predicted_finish_s"] == pytest.approx(2.2)
    assert replayed.error == pytest.approx(3.0 / 3.2 - 1)
    validate(replayed.result)


def test_the_table_shows_what_happened_in_the_order_in_which_it_did() -> None:
    table = replay(parse_recording("run.json", text())).table()

    assert table.column("start_s") == (0.1, 0.1, 0.7, 1.2, 1.4, 3.3)
    assert table.column("node") == table.column("predicted_node")


def test_another_mapper_may_be_asked_what_it_would_have_done() -> None:
    replayed = replay(parse_recording("run.json", text()), "heft")

    assert replayed.result.mapper == "heft"
    assert replayed.result.complete
    validate(replayed.result)


def test_clocks_that_disagree_leave_no_child_before_its_parent() -> None:
    wrong = text(items=1).replace('"started_s": 1.4, "ended_s": 2.4', '"started_s": 0.05, "ended_s": 1.05')

    replayed = replay(parse_recording("run.json", wrong))

    assert replayed.result.complete
    validate(replayed.result)


def test_the_command_prints_both_runs_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text(items=1))

    done = CliRunner().invoke(sim, ["replay", str(tmp_path / "run.json")])

    lines = done.output.splitlines()
    assert done.exit_code == 0
    assert lines[0].split() == ["task", "node", "start", "s", "predicted", "end", "s", "predicted"]
    assert lines[3].split() == ["right", "host", "n2", "1.400", "1.200", "2.400", "2.200"]
    assert lines[-1] == "job k3vq, where it ran, placed by wave-greedy: took 3.200 s, predicted 3.000 s (-6.2%)"


def test_the_command_prints_one_json_value(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text(items=1))

    done = CliRunner().invoke(sim, ["replay", str(tmp_path / "run.json"), "--mapper", "heft", "--json"])

    plain = json.loads(done.output)
    assert plain["mapper"] == "heft"
    assert [row["task"] for row in plain["tasks"]] == ["split", "left", "right"]


def test_what_is_no_recording_is_refused_as_wrongly_used(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")

    done = CliRunner().invoke(sim, ["replay", str(tmp_path / "run.json")])

    assert done.exit_code == 2
    assert "there is no `format`" in done.output


def test_where_another_mapper_would_put_a_task_stands_beside_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text(items=1))

    done = CliRunner().invoke(sim, ["replay", str(tmp_path / "run.json"), "--mapper", "fastest"])

    lines = [line.split()[:5] for line in done.output.splitlines()]
    assert lines[0][:3] == ["task", "node", "predicted"]
    assert lines[1] == ["split", "host", "n1", "host", "n2"]
