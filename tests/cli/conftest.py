from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.world import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A command line with a home of its own, whose store is not made yet."""
    return Cli(tmp_path)
