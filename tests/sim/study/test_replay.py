"""Replays: the run of a live job beside what the simulator makes of it."""

import pytest

from pnode.sim.formats.recording import parse_recording
from pnode.sim.schedule.validator import validate
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
