"""The example of a Python client does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .hosts import Hosts

pytestmark = pytest.mark.processes

PI = Path(__file__).parents[2] / "examples" / "calls" / "pi.py"


def test_pi_is_estimated_on_two_nodes(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path)
    try:
        alpha, _ = hosts.cluster("alpha", "beta")

        ran = subprocess.run(
            [sys.executable, PI],
            cwd=tmp_path,
            env={**os.environ, "PNODE_HOME": str(alpha.home)},
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert (ran.returncode, ran.stderr) == (0, "")
        [told] = re.findall(r"pi is about (3\.\d{4})\n", ran.stdout)
        assert float(told) == pytest.approx(3.1416, abs=0.01)
        assert "pi: hits" in alpha.done("jobs").out
    finally:
        hosts.end()
