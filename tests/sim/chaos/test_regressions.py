"""What small seeds once found they find no more (`named`)."""

import pytest

from pnode.sim.chaos.batch import outcome_of

from .named import FOUND


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_found_no_more(name: str) -> None:
    outcome = outcome_of(FOUND[name])

    assert outcome.holds, f"{'; '.join(outcome.complaints[:3])}\nagain: {outcome.options.command}"
