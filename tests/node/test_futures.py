"""What a client has of a call: values that are loaded late, and all ways of waiting for them."""

import asyncio
import concurrent.futures
import copy
import gc
import operator
import os
import pickle
import resource
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from pnode.node.callee import DIED, RAISED, dump
from pnode.node.futures import (
    CallError,
    Future,
    OpenFile,
    Payload,
    ProcessDiedError,
    RemoteTraceback,
    exception_of,
)

SECONDS_MAX = 10.0


class Loaded:
    """Notes how often one of it was loaded."""

    times = 0

    def __reduce__(self) -> tuple[object, ...]:
        return _load, ()


def _load() -> Loaded:
    Loaded.times += 1
    return Loaded()


class Awkward:
    """Cannot be loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return operator.getitem, ({}, "library")


@pytest.fixture
def forgotten() -> list[object]:
    return []


@pytest.fixture
def future(forgotten: list[object]) -> Future[object]:
    return Future(7, forgotten.append)


def resolve(future: Future[object], value: object) -> None:
    assert future.begin()
    future.set_result(Payload(pickle.dumps(value)))


def later(what: object, *args: object) -> threading.Timer:
    """Do something in another thread, once whoever asks for this waits."""
    timer = threading.Timer(0.02, what, args)  # type: ignore[arg-type]  # a function
    timer.start()
    return timer


def test_a_value_is_loaded_when_it_is_asked_for_and_once(future: Future[object]) -> None:
    Loaded.times = 0
    resolve(future, Loaded())
    before = Loaded.times
    first, second = future.result(), future.result()

    assert (before, Loaded.times) == (0, 1)
    assert first is second


def test_threads_that_ask_at_once_have_the_same_value(future: Future[object]) -> None:
    resolve(future, [1, 2, 3])
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        values = list(threads.map(lambda _: future.result(), range(16)))

    assert all(value is values[0] for value in values)


def test_a_value_of_none_is_a_value(future: Future[object]) -> None:
    resolve(future, None)

    assert future.result() is None
    assert future.exception() is None


def test_a_value_that_cannot_be_loaded_is_an_error_whoever_asks(future: Future[object]) -> None:
    resolve(future, Awkward())

    assert isinstance(future.exception(), CallError)
    for _ in range(2):
        with pytest.raises(CallError, match=r"cannot be loaded here: KeyError\('library'\)"):
            future.result()


class Interrupted:
    """Is loaded while somebody presses ctrl-C, the first time."""

    times = 0

    def __reduce__(self) -> tuple[object, ...]:
        return _interrupt, ()


def _interrupt() -> str:
    Interrupted.times += 1
    if Interrupted.times == 1:
        raise KeyboardInterrupt
    return "loaded"


def test_ctrl_c_while_a_value_is_loaded_is_heard_and_no_news_of_the_value(future: Future[object]) -> None:
    Interrupted.times = 0
    resolve(future, Interrupted())

    with pytest.raises(KeyboardInterrupt):
        future.result()
    assert future.result() == "loaded"


def test_waiting_has_an_end(future: Future[object]) -> None:
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    with pytest.raises(TimeoutError):
        future.exception(timeout=0.01)


def test_who_waits_for_several_hears_of_each() -> None:
    futures: list[Future[object]] = [Future(number, lambda _: None) for number in range(3)]
    resolve(futures[0], "a")
    timer = later(resolve, futures[2], "c")
    done = concurrent.futures.wait(futures, SECONDS_MAX, concurrent.futures.FIRST_COMPLETED).done
    timer.join()
    rest = later(resolve, futures[1], "b")
    order = [future.result() for future in concurrent.futures.as_completed(futures, SECONDS_MAX)]
    rest.join()

    assert done == {futures[0]}
    assert sorted(map(str, order)) == ["a", "b", "c"]
    assert order[-1] == "b"


def test_who_waits_for_several_hears_of_what_is_cancelled(future: Future[object], forgotten: list[object]) -> None:
    future.cancel()
    begun = future.begin()

    assert not begun
    assert forgotten == [future]
    assert concurrent.futures.wait([future], 0).done == {future}


def test_a_future_begins_once(future: Future[object]) -> None:
    assert future.begin()
    assert not future.begin()
    assert not future.cancel()


def test_a_cancelled_future_begins_never(future: Future[object]) -> None:
    future.cancel()

    assert not future.begin()
    assert not future.begin()


def test_a_future_goes_nowhere_but_into_a_call(future: Future[object]) -> None:
    with pytest.raises(TypeError, match="stands for its value"):
        pickle.dumps(future)
    with pytest.raises(TypeError, match="stands for its value"):
        copy.copy(future)


# -- awaiting ------------------------------------------------------------------------------------------------------


async def awaited(future: Future[object]) -> object:
    return await future


def run_in_asyncio(future: Future[object]) -> object:
    return asyncio.run(asyncio.wait_for(awaited(future), SECONDS_MAX))


def run_in_trio(future: Future[object]) -> object:
    async def main() -> object:
        with trio.fail_after(SECONDS_MAX):
            return await future

    return trio.run(main)


@pytest.fixture(params=[run_in_asyncio, run_in_trio], ids=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Iterator[object]:
    return request.param  # type: ignore[no-any-return]  # one of these


def test_what_is_done_can_be_awaited(future: Future[object], run: object) -> None:
    resolve(future, [1, 2])

    assert run(future) == [1, 2]  # type: ignore[operator]  # a function


def test_what_is_done_later_can_be_awaited(future: Future[object], run: object) -> None:
    timer = later(resolve, future, [1, 2])

    assert run(future) == [1, 2]  # type: ignore[operator]  # a function
    timer.join()


def test_who_awaits_gets_what_was_raised(future: Future[object], run: object) -> None:
    future.begin()
    future.set_exception(ValueError("no"))

    with pytest.raises(ValueError, match="no"):
        run(future)  # type: ignore[operator]  # a function


def test_who_awaits_a_call_that_has_asked_an_iterator_for_too_much_is_told(
    future: Future[object], run: object
) -> None:
    future.begin()
    future.set_exception(StopIteration(7))

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        run(future)  # type: ignore[operator]  # a function
    assert isinstance(caught.value.__cause__, StopIteration)


def test_who_awaits_under_asyncio_what_is_called_off_is_cancelled(future: Future[object]) -> None:
    async def main() -> None:
        timer = later(future.cancel)
        with pytest.raises(asyncio.CancelledError):
            await future
        timer.join()

    asyncio.run(main())


def test_who_awaits_what_cannot_be_loaded_is_told(future: Future[object], run: object) -> None:
    timer = later(resolve, future, Awkward())

    with pytest.raises(CallError, match="cannot be loaded here"):
        run(future)  # type: ignore[operator]  # a function
    timer.join()


def test_who_gives_up_awaiting_under_asyncio_cancels_the_call(future: Future[object]) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(awaited(future), 0.01)

    asyncio.run(main())
    assert future.cancelled()


def test_who_gives_up_awaiting_under_trio_leaves_the_call_alone(future: Future[object]) -> None:
    async def main() -> None:
        with trio.move_on_after(0.01):
            await future

    trio.run(main)
    resolve(future, 5)  # when nothing of the run is there any more
    assert future.result() == 5


def test_several_tasks_may_await_one_future(future: Future[object]) -> None:
    async def main() -> list[object]:
        timer = later(resolve, future, 5)
        found = await asyncio.gather(*(awaited(future) for _ in range(3)))
        timer.join()
        return found

    assert asyncio.run(main()) == [5, 5, 5]


# -- payloads --------------------------------------------------------------------------------------------------------


def test_a_payload_is_read_from_its_place_in_a_file_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.write_bytes(b"before" + pickle.dumps("value") + b"behind")
    file = OpenFile(str(path))
    payload = Payload(b"", file, 6, len(pickle.dumps("value")))
    path.unlink()

    assert payload.size == len(pickle.dumps("value"))
    assert pickle.loads(payload.read()) == "value"


def test_a_file_that_ends_too_early_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.write_bytes(b"123")

    with pytest.raises(EOFError):
        OpenFile(str(path)).read(1, 3)


def test_a_value_whose_file_ends_too_early_is_an_error_of_its_own(future: Future[object], tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.write_bytes(b"123")
    future.begin()
    future.set_result(Payload(b"", OpenFile(str(path)), 0, 10))

    with pytest.raises(CallError, match="ends too early"):
        future.result()


def test_a_file_is_open_as_long_as_a_payload_has_it(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.write_bytes(b"123")
    file = OpenFile(str(path))
    number, known = file._file, weakref.ref(file)
    payload = Payload(b"", file, 0, 3)
    del file
    gc.collect()
    before = payload.read()
    del payload
    gc.collect()

    assert before == b"123"
    assert known() is None
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


def test_more_files_are_open_than_a_program_may_have_at_first(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.write_bytes(b"123")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = OpenFile(str(path))
    at_first = 2 * first._file + 20
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (at_first, before[1]))
        files = [OpenFile(str(path)) for _ in range(2 * at_first)]
        own = path.read_bytes()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert {file.read(0, 3) for file in files} == {own}


def test_a_system_that_grants_no_more_files_is_no_trouble_as_long_as_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.write_bytes(b"123")
    limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY), (2, 2), (2, resource.RLIM_INFINITY)
    for limit in limits:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resource, "getrlimit", lambda _, limit=limit: limit)
            patch.setattr(resource, "setrlimit", _refuse)

            assert OpenFile(str(path)).read(0, 3) == b"123"


def _refuse(*_: object) -> None:
    raise ValueError("current limit exceeds maximum limit")


def test_a_file_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OpenFile(str(tmp_path / "gone"))
    gc.collect()


# -- exceptions ------------------------------------------------------------------------------------------------------


def test_an_exception_has_its_traceback_as_its_cause() -> None:
    error = exception_of(RAISED, dump((dump(ValueError("no")), "Traceback\nValueError: no")))

    assert repr(error) == "ValueError('no')"
    assert isinstance(error.__cause__, RemoteTraceback)
    assert "Traceback\nValueError: no" in str(error.__cause__)


def test_an_exception_that_could_not_travel_is_its_last_line() -> None:
    error = exception_of(RAISED, dump((None, "Traceback\n  line\nLost: no\n")))

    assert repr(error) == "CallError('Lost: no')"
    assert "line" in str(error.__cause__)


@pytest.mark.parametrize(
    "payload",
    [
        dump((dump(Awkward()), "")),
        dump((b"", "")),
        dump((dump(5), "")),
        dump(Awkward()),
        dump(5),
        dump((5, "text")),
        b"",
        b"garbage",
        dump((1, 2, 3)),
    ],
)
def test_what_is_no_exception_is_an_error_of_its_own(payload: bytes) -> None:
    error = exception_of(RAISED, payload)

    assert isinstance(error, CallError)
    assert " here" in str(error)


def test_an_exception_that_can_only_be_loaded_where_it_was_raised_has_its_traceback_all_the_same() -> None:
    error = exception_of(RAISED, dump((dump(Awkward()), "Traceback\n  line\nLost: no\n")))

    assert repr(error) == """CallError("Lost: no (it cannot be shown here as it is: KeyError('library'))")"""
    assert "line" in str(error.__cause__)


class StubbornError(Exception):
    """Lets nothing be set."""

    def __setattr__(self, name: str, value: object) -> None:
        raise KeyError(name)


def test_an_exception_that_lets_nothing_be_set_has_its_cause() -> None:
    error = exception_of(RAISED, dump((dump(StubbornError()), "Traceback")))

    assert type(error).__name__ == "StubbornError"
    assert "Traceback" in str(error.__cause__)


def test_that_a_process_died_is_an_error_of_its_own() -> None:
    error = exception_of(DIED, b"the process was killed")

    assert isinstance(error, ProcessDiedError)
    assert str(error) == "the process was killed"
