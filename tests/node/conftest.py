"""What several tests of the node's store need."""

from pathlib import Path

import pytest

from pnode.node import power


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Which run of the machine this is."""
    path = tmp_path / "boot_id"
    path.write_text("the first")
    monkeypatch.setattr(power, "BOOT_ID", path)
    return path
