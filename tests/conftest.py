"""What holds for every test: the environment of whoever runs it stays outside, and a slow machine is no failure."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("pnode", deadline=None, print_blob=True)  # CI machines stall for longer than any deadline
settings.load_profile("pnode")

PLACE = pytest.StashKey[Path]()
"""Where this run keeps the directories of its tests, if nobody said where."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Directories of tests have short names, whoever runs them and however often.

    Homes of nodes are made in them, and the name of a home's control socket has at most 103 bytes. pytest's own
    choice grows with the user's name, $TMPDIR and the number of runs before.
    """
    if config.option.basetemp is None:
        config.stash[PLACE] = Path(tempfile.mkdtemp(prefix="pn-", dir="/tmp"))
        config.option.basetemp = str(config.stash[PLACE])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave the directories of tests behind only where something is to be looked up in them."""
    place = session.config.stash.get(PLACE, None)
    if place is not None and exitstatus not in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERNAL_ERROR):
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> None:
    """A node's settings may come from PNODE_*; those of whoever runs the tests are not meant for us."""
    for name in [name for name in os.environ if name.startswith("PNODE_")]:
        del os.environ[name]


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> None:
    """A shell that is not interactive starts its background jobs with SIGINT ignored, and children inherit that.

    Node processes that the tests start would then never hear the ctrl-C they are sent, and the tests of it time out.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
