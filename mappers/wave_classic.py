"""wave-random-classic and wave-greedy-classic: WAVE as Jupiter's code has it, for comparison.

Everything here follows jupiter.md 1.5 and 1.6 to the letter, the weaknesses listed in its 1.7 included. Jupiter's
units stand at the border only: beliefs about links come in seconds and bytes, and are turned into the coefficients
(a, b, c) of DRUPE's quadratic, delay in ms = a s^2 + b s + c for s Kbit. Percentages are 0 to 100.

Jupiter keeps what it has used in the worker process; a mapper here keeps nothing, so the nodes this controller has
used are those in `Question.mine`, whatever the seconds beside them. The hard-coded exclusion of a host called
`node77` is not repeated.
"""

from collections.abc import Sequence
from enum import Enum
from random import Random

from pnode.protocol.values import dataclass, replace
from pnode.protocol.view import Choice, Link, PeerView, Question, Score, View

from .candidates import eligible, hinted_first, wished
from .finish import expected_finishes

THRESHOLD = 15.0
"""A neighbour whose delay is not below this many times the smallest is left out."""

USED_MS = 100_000.0
"""What takes the place of c for a neighbour that this controller has used before (v1-v3)."""

KBIT_PER_BYTE = 0.008
"""Jupiter's conversion, in its mappers and profilers alike."""

MS_PER_S = 1000.0


class Generation(Enum):
    """Which line of Jupiter's code is followed where they differ."""

    V1_TO_V3 = "v1-v3"
    V4_AND_V5 = "v4/v5"


class Size(Enum):
    """What s, the size put into the delay, stands for."""

    NAME_LENGTH = "name"
    """The number of letters in the task's name, as Kbit: a slip of v1-v3, and what was measured with it."""
    SAMPLE = "sample"
    """The size of one sample input file, the same for every task (v4/v5)."""
    EDGE = "edge"
    """What the deciding node's own parents send to the task; in no version of Jupiter."""


MISSING_PERCENT = {Generation.V1_TO_V3: 10_000.0, Generation.V4_AND_V5: float(2**63 - 1)}
"""CPU and memory of a node of which no figures are known; the latter is `sys.maxsize`."""


def quadratic(link: Link) -> tuple[float, float, float]:
    """DRUPE's (a, b, c) of a link: a is 0, b in ms per Kbit, c in ms."""
    return 0.0, MS_PER_S / (KBIT_PER_BYTE * link.bandwidth_bytes_per_s), MS_PER_S * link.latency_s


@dataclass(frozen=True, slots=True)
class WaveRandomClassic:
    """Uniform over the other nodes, over oneself only when alone (v1-v3), or over all nodes (v4).

    Whoever fails is replaced by a further draw, as in v1-v3's next round; v4 would have given up.
    """

    name = "wave-random-classic"
    generation: Generation = Generation.V1_TO_V3

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        drawn = [replace(score, total=rng.random()) for score in self._pool(question, view)]
        drawn.sort(key=lambda score: score.total)
        return hinted_first(question, view, drawn)

    def _pool(self, question: Question, view: View) -> list[Score]:
        scores = expected_finishes(question, view)
        if self.generation is Generation.V4_AND_V5:
            return scores
        own_wish = any(peer.node == view.me for peer in wished(question, view))
        others = [score for score in scores if score.node != view.me or own_wish]
        return others or scores


@dataclass(frozen=True, slots=True)
class _Figures:
    """What Jupiter's greedy rule knows of one node."""

    peer: PeerView
    delay_ms: float
    cpu: float
    memory: float
    score: Score
    """For the ranking: the total is ms + % + %, the inputs' arrival is the delay."""


@dataclass(frozen=True, slots=True)
class WaveGreedyClassic:
    """Smallest delay (ms) + cpu (%) + memory (%) among the neighbours that are not too far, never oneself.

    The defaults are v1-v3, the rule of the WAVE repository. Late v4 and v5 are
    `WaveGreedyClassic(Generation.V4_AND_V5, reuse_penalty=False, size=Size.SAMPLE, sample_bytes=...)`; early v4 had
    the penalty still. Ties go to the first in the order of the view.
    """

    name = "wave-greedy-classic"
    generation: Generation = Generation.V1_TO_V3
    """Decides how a node without figures counts, and what happens when the threshold leaves nobody."""
    reuse_penalty: bool = True
    """Whether a neighbour that was used before counts as USED_MS away."""
    size: Size = Size.NAME_LENGTH
    sample_bytes: int = 0
    """Of the sample input file, for Size.SAMPLE."""

    def __post_init__(self) -> None:
        if self.size is Size.SAMPLE and self.sample_bytes <= 0:
            raise ValueError(
                f"Size.SAMPLE needs the size of a sample file in sample_bytes, found {self.sample_bytes}"
            )

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        del rng
        scores = expected_finishes(question, view)
        peers = eligible(question, view)
        known = [self._figures(*pair, question, view) for pair in zip(peers, scores, strict=True)]
        chosen = _near([figures for figures in known if figures.peer.node != view.me])
        if not chosen and self.generation is Generation.V1_TO_V3:
            chosen = _idlest(known)
        # Jupiter's input_node.txt gives first tasks to nodes that need not be neighbours of anybody.
        wishes = wished(question, view)
        chosen += [figures for figures in known if figures.peer in wishes and figures not in chosen]
        return hinted_first(question, view, [figures.score for figures in chosen])

    def _figures(self, peer: PeerView, score: Score, question: Question, view: View) -> _Figures:
        a, b, c = quadratic(view.link(view.me, peer.node))
        if self.reuse_penalty and any(node == peer.node for node, _ in question.mine):
            c = USED_MS
        s = self._size_kbit(question, view)
        delay_ms = a * s**2 + b * s + c
        cpu, memory = _percents(peer, MISSING_PERCENT[self.generation])
        score = replace(score, total=delay_ms + cpu + memory, inputs_s=delay_ms / MS_PER_S)
        return _Figures(peer, delay_ms, cpu, memory, score)

    def _size_kbit(self, question: Question, view: View) -> float:
        if self.size is Size.NAME_LENGTH:
            return len(question.task)
        if self.size is Size.SAMPLE:
            return KBIT_PER_BYTE * self.sample_bytes
        return KBIT_PER_BYTE * sum(parent.size_bytes for parent in question.parents if parent.node == view.me)


def _percents(peer: PeerView, missing: float) -> tuple[float, float]:
    """Jupiter's records hold both figures or are not there."""
    if peer.cpu_percent is None or peer.memory_percent is None:
        return missing, missing
    return peer.cpu_percent, peer.memory_percent


def _near(neighbours: Sequence[_Figures]) -> list[_Figures]:
    """Those below the threshold, cheapest first. Nobody is, when the smallest delay is not above zero."""
    limit_ms = THRESHOLD * min((figures.delay_ms for figures in neighbours), default=0.0)
    valid = [figures for figures in neighbours if figures.delay_ms < limit_ms]
    return sorted(valid, key=lambda figures: figures.score.total)


def _idlest(known: Sequence[_Figures]) -> list[_Figures]:
    """v1-v3's way out when nobody is valid: the smallest cpu + memory on record, the deciding node's included."""
    recorded = [
        figures
        for figures in known
        if figures.peer.cpu_percent is not None and figures.peer.memory_percent is not None
    ]
    return sorted(recorded, key=lambda figures: figures.cpu + figures.memory)
