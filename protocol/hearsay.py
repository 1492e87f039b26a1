"""Hearsay: how far the units of a job are according to its replica, for nodes that only see their own part of it.

A node that runs one task hears of its neighbours in the graph, and a mapper that imagines what goes first would take
all others for tasks that have not started: of 40 tasks on four nodes, `wave-hint` moved eight away from a plan that
could not be improved, and took 1.10 of its time at the median, `wave-plan` 1.11; with hearsay both take 1.00. So a
replica, which sees everything, adds to whatever it sends to a node what has become of other units since it sent
something the last time. (To send that by itself to whoever is given a unit was tried: with 80 tasks on eight nodes
`wave-hint` gained nothing by it and `wave-plan` a hundredth.) This is not signed, not confirmed and not repeated: it
is a hint for mappers, who live with old figures anyway, and good for nothing else. It is told where a mapper has
looked at the progress of a job, or has planned it; most do not.
"""

from collections.abc import Iterable

from .ids import NodeId
from .job import Job
from .jobmessages import News
from .jobstate import Attempt, UnitKey

NEWS_MAX = 256
"""In one message, the latest: some twelve kilobytes. What has changed longer ago lies far behind, or far ahead."""

PHASES = ("assigned", "started", "finished")
"""As much as a mapper wants to know, by number."""


def changed(job: Job, key: UnitKey) -> None:
    """Something has become of a unit."""
    if job.minds_progress and key[1] not in job.state.settlement:
        job.changes.pop(key, None)
        job.changes_count += 1
        job.changes[key] = job.changes_count


def news_for(job: Job, node: NodeId) -> tuple[News, ...]:
    """What a node has not been told yet, the latest first. It counts as told from here on."""
    told = job.told.get(node, 0)
    job.told[node] = job.changes_count
    fresh: list[News] = []
    for key in reversed(job.changes):
        if job.changes[key] <= told or len(fresh) == NEWS_MAX:
            break
        news = _news(job, key)
        if news is not None:
            fresh.append(news)
    return tuple(fresh)


def hear(job: Job, news: Iterable[News]) -> None:
    """A replica has told how far units are. What is settled has been forgotten, and stays so."""
    for each in news:
        if _fits(job, each) and each.item not in job.state.settlement:
            phase, at_s = PHASES[each.phase], each.at_s
            job.hearsay[(each.task, each.item)] = Attempt(
                0,
                NodeId(each.node),
                phase,
                assigned_s=at_s if phase == "assigned" else None,
                started_s=at_s if phase == "started" else None,
                ended_s=at_s if phase == "finished" else None,
            )


def _fits(job: Job, news: News) -> bool:
    return news.task < len(job.spec.dag.tasks) and news.item < len(job.spec.items) and news.phase < len(PHASES)


def _news(job: Job, key: UnitKey) -> News | None:
    """None of a unit that has no node at the moment."""
    unit = job.state.unit(key)
    attempt = unit.result or unit.current
    if attempt is None:
        return None
    match attempt.phase:
        case "assigned" | "accepted":
            phase, at_s = 0, attempt.assigned_s
        case "started":
            phase, at_s = 1, attempt.started_s
        case "finished":
            phase, at_s = 2, attempt.ended_s
        case _:
            return None
    return News(key[0], key[1], attempt.node, phase, at_s or 0.0)
