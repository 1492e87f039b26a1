"""Machine: on what all this was measured, as far as it can be told."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

from ..borders import ROOT


def described() -> str:
    """Processor, memory, system and interpreter, in one sentence."""
    memory_gb = psutil.virtual_memory().total / 1e9
    system = f"{platform.system()} {platform.release()}"
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory_gb:.0f} GB, {system}, Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def revision() -> str:
    """Which pnode this is."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=, changed"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else "unknown"


def load() -> float:
    """How many processes wanted a core during the last minute, on average; with those that are measured."""
    return os.getloadavg()[0]
