"""What a client hands in, when, and what becomes of its futures."""

import concurrent.futures
import gc
import math
import operator
import pickle
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pnode.node.bundling import HOLD_S, SCOUTS_PER_CORE, TASK_S
from pnode.node.callee import DIED, HEADER, NOT_MADE_S, RAISED, VALUE
from pnode.node.callgraph import CALLS_MAX, SHORT_BYTES, Wishes
from pnode.node.callmessages import FILES_MAX, INLINE_BYTES_MAX, VALUES, Abandon, Batch, Came, Ended, Taken, Welcome
from pnode.node.callsession import BATCHES_MAX
from pnode.node.futures import CallError, Future, JobLostError, Outcome, Payload, ProcessDiedError, RemoteTraceback
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef

from .caller import Caller, calls_of, results_of


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


def add(one: int, other: int) -> Any:
    return one + other


def same(value: Any, *_: object) -> Any:
    return value


def boom(*_: object) -> Any:
    raise ValueError("no such thing")


def long(size: int = SHORT_BYTES + 1) -> Any:
    return bytes(size)


def known(caller: Caller, *functions: object, seconds: float = 1e-6) -> None:
    """Let the session learn that these are quick."""
    for fn in functions:
        caller.session.pace.observe((caller.functions[fn].number, Wishes()), seconds)  # type: ignore[index]  # all were called


# -- handing in --------------------------------------------------------------------------------------------------


def test_a_call_is_a_batch_of_one_task_and_its_value_comes_back(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert batch.name == "try: add"
    assert [(task.name, task.final) for task in batch.tasks] == [("add.0", True)]
    assert future.result(0) == 3
    assert caller.hand_in() == []
    assert caller.session.is_idle


def test_outcomes_are_expected_until_the_last_of_them_has_come(caller: Caller) -> None:
    expected = [caller.session.expects]
    first, second = caller.submit(add, 1, 2), caller.submit(same, 1)
    (batch,) = caller.hand_in()
    expected.append(caller.session.expects)

    for came in caller.make(batch):
        caller.tell(came)
        expected.append(caller.session.expects)

    assert expected == [False, True, True, False]
    assert (first.result(0), second.result(0)) == (3, 1)


def test_nothing_is_handed_in_twice(caller: Caller) -> None:
    caller.submit(add, 1, 2)

    assert len(caller.hand_in()) == 1
    assert caller.hand_in() == []


def test_keyword_arguments_travel(caller: Caller) -> None:
    future = caller.submit(add, 1, other=5)
    caller.serve_all()

    assert future.result(0) == 6


def test_calls_that_take_from_each_other_are_one_graph(caller: Caller) -> None:
    first = caller.submit(add, 1, 2)
    second = caller.submit(same, first)
    third = caller.submit(add, first, second)
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert {task.name: task.children for task in batch.tasks} == {
        "add.0": ("same.1", "add.2"), "same.1": ("add.2",), "add.2": (),
    }  # fmt: skip
    assert results_of([first, second, third]) == [3, 3, 6]


def test_a_future_stands_for_its_value_at_any_depth(caller: Caller) -> None:
    one = caller.submit(add, 1, 2)
    nested = caller.submit(same, {"a": [one, (one, 5)]})
    caller.serve_all()

    assert nested.result(0) == {"a": [3, (3, 5)]}


def test_what_is_done_goes_along_with_who_takes_it(caller: Caller) -> None:
    first = caller.submit(add, 1, 2)
    caller.serve_all()
    second = caller.submit(add, first, first)
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert batch.values
    assert batch.tasks[0].program.arguments[4:] == (VALUES,)
    assert second.result(0) == 6


def test_what_is_done_and_long_is_named_with_who_takes_it(caller: Caller) -> None:
    first = caller.submit(long)
    caller.serve_all()
    second = caller.submit(len, first)
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert not batch.values
    assert batch.tasks[0].program.arguments[4:] == (batch.files[0].name,)
    assert second.result(0) == SHORT_BYTES + 1


def test_who_takes_from_a_batch_that_is_under_way_waits_for_it(caller: Caller) -> None:
    first = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    second = caller.submit(add, first, 10)

    assert caller.hand_in() == []
    assert not caller.session.is_idle
    caller.serve([batch])
    caller.serve_all()
    assert second.result(0) == 13


def test_who_takes_from_two_batches_waits_for_both(caller: Caller) -> None:
    first = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    second = caller.submit(same, 4)
    (other,) = caller.hand_in()
    both = caller.submit(add, first, second)

    assert caller.hand_in() == []
    caller.serve([other])
    assert caller.hand_in() == []
    caller.serve([batch])
    caller.serve_all()
    assert both.result(0) == 7


def test_a_chain_behind_what_is_under_way_goes_as_one_graph(caller: Caller) -> None:
    future: Future[object] = caller.submit(same, 1)
    (first,) = caller.hand_in()
    known(caller, same, seconds=TASK_S)
    for _ in range(10):
        future = caller.submit(same, future)
    caller.serve([first])
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert len(batch.tasks) == 10
    assert [task.final for task in batch.tasks] == [False] * 9 + [True]
    assert future.result(0) == 1


def test_a_chain_of_several_kinds_behind_what_is_under_way_goes_as_one_graph(caller: Caller) -> None:
    last = caller.submit(add, 0, 1)
    (first,) = caller.hand_in()
    for number in range(20):
        last = caller.submit(add, last, 1) if number % 2 else caller.submit(same, last)
    known(caller, add, same, seconds=TASK_S)
    assert caller.hand_in() == []

    caller.serve([first])
    (others,) = caller.hand_in()

    assert len(others.tasks) == 20


def test_a_graph_that_takes_less_than_a_task_costs_is_one(caller: Caller) -> None:
    caller.submit(add, 1, 2), caller.submit(same, 3)
    caller.serve_all()
    known(caller, add, same)
    first = caller.submit(add, 1, 2)
    middle = [caller.submit(same, first) for _ in range(5)]
    last = caller.submit(add, middle[0], middle[4])
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert [task.program.arguments[:3] for task in batch.tasks] == [("add+same", "0", "7")]
    assert results_of([first, *middle, last]) == [3] * 6 + [6]


def test_of_many_calls_of_which_nothing_is_known_a_few_go_first(caller: Caller) -> None:
    futures = [caller.submit(same, number) for number in range(100)]
    (scouts,) = caller.hand_in()

    assert sum(calls_of(scouts).values()) == SCOUTS_PER_CORE
    assert caller.hand_in() == []
    caller.serve([scouts])
    (others,) = caller.hand_in()
    caller.serve([others])
    assert sum(calls_of(others).values()) == 100 - SCOUTS_PER_CORE
    assert len(others.tasks) < 20
    assert results_of(futures) == list(range(100))


def test_calls_that_are_held_back_go_when_the_first_ones_take_long(caller: Caller) -> None:
    for number in range(100):
        caller.submit(same, number)
    caller.hand_in(5.0)

    assert caller.session.look_again_s(5.0) == pytest.approx(HOLD_S)
    assert caller.hand_in(5.0 + HOLD_S / 2) == []
    (others,) = caller.hand_in(5.0 + HOLD_S)
    assert len(others.tasks) == 100 - SCOUTS_PER_CORE
    assert caller.session.look_again_s(6.0) == math.inf


def test_one_kind_does_not_wait_for_what_is_told_of_another(caller: Caller) -> None:
    for number in range(100):
        caller.submit(same, number)
    caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()

    assert sorted(calls_of(batch)) == ["add.100", "same.0", "same.1"]


def test_who_takes_from_what_is_held_back_waits_with_it(caller: Caller) -> None:
    firsts = [caller.submit(same, number) for number in range(50)]
    sums = [caller.submit(add, first, 1) for first in firsts]
    caller.serve_all()

    assert results_of(sums) == [number + 1 for number in range(50)]


def test_calls_that_nobody_holds_tell_how_long_they_take_where_others_wait_for_that(caller: Caller) -> None:
    lasts = [caller.submit(add, caller.submit(same, number), 1) for number in range(100)]
    caller.serve_all(now=0.0)
    known_by_now = [future.done() for future in lasts]
    known(caller, add, same, seconds=10 * TASK_S)
    more = caller.submit(add, caller.submit(same, 1), 1)
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert all(known_by_now)
    assert [task.final for task in batch.tasks] == [False, True]
    assert more.result(0) == 2


def test_a_call_that_was_not_made_says_nothing_about_its_kind(caller: Caller) -> None:
    caller.submit(add, 1, 2)
    caller.serve_all()
    kind = (caller.functions[add].number, Wishes())
    before = caller.session.pace.seconds(kind)
    failed = caller.submit(boom)
    futures = [caller.submit(add, failed, 1) for _ in range(10)]
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert len(batch.tasks) > 1
    assert all(isinstance(future.exception(0), ValueError) for future in futures)
    assert caller.session.pace.seconds(kind) == before


@pytest.mark.parametrize("state", ["done", "failed"])
def test_where_the_first_ones_have_told_nothing_the_next_go_at_once(caller: Caller, state: str) -> None:
    for _ in range(10):
        caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    content = HEADER.pack(DIED, 4, NOT_MADE_S) + b"died"
    if state == "done":
        caller.tell(*(Came(batch.number, at, FileRef("f", 21, bytes(32)), content) for at in range(len(batch.tasks))))
    caller.tell(Ended(batch.number, state))

    assert [len(batch.tasks) for batch in caller.hand_in()] == [SCOUTS_PER_CORE]


def test_a_call_that_died_says_nothing_about_its_kind(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    (came,) = caller.make(batch)
    content = HEADER.pack(DIED, 4, NOT_MADE_S) + b"died"
    caller.tell(Came(batch.number, 0, came.file, content), Ended(batch.number, "done"))

    assert isinstance(future.exception(0), ProcessDiedError)
    assert caller.session.pace.seconds((caller.functions[add].number, Wishes())) is None


def test_what_is_held_back_and_cancelled_is_not_waited_for(caller: Caller) -> None:
    futures = [caller.submit(same, number) for number in range(100)]
    (scouts,) = caller.hand_in()
    for future in futures:
        future.cancel()
    caller.tell(Ended(scouts.number, "cancelled"))

    assert caller.hand_in() == []
    assert caller.session.is_idle
    assert not concurrent.futures.wait(futures, 0).not_done


def test_the_number_of_cores_is_what_the_node_says(caller: Caller) -> None:
    caller.tell(Welcome("alpha", 8))
    for number in range(100):
        caller.submit(same, number)
    (batch,) = caller.hand_in()

    assert len(batch.tasks) == 8 * SCOUTS_PER_CORE


def test_a_great_many_calls_are_several_batches(caller: Caller) -> None:
    futures = [caller.submit(boom), *(caller.submit(same, number) for number in range(2 * CALLS_MAX))]
    known(caller, same)
    sizes = [sum(calls_of(batch).values()) for batch in caller.hand_in()]

    assert sizes == [CALLS_MAX, CALLS_MAX, 1]
    assert len(futures) == sum(sizes)


def test_no_more_batches_than_that_are_under_way(caller: Caller) -> None:
    batches = []
    for number in range(BATCHES_MAX + 5):
        caller.submit(same, number)
        batches += caller.hand_in()
    more = caller.hand_in()
    caller.tell(Ended(batches[0].number, "done"))

    assert (len(batches), more) == (BATCHES_MAX, [])
    (rest,) = caller.hand_in()
    assert sum(calls_of(rest).values()) + len(caller.session._held) >= SCOUTS_PER_CORE


def test_wishes_are_the_tasks(caller: Caller) -> None:
    caller.submit(same, 1, wishes=Wishes(2, 1000, 3.0, "beta"))
    (batch,) = caller.hand_in()
    (task,) = batch.tasks

    assert (task.cores, task.memory_bytes, task.walltime_s, task.hint) == (2, 1000, 3.0, ("beta",))


def test_every_batch_has_a_nonce_of_its_own_and_the_session_of_all(caller: Caller) -> None:
    caller.submit(same, 1)
    (one,) = caller.hand_in()
    caller.submit(same, 1)
    (other,) = caller.hand_in()

    assert one.nonce != other.nonce
    assert one.number != other.number
    assert one.session == other.session == caller.session.key


# -- what somebody wants -----------------------------------------------------------------------------------------


def test_what_nobody_holds_and_others_take_is_not_kept(caller: Caller) -> None:
    total = caller.submit(add, caller.submit(same, 1), caller.submit(same, 2))
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert [task.final for task in batch.tasks] == [False, False, True]
    assert total.result(0) == 3


def test_what_somebody_holds_is_kept_though_others_take_it(caller: Caller) -> None:
    one = caller.submit(same, 1)
    total = caller.submit(add, one, caller.submit(same, 2))
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert [task.final for task in batch.tasks] == [True, False, True]
    assert results_of([one, total]) == [1, 3]


def test_what_nobody_holds_and_nobody_takes_is_made(caller: Caller) -> None:
    caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()

    assert [task.final for task in batch.tasks] == [True]
    caller.serve([batch])
    assert caller.session.is_idle


def test_a_dropped_future_with_a_callback_is_called_back(caller: Caller) -> None:
    heard: list[object] = []
    caller.submit(add, 1, 2).add_done_callback(lambda future: heard.append(future.result(0)))
    caller.serve_all()

    assert heard == [3]


def test_a_dropped_future_with_a_callback_is_kept_though_others_take_it(caller: Caller) -> None:
    heard: list[object] = []
    first = caller.submit(add, 1, 2)
    first.add_done_callback(lambda future: heard.append(future.result(0)))
    second = caller.submit(same, first)
    del first
    caller.serve_all()

    assert (heard, second.result(0)) == ([3], 3)


def test_who_asks_to_be_called_back_while_a_call_is_handed_in_is_called_back(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[object] = []
    held = [caller.submit(add, 1, 2)]

    def asks_now(future: Future[object]) -> bool:
        """What another thread may do right after we have looked."""
        before = bool(future._done_callbacks)  # type: ignore[attr-defined]  # as in the real one
        if held:
            held.pop().add_done_callback(lambda future: heard.append(future.result(0)))
        return before

    monkeypatch.setattr(Future, "is_called_back", property(asks_now))
    caller.serve_all()
    for future in held:
        future.add_done_callback(lambda future: heard.append(future.result(0)))

    assert heard == [3]


def test_a_dropped_future_is_let_go(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    known = weakref.ref(future)
    caller.serve_all()
    del future
    gc.collect()

    assert known() is None


# -- failing -----------------------------------------------------------------------------------------------------


def test_an_exception_is_raised_as_it_was_with_its_traceback_as_the_cause(caller: Caller) -> None:
    future = caller.submit(boom)
    caller.serve_all()

    with pytest.raises(ValueError, match="no such thing") as raised:
        future.result(0)
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "in boom" in str(raised.value.__cause__)
    assert "callee.py" not in str(raised.value.__cause__)


def test_who_takes_from_what_failed_in_its_graph_has_failed_the_same_way(caller: Caller) -> None:
    last = caller.submit(same, caller.submit(same, caller.submit(boom)))
    caller.serve_all()

    with pytest.raises(ValueError, match="no such thing"):
        last.result(0)


def test_who_takes_from_what_has_failed_is_not_handed_in(caller: Caller) -> None:
    first = caller.submit(boom)
    caller.serve_all()
    second = caller.submit(same, first)
    third = caller.submit(same, second)

    assert caller.hand_in() == []
    for future in (second, third):
        assert isinstance(future.exception(0), ValueError)
    assert caller.session.is_idle


def test_who_waits_behind_what_fails_fails_and_the_others_go_on(caller: Caller) -> None:
    first = caller.submit(boom)
    (batch,) = caller.hand_in()
    second, other = caller.submit(same, first), caller.submit(same, 5)
    third = caller.submit(add, second, other)
    (more,) = caller.hand_in()
    caller.serve([batch, more])

    assert caller.hand_in() == []
    assert other.result(0) == 5
    assert isinstance(third.exception(0), ValueError)
    assert caller.session.is_idle


@pytest.mark.parametrize("state", ["refused", "failed"])
def test_calls_of_a_job_that_is_refused_or_fails_are_lost_with_its_reason(caller: Caller, state: str) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    behind = caller.submit(same, future)
    caller.tell(Ended(batch.number, state, "it was too hot"))
    more = caller.hand_in()

    assert more == []
    for each in (future, behind):
        with pytest.raises(JobLostError, match=f"{state}: it was too hot"):
            each.result(0)
    assert caller.session.is_idle


def test_what_had_come_before_a_job_failed_is_there(caller: Caller) -> None:
    first, second = caller.submit(add, 1, 2), caller.submit(same, 5)
    (batch,) = caller.hand_in()
    came = caller.make(batch)
    caller.tell(came[0], Ended(batch.number, "failed", "hot"))

    assert first.result(0) == 3
    assert isinstance(second.exception(0), JobLostError)


def test_futures_of_a_job_that_somebody_cancelled_are_cancelled(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    behind = caller.submit(same, future)
    caller.tell(Ended(batch.number, "cancelled", ""))
    caller.hand_in()

    assert future.cancelled()
    assert behind.cancelled()
    assert concurrent.futures.wait([future, behind], timeout=0).not_done == set()
    assert caller.session.is_idle


def test_when_the_node_is_lost_everything_is(caller: Caller) -> None:
    handed = caller.submit(add, 1, 2)
    caller.hand_in()
    behind = caller.submit(same, handed)
    held = [caller.submit(long) for _ in range(100)]
    caller.hand_in()
    fresh = caller.submit(same, 1)
    caller.session.lose("it rains")

    for future in (handed, behind, *held, fresh):
        with pytest.raises(JobLostError, match="it rains"):
            future.result(0)
    assert caller.session.is_idle


def test_losing_says_nothing_to_what_was_cancelled_or_is_done(caller: Caller) -> None:
    done = caller.submit(add, 1, 2)
    caller.serve_all()
    cancelled = caller.submit(same, 1)
    cancelled.cancel()
    caller.session.lose("it rains")

    assert done.result(0) == 3
    assert cancelled.cancelled()
    assert concurrent.futures.wait([cancelled], timeout=0).not_done == set()


# -- cancelling --------------------------------------------------------------------------------------------------


def test_what_is_cancelled_before_it_was_handed_in_is_not_handed_in(caller: Caller) -> None:
    future, other = caller.submit(add, 1, 2), caller.submit(add, 3, 4)
    future.cancel()
    (batch,) = caller.hand_in()

    assert sorted(calls_of(batch)) == ["add.1"]
    assert concurrent.futures.wait([future], timeout=0).done == {future}
    caller.serve([batch])
    assert other.result(0) == 7


def test_who_takes_from_what_was_cancelled_is_cancelled(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    behind = caller.submit(same, future)
    last = caller.submit(same, behind)
    future.cancel()

    assert caller.hand_in() == []
    assert behind.cancelled()
    assert last.cancelled()
    assert concurrent.futures.wait([future, behind, last], timeout=0).not_done == set()
    assert caller.session.is_idle


def test_a_job_is_abandoned_when_its_last_future_is_cancelled(caller: Caller) -> None:
    one, other = caller.submit(add, 1, 2), caller.submit(add, 3, 4)
    (batch,) = caller.hand_in()
    one.cancel()
    after_one = caller.abandoned()
    other.cancel()

    assert (after_one, caller.abandoned()) == ([], [batch.number])
    assert concurrent.futures.wait([one, other], timeout=0).not_done == set()


def test_a_job_of_which_something_came_already_is_abandoned_all_the_same(caller: Caller) -> None:
    one, other = caller.submit(add, 1, 2), caller.submit(same, 3)
    (batch,) = caller.hand_in()
    caller.tell(caller.make(batch)[0])
    other.cancel()

    assert one.result(0) == 3
    assert caller.abandoned() == [batch.number]


def test_a_job_that_others_wait_for_is_not_abandoned_though_nobody_holds_them(caller: Caller) -> None:
    heard: list[object] = []
    one = caller.submit(add, 1, 2)
    caller.submit(same, 5).add_done_callback(lambda future: heard.append(future.result(0)))
    (batch,) = caller.hand_in()
    one.cancel()

    assert caller.abandoned() == []
    caller.serve([batch])
    assert heard == [5]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_job_is_not_abandoned_before_what_nobody_has_a_future_of_is_made(
    caller: Caller, order: tuple[int, int]
) -> None:
    caller.submit(add, 1, 2)  # for what it does
    taken = caller.submit(same, caller.submit(same, 5))
    (batch,) = caller.hand_in()
    taken.cancel()
    said = [caller.abandoned()]
    told = caller.make(batch)
    for at in order:
        caller.tell(told[at])
        said.append([message.number for message in caller.session.abandon() if isinstance(message, Abandon)])

    assert batch.tasks[told[0].task].name == "add.0"
    assert said == [[], [batch.number] if order[0] == 0 else [], []]


def test_a_job_is_not_abandoned_before_what_nobody_hears_of_in_another_task_is_made(caller: Caller) -> None:
    caller.submit(same, 1), caller.submit(add, 1, 1)
    caller.serve_all()
    known(caller, add, seconds=1.0)
    caller.submit(same, 5)  # goes together with the next
    last = caller.submit(add, caller.submit(same, 6), 1)
    (batch,) = caller.hand_in()
    last.cancel()

    assert [task.final for task in batch.tasks] == [False, True]
    assert caller.abandoned() == []
    caller.serve([batch])
    assert list(caller.session.abandon()) == []


def test_what_is_called_off_is_abandoned_also_where_nobody_has_a_future_of_it(caller: Caller) -> None:
    caller.submit(add, 1, 2)
    caller.hand_in()
    held = caller.submit(add, 1, 2)
    caller.hand_in()
    over = caller.submit(same, 1)
    (batch,) = caller.hand_in()
    caller.tell(*caller.make(batch))
    behind = caller.submit(same, held)
    said = list(caller.session.call_off()) + caller.said()

    assert said == [Abandon(1), Abandon(2)] or said == [Abandon(2), Abandon(1)]
    assert list(caller.session.call_off()) == []
    assert caller.hand_in() == []
    assert all(future.cancelled() for future in (held, behind))
    assert over.result(0) == 1


def test_what_is_handed_in_in_haste_is_not_held_back(caller: Caller) -> None:
    for number in range(100):
        caller.submit(same, number)
    caller.hand_in()
    taken = [caller.session.is_taken]
    caller.session.in_haste = True
    (others,) = caller.hand_in()
    taken.append(caller.session.is_taken)
    for number in caller.session.batches:
        caller.tell(Taken(number, b"j" * 16))
    taken.append(caller.session.is_taken)

    assert sum(calls_of(others).values()) == 100 - SCOUTS_PER_CORE
    assert taken == [False, False, True]


def test_what_comes_of_a_cancelled_call_is_not_news(caller: Caller) -> None:
    one, other = caller.submit(add, 1, 2), caller.submit(same, 3)
    (batch,) = caller.hand_in()
    one.cancel()
    caller.serve([batch])

    assert one.cancelled()
    assert other.result(0) == 3
    assert caller.session.is_idle


def test_who_waits_behind_what_is_cancelled_is_cancelled(caller: Caller) -> None:
    one = caller.submit(add, 1, 2)
    caller.hand_in()
    behind = caller.submit(same, one)
    caller.hand_in()
    one.cancel()
    caller.hand_in()

    assert behind.cancelled()


def test_what_is_done_cannot_be_cancelled(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    caller.serve_all()

    assert not future.cancel()
    assert caller.said() == []


def test_cancelling_twice_is_cancelling(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()

    assert future.cancel()
    assert future.cancel()
    assert caller.abandoned() == [batch.number]


# -- what is told twice, or strangely ----------------------------------------------------------------------------


def test_what_is_told_twice_is_heard_once(caller: Caller) -> None:
    heard: list[object] = []
    one, other = caller.submit(add, 1, 2), caller.submit(same, 3)
    one.add_done_callback(lambda future: heard.append(future.result(0)))
    (batch,) = caller.hand_in()
    came = caller.make(batch)
    caller.tell(came[0], came[0], Taken(batch.number, b"j" * 16), *came, *came, Ended(batch.number, "done"))
    caller.tell(*came, Ended(batch.number, "done"))

    assert heard == [3]
    assert other.result(0) == 3
    assert caller.session.is_idle


def test_a_batch_that_is_handed_in_again_is_the_same(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    again = [handed.message for handed in caller.session.batches.values()]

    assert again == [batch]
    caller.serve(again)
    assert future.result(0) == 3
    assert caller.session.batches == {}


def test_a_batch_of_which_nobody_wants_anything_is_not_over_before_its_job_is(caller: Caller) -> None:
    caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    caller.tell(*caller.make(batch))

    assert not caller.session.is_idle
    caller.tell(Ended(batch.number, "done"))
    assert caller.session.is_idle


def test_words_about_batches_that_nobody_knows_change_nothing(caller: Caller) -> None:
    future = caller.submit(add, 1, 2)
    (batch,) = caller.hand_in()
    (came,) = caller.make(batch)
    caller.tell(Taken(99, b"j" * 16), Came(99, 0, came.file, came.content), Ended(99, "failed"))
    caller.tell(Came(batch.number, 99, came.file, came.content))

    assert not future.done()
    caller.serve([batch])
    assert future.result(0) == 3


def test_outcomes_that_cannot_be_read_are_lost_and_nothing_else_is(caller: Caller, tmp_path: Path) -> None:
    one, other = caller.submit(add, 1, 2), caller.submit(same, 3)
    (batch,) = caller.hand_in()
    lost, good = caller.make(batch)
    caller.tell(Came(batch.number, lost.task, lost.file, b"", str(tmp_path / "gone")), good)
    behind = caller.submit(same, one)
    caller.hand_in()

    assert other.result(0) == 3
    for future in (one, behind):
        with pytest.raises(JobLostError, match="gone"):
            future.result(0)


def test_an_exception_that_cannot_be_shown_here_is_an_error_of_its_own(caller: Caller) -> None:
    future, other = caller.submit(add, 1, 2), caller.submit(same, 1)
    (batch,) = caller.hand_in()
    awkward, good = caller.make(batch)
    payload = pickle.dumps(Awkward())
    content = HEADER.pack(RAISED, len(payload), 0.0) + payload
    caller.tell(Came(batch.number, awkward.task, awkward.file, content), good)

    with pytest.raises(CallError, match=r"cannot be shown here: KeyError\('library'\)"):
        future.result(0)
    assert other.result(0) == 1


class Awkward:
    """Cannot be loaded, like what needs a library that is only where it was made."""

    def __reduce__(self) -> tuple[object, ...]:
        return operator.getitem, ({}, "library")


# -- the limits of one job ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a/b", "", "new\nline", "x" * 300, "ü" * 200, "nul\0", ".", "ud\ud800"])
def test_a_function_may_be_called_anything(caller: Caller, name: str) -> None:
    def fn() -> Any:
        return 5

    fn.__name__ = name
    futures = [caller.submit(fn), caller.submit(same, 1)]
    caller.serve_all()

    assert results_of(futures) == [5, 1]


def test_long_outcomes_beyond_what_a_task_can_name_are_this_calls_trouble_alone(caller: Caller) -> None:
    many = [caller.submit(long) for _ in range(300)]
    caller.serve_all(now=0.0)
    caller.serve_all(now=1.0)
    total, other = caller.submit(_length, many), caller.submit(add, 1, 2)
    caller.serve_all()

    assert other.result(0) == 3
    assert total.result(0) == 300 * (SHORT_BYTES + 1)


def _length(values: list[bytes]) -> int:
    return sum(map(len, values))


def test_a_great_many_short_outcomes_that_are_done_can_be_taken(caller: Caller) -> None:
    many = [caller.submit(long, SHORT_BYTES - 100) for _ in range(200)]
    caller.serve_all(now=0.0)
    total = caller.submit(_length, many)
    (batch,) = caller.hand_in()
    caller.serve([batch])

    assert len(batch.values) <= INLINE_BYTES_MAX
    assert total.result(0) == 200 * (SHORT_BYTES - 100)


def test_calls_that_take_a_great_deal_from_each_other_are_several_graphs(caller: Caller) -> None:
    firsts = [caller.submit(same, number) for number in range(400)]
    known(caller, same)
    sums = [caller.submit(_sum, firsts, number) for number in range(400)]
    known(caller, _sum)
    batches = caller.serve_all()

    assert results_of(sums) == [sum(range(400)) + number for number in range(400)]
    assert 1 < len(batches) < 10


def _sum(values: list[int], more: int) -> int:
    return sum(values) + more


def test_a_call_that_takes_more_than_any_job_can_bring_says_so(caller: Caller) -> None:
    many = [caller.submit(long) for _ in range(FILES_MAX + 1)]
    for future in many:
        file = FileRef("f", SHORT_BYTES + 1, digest_of(str(future.number).encode()))
        future.outcome = Outcome(VALUE, Payload(bytes(SHORT_BYTES + 1)), 1.0, file, 0)
    total, other = caller.submit(_length, many), caller.submit(add, 1, 2)
    with pytest.raises(CallError, match=f"the values of {FILES_MAX + 1} calls"):
        caller.serve_all() and total.result(0)

    assert other.result(0) == 3


@pytest.mark.parametrize(
    "wishes",
    [
        {"cores": 0}, {"cores": -1}, {"cores": 2**16}, {"cores": 1.5}, {"cores": True},
        {"memory_bytes": -1}, {"memory_bytes": 2**63}, {"memory_bytes": 1e9},
        {"walltime_s": -1.0}, {"walltime_s": math.inf}, {"walltime_s": math.nan}, {"walltime_s": "5"},
        {"node": "x" * 64}, {"node": "\ud800"},
    ],
    ids=str,
)  # fmt: skip
def test_what_no_task_can_ask_for_is_refused_at_once(wishes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|called|surrogates"):
        Wishes(**wishes)


@pytest.mark.parametrize(
    "wishes", [Wishes(2**16 - 1), Wishes(1, 2**63 - 1), Wishes(walltime_s=3), Wishes(node="é" * 31)], ids=str
)
def test_what_a_task_can_ask_for_is_asked_for(caller: Caller, wishes: Wishes) -> None:
    future = caller.submit(add, 1, 2, wishes=wishes)
    caller.serve_all()

    assert future.result(0) == 3


# -- whatever happens --------------------------------------------------------------------------------------------


@dataclass
class Known:
    """A future that somebody has, and what is to come of it."""

    future: Future[Any]
    value: object
    takes: frozenset[int]
    """Numbers of all whose values it needs, and its own."""


class Story:
    """What a program does with its futures, and a node with its batches, in some order."""

    def __init__(self, place: Path) -> None:
        self.caller = Caller(place)
        self.handed: list[Batch] = []
        self.known: list[Known] = []
        self.cancelled: set[int] = set()
        self.now = 0.0

    def submit(self, data: st.DataObject) -> None:
        taken = data.draw(st.lists(st.sampled_from(self.known), max_size=3)) if self.known else []
        kinds: list[Callable[..., Any]] = [_total, _other_total, boom]
        kind: Callable[..., Any] = data.draw(st.sampled_from(kinds))
        more = len(self.known)
        future: Future[Any] = self.caller.submit(kind, [each.future for each in taken], more)
        values: list[Any] = [each.value for each in taken]
        value: object = ERROR if kind is boom or ERROR in values else sum([*values, more])
        self.known.append(Known(future, value, frozenset({future.number}.union(*(each.takes for each in taken)))))

    def cancel(self, data: st.DataObject) -> None:
        if self.known:
            future = data.draw(st.sampled_from(self.known)).future
            if future.cancel():
                self.cancelled.add(future.number)

    def drop(self, data: st.DataObject) -> None:
        if self.known:
            self.known.pop(data.draw(st.integers(0, len(self.known) - 1)))

    def hand_in(self, data: st.DataObject) -> None:
        self.now += data.draw(st.sampled_from([0.0, HOLD_S]))
        self.handed += self.caller.hand_in(self.now)

    def serve(self, data: st.DataObject) -> None:
        if self.handed:
            batch = self.handed.pop(data.draw(st.integers(0, len(self.handed) - 1)))
            came = data.draw(st.permutations(self.caller.make(batch)))
            self.caller.tell(Taken(batch.number, b"j" * 16), *came, *came[:1], Ended(batch.number, "done"))

    def end(self) -> None:
        while self.handed or not self.caller.session.is_idle:
            self.now += HOLD_S
            self.caller.serve(self.handed)
            self.handed = self.caller.hand_in(self.now)


ERROR = "error"


def _total(values: list[int], more: int) -> Any:
    return sum(values) + more


def _other_total(values: list[int], more: int) -> Any:
    return sum([*values, more])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_happens_every_future_comes_to_what_it_must(tmp_path: Path, data: st.DataObject) -> None:
    story = Story(tmp_path)
    acts = [story.submit] * 5 + [story.hand_in] * 2 + [story.serve] * 2 + [story.drop, story.cancel]
    for act in data.draw(st.lists(st.sampled_from(acts), max_size=40)):
        act(data)
    story.end()

    assert not concurrent.futures.wait([each.future for each in story.known], 0).not_done
    for each in story.known:
        assert each.future.cancelled() or each.future.number not in story.cancelled
        if each.future.cancelled():
            assert each.takes & story.cancelled
        elif each.value == ERROR:
            assert isinstance(each.future.exception(0), ValueError)
        else:
            assert each.future.result(0) == each.value
    assert story.caller.session.is_idle
    assert story.caller.session.futures() == []
