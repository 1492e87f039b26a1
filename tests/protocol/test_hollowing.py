"""Hollowing: the ledgers of a stream shrink as its items are settled, and whoever comes later has an equal one."""

from dataclasses import replace
from functools import reduce
from operator import xor

import pytest

from pnode.protocol.desk import segment_row
from pnode.protocol.effects import Erase
from pnode.protocol.jobmessages import Compare, Deliver, Hollow, WireRun
from pnode.protocol.jobstate import Phase
from pnode.protocol.ledger import Entry, Ledger, StatementKind
from pnode.protocol.retention import RETENTION_S
from pnode.protocol.settling import SETTLE_S

from .ledgers import statement
from .members import CLUSTER
from .partners import Circle, file, spec, task

K = StatementKind
ITEMS = 6


@pytest.fixture(autouse=True)
def small_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", 2)


def stream(*names: str, through: int = 0, replicas: int = 1, preferred: str = "cid") -> Circle:
    """ann's stream of two tasks, which bob and another run; so many items of it are settled."""
    circle = Circle("ann", "bob", "cid", *names, cores=8)
    circle.prefer("first", "bob")
    circle.prefer("last", preferred)
    circle.submit("ann", spec(task("first", "last"), task("last"), items=ITEMS, replicas=replicas))
    for item in range(through):
        run_item(circle, item, preferred)
    if through:
        circle.run(SETTLE_S + 1.0)
    circle.take()
    return circle


def run_item(circle: Circle, item: int, last: str = "cid") -> None:
    circle.end("bob", "first", file("half"), item=item)
    circle.end(last, "last", file("out", f"result {item}"), item=item)


def guard(circle: Circle) -> str:
    return circle.name_of(circle["ann"].job.replicas[1])


def ledger(circle: Circle, name: str) -> Ledger:
    return circle[name].job.ledger


def hollow_count(circle: Circle, name: str) -> int:
    return sum(run.count for _, run in ledger(circle, name).runs())


def rows(circle: Circle, name: str, table: str) -> int:
    return sum(each == table for each, _ in circle[name].rows)


def wire(circle: Circle, name: str) -> tuple[WireRun, ...]:
    return circle[name].jobs.hollowing.before(circle[name].job, [entry.id for entry in ledger(circle, name)])


def feed(circle: Circle, name: str, length: int) -> list[Entry]:
    """A feed of a partner's words about an item that is settled."""
    written, seed = Ledger(circle["ann"].job.id), circle[name].jobs.desk.place.seed
    said = [statement(K.DROPPED, (0, 0), at) for at in range(2, 2 + length)]
    return [written.write(circle.crypto, CLUSTER, seed, 9, (each,)) for each in said]


def run_of(*entries: Entry) -> WireRun:
    """These as a run."""
    first, last = entries[0], entries[-1]
    fingerprint = reduce(xor, (entry.fingerprint for entry in entries)).to_bytes(8, "big")
    previous, place = first.segment.previous, first.segment
    return WireRun(first.author, place.boot, place.sequence, len(entries), fingerprint, previous, last.digest)


def tell(circle: Circle, sender: str, receiver: str, runs: tuple[WireRun, ...], *segments: Entry) -> None:
    """A partner hears of runs, and of segments."""
    job = circle["ann"].job
    signed = tuple(entry.signed for entry in segments)
    circle.say(sender, receiver, Deliver(job.id, signed, job.signed, runs=runs))


def test_what_says_nothing_any_more_is_hollowed_in_memory_and_in_the_journal() -> None:
    circle = stream(through=4)

    for name in ("ann", "bob", "cid"):
        kept = list(ledger(circle, name))
        assert hollow_count(circle, name)
        assert len(kept) + hollow_count(circle, name) == len(ledger(circle, name))
        assert rows(circle, name, "segment") == len(kept)
        assert rows(circle, name, "hollow") == len(list(ledger(circle, name).runs()))
    assert ledger(circle, "ann").fingerprint() == ledger(circle, guard(circle)).fingerprint()


def test_the_last_segment_of_a_feed_stays_until_there_is_another() -> None:
    circle = stream(through=2)
    bob = circle.id_of("bob")
    [end] = ledger(circle, "ann").ends(bob)
    speaks_of = {each.item for each in end.segment.statements}

    run_item(circle, 2)
    circle.run(SETTLE_S + 1.0)

    assert end.id in ledger(circle, "ann")
    assert len(ledger(circle, "ann").ends(bob)) == 1
    assert (ledger(circle, "ann").get(end.id) is None) == (not speaks_of - {0, 1, 2})


def test_an_end_that_is_void_is_hollowed_when_another_segment_follows_it() -> None:
    circle = stream("dan", through=1, replicas=0, preferred="dan")
    [end] = ledger(circle, "ann").ends(circle.id_of("dan"))
    while ledger(circle, "ann").get(end.id) is not None:
        item = max(circle["ann"].job.state.settlement) + 1
        assert item < ITEMS
        run_item(circle, item, "dan")
        circle.run(SETTLE_S + 1.0)

    assert end.id in ledger(circle, "ann")


def test_in_a_small_job_nothing_is_hollowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.settlement.SETTLE_ITEMS_MIN", ITEMS + 1)
    circle = stream(through=4)

    assert hollow_count(circle, "ann") == 0
    late = feed(circle, "cid", 3)
    tell(circle, guard(circle), "ann", (run_of(*late[:2]),), late[2])
    assert hollow_count(circle, "ann") == 0


@pytest.mark.parametrize("knows", [True, False])
def test_who_comes_to_keep_a_stream_adopts_what_is_hollow_and_has_an_equal_ledger(*, knows: bool) -> None:
    circle = stream("dan", "eve", through=4, replicas=2)
    before = [circle.name_of(node) for node in circle["ann"].job.replicas]
    lost = before[-1] if knows else before[1]

    circle.kill(lost)
    circle.run(60.0)

    names = [circle.name_of(node) for node in circle["ann"].job.replicas]
    (heir,) = (name for name in names if name not in before)
    assert ledger(circle, heir).fingerprint() == ledger(circle, "ann").fingerprint()
    assert ledger(circle, heir).vector() == ledger(circle, "ann").vector()
    assert list(circle[heir].job.state.settlement) == list(circle["ann"].job.state.settlement) == [0, 1, 2, 3]
    assert circle[heir].job.state.results == 8
    assert circle.id_of(heir) in circle["ann"].job.state.guards
    assert rows(circle, heir, "hollow")


def test_the_stream_goes_on_and_ends_after_all_that() -> None:
    circle = stream("dan", through=3)
    circle.crash("ann")
    circle.restart("ann")
    circle.meet("ann")
    for item in range(3, ITEMS):
        for name, last in (("bob", "first"), ("cid", "last")):
            waiting = [run.unit for run in circle[name].running.values()]
            assert (last, item) in [(unit.task, unit.item) for unit in waiting]
            circle.end(name, last, file("out", f"{last} {item}"), item=item)
    circle.run(60.0)

    for name in ("ann", guard(circle)):
        state = circle[name].job.state
        assert state.phase is Phase.DONE
        assert state.is_over
        assert len(state.settlement) == ITEMS
    assert ledger(circle, "ann").fingerprint() == ledger(circle, guard(circle)).fingerprint()


def test_a_restarted_node_has_what_its_journal_holds() -> None:
    circle = stream(through=4)
    before = ledger(circle, "ann")
    circle.crash("ann")

    circle.restart("ann")

    after = ledger(circle, "ann")
    assert after is not before
    assert after.fingerprint() == before.fingerprint()
    assert [(feed, run.first, run.count) for feed, run in after.runs()] == [
        (feed, run.first, run.count) for feed, run in before.runs()
    ]


def test_rows_that_a_crash_has_left_are_taken_out_at_the_start() -> None:
    circle = stream(through=1)
    erased: dict[tuple[str, bytes], bytes] = {}
    early = dict(circle["ann"].rows)
    for item in range(1, 4):
        run_item(circle, item)
        erased |= {key: row for key, row in circle["ann"].rows.items() if key[0] == "segment"}
        circle.run(SETTLE_S + 1.0)
    after = dict(circle["ann"].rows)
    strays = {key for key in (*early, *erased) if key not in after}
    assert {table for table, _ in strays} >= {"segment"}
    circle.crash("ann")
    circle["ann"].rows = early | erased | after

    circle.restart("ann")

    assert not strays & set(circle["ann"].rows)
    assert ledger(circle, "ann").fingerprint() == ledger(circle, guard(circle)).fingerprint()


def test_runs_that_are_parts_of_others_or_of_forgotten_jobs_are_taken_out() -> None:
    circle = stream(through=4)
    hollowing, job = circle["ann"].jobs.hollowing, circle["ann"].job
    [whole, *_] = (each for each in wire(circle, "ann") if each.count > 1)
    part = WireRun(whole.author, whole.boot, whole.first + 1, whole.count - 1, bytes(8), bytes(32), whole.last)
    known, inner, other = (
        Hollow(job.id, (whole,)),
        Hollow(job.id, (part,)),
        Hollow(b"o" * 16, (whole,)),
    )

    hollowing.restore([known, inner, other])

    assert hollow_count(circle, "ann") == sum(each.count for each in wire(circle, "ann"))
    strays = hollowing.strays([known, inner, other])
    assert [type(each) for each in strays] == [Erase, Erase]
    assert {each.table for each in strays} == {"hollow"}


def test_instead_of_what_was_on_its_way_and_is_hollow_now_a_replica_gets_what_follows_it() -> None:
    circle = stream(through=4)
    job = circle["ann"].job
    outsider = next(each for each in ("bob", "cid") if each != guard(circle))
    of, run = next(iter(job.ledger.runs()))
    follower = job.ledger.get((*of, run.end))
    assert follower is not None
    for name in (guard(circle), outsider):
        circle["ann"].jobs.desk.offer(job, circle.id_of(name), (*of, run.first))
    circle.frames.clear()

    circle.run(9.0)

    sent = [(other, each) for one, other, each in circle.frames if one == "ann" and isinstance(each, Deliver)]
    assert [(other, each.segments) for other, each in sent] == [(guard(circle), (follower.signed,))]
    assert [(each.first, each.count) for each in sent[0][1].runs] == [(run.first, run.count)]
    circle.take()
    assert circle.is_quiet()


def test_a_segment_that_is_hollow_here_is_confirmed() -> None:
    circle = stream(through=1)
    entries = {entry.id: entry for entry in ledger(circle, "bob")}
    for item in range(1, 4):
        entries |= {entry.id: entry for entry in ledger(circle, "bob")}
        run_item(circle, item)
        entries |= {entry.id: entry for entry in ledger(circle, "bob")}
        circle.run(SETTLE_S + 1.0)
    known = next(
        each for each in entries if each in ledger(circle, "ann") and ledger(circle, "ann").get(each) is None
    )
    before = len(ledger(circle, "ann"))

    assert circle["ann"].jobs.mail._merge(circle.id_of("bob"), circle["ann"].job, entries[known].signed) == known
    assert len(ledger(circle, "ann")) == before


def test_only_who_keeps_the_stream_or_was_asked_is_believed() -> None:
    circle = stream("dan", through=4)
    outsider = next(each for each in ("bob", "cid", "dan") if each != guard(circle))
    late = feed(circle, "dan", 3)

    tell(circle, outsider, "ann", (run_of(*late[:2]),), late[2])
    assert late[1].id not in ledger(circle, "ann")
    tell(circle, guard(circle), "ann", (run_of(*late[:2]),), late[2])
    assert late[1].id in ledger(circle, "ann")


def test_a_run_that_contradicts_what_is_here_is_ignored() -> None:
    circle = stream("dan", through=4)
    late = feed(circle, "dan", 4)
    tell(circle, "dan", "ann", (), late[0])

    tell(circle, guard(circle), "ann", (replace(run_of(*late[1:3]), previous=b"?" * 32),), late[3])

    assert [entry.id in ledger(circle, "ann") for entry in late] == [True, False, False, True]


def test_nobody_can_make_a_node_take_for_known_what_its_author_has_yet_to_say() -> None:
    circle = stream("dan", through=2)
    late = feed(circle, "dan", 6)
    for false in (
        WireRun(circle.id_of("dan"), 9, 0, 1000, bytes(8), bytes(32), b"l" * 32),
        replace(run_of(*late[:3]), count=5),
        replace(run_of(*late[:3]), last=b"l" * 32),
        run_of(*late[:5]),
    ):
        tell(circle, guard(circle), "ann", (false,))
        tell(circle, guard(circle), "ann", (false,), late[3])

    assert [entry.id in ledger(circle, "ann") for entry in late] == [False, False, False, True, False, False]
    tell(circle, "dan", "ann", (), *late)
    assert [entry.id in ledger(circle, "ann") for entry in late] == [True] * 6


def test_a_false_word_of_what_is_hollow_holds_no_stream_up() -> None:
    circle = stream(through=2)
    bob = circle.id_of("bob")
    [end] = ledger(circle, "ann").ends(bob)
    first = end.segment.sequence + 1
    false = WireRun(bob, end.segment.boot, first, 1000, bytes(8), end.digest, b"l" * 32)

    for name in ("ann", guard(circle)):
        tell(circle, guard(circle) if name == "ann" else "ann", name, (false,))
    for item in range(2, ITEMS):
        run_item(circle, item)
    circle.run(60.0)

    assert circle["ann"].job.state.phase is Phase.DONE
    assert ledger(circle, "ann").fingerprint() == ledger(circle, guard(circle)).fingerprint()


def test_nobody_says_what_is_in_the_feed_that_we_write() -> None:
    circle = stream(through=2)
    (last,) = ledger(circle, "ann").ends(circle.id_of("ann"))
    after = last.segment.sequence + 1
    run = WireRun(last.author, last.segment.boot, after, 1000, bytes(8), last.digest, bytes(32))

    tell(circle, guard(circle), "ann", (run,))
    run_item(circle, 2)
    circle.run(SETTLE_S + 1.0)

    assert 2 in circle["ann"].job.state.settlement


def test_who_hears_of_a_stream_for_the_first_time_hears_what_is_hollow() -> None:
    circle = stream("dan", through=4)
    assert not circle["dan"].jobs.desk.jobs

    circle.say("ann", "dan", Compare(((circle["ann"].job.id, bytes(8)),)))

    assert hollow_count(circle, "dan") == hollow_count(circle, "ann")
    assert ledger(circle, "dan").fingerprint() == ledger(circle, "ann").fingerprint()


def test_a_job_that_is_forgotten_leaves_nothing_in_the_journal() -> None:
    circle = stream(through=ITEMS)
    name = guard(circle)
    assert rows(circle, name, "hollow")

    circle.run(RETENTION_S + 60.0)

    assert not circle[name].jobs.desk.jobs
    assert rows(circle, name, "hollow") == 0
    assert rows(circle, name, "segment") == 1


def test_a_segment_of_things_that_this_version_does_not_understand_stays() -> None:
    circle = stream(through=2)
    strange = statement(K.STARTED, (0, 0), 0)
    entry = Ledger(circle["ann"].job.id).write(
        circle.crypto, CLUSTER, circle["cid"].jobs.desk.place.seed, 9, (strange,)
    )

    circle.utter("cid", "ann", strange)
    run_item(circle, 2)
    circle.run(SETTLE_S + 1.0)

    assert any(each.segment.statements == entry.segment.statements for each in ledger(circle, "ann"))


def test_what_is_said_too_late_is_hollowed_at_once() -> None:
    circle = stream(through=2)
    ledger_of_cid = Ledger(circle["ann"].job.id)
    seed = circle["cid"].jobs.desk.place.seed
    late = [
        ledger_of_cid.write(circle.crypto, CLUSTER, seed, 9, (statement(K.DROPPED, (0, 0), at),)) for at in (2, 3)
    ]
    for entry in late:
        assert circle["ann"].job.ledger.add(entry)
        circle["ann"].jobs.desk.heard(circle["ann"].job, entry)
    circle.settle()
    circle.run(1.0)

    assert ledger(circle, "ann").get(late[0].id) is None
    assert ledger(circle, "ann").get(late[1].id) == late[1]


def test_void_segments_that_are_not_hollow_yet_give_way_to_a_run() -> None:
    circle = stream(through=2)
    author, seed = circle.id_of("cid"), circle["cid"].jobs.desk.place.seed
    job, feed = circle["ann"].job, Ledger(circle["ann"].job.id)
    late = [feed.write(circle.crypto, CLUSTER, seed, 9, (statement(K.DROPPED, (0, 0), at),)) for at in range(2, 6)]
    feed.hollow(entry.id for entry in late[:3])
    [(_, run)] = feed.runs()
    assert job.ledger.add(late[1])
    circle["ann"].jobs.desk.heard(job, late[1])
    circle.run(1.0)
    assert job.ledger.get(late[1].id) is not None

    told = WireRun(author, 9, run.first, run.count, run.fingerprint.to_bytes(8, "big"), run.previous, run.last)
    tell(circle, guard(circle), "ann", (told,), late[3])

    assert late[2].id in job.ledger
    assert job.ledger.get(late[1].id) is None
    assert late[1].id not in job.mentions.void
    assert segment_row(job.id, late[1]) not in [key for table, key in circle["ann"].rows if table == "segment"]


def test_a_journal_that_has_lost_its_last_rows_has_the_segments_still() -> None:
    circle = stream(through=1)
    segments = {key: row for key, row in circle["ann"].rows.items() if key[0] != "hollow"}
    for item in range(1, 4):
        run_item(circle, item)
        segments |= {key: row for key, row in circle["ann"].rows.items() if key[0] != "hollow"}
    circle.run(SETTLE_S + 0.2)
    segments |= {key: row for key, row in circle["ann"].rows.items() if key[0] != "hollow"}
    before = ledger(circle, "ann").fingerprint()
    circle.crash("ann")
    earlier = [key for key, _ in segments.items() if key in circle["ann"].rows]
    hollow = {key: row for key, row in circle["ann"].rows.items() if key[0] == "hollow"}
    circle["ann"].rows = segments | {
        key: row for key, row in hollow.items() if int.from_bytes(key[1][-4:], "big") == 0
    }
    assert len(earlier) < len(segments)

    circle.restart("ann")
    circle.run(1.0)

    job = circle["ann"].job
    results = [job.state.unit((1, item)).result for item in range(4)]
    assert all(result is not None and job.stock.has((1, at), result) for at, result in enumerate(results))
    assert list(job.state.settlement) == [0, 1, 2, 3]
    assert before in (ledger(circle, "ann").fingerprint(), ledger(circle, guard(circle)).fingerprint())
