"""A folder of shards that the tests of the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.helpers import EMBED, run


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory, with_threads: Callable[[int], Any]) -> Path:
    """A folder that one process wrote without a stop, on one thread."""
    folder = tmp_path_factory.mktemp("cli") / "e"
    with with_threads(1):
        text = run(*EMBED, "-o", folder).output
    assert "1000 queries, 10 gallery items, dim 256, 5 shards" in text
    return folder
