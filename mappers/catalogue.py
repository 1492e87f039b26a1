"""Catalogue: the mappers that a job may ask for by name."""

from collections.abc import Mapping

from pnode.protocol.view import Mapper

from .followed import Followed
from .pinned import NAME, Pinned
from .planners import YARDSTICKS
from .wave_classic import WaveGreedyClassic, WaveRandomClassic
from .wave_greedy import WaveGreedy
from .wave_hint import WaveHint
from .wave_plan import WavePlan
from .wave_random import WaveRandom

_ALL: tuple[Mapper, ...] = (
    WavePlan(),
    WaveHint(),
    WaveGreedy(),
    WaveRandom(),
    WaveGreedyClassic(),
    WaveRandomClassic(),
)

MAPPERS: Mapping[str, Mapper] = {mapper.name: mapper for mapper in _ALL}
"""Each with its default options; the default mapper first (`docs/mappers.md` says why it is). A study that varies
options makes its own."""

NAMES: tuple[str, ...] = tuple(MAPPERS)

FOLLOWED: Mapping[str, Mapper] = {name: Followed(name, plan) for name, plan in YARDSTICKS.items() if name != "random"}
"""Static planners, for comparison on real machines. Without one that draws, which wave-random is, and without the
optimum, which would keep an origin busy for too long."""

EVERY: Mapping[str, Mapper] = {**MAPPERS, **FOLLOWED}

KNOWN: Mapping[str, Mapper] = {**EVERY, NAME: Pinned()}
"""What a node decides by when a job says so; the last is for profiles (`pnode profile`), and no person's choice."""


class UnknownMapperError(ValueError):
    """A person or a job asks for a mapper that there is none of."""


def by_name(name: str) -> Mapper:
    """The mapper of that name. Raises UnknownMapperError, which lists the known ones."""
    if name not in EVERY:
        raise UnknownMapperError(f"there is no mapper {name!r}; known are {', '.join(EVERY)}")
    return EVERY[name]
