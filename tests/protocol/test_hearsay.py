"""Hearsay: what a replica tells by the way, once, and what others make of it."""

from dataclasses import replace

import pytest

from pnode.protocol import hearsay
from pnode.protocol.hearsay import changed, hear, news_for
from pnode.protocol.job import Job
from pnode.protocol.jobmessages import Deliver, News
from pnode.protocol.jobspec import PlannedTask
from pnode.protocol.ledger import StatementKind
from pnode.protocol.settling import SETTLE_S
from pnode.protocol.view import Phase

from .ledgers import NODES
from .partners import START, Circle, spec, task
from .test_progress import a_job, assign, look, tell

K = StatementKind


def minding() -> Job:
    """A job whose mapper looks at its progress."""
    job = a_job()
    list(look(job, 1.0))
    return job


def bound(job: Job, name: str, node: int) -> None:
    assign(job, name, node)
    changed(job, job.key(name, 0))


def test_what_has_changed_is_told_once_to_each_the_latest_first() -> None:
    job = minding()
    bound(job, "left", 1)
    bound(job, "right", 2)
    told = news_for(job, NODES[3])
    tell(job, "left", 1, K.STARTED, 4.0)
    changed(job, job.key("left", 0))

    assert told == (News(1, 0, NODES[2], 0, 1.0), News(0, 0, NODES[1], 0, 1.0))
    assert news_for(job, NODES[3]) == (News(0, 0, NODES[1], 1, 4.0),)
    assert news_for(job, NODES[3]) == ()
    assert len(news_for(job, NODES[2])) == 2


def test_of_a_unit_whose_node_has_let_it_go_there_is_nothing_to_tell() -> None:
    job = minding()
    bound(job, "left", 1)
    tell(job, "left", 1, K.DECLINED, 2.0)

    assert news_for(job, NODES[3]) == ()


def test_of_a_unit_that_nobody_has_been_given_there_is_nothing_to_tell() -> None:
    job = minding()

    changed(job, job.key("left", 0))

    assert news_for(job, NODES[3]) == ()


def test_no_more_is_told_at_a_time_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearsay, "NEWS_MAX", 1)
    job = minding()
    bound(job, "left", 1)
    bound(job, "right", 2)

    assert [news.task for news in news_for(job, NODES[3])] == [1]
    assert news_for(job, NODES[3]) == ()


def test_nothing_is_noted_for_a_mapper_that_does_not_look() -> None:
    job = a_job()
    bound(job, "left", 1)

    assert news_for(job, NODES[3]) == ()


def test_what_was_heard_is_progress_until_the_ledger_knows_better() -> None:
    job = a_job()
    hear(job, [News(0, 0, NODES[1], 0, 2.0), News(1, 0, NODES[2], 1, 3.0), News(3, 0, NODES[2], 2, 4.0)])

    progress = look(job, 5.0)

    assert {name: each.phase for name, each in progress.items()} == {
        "left": Phase.BOUND, "right": Phase.RUNNING, "alone": Phase.DONE,
    }  # fmt: skip
    assert (progress["right"].start_in_s, progress["alone"].finish_in_s) == (-2.0, -1.0)
    tell(job, "left", 3, K.STARTED, 4.5)
    assert look(job, 5.0)["left"].node == NODES[3]


def test_hearsay_counts_where_it_is_further_than_the_ledger() -> None:
    job = a_job()
    assign(job, "left", 1)
    hear(job, [News(0, 0, NODES[1], 1, 3.0)])

    assert look(job, 5.0)["left"].phase is Phase.RUNNING
    assert look(job, 5.0, gone=1).get("left") is None


@pytest.mark.parametrize(
    "news", [News(9, 0, NODES[1], 0, 1.0), News(0, 9, NODES[1], 0, 1.0), News(0, 0, NODES[1], 9, 1.0)]
)
def test_news_of_what_the_job_does_not_have_are_no_news(news: News) -> None:
    job = a_job()

    hear(job, [news])

    assert job.hearsay == {}


def planned(circle: Circle) -> None:
    """A join at bob, and a chain at cid and dan that has nothing to do with it."""
    places = {"one": "bob", "two": "dan", "join": "bob", "other": "cid", "other2": "dan"}
    for name, node in places.items():
        circle.prefer(name, node)
    job = spec(
        task("one", "join"),
        task("two", "join"),
        task("join", inputs_per_call=2),
        task("other", "other2"),
        task("other2"),
    )
    plan = tuple(PlannedTask(circle.id_of("bob"), 0.0, 1.0) for _ in job.dag.tasks)
    circle.submit("ann", replace(job, plan=plan, created_s=START))


def test_a_node_hears_of_units_that_its_own_have_nothing_to_do_with() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    planned(circle)
    circle.end("dan", "two")
    circle.end("cid", "other")

    circle.end("bob", "one")

    assert (4, 0) not in circle["bob"].job.state.units
    assert circle["bob"].job.hearsay[4, 0].node == circle.id_of("dan")


def test_nobody_but_a_replica_is_believed() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    planned(circle)
    before = dict(circle["bob"].job.hearsay)
    news = (News(4, 0, circle.id_of("dan"), 2, START),)

    circle.say("cid", "bob", Deliver(circle["ann"].job.id, (), None, news))

    assert circle["bob"].job.hearsay == before
    circle.say("ann", "bob", Deliver(circle["ann"].job.id, (), None, news))
    assert circle["bob"].job.hearsay[4, 0].phase == "finished"


def test_a_restarted_replica_tells_from_the_beginning() -> None:
    circle = Circle("ann", "bob", "cid", "dan")
    planned(circle)
    circle.crash("ann")

    circle.restart("ann")

    assert {news.task for news in news_for(circle["ann"].job, circle.id_of("dan"))} >= {0, 1, 3}


def test_of_what_is_settled_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 2)
    circle = Circle("ann", "bob", cores=4)
    circle.prefer("only", "bob")
    circle.submit("ann", spec(task("only"), items=3))
    circle.end("bob", "only")
    circle.run(SETTLE_S + 1.0)
    job = circle["bob"].job
    assert list(job.state.settlement) == [0]
    job.minds_progress = True

    for item in range(2):
        changed(job, (0, item))
        hear(job, (News(0, item, NODES[1], 1, 4.0),))

    assert list(job.changes) == list(job.hearsay) == [(0, 1)]
