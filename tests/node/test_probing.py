from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import trio
import trio.testing

from pnode.node.api_links import Probed
from pnode.node.linkreport import link_statuses
from pnode.node.probing import AGAIN_S, DELAYS_S_MAX, PERIOD_S, QUICK_BLANKS, QUICK_S, START_S, Probing
from pnode.node.store import Store
from pnode.node.streams import BulkStream, OpenStream, StreamError
from pnode.node.transfer import Arrival, FetchError, Transfer, TransferSettings
from pnode.profilers.profile import Profile
from pnode.protocol.events import Measure
from pnode.protocol.ids import CHUNK_BYTES, NodeId, node_text
from pnode.protocol.roster import DIRECT_MAX

ME, ANNA, BERT = (NodeId(letter * 32) for letter in (b"m", b"a", b"b"))


@dataclass
class Near:
    """What Probing asks of `protocol.neighbours.Neighbours`."""

    me: NodeId = ME
    others: tuple[NodeId, ...] = (ANNA, BERT)
    suspects: tuple[NodeId, ...] = ()

    def members(self) -> tuple[NodeId, ...]:
        return (self.me, *self.others)

    def name_of(self, node: NodeId) -> str:
        return node[:1].decode()

    def is_suspect(self, node: NodeId) -> bool:
        return node in self.suspects


@dataclass
class Bench:
    """A prober whose blanks come from a table: seconds, or why not."""

    near: Near = field(default_factory=Near)
    profile: Profile = field(default_factory=lambda: Profile(ME))
    blanks: dict[NodeId, float | str] = field(default_factory=lambda: {ANNA: 0.1, BERT: 0.1})
    relayed: tuple[NodeId, ...] = ()
    """Whose content comes through somebody else."""
    irregular: bool = False
    """Whether no rate can be read off their arrivals."""
    asked: list[tuple[float, NodeId]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.probing = Probing(self, self.profile, trio.current_time, self.open_stream)  # type: ignore[arg-type]

    async def open_stream(self, node: NodeId) -> BulkStream:
        raise AssertionError("the table stands for streams")

    async def measure(self, source: NodeId, _: OpenStream) -> Arrival:
        self.asked.append((trio.current_time(), source))
        blank = self.blanks[source]
        if isinstance(blank, str):
            raise FetchError(blank)
        await trio.sleep(blank)
        return Arrival(source, blank, CHUNK_BYTES, None if self.irregular else 2 * CHUNK_BYTES / blank)

    def answer(self, _: Measure) -> None:
        for node in self.near.others:
            self.profile.observe_round_trip(node, 0.01, trio.current_time() + 0.001)

    async def probe_all(self, deliver: Callable[[Measure], None]) -> list[Probed]:
        return [each async for each in self.probing.probe_all(self.near, deliver)]  # type: ignore[arg-type]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    trio.run(scenario, clock=trio.testing.MockClock(autojump_threshold=0))


async def serve(bench: Bench, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await bench.probing.serve(lambda: bench.near, bench.relayed.__contains__)  # type: ignore[arg-type, return-value]


def test_nobody_elses_bandwidth_is_spent_on_a_figure_unless_somebody_asks_for_it() -> None:
    bench = Bench(relayed=(ANNA,))

    async def scenario() -> None:
        await serve(bench, START_S + 3 * PERIOD_S)
        assert [node for _, node in bench.asked] == [BERT]
        await bench.probe_all(bench.answer)

    run(scenario)

    assert ANNA in [node for _, node in bench.asked]


def test_whose_bandwidth_is_unknown_is_measured_the_nearest_first_and_only_once() -> None:
    async def scenario() -> None:
        bench, began = Bench(), trio.current_time()
        bench.profile.observe_round_trip(ANNA, 0.05, began)
        bench.profile.observe_round_trip(BERT, 0.01, began)

        await serve(bench, START_S + AGAIN_S)

        (first, one), (second, other) = bench.asked
        assert (one, other) == (BERT, ANNA)
        assert first - began == START_S
        assert second - first >= PERIOD_S
        found = bench.profile.received(ANNA, ME, trio.current_time())
        assert found is not None
        assert 1.9 * CHUNK_BYTES / 0.1 < found[0] < 2.1 * CHUNK_BYTES / 0.1

    run(scenario)


def test_who_gives_nothing_is_asked_again_later_and_a_suspect_is_not_asked() -> None:
    async def scenario() -> None:
        bench = Bench(near=Near(suspects=(BERT,)), blanks={ANNA: "it does not have it", BERT: 0.1})

        await serve(bench, START_S + AGAIN_S + 2 * PERIOD_S)

        assert [node for _, node in bench.asked] == [ANNA, ANNA]
        assert bench.asked[1][0] - bench.asked[0][0] >= AGAIN_S

    run(scenario)


def test_nobody_is_measured_before_there_is_a_cluster() -> None:
    async def scenario() -> None:
        bench = Bench()
        with trio.move_on_after(START_S + 5 * PERIOD_S):
            await bench.probing.serve(lambda: None, lambda _: False)

        assert bench.asked == []

    run(scenario)


def test_on_demand_everybody_is_measured_delays_first() -> None:
    async def scenario() -> None:
        bench = Bench()

        anna, bert = await bench.probe_all(bench.answer)

        assert (anna.name, anna.id, anna.delay_s, anna.reason) == ("a", node_text(ANNA), 0.01, "")
        assert anna.bandwidth_bytes_per_s == 2 * CHUNK_BYTES / 0.1
        assert bert.delay_s == 0.01
        assert [node for _, node in bench.asked] == [ANNA, BERT]

    run(scenario)


def test_what_is_told_is_what_was_measured_now_and_not_what_is_believed() -> None:
    async def scenario() -> None:
        bench = Bench(near=Near(others=(ANNA,)))
        for _ in range(9):
            bench.profile.observe_rate(ANNA, 1e6, trio.current_time())

        [anna] = await bench.probe_all(bench.answer)

        assert anna.bandwidth_bytes_per_s == 2 * CHUNK_BYTES / 0.1

    run(scenario)


def test_over_a_fast_network_the_median_of_three_counts() -> None:
    async def scenario() -> None:
        bench = Bench(near=Near(others=(ANNA,)), blanks={ANNA: QUICK_S / 2})

        [anna] = await bench.probe_all(bench.answer)

        assert len(bench.asked) == QUICK_BLANKS
        assert anna.bandwidth_bytes_per_s == 2 * CHUNK_BYTES / (QUICK_S / 2)

    run(scenario)


def test_where_no_rate_can_be_read_off_it_is_tried_again_and_the_duration_counts() -> None:
    async def scenario() -> None:
        bench = Bench(near=Near(others=(ANNA,)), irregular=True)

        [anna] = await bench.probe_all(bench.answer)

        assert len(bench.asked) == QUICK_BLANKS
        assert anna.bandwidth_bytes_per_s == CHUNK_BYTES / 0.1

    run(scenario)


def test_who_does_not_answer_has_a_reason() -> None:
    async def scenario() -> None:
        bench = Bench(blanks={ANNA: "it does not have it", BERT: "it sent nothing for 15 s"})
        began = trio.current_time()

        anna, bert = await bench.probe_all(lambda _: None)

        assert anna == Probed("a", node_text(ANNA), None, None, "no ping was answered; it does not have it")
        assert bert.reason == "no ping was answered; it sent nothing for 15 s"
        assert trio.current_time() - began < DELAYS_S_MAX + 1.0

    run(scenario)


def test_that_we_are_busy_makes_nobody_slow(tmp_path: Path) -> None:
    settings = TransferSettings()
    transfer = Transfer(Store(tmp_path), settings)

    async def open_stream(_: NodeId) -> BulkStream:
        raise StreamError("nobody answers there")

    async def scenario() -> None:
        bench = Bench(near=Near(others=(ANNA,)))
        bench.probing = Probing(transfer, bench.profile, trio.current_time, open_stream)
        for fetch in range(settings.streams_in):
            await transfer._in.acquire_on_behalf_of(fetch)
        async with trio.open_nursery() as nursery:
            found: list[Probed] = []

            async def probe() -> None:
                found.extend(await bench.probe_all(bench.answer))

            nursery.start_soon(probe)
            await trio.sleep(3 * settings.blank_s)
            transfer._in.release_on_behalf_of(0)

        assert [anna.reason for anna in found] == ["nobody answers there"]

    run(scenario)


def test_of_a_large_cluster_the_nearest_are_shown() -> None:
    others = tuple(NodeId(number.to_bytes(32, "big")) for number in range(1, 101))
    profile, near = Profile(ME), Near(others=others)
    near.name_of = lambda node: node.hex()  # type: ignore[method-assign]
    for number, node in enumerate(others):
        profile.observe_round_trip(node, 0.1 - number * 0.0005, 0.0)

    links = link_statuses(near, profile, 1.0)  # type: ignore[arg-type]

    assert len(links) == DIRECT_MAX * (DIRECT_MAX - 1)
    shown = {link.source for link in links}
    assert others[-1].hex() in shown
    assert others[0].hex() not in shown
    assert sum(link.this for link in links) == DIRECT_MAX - 1
    direct = [link for link in links if link.delay_known == "direct"]
    assert len(direct) == 2 * (DIRECT_MAX - 1)
    assert {link.delay_known for link in links} == {"direct", "assumed"}
