"""Origins: the same code has the same one in every process, another code another one."""

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from pnode.sim.study.origin import origin

from .fakes import Counting, drawn, fake


@dataclass(frozen=True)
class Held:
    number: int

    def __call__(self) -> int:
        return self.number


class Plain:
    """Its repr has an address."""

    def __call__(self) -> int:
        return 0


def test_no_address_in_memory_is_in_it() -> None:
    for value in (fake, Held(1), Plain(), functools.partial(fake, seed=1), Counting(Path("x"))):
        assert " at 0x" not in origin(value)
        assert "object at" not in origin(value)


def test_what_a_value_holds_tells_it_from_others() -> None:
    values = [
        fake,
        drawn,
        Held(1),
        Held(2),
        Plain(),
        functools.partial(fake, seed=1),
        functools.partial(fake, seed=2),
    ]

    assert len({origin(value) for value in values}) == len(values)
    assert origin(Held(1)) == origin(Held(1))
    assert origin(Plain()) == origin(Plain())


def test_a_change_of_the_source_is_another_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("theirs")
    module.__file__ = str(tmp_path / "theirs.py")
    monkeypatch.setitem(sys.modules, "theirs", module)
    monkeypatch.setattr(Plain, "__module__", "theirs")
    seen: list[str] = []
    for text in ("return 0", "return 1", "return 0"):
        (tmp_path / "theirs.py").write_text(text)
        seen.append(origin(Plain()))

    assert seen[0] == seen[2] != seen[1]
