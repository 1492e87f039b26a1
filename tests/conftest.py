"""What holds for every test: the environment of whoever runs it stays outside, and a slow machine is no failure."""

import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("pnode", deadline=None, print_blob=True)  # CI machines stall for longer than any deadline
settings.load_profile("pnode")


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
