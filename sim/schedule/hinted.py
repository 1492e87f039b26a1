"""Hinted: the origin's plan binds every unit from the beginning, and machines adapt it where things turn out
otherwise.

The whole of wave-hint (scheduling.md 4.6 to 4.11, 4.14, 4.15), each rule of which is a pure piece in `mappers`, or in
`protocol` where live nodes keep it, too:

- The plan is HEFT's, or the best of a portfolio judged under the contention of the scenario. Where other jobs are
  around it is laid into the calendars as the origin last saw them, and each task gets a reserved slot from the
  machines themselves (`replan.reserve`).
- Queues hold in the order of planned starts (`protocol.hold`).
- A unit that ends more than 5 % off, an overdue one, and a machine that is known to be dead are reasons to re-plan
  (`replan`): by the machine where it happened, on its own beliefs, within what is its business, by bids (`bid`).
- Machines learn how much slower than their profile they are (`factor`), and gossip it. Overdue units are noticed and
  may get a copy (`watch`).
"""

import math
from collections.abc import Sequence
from functools import partial

from pnode.mappers.bid import FRESH_MARGIN_SHARE, MARGIN_SHARE
from pnode.mappers.heft import heft
from pnode.mappers.plan import Plan
from pnode.mappers.portfolio import portfolio
from pnode.mappers.replan import Board, Step, deviates, is_responsible, replan, reserve
from pnode.mappers.watch import copy_again_s, copy_due_s, due_s, is_copy_worth_it, overdue
from pnode.protocol.hold import NAP_SHARE
from pnode.protocol.values import dataclass

from .auction import Auction
from .draws import generator
from .hearsay import Hearsay
from .machines import Station
from .policy import Quiet, Strategy
from .queues import Hold, Queue
from .units import Attempt, Job, State, Unit
from .world import World

PASS_TASKS_MAX = 500
"""Units that one pass thinks about, the most urgent first: some five milliseconds. To think only of those that start
within four mean tasks was tried on 16 layered graphs and 14 traces: it saves a third of the time, and there it lost
several percent on the layered ones."""

BIDS_MAX = 64
"""Questions on behalf of one unit. Under noise it is asked about 5 to 9 times at the median, and 30 times at the 90th
percentile (scheduling.md 5.5)."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What is done beyond a plan of HEFT's. By default everything."""

    candidates: int = 1
    """Plans that are judged when the job is alone; one is HEFT's."""
    replans: bool = True
    asks: bool = True
    """For bids before a move, and for slots when there are other jobs; without them the margin of a move is that for
    fresh views."""
    watches: bool = True
    """For overdue units."""
    copies: bool = True


PLAN_ONLY = Adaptation(replans=False, watches=False, copies=False)


def hinted(adaptation: Adaptation = Adaptation(), name: str = "wave-hint") -> Strategy:
    """wave-hint as a strategy."""
    return Strategy(name, partial(Hinted, adaptation))


class Hinted(Quiet):
    """Keeps the books of one run: what has been learnt, asked and copied."""

    def __init__(self, adaptation: Adaptation, world: World) -> None:
        self._how = adaptation
        self._world = world
        self._mean_s = max(job.instance.mean_task_s for job in world.jobs)
        self._hearsay = Hearsay(world, self._mean_s)
        self._auction = Auction(world, self._hearsay)
        self._rng = generator(world.seed, "mapper")
        self._originals: dict[Unit, Attempt] = {}
        """Of units that have a copy: the attempt that it is a copy of."""
        self._looks: dict[Attempt, tuple[float, float]] = {}
        """Per running attempt: when to see whether it is overdue, and when to think of a copy."""
        self._asked: dict[Unit, int] = {}
        """Questions on behalf of each unit."""
        self._wait_s = 0.0
        """How long the answers to the latest questions take."""

    def queue(self, station: Station) -> Queue:
        return Hold(station, self._hearsay.promised_s, self._hearsay.run_s, NAP_SHARE * self._mean_s)

    # The plan.

    def arrived(self, job: Job, item: int) -> None:
        by = job.arrival.origin
        board, order = self._hearsay.board(job, item, by)
        alone = self._is_alone(board) and self._is_confirmed(job, item)
        steps = self._planned(job) if alone else self._fitted(job, item, board, order)
        for step in steps:
            self._world.decisions += 1
            self._carry_out(job, item, step, by)

    def _is_alone(self, board: Board) -> bool:
        """Whether a static planner knows all there is: idle machines of one core each that run as expected."""
        return all(factor == 1.0 for factor in board.factor) and all(
            cores is not None and len(cores) == 1 and cores.free_s <= board.now for cores in board.nodes
        )

    def _is_confirmed(self, job: Job, item: int) -> bool:
        """Whether the machines say so themselves, if they are asked and what was heard of them is old."""
        if not (self._how.asks and self._hearsay.is_old):
            return True
        by = job.arrival.origin
        answers = [self._auction.ask(by, station.number) for station in self._world.stations]
        return all(answers) and self._is_alone(self._hearsay.board(job, item, by, fresh=True)[0])

    def _planned(self, job: Job) -> list[Step]:
        plan, now = self._plan(job), self._world.now
        tasks = plan.by_start
        return [Step(task, plan.node[task], now + plan.start_s[task], now + plan.finish_s[task]) for task in tasks]

    def _plan(self, job: Job) -> Plan:
        if self._how.candidates <= 1:
            return heft(job.instance)
        scenario = self._world.scenario
        machines = scenario.network.machines
        found = portfolio(
            job.instance,
            self._rng,
            contention=scenario.contention,
            candidates=self._how.candidates,
            up=[one.up_bytes_per_s for one in machines],
            down=[one.down_bytes_per_s for one in machines],
        )
        return found.best.plan

    def _fitted(self, job: Job, item: int, board: Board, order: Sequence[int]) -> list[Step]:
        """HEFT between what others have: as the origin last saw it, then as the machines themselves say."""
        by = job.arrival.origin
        tails_s = [math.inf if cores is None else cores.free_s for cores in board.nodes]
        steps = list(replan(board, order, lambda _: True, 0.0))
        if self._how.asks and self._hearsay.is_old:
            exact, order = self._hearsay.board(job, item, by, fresh=True)
            steps = list(reserve(exact, order, board.place, tails_s, partial(self._auction.ask, by)))
        return steps

    def _carry_out(self, job: Job, item: int, step: Step, by: int) -> None:
        """Unless it has been overtaken by what has happened meanwhile."""
        unit = job.items[item][step.task]
        held, due_s = unit.held, (step.start_s, step.finish_s)
        if held is None:
            self._hearsay.given(self._world.bind(unit, step.node, step.start_s, by, due_s))
        elif held.has_started or held.machine not in (step.before, step.node):
            return
        elif held.machine != step.node:
            self._hearsay.given(self._world.move(unit, step.node, step.start_s, by, due_s))
        else:
            held.due_start_s, held.due_finish_s = due_s
            self._world.rekey(held, step.start_s)

    # What happens.

    def started(self, attempt: Attempt) -> None:
        now, run_s = self._world.now, self._hearsay.run_s(attempt)
        attempt.due_finish_s = now + run_s
        self._look_later(attempt, due_s(now, run_s), copy_due_s(now, run_s))

    def ended(self, attempt: Attempt) -> None:
        self._looks.pop(attempt, None)
        original = self._originals.pop(attempt.unit, None)
        if original is not None and original is not attempt:
            self._charge(original)
        self._learn(attempt, self._world.now)
        if self._how.replans and deviates(attempt.finish_s, attempt.due_finish_s, attempt.expected_s):
            self._replan(attempt.unit.job, attempt.unit.item, attempt.machine)

    def overdue(self, attempt: Attempt) -> None:
        now = self._world.now
        look_s, copy_s = self._looks[attempt]
        if self._how.watches and now >= look_s:
            seen = overdue(attempt.start_s, now)
            look_s, attempt.due_finish_s = seen.again_s, seen.finish_s
            self._hearsay.factors[attempt.machine].suspect(now - attempt.start_s, attempt.expected_s)
            self._hearsay.learnt(attempt.machine)
            if self._how.replans:
                self._replan(attempt.unit.job, attempt.unit.item, attempt.machine)
        if self._how.copies and now >= copy_s:
            copy_s = math.inf if self._copy(attempt) else copy_again_s(attempt.start_s, attempt.expected_s, now)
        self._look_later(attempt, look_s, copy_s)

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:  # noqa: ARG002  what it had says enough
        for job, item in dict.fromkeys((attempt.unit.job, attempt.unit.item) for attempt in lost):
            self._replan(job, item, self._living(job), fresh=True)

    def recovered(self, machine: int) -> None:
        for job in self._world.jobs:
            for item in range(len(job.items)):
                if any(unit.held is None for unit in job.items[item]):
                    self._replan(job, item, machine, fresh=True)

    def _look_later(self, attempt: Attempt, look_s: float, copy_s: float) -> None:
        at_s = min(look_s if self._how.watches else math.inf, copy_s if self._how.copies else math.inf)
        if at_s < math.inf:
            self._looks[attempt] = look_s, copy_s
            self._world.watch(attempt, at_s)

    def _learn(self, attempt: Attempt, until_s: float) -> None:
        self._hearsay.factors[attempt.machine].learn(until_s - attempt.start_s, attempt.expected_s)
        self._hearsay.learnt(attempt.machine)

    def _charge(self, loser: Attempt) -> None:
        """A copy has ended before its original: a straggler must not go on looking fast."""
        if self._world.stations[loser.machine].alive and self._world.now - loser.start_s > loser.expected_s:
            self._learn(loser, self._world.now)

    def _copy(self, attempt: Attempt) -> bool:
        """Start a copy on an idle machine where it is likely to end first; whether there was one."""
        unit, world = attempt.unit, self._world
        costs, factors = unit.job.instance.cost_s[unit.task], self._hearsay.factors
        if unit.copy is not None:
            return True
        finishes_s = {
            one.number: self._auction.inputs_s(unit, one.number) + costs[one.number] * factors[one.number].value
            for one in world.stations
            if one.number != attempt.machine
            and self._is_idle(one)
            and one.fits(unit)
            and costs[one.number] < math.inf
        }
        if not finishes_s:
            return False
        best = min(finishes_s, key=lambda machine: (finishes_s[machine], machine))
        if not is_copy_worth_it(finishes_s[best], attempt.start_s, self._hearsay.run_s(attempt), world.now):
            return False
        self._originals[unit] = attempt
        copy = world.copy(unit, best, world.now, attempt.machine)
        copy.due_start_s, copy.due_finish_s = world.now, finishes_s[best]
        self._hearsay.given(copy)
        return True

    def _is_idle(self, station: Station) -> bool:
        return station.alive and not station.running and all(one.state is not State.READY for one in station.bound)

    # Re-planning.

    def _living(self, job: Job) -> int:
        """The origin, or the first machine that lives."""
        stations = self._world.stations
        origin = stations[job.arrival.origin]
        return next((one.number for one in (origin, *stations) if one.alive), origin.number)

    def _replan(self, job: Job, item: int, me: int, *, fresh: bool = False) -> None:
        """Machine `me` thinks about everything of an item that has not started, and moves what is its business.

        Where the others now expect their units to start, they are told: their queues and their bids rest on it.
        """
        board, order = self._hearsay.board(job, item, me, fresh=fresh)
        place, parents = board.place, job.instance.parents

        def may_move(task: int) -> bool:
            above = [place[parent] for parent, _ in parents[task]]
            return is_responsible(me, place[task], above, node_is_dead=board.nodes[place[task]] is None)

        asks = self._how.asks and not fresh
        self._wait_s = 0.0
        ask = partial(self._ask, job.items[item], me) if asks else None
        margin_share = MARGIN_SHARE if asks else FRESH_MARGIN_SHARE
        told: dict[int, None] = {}
        for step in replan(board, order[:PASS_TASKS_MAX], may_move, margin_share, ask):
            told[step.node] = None
            carry_out = partial(self._carry_out, job, item, step, me)
            wait_s = self._wait_s if step.node != step.before else 0.0
            if wait_s:
                self._world.at(self._world.now + wait_s, carry_out)
            else:
                carry_out()
        for machine in told:
            self._world.message(me, machine)

    def _ask(self, units: Sequence[Unit], me: int, task: int, machines: Sequence[int]) -> dict[int, float]:
        """Bids, as long as the unit has not been asked about too often."""
        unit = units[task]
        asked = self._asked.get(unit, 0) + len(machines)
        if asked > BIDS_MAX:
            return {}
        self._asked[unit] = asked
        self._world.decisions += 1
        self._wait_s = self._auction.delay_s(machines, me)
        return self._auction.bids(unit, machines, me)
